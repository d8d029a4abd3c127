"""The universal check as a grader: for functions that return a gradient."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np

from ...gradcheck import Fault, kinks, reference, run_check
from ...gradcheck.check import CheckResult
from ..in_advance import Calls, unchanged
from ..remembered import remembering
from .results import Result, printed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import AnyOp
    from ..exercises import Function
    from .results import Grader

EXAMPLES, POINTS = 24, 40  # for each input size, and random inputs: about a second


def by_check(
    library: AnyOp,
    adapt: Callable[[Function], AnyOp] = unchanged,
    definition: Function | None = None,
    rows: list[kinks.Kink] | None = None,
    default_clue: str = "",
    value_only: bool = False,
    share: int = 1,
    wrong_values: dict[str, Function] | None = None,
) -> Grader:
    """The universal check against the formula and the kinks of a library op; `default_clue` if no other clue fits.

    `value_only` is for an exercise that asks for no gradient: the output mentions only the value. `share` is for one of
    several checks: it divides the number of inputs. `wrong_values` are common wrong formulas, by what is wrong.
    """
    definition, calls, trials_of = definition or reference.of(library), Calls(adapt), remembering()

    def grader(function: Function) -> Result:
        op = calls.adapted(function)
        parameters = inspect.signature(op).parameters.keys()
        known = kinks.of(library) if rows is None else rows
        relevant = [kink for kink in known if kink.constants.keys() <= parameters and not _underflows(kink)]
        found = run_check(op, definition, EXAMPLES // share, POINTS // share, rows=relevant, trials_of=trials_of)
        if not found.fault:
            calls.keep(op)
        clue = _value_clue(found.fault, wrong_values or {}) or found.clue
        clue = clue or (default_clue if found.fault and found.fault.variable else "")
        inputs = _inputs(found, value_only) + (f". One remark: {found.remark} (lesson 12)" if found.remark else "")
        fault = _without_upstream(found.fault) if value_only and found.fault else found.fault
        return Result(fault, clue, inputs, printed=printed(op, found.fault))

    return grader


def _value_clue(fault: Fault | None, wrong_values: dict[str, Function]) -> str:
    """Which wrong formulas give the value that is shown."""
    if fault is None or fault.variable or "yours" not in fault.columns:
        return ""
    variables, constants, ours = fault.case.variables.values(), fault.case.constants, fault.columns["yours"]
    with np.errstate(all="ignore"):
        values = {words: wrong(*variables, **constants) for words, wrong in wrong_values.items()}
    found = [words for words, value in values.items() if np.allclose(value, ours, rtol=1e-7)]
    return f"this is the value if {' or '.join(found)}" if found else ""


def _without_upstream(fault: Fault) -> Fault:
    return fault._replace(case=fault.case._replace(upstream=None))


def _underflows(kink: kinks.Kink) -> bool:
    """Whether a kink has numbers whose squares underflow: the exercises do not require these."""
    return any((np.square(x[x != 0]) <= np.finfo(float).tiny).any() for x in kink.variables)


def moderate(rows: list[kinks.Kink]) -> list[kinks.Kink]:
    """The kinks without an offset so large that a mean loses its digits: the exercises do not require these."""
    return [kink for kink in rows if max(np.abs(x).max(initial=0) for x in kink.variables) < 1e9]


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
