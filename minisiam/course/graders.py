"""The graders: the universal check for ops; functions without a gradient are compared with the library.

GRADERS has one grader for each exercise. It takes a function and returns its result: a fault or None, with a clue.
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
from ..gradcheck.check import CheckResult
from ..gradcheck.compare import changed, raised
from ..gradcheck.report import columns, describe, show
from . import adapters, bugs, clues, collapse, sampler_laws, small_inputs
from .exercises import EXERCISES, Exercise
from .verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..typing import AnyOp
    from .exercises import Function

    Grader = Callable[[Function], "Result"]
    Clue = Callable[[Any, Any, Case], str]  # (the learner's result, the correct one, the input) ↦ a clue


EXAMPLES, POINTS = 24, 40  # for each input size, and random inputs: about a second


class Result(NamedTuple):
    """A fault or None, a clue, and a description of the inputs."""

    fault: Fault | None
    clue: str = ""
    inputs: str = ""
    intro: str = "The smallest case"
    printed: str = ""


def grade(exercise: Exercise, function: Function) -> Verdict:
    """Grade a function as the answer to an exercise."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = GRADERS[exercise.name](function)
    seconds = round(time.process_time() - start, 3)
    if result.fault is None:
        return Verdict("passed", f"{exercise}: correct. {result.inputs}.", seconds=seconds)
    fault = result.fault
    inputs = fault.case.variables | fault.case.constants
    return Verdict(
        "open" if fault.what.startswith("it raises NotImplementedError") else "failed",
        describe(str(exercise), fault, result.clue, result.intro),
        fault.what,
        result.clue,
        {name: show(value) for name, value in inputs.items()},
        columns(fault),
        max((len(value) for value in fault.case.variables.values() if np.ndim(value)), default=0),
        seconds,
        result.printed,
    )


def in_turn(*graders: Grader) -> Grader:
    """The first fault that one of the graders finds."""

    def grader(function: Function) -> Result:
        results = (each(function) for each in graders)
        first = next(results)
        return first if first.fault else next((result for result in results if result.fault), first)

    return grader


def by_check(
    library: AnyOp,
    adapt: Callable[[Function], AnyOp] = lambda function: function,
    definition: Function | None = None,
    rows: list[kinks.Kink] | None = None,
    default_clue: str = "",
    value_only: bool = False,
) -> Grader:
    """The universal check against the formula and the kinks of a library op; `default_clue` if no other clue fits.

    `value_only` is for an exercise that asks for no gradient: the output mentions only the value.
    """
    definition = definition or reference.of(library)

    def grader(function: Function) -> Result:
        op = adapt(function)
        parameters = inspect.signature(op).parameters.keys()
        known = kinks.of(library) if rows is None else rows
        relevant = [kink for kink in known if kink.constants.keys() <= parameters and not _underflows(kink)]
        found = run_check(op, definition, EXAMPLES, POINTS, rows=relevant)
        clue = found.clue or (default_clue if found.fault and found.fault.variable else "")
        inputs = _inputs(found, value_only) + (f". One remark: {found.remark} (lesson 12)" if found.remark else "")
        fault = _without_upstream(found.fault) if value_only and found.fault else found.fault
        return Result(fault, clue, inputs, printed=_printed(op, found.fault))

    return grader


def _without_upstream(fault: Fault) -> Fault:
    return fault._replace(case=fault.case._replace(upstream=None))


def _underflows(kink: kinks.Kink) -> bool:
    """Whether a kink has numbers whose squares underflow: the exercises do not require these."""
    return any((np.square(x[x != 0]) <= np.finfo(float).tiny).any() for x in kink.variables)


class LimitedOutput(io.StringIO):
    """A text of limited length; writing more raises an error."""

    def write(self, text: str) -> int:  # noqa: D102
        if self.tell() > 20_000:
            raise OSError("too much output")
        return super().write(text[:20_000])


def _printed(function: Function, fault: Fault | None) -> str:
    """The output of a function on the input that is shown."""
    if fault is None:
        return ""
    with redirect_stdout(LimitedOutput()) as output, suppress(Exception):
        result = fault.case.call(function)
        if fault.case.upstream is not None:
            result[1](fault.case.upstream)
    return output.getvalue()


