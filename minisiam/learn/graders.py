"""What is right: the universal check and, for what has no gradient, its like, the smallest input that differs.

GRADERS has one for each exercise. It takes a function and returns what it found: a fault or none, with a clue.
"""

from __future__ import annotations

import copy
import inspect
import time
import warnings
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import kinks, reference
from ..distances import squared_l2
from ..kinks.table import row
from ..losses import contrastive
from ..testing import Case, Examination, Fault, examine
from ..testing.examine import describe, show
from ..testing.faults import changed, raised
from ..typing import Array, Bool, Float
from . import bugs, clues, collapse, dealing, small
from .exercises import EXERCISES, Exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Grader = Callable[[Callable[..., Any]], "Found"]


EXAMPLES, POINTS = 24, 40  # on each rung of the ladder, and generic ones: a second's work


class Found(NamedTuple):
    """A fault or none, a clue, and on what it was tried."""

    fault: Fault | None
    clue: str = ""
    tried: str = ""
    intro: str = "The smallest case"


class Verdict(NamedTuple):
    """What is said of a learner's function, to a person and to a program."""

    status: str  # passed, failed or open
    message: str
    what: str = ""
    clue: str = ""
    case: dict[str, str] = {}  # noqa: RUF012
    columns: dict[str, str] = {}  # noqa: RUF012
    rows: int = 0
    seconds: float = 0.0


def judge(exercise: Exercise, function: Callable[..., Any]) -> Verdict:
    """Everything that is to be said of a function as an answer to an exercise."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GRADERS[exercise.name](function)
    seconds = round(time.process_time() - start, 3)
    if found.fault is None:
        return Verdict("passed", f"{exercise}: correct. {found.tried}.", seconds=seconds)
    fault = found.fault
    inputs = fault.case.variables | fault.case.constants
    return Verdict(
        "open" if fault.what.startswith("it raises NotImplementedError") else "failed",
        describe(str(exercise), fault, found.clue, found.intro),
        fault.what,
        found.clue,
        {name: show(value) for name, value in inputs.items()},
        {name: show(value) for name, value in fault.columns.items()},
        max((len(value) for value in fault.case.variables.values() if np.ndim(value)), default=0),
        seconds,
    )


def by_check(
    library: Callable[..., Any],
    adapt: Callable[..., Any] = lambda function: function,
    definition: Callable[..., Any] | None = None,
    rows: list[kinks.Kink] | None = None,
    otherwise: str = "",
) -> Grader:
    """The universal check, against the library's definition and its kinks; `otherwise` is a clue where none fits."""
    definition = definition or reference.of(library)

    def grade(function: Callable[..., Any]) -> Found:
        op = adapt(function)
        known = inspect.signature(op).parameters.keys()
        own = kinks.of(library) if rows is None else rows
        found = examine(op, definition, EXAMPLES, POINTS, rows=[kink for kink in own if kink.constants.keys() <= known])
        clue = found.clue or (otherwise if found.fault and found.fault.variable else "")
        return Found(found.fault, clue, _tried(found))

    return grade


def _tried(found: Examination) -> str:
    kinks = f"; {_counted(found.kinks, 'kink')} as documented" if found.kinks else ""
    corners = "" if not found.unjudged else (
        f"; {_counted(found.unjudged, 'input')} at a kink, where autograd and differences disagree: not judged"
    )  # fmt: skip
    return f"{_counted(found.points, 'input')} against autograd and differences{kinks}{corners}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def by_difference(
    library: Callable[..., Any],
    cases: Callable[[], Iterable[Case]],
    form: Callable[[Any], Any],
    shape: str,
    hint: Callable[[Any, Any, Case], str],
) -> Grader:
    """The first of a list of inputs, small before large, on which a function differs from the library's.

    Parameters
    ----------
    library, cases
        What is right, and the inputs.
    form
        From what a function returns to what is compared; it raises where the function returned something else.
    shape
        In words, what is to be returned.
    hint
        A clue, from both answers and the input.
    """

    def grade(function: Callable[..., Any]) -> Found:
        tried = 0
        for tried, case in enumerate(cases(), start=1):  # noqa: B007
            truth = form(case.call(library))
            given = copy.deepcopy(case)
            try:
                result = function(*given.variables.values(), **given.constants)
            except Exception as mistake:
                return Found(Fault(raised(mistake), case))
            touched = changed(case, given.variables, given.constants)
            if touched:
                return Found(Fault(f"it changes its input {touched}", case))
            try:
                ours = form(result)
            except (TypeError, ValueError, IndexError):
                return Found(Fault(f"it must return {shape}, not {_short(result)}", case))
            if np.shape(ours) != np.shape(truth) or not np.allclose(ours, truth, rtol=1e-12, atol=0):
                what = "the answer is wrong"
                return Found(Fault(what, case, None, {"yours": ours, "library": truth}), hint(ours, truth, case))
        return Found(None, "", f"As the library on {tried} inputs")

    return grade


