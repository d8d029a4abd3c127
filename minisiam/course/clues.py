"""Clues to common mistakes in functions without a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..gradcheck import Case
    from ..typing import Array
    from .collapse import Outcome


def index_rows(found: Any) -> Array:
    """Pairs or triplets, one per row, sorted, because their order does not matter."""
    first, second, third = (np.asarray(part) for part in found)
    if not (first.ndim == 1 and first.shape == second.shape == third.shape):
        raise ValueError("three arrays of equal length are needed")
    if not all(part.dtype.kind in "iub" or part.size == 0 for part in (first, second, third)):
        raise TypeError("indices must be integers")
    rows = np.stack([first, second, third], axis=1).astype(int)
    return rows[np.lexsort(rows.T[::-1])]


def _differences(ours: Array, truth: Array) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The extra rows and the missing rows."""
    given, correct = [tuple(row) for row in ours.tolist()], [tuple(row) for row in truth.tolist()]
    return [row for row in given if row not in correct], [row for row in correct if row not in given]


def pairs(ours: Array, truth: Array, case: Case) -> str:
    """A clue to wrong pairs."""
    extra, missing = _differences(ours, truth)
    if any(i == j for i, j, _ in extra):
        return "an image does not form a pair with itself"
    if any((j, i, s) in set(map(tuple, truth.tolist())) for i, j, s in extra):
        return "list each pair once, with i < j: (j, i) is the same pair as (i, j)"
    if extra and any((i, j, 1 - s) in missing for i, j, s in extra):
        return "same must be True where the two labels are equal"
    return _missing(missing) or "a pair occurs twice"


def _missing(missing: list[tuple[int, ...]]) -> str:
    return f"{', '.join(map(str, missing[:2]))} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def triplets(extra: list[tuple[int, ...]], case: Case) -> str:
    """A clue to triplets that break the definition."""
    labels = case.variables["labels"]
    for a, p, n in extra:
        if a == p:
            return f"image {a} is its own positive"
        if labels[a] != labels[p]:
            return f"image {p} has another class than anchor {a}, so it is not a positive"
        if labels[a] == labels[n]:
            return f"image {n} has the class of anchor {a}, so it is not a negative"
    return ""


def hardest(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not the hardest."""
    D = case.variables["D"]
    extra, missing = _differences(ours, truth)
    correct = {row[0]: row for row in truth.tolist()}
    invalid = triplets(extra, case)
    if invalid or not extra:
        return invalid or _missing(missing) or "a triplet occurs twice"
    for a, p, n in extra:
        if a not in correct:
            return f"anchor {a} has no positive, so it has no triplet"
        if D[a, p] < D[a, correct[a][1]]:
            return f"{correct[a][1]} is a positive of {a} and farther than {p}"
        if D[a, n] > D[a, correct[a][2]]:
            return f"{correct[a][2]} is a negative of {a} and nearer than {n}"
        if D[a, p] > D[a, correct[a][1]] or D[a, n] < D[a, correct[a][2]]:
            return "an anchor is a row of D, not a column"
    return "of equal distances take the first"


def semi_hard(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not semi-hard."""
    D, margin = case.variables["D"], case.constants["margin"]
    extra, missing = _differences(ours, truth)
    invalid = triplets(extra, case)
    if invalid or not extra:
        return invalid or _missing(missing) or "a triplet occurs twice"
    for a, p, n in extra:
        gap = D[a, n] - D[a, p]
        if gap <= 0:
            return (
                f"{n} is {'as near' if gap == 0 else 'nearer'} to {a} {'as' if gap == 0 else 'than'} {p}: not semi-hard"
            )
        if gap > margin:
            return f"{n} is farther from {a} than {p} by {gap:g}, more than the margin {margin:g}"
    return "take the nearest semi-hard negative; of equal distances the first"


def recall(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong recall."""
    z, labels = case.variables["z"], case.variables["labels"]
    count = len(labels)
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(count, dtype=bool)
    counted = own.any(axis=1)
    nearest = np.where(own, D, np.inf).min(axis=1)
    if not counted.all() and np.isclose(ours * count, truth * counted.sum()):
        return "an image that is alone in its class does not count"
    if ours > truth and ((labels[:, None] != labels) & (nearest[:, None] == D))[counted].any():
        return "a tie counts against the model, not for it"
    if ours > truth:
        return "too high: is an image its own neighbour, or do you look at one neighbour too many?"
    return "too low: does the image itself count among its k neighbours?"


def threshold(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong threshold."""
    d, same, most = case.variables["d"], case.variables["same"], case.constants["false_accept"]
    share = (d[~same] <= ours).mean()
    if share > most:
        return f"it accepts {share:.0%} of the different pairs, more than {most:.0%}"
    if ours < truth:
        return f"{truth:g} is larger and also accepts at most {most:.0%} of the different pairs"
    return "it accepts the same pairs, but the threshold must be one of the distances"


def collapse(outcome: Outcome) -> str:
    """A clue to a run that still collapses."""
    return (
        f"the loss stays at {outcome.loss:.2f} and all distances are near 0: which triplets pull all images together?"
    )
