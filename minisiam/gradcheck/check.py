"""The whole check of one op, on small inputs, kinks, generic points and laws, and its report."""

from __future__ import annotations

import copy
import inspect
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import kinks, reference
from .compare import Agreement, Fault, dtype_remark, fault, float32_fault, raised
from .hint import hint
from .inputs import Case, shapes, variables
from .report import describe
from .trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp, Definition

STATELESS = "it must not have or change any state"


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
    remark: str = ""  # on a correct op whose results do not keep the dtype

    def __bool__(self) -> bool:
        """Whether the op is correct."""
        return self.fault is None

    def __str__(self) -> str:
        """One line if the op is correct, otherwise the smallest input for which it is wrong."""
        if self.fault is None:
            return (
                f"{self.name}: correct. {self.points} inputs against autograd and differences, "
                f"largest relative error {self.error:.1e}; {self.kinks} kinks as documented"
                f"{f'. One remark: {self.remark}' if self.remark else ''}"
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
    if definition is not None and not found:
        found = found._replace(name=f"{found.name}, compared with {definition.__name__}")
    print(found)
    return bool(found)


def run_check(
    op: AnyOp,
    definition: Definition | None = None,
    examples: int = 40,
    points: int = 60,
    rows: list[kinks.Kink] | None = None,
    signed: bool = False,
    trials_of: Callable[[AnyOp, Definition, bool], Trials] = Trials,
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
    signed
        Whether distances may be negative, as those of a dot product.
    trials_of
        Makes the inputs, and what is right there, from the op, its definition and `signed`.
    """
    start = time.perf_counter()
    if rows is None:
        rows = kinks.of(op) if definition is None else []
    definition = reference.specified(definition or reference.of(op))
    _require_arguments(op, definition)
    trials = trials_of(op, definition, signed)
    found, tried, worst, skipped = _check_ladder(op, trials, examples)
    found = found or next((f for row in rows if (f := at_kink(op, row))), None)
    smooth = 0  # generic points only: drawn inputs are often zeros, where a wrong definition can agree
    for seed in range(points):
        if found:
            break
        case = trials.generic(seed, signed)
        truth = trials.truth(case)
        result = fault(op, definition, case, truth)
        if truth and isinstance(result, Agreement):
            smooth, worst = smooth + 1, max(worst, result.error)
            found = float32_fault(op, definition, case, truth)
        elif isinstance(result, Fault):
            found = result
    found = found or _laws(op, trials)
    if not found and not smooth:
        raise reference.DefinitionError(
            f"the definition {definition.__name__} has no derivative at any of {points} generic inputs: "
            "autograd and differences disagree. Write it with autograd.numpy alone, because numpy hides steps from "
            "autograd"
        )
    clue = hint(op, definition, found) if found else ""
    remark = "" if found else _remark(op, trials)
    seconds = time.perf_counter() - start
    tried += smooth
    return CheckResult(op.__name__, variables(op), tried, worst, len(rows), seconds, found, clue, skipped, remark)


def _require_arguments(op: AnyOp, definition: Definition) -> None:
    """Raise an error for a definition that does not take the arrays of the op."""
    constants = [name for name in shapes(op) if name not in variables(op)]
    try:
        inspect.signature(definition).bind(*variables(op), **dict.fromkeys(constants))
    except TypeError as error:
        arguments = ", ".join([*variables(op), *constants])
        name = definition.__name__
        raise reference.DefinitionError(
            f"the definition {name} does not take the arguments of {op.__name__} ({error}): def {name}({arguments})"
        ) from error


def _remark(op: AnyOp, trials: Trials) -> str:
    return next(filter(None, (dtype_remark(op, trials.generic(seed)) for seed in range(3))), "")


def _check_ladder(op: AnyOp, trials: Trials, examples: int) -> tuple[Fault | None, int, float, int]:
    """Test small inputs against the oracles: fault, inputs tried, largest error, inputs skipped."""
    errors: list[float] = []
    skipped = 0

    def wrong(case: Case) -> Fault | None:
        nonlocal skipped
        result = fault(op, trials.definition, case, trials.truth(case))
        skipped += result is None
        if isinstance(result, Agreement):
            errors.append(result.error)
        return result if isinstance(result, Fault) else None

    found = trials.simplest(wrong, examples)
    return found, len(errors), max(errors, default=0.0), skipped


def _laws(op: AnyOp, trials: Trials) -> Fault | None:
    """Test that a pullback is linear, repeatable, and independent of other calls of the op."""
    for seed in range(5):
        case = trials.generic(seed)
        try:
            broken = _broken_law(op, case, trials.generic(seed + 1))
        except Exception as mistake:
            broken = raised(mistake)
        if broken:
            return Fault(broken, case)
    return None


def _broken_law(op: AnyOp, case: Case, other: Case) -> str | None:
    _, pullback = case.call(op)
    results = pullback(case.upstream)
    first = [np.copy(g) for g in results]
    shifted = case._replace(variables={name: v + 1 for name, v in case.variables.items()})
    for between in (shifted, other):
        between.call(op)
        try:
            again = pullback(case.upstream)
        except Exception as mistake:
            return f"pullback fails after another call of {op.__name__}, {STATELESS}: {raised(mistake)}"
        if not all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)):
            return f"pullback returns another gradient the second time: {STATELESS}"
    twice = pullback(2 * case.upstream)
    if not all(np.allclose(2 * a, b, rtol=1e-12, atol=0) for a, b in zip(first, twice, strict=True)):
        return "pullback is not linear: twice the upstream gradient must give twice the gradient"
    if not all(np.array_equal(a, b) for a, b in zip(first, results, strict=True)):
        return "pullback changes the gradients that it returned before: return new arrays"
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
    results: list[tuple[str | None, str, Any, Any]] = [(None, "the value is wrong", value, row.value)]
    for name, ours, truth in zip(case.variables, gradients, row.gradients, strict=True):
        results.append((name, f"the gradient of {name} does not follow the convention", ours, truth))
    for variable, what, ours, truth in results:
        if not _equals(ours, truth):
            return Fault(f"{what} where {row.where}", case, variable, {"yours": ours, "convention": truth})
    return None


def _equals(ours: Any, truth: Any) -> bool:
    """Whether shapes are equal, and numbers up to the last digits: 0 equals only 0."""
    return np.shape(ours) == np.shape(truth) and np.allclose(ours, truth, rtol=1e-15, atol=0)
