"""The whole check of one op, on small inputs, kinks, generic points and laws, and its report."""

from __future__ import annotations

import copy
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from . import kinks, reference
from .clues import over_three_rows
from .compare import Agreement, Fault, fault, float32_fault, raised
from .inputs import Case, generic, ladder, variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp, Definition

SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class CheckResult(NamedTuple):
    """The result of a check: the inputs tried, the largest error, and the fault if there is one."""

    name: str
    variables: list[str]
    points: int
    error: float
    kinks: int
    seconds: float
    fault: Fault | None
    clue: str
    skipped: int = 0  # inputs at which the formula has no derivative

    def __bool__(self) -> bool:
        """Whether the op is correct."""
        return self.fault is None

    def __str__(self) -> str:
        """One line if the op is correct, otherwise the smallest input for which it is wrong."""
        if self.fault is None:
            return (
                f"{self.name}: correct. {self.points} inputs against autograd and differences, "
                f"largest relative error {self.error:.1e}; {self.kinks} kinks as documented"
            )
        return describe(self.name, self.fault, self.clue)


def check(op: AnyOp, definition: Definition | None = None) -> bool:
    """Print "correct", or the smallest input for which op is wrong, with a clue; return whether it is correct.

    Parameters
    ----------
    op
        Any function of the form `value, pullback = op(variables, /, constants)` with jaxtyping annotations.
    definition
        Its formula in autograd.numpy. By default it is the definition in `reference` with the op's name.
    """
    found = run_check(op, definition)
    print(found)
    return bool(found)


def run_check(
    op: AnyOp,
    definition: Definition | None = None,
    examples: int = 40,
    points: int = 60,
    rows: list[kinks.Kink] | None = None,
) -> CheckResult:
    """Return the result that `check` prints.

    Parameters
    ----------
    op, definition
        As for `check`.
    examples
        The number of inputs on each rung of the ladder.
    points
        The number of generic points.
    rows
        The kinks to test. By default those with the op's name, or none if a definition is given, since another formula
        may have other conventions.
    """
    start = time.perf_counter()
    if rows is None:
        rows = kinks.of(op) if definition is None else []
    definition = reference.specified(definition or reference.of(op))
    found, tried, worst, skipped = _check_ladder(op, definition, examples)
    found = found or next((f for row in rows if (f := at_kink(op, row))), None)
    for seed in range(points):
        if found:
            break
        case = generic(op, definition, seed)
        result = fault(op, definition, case)
        if isinstance(result, Agreement):
            tried, worst = tried + 1, max(worst, result.error)
            found = float32_fault(op, definition, case, near=True)
        elif isinstance(result, Fault):
            found = result
    found = found or _laws(op, definition)
    hint = _hint(op, definition, found) if found else ""
    seconds = time.perf_counter() - start
    return CheckResult(op.__name__, variables(op), tried, worst, len(rows), seconds, found, hint, skipped)


def _check_ladder(op: AnyOp, definition: Definition, examples: int) -> tuple[Fault | None, int, float, int]:
    """Test small inputs, against the oracles and in float32: fault, inputs tried, largest error, inputs skipped."""
    errors: list[float] = []
    skipped = 0

    def wrong(case: Case) -> Fault | None:
        nonlocal skipped
        result = fault(op, definition, case)
        skipped += result is None
        if isinstance(result, Agreement):
            errors.append(result.error)
        return result if isinstance(result, Fault) else None

    def leaks(case: Case) -> Fault | None:
        return float32_fault(op, definition, case)

    found = simplest(op, definition, (wrong, examples), (leaks, 3))
    return found, len(errors), max(errors, default=0.0), skipped


def simplest(op: AnyOp, definition: Definition, *tests: tuple[Callable[[Case], Fault | None], int]) -> Fault | None:
    """Return the fault at the simplest input on the first rung of the ladder on which a test fails.

    Each test comes with the number of inputs to try on a rung.
    """
    for rung in ladder(op, definition):
        for test, examples in tests:
            found = _first(rung, test, examples)
            if found:
                return found
    return None


