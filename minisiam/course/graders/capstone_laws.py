"""Steps of the capstone without a formula: random pairs, training, the test on unseen classes, and the whole page."""

from __future__ import annotations

from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from ...gradcheck import Case, Fault
from ...gradcheck.compare import raised
from ..one_page import module
from .results import LimitedOutput, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...typing import Array
    from ..exercises import Function

LABELS = ([0, 0, 1, 1], [0, 0, 1, 1, 1, 2, 2], [2, 0, 1, 0, 2, 1, 0])
MANY = 600  # pairs, in which every possible pair of seven images occurs
STEPS, BATCH, RATE = 3, 6, 0.1


def by_laws_of_pairs(page: Function) -> Result:
    """Every law of random pairs, on small sets of labels."""
    for labels in map(np.array, LABELS):
        for n in (2, 5, MANY):
            case = Case({"labels": labels}, {"n": n}, None)
            try:
                found = _law_of_pairs(page, labels, n)
            except Exception as mistake:
                return Result(Fault(raised(mistake), case))
            if found:
                law, clue, columns = found
                return Result(Fault(law, case, None, columns), clue, "", "The labels")
    return Result(None)


def _law_of_pairs(page: Function, labels: Array, n: int) -> tuple[str, str, dict[str, Any]] | None:
    """A violated law, a clue, and the pairs."""
    draw = lambda seed: page("pairs", labels.copy(), n, np.random.default_rng(seed))
    result = draw(0)
    if not isinstance(result, tuple) or len(result) != 3:
        return "it must return a tuple of three arrays, (i, j, same)", "", {}
    i, j, same = map(np.asarray, result)
    if any(x.shape != (n,) for x in (i, j, same)) or i.dtype.kind + j.dtype.kind != "ii" or same.dtype != bool:
        return f"i, j and same must be arrays of {n} integers, integers and booleans", "", {}
    shown = {"i": i[:8], "j": j[:8], "same": same[:8]}
    if min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= len(labels):
        return "a row is outside the data set", "", shown
    if (same != (np.arange(n) < n // 2)).any():
        return f"the first {n // 2} of {n} pairs must be the same letter, and no others", "", shown
    if (i == j).any():
        return "an image is its own partner", "its distance to itself is 0, which teaches nothing", shown
    if (same != (labels[i] == labels[j])).any():
        return "same does not say whether the labels are equal", "", shown
    if not all(np.array_equal(a, b) for a, b in zip(result, draw(0), strict=True)):
        return "the same seed gives different pairs", "do you draw all random numbers from rng?", {}
    if n < MANY:
        return None
    if all(np.array_equal(a, b) for a, b in zip(result, draw(1), strict=True)):
        return "another seed gives the same pairs", "do you use rng?", {}
    missing = {(a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b} - {*zip(i, j, strict=True)}
    if missing:
        a, b = min(missing)
        return f"row {a} never has the partner {b}, in {n} pairs", "every image and every partner must be possible", {}
    return None


def by_descent(page: Function) -> Result:
    """Training is compared with three steps made of the learner's own pairs and gradients."""
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(8, 5)), np.repeat([0, 1, 2, 3], 2)
    start = module().init((5, 4, 3), rng)
    case = Case({}, {"steps": STEPS, "batch": BATCH, "rate": RATE}, None)
    given = [p.copy() for p in start]
    try:
        found = page("train", given, images, labels, np.random.default_rng(0), STEPS, BATCH, RATE)
    except Exception as mistake:
        return Result(Fault(raised(mistake), case))
    if not isinstance(found, list) or [np.shape(p) for p in found] != [p.shape for p in start]:
        return Result(Fault("it must return a list of arrays like params", case))
    if not all(np.array_equal(p, old) for p, old in zip(given, start, strict=True)):
        return Result(Fault("it changes the params that it was given", case), "make new arrays: p - rate * dp")
    run = lambda **other: _descended(page, start, images, labels, **other)
    truth = run()
    if _equal(found, truth):
        return Result(None)
    clue = next((clue for clue, params in _wrong_descents(run, start) if _equal(found, params)), "")
    differs = next(k for k in (1, 0, 2, 3) if not _equal(found[k : k + 1], truth[k : k + 1]))  # b1 is the shortest
    columns = {"yours": found[differs], "correct": truth[differs]}
    what = f"params[{differs}] after three steps is wrong"
    return Result(Fault(what, case, None, columns), clue, "", "The training")


def _descended(
    page: Function, params: list[Array], images: Array, labels: Array,
    steps: int = STEPS, rate: float = RATE, new_pairs: bool = True, at_start: bool = False,
) -> list[Array]:  # fmt: skip
    """The params after gradient descent, or after a common mistake."""
    rng, start, drawn = np.random.default_rng(0), params, None
    for _ in range(steps):
        if new_pairs or drawn is None:
            drawn = page("pairs", labels, BATCH, rng)
        i, j, same = drawn
        (dparams,) = page("siamese", start if at_start else params, images[i], images[j], same)[1](1.0)
        params = [p - rate * dp for p, dp in zip(params, dparams, strict=True)]
    return params


def _wrong_descents(run: Any, start: list[Array]) -> Iterator[tuple[str, list[Array]]]:
    yield "these are the params of the start: does the loop keep the new ones?", start
    yield "the loss grows: the gradient points uphill, so subtract it", run(rate=-RATE)
    yield "this is the result of the rate 1: multiply the gradient by rate", run(rate=1.0)
    yield "are new pairs drawn in each step?", run(new_pairs=False)
    yield "each step must use the gradient at the present params, not at those of the start", run(at_start=True)
    for steps in (1, STEPS - 1, STEPS + 1):
        yield f"this is the result of {steps} step{'s' * (steps > 1)}, not {STEPS}", run(steps=steps)


def _equal(a: list[Array], b: list[Array]) -> bool:
    return all(np.allclose(x, y, rtol=1e-9, atol=1e-12) for x, y in zip(a, b, strict=True))


def embeddings() -> Iterator[Case]:
    """Examples and queries, in order of size; ties are exact."""
    rng = np.random.default_rng(0)
    for examples, queries in (
        ([[0.0], [2.0]], [[0.0], [2.0]]),
        ([[0.0], [2.0]], [[2.0], [2.0]]),
        ([[0.0], [2.0]], [[1.0], [2.0]]),
        ([[1.0], [1.0]], [[1.0], [1.0]]),
        ([[0.0], [2.0], [3.0]], [[9.0], [9.0], [9.0]]),
    ):
        yield Case({"examples": np.array(examples), "queries": np.array(queries)}, {}, None)
    for n in (3, 4, 5, 6):
        for _ in range(5):
            yield Case({name: rng.integers(0, 4, (n, 2)) / 1.0 for name in ("examples", "queries")}, {}, None)


def clue_of_test(ours: Any, truth: Any, case: Case) -> str:
    """A clue from the result of a common mistake."""
    examples, queries = case.variables.values()
    D = np.linalg.norm(queries[:, None] - examples, axis=2)
    own = np.diag(D)
    if np.isclose(ours, np.mean(own <= D.min(axis=1))) or np.isclose(ours, np.mean(D.argmin(axis=1) == range(len(D)))):
        return "a tie, two examples equally near, counts as an error"
    if np.isclose(ours, np.mean(D.argmin(axis=0) == range(len(D)))):
        return "each query looks for its nearest example, not each example for its nearest query"
    if np.isclose(ours, 1 - truth):
        return "this is the share of errors"
    return ""


def by_whole(page: Function) -> Result:
    """Train on small letters, and compare with pixels on letters that the network has not seen; then run the page."""
    siam, rng = module(), np.random.default_rng(0)
    letters = rng.uniform(0.15, 0.85, (120, 4, 2))
    seen, unseen = letters[:100], letters[100:]
    images, labels = np.concatenate([siam.draw(seen, rng) for _ in range(8)]), np.tile(np.arange(100), 8)
    tests = [(siam.draw(unseen, rng), siam.draw(unseen, rng)) for _ in range(50)]
    start = siam.init((144, 64, 32), rng)
    case = Case({}, {"steps": 400}, None)
    try:
        params = page("train", start, images, labels, rng, 400)
        embed = lambda theta, x: np.asarray(page("encoder", theta, x)[0])
        before, after = (np.mean([siam.one_shot(embed(p, a), embed(p, b)) for a, b in tests]) for p in (start, params))
        with redirect_stdout(LimitedOutput()) as output:
            page("main", 400)
    except Exception as mistake:
        return Result(Fault(raised(mistake), case))
    if not after > before + 0.02:
        columns = {"before training": before, "after": after}
        return Result(Fault("training does not help on unseen letters", case, None, columns), "", "", "The training")
    text = f"Of new drawings of 20 unseen letters it recognises {after:.0%} after 400 steps, {before:.0%} before"
    return Result(None, "", f"All steps. {text}. The file is yours: run it with `python`", "", output.getvalue())