def _short(value: Any) -> str:
    words = repr(value).replace("\n", " ")
    return words if len(words) <= 60 else f"{words[:57]}..."


def by_laws(function: Callable[..., Any]) -> Found:
    """The P×K sampler: chance has no single right answer, but every batch obeys laws."""
    tried = 0
    for tried, case in enumerate(small.decks(), start=1):  # noqa: B007
        try:
            broken = dealing.broken_law(function, case)
        except Exception as mistake:
            return Found(Fault(raised(mistake), case))
        if broken:
            return Found(Fault(broken.law, case, None, broken.columns), broken.clue, "", "Dealt from")
    return Found(None, "", f"Every law holds on {tried} sets of labels")


def by_training(function: Callable[..., Any]) -> Found:
    """The repair: a run with these settings is made and looked at."""
    try:
        chosen = function()
        outcome = collapse.run(chosen)
    except Exception as mistake:
        return Found(Fault(raised(mistake), Case({}, {}, None)))
    case = Case({}, {name: value for name, value in chosen.items() if value != collapse.COLLAPSING[name]}, None)
    said = {"loss": outcome.loss, "spread": outcome.spread, "recall@1": outcome.recall, "pixels'": outcome.raw}
    said = {name: round(number, 4) for name, number in said.items()}
    if outcome.repaired:
        return Found(
            None, "", f"The embeddings are apart, and recall@1 is {outcome.recall:.3f}, of pixels {outcome.raw:.3f}"
        )
    if outcome.collapsed:
        what, clue = "the run still collapses, all images in one place", clues.collapse(outcome)
    else:
        what = "the embeddings are apart, but unseen letters are recognised no better than by their pixels"
        clue = "does anything still hold the batch together? And are the steps of a size that a network can follow?"
    return Found(Fault(what, case, None, said), clue, "", "What you changed")


def by_separation(function: Callable[..., Any]) -> Found:
    """The bugs: each input must tell the wrong gradient from the right one, and be as small as can be."""
    try:
        answers = function()
        bugs.check_form(answers)
    except Exception as mistake:
        return Found(Fault(raised(mistake), Case({}, {}, None)))
    for name in bugs.WRONG:
        try:
            broken = bugs.unseen(name, answers[name])
        except Exception as mistake:
            return Found(Fault(f"{name}: {raised(mistake)}", Case({}, dict(answers[name]), None)))
        if broken:
            return Found(broken, "", "", "Your input")
    return Found(None, "", f"Each of {len(bugs.WRONG)} mistakes is shown, and by no more numbers than it takes")


# what the exercises that are no ops by themselves look like to the check