def _inputs(found: CheckResult, value_only: bool) -> str:
    if value_only:
        return f"{_count(found.points, 'input')} compared with the definition"
    kinks = f"; {_count(found.kinks, 'kink')} as documented" if found.kinks else ""
    corners = "" if not found.skipped else (
        f"; {_count(found.skipped, 'input')} at a kink, where autograd and differences disagree, not used"
    )  # fmt: skip
    return f"{_count(found.points, 'input')} compared with autograd and differences{kinks}{corners}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def by_difference(
    library: Function,
    cases: Callable[[], Iterable[Case]],
    form: Callable[[Any], Any],
    shape: str,
    clue: Clue,
) -> Grader:
    """The first of a list of inputs, in order of size, on which a function differs from the library.

    Parameters
    ----------
    library, cases
        The correct function, and the inputs.
    form
        Converts a result to the form that is compared; raises an error for a result of another form.
    shape
        A description of the correct form.
    clue
        Makes a clue from both results and the input.
    """

    def grader(function: Function) -> Result:
        count = 0
        for count, case in enumerate(cases(), start=1):  # noqa: B007
            truth = form(case.call(library))
            copied = copy.deepcopy(case)
            try:
                result = function(*copied.variables.values(), **copied.constants)
            except Exception as mistake:
                return Result(Fault(raised(mistake), case))
            changed_name = changed(case, copied.variables, copied.constants)
            if changed_name:
                return Result(Fault(f"it changes its input {changed_name}", case))
            try:
                ours = form(result)
            except (TypeError, ValueError, IndexError):
                return Result(Fault(f"it must return {shape}, not {_short(result)}", case))
            if not _equal(ours, truth):
                fault = Fault("the result is wrong", case, None, {"yours": ours, "library": truth})
                return Result(fault, _clue(clue, ours, truth, case), printed=_printed(function, fault))
        return Result(None, "", f"Equal to the library on {count} inputs")

    return grader


def _equal(ours: Any, truth: Any) -> bool:
    """Whether two results are equal; numbers up to rounding."""
    if np.shape(ours) != np.shape(truth) or np.asarray(truth).dtype == object:
        return np.array_equal(ours, truth)
    return np.allclose(ours, truth, rtol=1e-12, atol=0)


def _clue(clue: Clue, ours: Any, truth: Any, case: Case) -> str:
    try:
        return clue(ours, truth, case)
    except IndexError:
        return "an index is outside the batch"


def _short(value: Any) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


def by_laws(function: Function) -> Result:
    """The P×K sampler: many random batches are correct, but each must satisfy laws."""
    count = 0
    for count, case in enumerate(small_inputs.label_sets(), start=1):  # noqa: B007
        try:
            violation = sampler_laws.first_violation(function, case)
        except Exception as mistake:
            return Result(Fault(raised(mistake), case))
        if violation:
            return Result(Fault(violation.law, case, None, violation.columns), violation.clue, "", "The labels")
    return Result(None, "", f"Every law holds on {count} sets of labels")


def by_chunks(function: Function) -> Result:
    """The cached encoder: which calls it makes of the encoder that it wraps, for three images in chunks of one."""
    case = Case({"W": np.eye(2), "x": np.arange(6.0).reshape(3, 2)}, {"chunk": 1, "input_grad": False}, np.ones((3, 2)))
    events: list[tuple[str, int, int]] = []
    try:
        apply = function(adapters.recording(events), 1)
        _, pullback = apply([case.variables["W"]], case.variables["x"], input_grad=False)
        first = list(events)
        _, dx = pullback(case.upstream)
    except Exception as mistake:
        return Result(Fault(raised(mistake), case))
    law, clue = _broken_law_of_chunks(first, events[len(first) :], 3, 1) or ("", "")
    if not law and dx is not None:
        law, clue = "with input_grad=False, dx must be None", "it is not needed: do not compute it"
    if not law:
        return Result(None, "", "It keeps the activations of one chunk")
    calls = {"images in each call": [images for kind, _, images in events if kind == "encode"]}
    return Result(Fault(law, case, None, calls), clue)


