"""What is right: the universal check and, for what has no gradient, its like, the smallest input that differs.

GRADERS has one for each exercise. It takes a function and returns what it found: a fault or none, with a clue.
"""

from __future__ import annotations

import copy
import inspect
import io
import time
import warnings
from contextlib import redirect_stdout, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..gradcheck import Case, Fault, kinks, reference, run_check
from ..gradcheck.check import CheckResult, describe, show
from ..gradcheck.compare import changed, float32_fault, raised
from ..gradcheck.inputs import generic
from . import adapters, bugs, clues, collapse, sampler_laws, small_inputs
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
    printed: str = ""


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
    printed: str = ""  # on the input that is shown


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
        found.printed,
    )


def by_check(
    library: Callable[..., Any],
    adapt: Callable[..., Any] = lambda function: function,
    definition: Callable[..., Any] | None = None,
    rows: list[kinks.Kink] | None = None,
    otherwise: str = "",
    value_only: bool = False,
) -> Grader:
    """The universal check, against the library's definition and its kinks; `otherwise` is a clue where none fits.

    `value_only` is for an exercise that asks for no gradient: what it prints speaks of the value alone.
    """
    definition = definition or reference.of(library)

    def grade(function: Callable[..., Any]) -> Found:
        given = adapt(function)
        op = adapters.narrowed(given)
        known = inspect.signature(op).parameters.keys()
        own = kinks.of(library) if rows is None else rows
        asked = [kink for kink in own if kink.constants.keys() <= known and not _underflows(kink)]
        found = run_check(op, definition, EXAMPLES, POINTS, rows=asked)
        clue = found.clue or (otherwise if found.fault and found.fault.variable else "")
        tried = _tried(found, value_only) + ("" if found.fault else _widened(given, definition))
        fault = _without_upstream(found.fault) if value_only and found.fault else found.fault
        return Found(fault, clue, tried, printed=_heard(op, found.fault))

    return grade


def _without_upstream(fault: Fault) -> Fault:
    return fault._replace(case=fault.case._replace(upstream=None))


def _underflows(kink: kinks.Kink) -> bool:
    """Whether it is about numbers so small that their squares are none: no lesson asks for these."""
    return any((np.square(x[x != 0]) <= np.finfo(float).tiny).any() for x in kink.variables)


def _widened(op: Callable[..., Any], definition: Any) -> str:
    """A remark on a right answer that is float64 where float32 was given; lesson 12 says what that costs."""
    leak = float32_fault(op, definition, generic(op, reference.specified(definition), 0))
    return f". One remark: {leak.what} (lesson 12)" if leak else ""


class Screen(io.StringIO):
    """A text that ends after a screenful or two, with an error for whoever goes on."""

    def write(self, text: str) -> int:  # noqa: D102
        if self.tell() > 20_000:
            raise OSError("that is enough")
        return super().write(text[:20_000])


def _heard(function: Callable[..., Any], fault: Fault | None) -> str:
    """What a function prints on the input that is shown."""
    if fault is None:
        return ""
    with redirect_stdout(Screen()) as said, suppress(Exception):
        result = fault.case.call(function)
        if fault.case.upstream is not None:
            result[1](fault.case.upstream)
    return said.getvalue()


def _tried(found: CheckResult, value_only: bool) -> str:
    if value_only:
        return f"{_counted(found.points, 'input')} against the definition"
    kinks = f"; {_counted(found.kinks, 'kink')} as documented" if found.kinks else ""
    corners = "" if not found.skipped else (
        f"; {_counted(found.skipped, 'input')} at a kink, where autograd and differences disagree: not judged"
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
                fault = Fault(what, case, None, {"yours": ours, "library": truth})
                return Found(fault, _clue(hint, ours, truth, case), printed=_heard(function, fault))
        return Found(None, "", f"As the library on {tried} inputs")

    return grade


def _clue(hint: Callable[[Any, Any, Case], str], ours: Any, truth: Any, case: Case) -> str:
    try:
        return hint(ours, truth, case)
    except IndexError:
        return "an index that the batch has not"


def _short(value: Any) -> str:
    words = repr(value).replace("\n", " ")
    return words if len(words) <= 60 else f"{words[:57]}..."


def by_laws(function: Callable[..., Any]) -> Found:
    """The P×K sampler: chance has no single right answer, but every batch obeys laws."""
    tried = 0
    for tried, case in enumerate(small_inputs.decks(), start=1):  # noqa: B007
        try:
            broken = sampler_laws.broken_law(function, case)
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


PAIRS, TRIPLETS = "Pairs(rows, columns, same)", "Triplets(anchor, positive, negative)"
ROWS = clues.index_rows
BRANCHES = "the weights are used twice: do both gradients arrive?"
WINDOWS = "write down one entry of z: which entries are in it?"
SOFTMAX = "the slope is the softmax: does each of its rows add up to 1?"
margins = partial(small_inputs.batches, margins=(1.0, 2.0))

SPECIAL: dict[str, Callable[[Callable[..., Any]], Grader]] = {
    "squared-distance": lambda op: by_check(op, adapters.value_only(op), value_only=True),
    "two-branches": lambda f: by_check(f, adapters.as_op_of_weights, adapters.two_branches, [], BRANCHES),
    "convolution": lambda op: by_check(op, definition=adapters.small_convolution, rows=[], otherwise=WINDOWS),
    "log-sum-exp": lambda f: by_check(f, adapters.as_op_of_rows, None, adapters.EXTREMES, SOFTMAX),
    "all-pairs": lambda f: by_difference(f, small_inputs.batches, ROWS, PAIRS, clues.pairs),
    "batch-hard": lambda f: by_difference(f, small_inputs.batches, ROWS, TRIPLETS, clues.hardest),
    "semi-hard": lambda f: by_difference(f, margins, ROWS, TRIPLETS, clues.semi_hard),
    "recall": lambda f: by_difference(f, small_inputs.embeddings, float, "a number", clues.recall),
    "threshold": lambda f: by_difference(f, small_inputs.verifications, float, "a number", clues.threshold),
    "sampler": lambda _: by_laws,
    "collapse": lambda _: by_training,
    "find-the-bug": lambda _: by_separation,
}
GRADERS: dict[str, Grader] = {
    exercise.name: SPECIAL.get(exercise.name, by_check)(exercise.library) for exercise in EXERCISES
}