def value_only(library: Callable[..., Any]) -> Callable[..., Any]:
    """A function that returns the value as an op, with the library's pullback; one that has its own may return it."""

    def adapt(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def op(*variables: Any, **constants: Any) -> Any:
            pullback = library(*map(np.array, variables), **constants)[1]
            result = function(*variables, **constants)
            return (result[0] if _is_pair(result) else result), pullback

        return op

    return adapt


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and callable(result[1])


def _linear(W: Array, x: Array, input_grad: bool = True) -> Any:
    """The smallest encoder: x W."""
    return x @ W, lambda dz: (x.T @ dz, dz @ W.T if input_grad else None)


def as_op_of_weights(siamese: Callable[..., Any]) -> Callable[..., Any]:
    """A siamese network on the smallest encoder as an op of its weights."""

    def two_branches(
        W: Float[Array, "i o"], /, x1: Float[Array, "n i"], x2: Float[Array, "n i"], same: Bool[Array, "n"]
    ) -> Any:
        network = siamese(_linear, squared_l2, contrastive)
        params = {"encoder": W, "distance": (), "loss": ()}
        value, pullback = network.apply(params, x1.astype(W.dtype), x2.astype(W.dtype), same)
        return value, lambda dl: tuple(tree["encoder"] for tree in pullback(dl))

    return two_branches


@reference.specify(scales=(-1, 0), unit=1.0)
def _two_branches(W: Any, x1: Any, x2: Any, same: Any) -> Any:
    z1, z2 = reference.dense(x1, W, 0.0), reference.dense(x2, W, 0.0)
    return reference.contrastive(reference.squared_l2(z1, z2), same)


@reference.specify(sizes={"h": (2, 4), "w": (2, 4), "k": (1, 2)})
def _convolution(x: Any, W: Any, b: Any) -> Any:
    """On images as small as can be."""
    return reference.conv2d(x, W, b)


def as_op_of_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    """A log-sum-exp that returns its slope, as an op."""

    def log_sum_exp(x: Float[Array, "n m"], /) -> Any:
        value, slope = function(np.copy(x))
        return value, lambda dl: (dl[:, None] * slope,)

    return log_sum_exp


def _lse(where: str, x: list[float], value: float, slope: list[float]) -> kinks.Kink:
    return row("losses.log_sum_exp", where, [[x]], np.array([value]), [np.array([slope])], np.ones(1))


OUT = -np.inf
EXTREMES = [
    _lse("an entry is 1000: no overflow", [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    _lse("all entries are −1000: no logarithm of 0", [-1000.0], -1000.0, [1.0]),
    _lse("an entry is −∞: left out", [OUT, 2.0], 2.0, [0.0, 1.0]),
    _lse("every entry is −∞: the sum over nothing has the value 0 and no slope", [OUT], 0.0, [0.0]),
]

SPECIAL: dict[str, Callable[[Callable[..., Any]], Grader]] = {
    "squared-distance": lambda library: by_check(library, value_only(library)),
    "two-branches": lambda library: by_check(
        library, as_op_of_weights, _two_branches, [], "the weights are used twice: do both gradients arrive?"
    ),
    "convolution": lambda library: by_check(
        library, definition=_convolution, rows=[], otherwise="write down one entry of z: which entries are in it?"
    ),
    "log-sum-exp": lambda library: by_check(
        library, as_op_of_rows, None, EXTREMES, "the slope is the softmax: does each of its rows add up to 1?"
    ),
    "all-pairs": lambda library: by_difference(
        library, small.batches, clues.index_rows, "Pairs(rows, columns, same)", clues.pairs
    ),
    "batch-hard": lambda library: by_difference(
        library, small.batches, clues.index_rows, "Triplets(anchor, positive, negative)", clues.hardest
    ),
    "semi-hard": lambda library: by_difference(
        library, partial(small.batches, margins=(1.0, 2.0)), clues.index_rows,
        "Triplets(anchor, positive, negative)", clues.semi_hard,
    ),
    "recall": lambda library: by_difference(library, small.embeddings, float, "a number", clues.recall),
    "threshold": lambda library: by_difference(library, small.verifications, float, "a number", clues.threshold),
    "sampler": lambda _: by_laws,
    "collapse": lambda _: by_training,
    "find-the-bug": lambda _: by_separation,
}  # fmt: skip

GRADERS: dict[str, Grader] = {
    exercise.name: SPECIAL.get(exercise.name, by_check)(exercise.library) for exercise in EXERCISES
}
