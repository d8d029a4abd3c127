"""Comparison with the library on small inputs: for functions without a gradient."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ...gradcheck import Case, Fault
from ...gradcheck.compare import changed, raised
from ..in_advance import Calls, unchanged
from .results import Result, printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..exercises import Function
    from .results import Clue, Grader


def by_difference(
    library: Function,
    cases: Callable[[], Iterable[Case]],
    form: Callable[[Any], Any],
    shape: str,
    clue: Clue,
    adapt: Callable[[Function], Function] = unchanged,
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
    adapt
        Makes a function of these inputs of an answer.
    """
    calls = Calls(adapt)
    expected = made_once((case, form(case.call(library))) for case in cases())

    def grader(answer: Function) -> Result:
        function, count = calls.adapted(answer), 0
        for count, (case, truth) in enumerate(expected(), start=1):  # noqa: B007
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
                return Result(fault, _clue(clue, ours, truth, case), printed=printed(function, fault))
        calls.keep(function)
        return Result(None, "", f"Equal to the library on {count} inputs")

    return grader


def made_once(items: Iterable[Any]) -> Callable[[], Iterator[Any]]:
    """A function that gives these items from the first, each time it is called; each item is made when it is needed."""
    source = iter(items)
    made: list[Any] = []

    def each() -> Iterator[Any]:
        yield from made
        for item in source:
            made.append(item)
            yield item

    return each


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
