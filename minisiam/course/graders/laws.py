"""Graders of answers that have no single correct result: these must satisfy laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...gradcheck import Case, Fault
from ...gradcheck.compare import raised
from .. import bugs, clues, sampler_laws, small_inputs
from ..adapters import chunks
from .results import Result

if TYPE_CHECKING:
    from ..exercises import Function


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
        apply = function(chunks.recording(events), 1)
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
    from .. import collapse  # it imports the datasets

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