def _broken_law_of_chunks(
    first: list[tuple[str, int, int]], second: list[tuple[str, int, int]], images: int, chunk: int
) -> tuple[str, str] | None:
    """A law that the calls of the encoder violate, before and after the gradient arrives, with a clue."""
    largest = max((rows for _, _, rows in first + second), default=0)
    if largest > chunk:
        return f"the encoder gets {largest} images at once, and chunk is {chunk}", "chunk is the size of a part"
    calls = [sum(rows for kind, _, rows in each if kind == "encode") for each in (first, second)]
    if any(kind == "pull" and call < len(first) for kind, call, _ in second):
        what = "it uses pullbacks of the first pass, so the activations of the whole batch were in memory"
        return what, "in the pullback, encode each chunk again"
    for name, rows in zip(("the first pass", "the pullback"), calls, strict=True):
        if rows != images:
            return f"{name} encodes {rows} images, and the batch has {images}", "encode each chunk once in each pass"
    if [kind for kind, *_ in second] != ["encode", "pull"] * (len(second) // 2):
        what = "in the pullback, two chunks are encoded before the first is used, so the activations of both are kept"
        return what, "use the pullback of a chunk before you encode the next"
    return None


def by_training(function: Function) -> Result:
    """The repair: train with these settings and evaluate the network."""
    try:
        chosen = function()
        outcome = collapse.run(chosen)
    except Exception as mistake:
        return Result(Fault(raised(mistake), Case({}, {}, None)))
    case = Case({}, {name: value for name, value in chosen.items() if value != collapse.COLLAPSING[name]}, None)
    numbers = {"loss": outcome.loss, "spread": outcome.spread}
    numbers |= {"recall@1": outcome.recall, "of pixels": outcome.pixels}
    numbers = {name: round(number, 4) for name, number in numbers.items()}
    if outcome.repaired:
        return Result(
            None, "", f"The embeddings differ; recall@1 is {outcome.recall:.3f}, that of pixels {outcome.pixels:.3f}"
        )
    if outcome.collapsed:
        what, clue = "the run still collapses: all embeddings are nearly equal", clues.collapse(outcome)
    else:
        what = "the embeddings differ, but on held-out letters they are no better than pixels"
        clue = "do some triplets still pull all images together? Is the learning rate small enough?"
    return Result(Fault(what, case, None, numbers), clue, "", "Your changes")


def by_counterexamples(function: Function) -> Result:
    """The bugs: on each input the wrong and the correct gradient must differ, with as few numbers as possible."""
    try:
        answers = function()
        bugs.check_form(answers)
    except Exception as mistake:
        return Result(Fault(raised(mistake), Case({}, {}, None)))
    for name in bugs.WRONG:
        try:
            fault = bugs.fault_of_input(name, answers[name])
        except Exception as mistake:
            return Result(Fault(f"{name}: {raised(mistake)}", Case({}, dict(answers[name]), None)))
        if fault:
            return Result(fault, "", "", "Your input")
    return Result(None, "", f"Your inputs show all {len(bugs.WRONG)} mistakes with the fewest numbers")


def _of_gallery(grader: Grader) -> Grader:
    return lambda identify: grader(adapters.of_gallery(identify))


PAIRS = "Pairs(rows, columns, same), with integers, integers and booleans"
TRIPLETS = "Triplets(anchor, positive, negative)"
BRANCHES = "the weights are used twice: does the gradient include both uses?"
CHUNKS = "the chunks share the weights, so dparams is a sum; each image has its own dx"
PARAMETERS = "the distance and the loss have parameters: pull_d gives (dz1, dz2, *ddistance), and the loss (dd, *dloss)"
IDENTITIES = "a list of names and None, one for each row of z"
RATES = "Threshold(value, Rate(rate, low, high), Rate(rate, low, high))"
WINDOWS = "write down one entry of z: which entries of x and W does it contain?"
SOFTMAX = "the slope is the softmax: does each of its rows sum to 1?"
margins = partial(small_inputs.batches, margins=(1.0, 2.0))

SPECIAL: dict[str, Callable[[Function], Grader]] = {
    "squared-distance": lambda op: by_check(op, adapters.value_only(op), value_only=True),
    "two-branches": lambda f: in_turn(
        by_check(f, adapters.as_op_of_weights, adapters.two_branches, [], BRANCHES),
        by_check(f, adapters.as_op_of_all_parameters, adapters.learned_branches, [], PARAMETERS),
    ),
    "convolution": lambda op: by_check(op, definition=adapters.small_convolution, rows=[], default_clue=WINDOWS),
    "max-pool": lambda op: in_turn(by_check(op), by_check(op, definition=adapters.larger_pool, rows=[])),
    "log-sum-exp": lambda f: by_check(f, adapters.as_op_of_rows, None, adapters.EXTREME_INPUTS, SOFTMAX),
    "softmax-cross-entropy": lambda op: by_check(op, rows=[*kinks.of(op), adapters.ALL_FAR]),
    "all-pairs": lambda f: by_difference(f, small_inputs.batches, clues.pair_rows, PAIRS, clues.pairs),
    "batch-hard": lambda f: by_difference(f, small_inputs.batches, clues.triplet_rows, TRIPLETS, clues.hardest),
    "semi-hard": lambda f: by_difference(f, margins, clues.triplet_rows, TRIPLETS, clues.semi_hard),
    "recall": lambda f: by_difference(f, small_inputs.embeddings, float, "a number", clues.recall),
    "threshold": lambda f: by_difference(f, small_inputs.pair_distances, float, "a number", clues.threshold),
    "threshold-interval": lambda f: by_difference(
        f, small_inputs.grouped_pairs, clues.seven_numbers, RATES, clues.promise
    ),
    "open-set": lambda f: _of_gallery(
        by_difference(adapters.of_gallery(f), small_inputs.galleries, clues.identities, IDENTITIES, clues.identity)
    ),
    "cached": lambda f: in_turn(by_check(f, adapters.as_op_of_chunks, adapters.in_chunks, [], CHUNKS), by_chunks),
    "sampler": lambda _: by_laws,
    "collapse": lambda _: by_training,
    "find-the-bug": lambda _: by_counterexamples,
}
GRADERS: dict[str, Grader] = {
    exercise.name: SPECIAL.get(exercise.name, by_check)(exercise.library) for exercise in EXERCISES
}