def _first(rung: Any, test: Callable[[Case], Fault | None], examples: int) -> Fault | None:
    try:
        case = find(rung, lambda case: test(case) is not None, settings=settings(SETTINGS, max_examples=examples))
    except NoSuchExample:
        return None
    return test(case)


def _laws(op: AnyOp, definition: Definition) -> Fault | None:
    """Test that a pullback is linear, repeatable, and independent of other calls of the op."""
    for seed in range(5):
        case = generic(op, definition, seed)
        try:
            broken = _broken_law(op, case)
        except Exception as mistake:
            broken = raised(mistake)
        if broken:
            return Fault(broken, case)
    return None


def _broken_law(op: AnyOp, case: Case) -> str | None:
    _, pullback = case.call(op)
    first = [np.copy(g) for g in pullback(case.upstream)]
    case._replace(variables={name: v + 1 for name, v in case.variables.items()}).call(op)
    if not all(np.array_equal(a, b) for a, b in zip(first, pullback(case.upstream), strict=True)):
        return "pullback returns another gradient the second time: it must not have or change any state"
    twice = pullback(2 * case.upstream)
    if not all(np.allclose(2 * a, b, rtol=1e-12, atol=0) for a, b in zip(first, twice, strict=True)):
        return "pullback is not linear: twice the upstream gradient must give twice the gradient"
    return None


def at_kink(op: AnyOp, row: kinks.Kink) -> Fault | None:
    """Test an op at a kink, with no tolerance except rounding; a 0 must be exactly 0."""
    case = Case(dict(zip(variables(op), row.variables, strict=True)), row.constants, row.upstream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value, pullback = case.call(op)
            gradients = pullback(copy.deepcopy(row.upstream))
        except Exception as mistake:
            return Fault(f"{raised(mistake)} where {row.where}", case)
    if not _equals(value, row.value):
        return Fault(f"the value is wrong where {row.where}", case, None, {"yours": value, "convention": row.value})
    for name, ours, truth in zip(case.variables, gradients, row.gradients, strict=True):
        if not _equals(ours, truth):
            return Fault(
                f"the gradient of {name} does not follow the convention where {row.where}",
                case,
                None,
                {"yours": ours, "convention": truth},
            )
    return None


def _equals(ours: Any, truth: Any) -> bool:
    """Whether shapes are equal, and numbers up to the last digits: 0 equals only 0."""
    return np.shape(ours) == np.shape(truth) and np.allclose(ours, truth, rtol=1e-15, atol=0)


def _hint(op: AnyOp, definition: Definition, found: Fault) -> str:
    """A clue from the reported case, or from cases with three rows: for two, "twice" and "sum for mean" look alike."""
    truth = "autograd" if found.variable else "definition"
    if truth not in found.columns:
        return ""
    larger = []
    for seed in range(20):
        result = fault(op, definition, generic(op, definition, seed, rows=3))
        if isinstance(result, Fault) and result.variable == found.variable and truth in result.columns:
            larger.append((result.columns["yours"], result.columns[truth]))
    return over_three_rows((found.columns["yours"], found.columns[truth]), larger[:6])


def describe(name: str, found: Fault, hint: str, intro: str = "The smallest case") -> str:
    """The smallest case on one line, with the columns of results below it."""
    upstream = {} if found.case.upstream is None else {"g": found.case.upstream}
    inputs = found.case.variables | found.case.constants | upstream
    shown = "   ".join(f"{key} = {show(value)}" for key, value in inputs.items())
    lines = [f"{name}: {found.what}.{f' {intro}:' if shown else ''}", *(["", f"    {shown}"] if shown else [])]
    if found.columns:
        cells = [show(value) for value in found.columns.values()]
        widths = [max(len(head), len(cell)) + 3 for head, cell in zip(found.columns, cells, strict=True)]
        heads = [head.ljust(width) for head, width in zip(found.columns, widths, strict=True)]
        body = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines += ["", "    " + "".join(heads) + ("clue" if hint else ""), "    " + "".join(body) + hint]
    return "\n".join(line.rstrip() for line in lines)


def show(value: Any) -> str:
    """A small array on one line."""
    if isinstance(value, (bool, str)):
        return str(value)
    return " ".join(np.array2string(np.asarray(value), separator=", ", precision=4, suppress_small=True).split())
