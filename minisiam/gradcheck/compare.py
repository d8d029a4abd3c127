"""Compare an op with its definition at one input."""

from __future__ import annotations

import copy
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .inputs import Case, distance_to_corner, scale_of
from .oracles import (
    AUTOGRAD,
    DIFFERENCES,
    SINGLE,
    by_autograd,
    by_differences,
    error,
    gradient_floor,
    has_corner,
    slope,
    value_floor,
)

if TYPE_CHECKING:
    from ..typing import AnyOp, Definition

PACKAGE = Path(__file__).parents[1]
CLEARANCE = 1e-3  # the smallest distance from a corner at which the oracles are used, in units of the input's scale
CLEARANCE_SINGLE = 3e-2  # the same for the comparison of float32 with float64


class Fault(NamedTuple):
    """A fault, its input, and the results of each oracle; `variable` is None if the fault is not in a gradient."""

    what: str
    case: Case
    variable: str | None = None
    columns: dict[str, Any] = {}  # noqa: RUF012


class Agreement(NamedTuple):
    """No fault: the largest relative error against autograd."""

    error: float


def fault(op: AnyOp, definition: Definition, case: Case) -> Fault | Agreement | None:
    """Compare op with its definition at one input; None if the formula has no derivative there.

    In this order: the op runs, its value is right, it does not change its inputs, the gradients have the right form,
    each gradient equals autograd, and all of them along a random direction equal finite differences.
    """
    if distance_to_corner(definition, case) < CLEARANCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, truths = by_autograd(definition, case)
        if not all(np.isfinite(t).all() for t in (expected, *truths)):
            return None
        return _compare(op, definition, case, expected, truths)


def _compare(
    op: AnyOp, definition: Definition, case: Case, expected: Any, truths: tuple[Any, ...]
) -> Fault | Agreement | None:
    variables, constants = copy.deepcopy(case.variables), copy.deepcopy(case.constants)
    try:
        result = op(*variables.values(), **constants)
    except Exception as mistake:
        return Fault(raised(mistake), case)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        return Fault("it must return a pair, value and pullback", case)
    value, pullback = result
    if not numeric(value):
        return Fault(f"the value must be an array of numbers, not {type(value).__name__}", case)
    if np.shape(value) != np.shape(expected):
        return Fault(f"the value has the shape {np.shape(value)}, not {np.shape(expected)}", case)
    worst = error(value, expected, value_floor(definition))
    if worst > AUTOGRAD:
        return Fault("the value is wrong", case, None, {"yours": value, "definition": expected})
    upstream = copy.deepcopy(case.upstream)
    try:
        grads = pullback(upstream)
    except Exception as mistake:
        return Fault(raised(mistake), case)
    touched = changed(case, variables, constants, upstream)
    if touched:
        return Fault(f"it changes its input {touched}", case)
    wrong = _form(grads, case, truths)
    if wrong:
        return Fault(wrong, case)
    for (name, _), ours, truth in zip(case.variables.items(), grads, truths, strict=True):
        off = error(ours, truth, gradient_floor(definition, case))
        worst = max(worst, off)
        if off > AUTOGRAD:
            h = 1e-5 * scale_of(case)
            slopes = by_differences(definition, case, name, h)
            if error(slopes, truth, gradient_floor(definition, case)) > 1e-3 or has_corner(definition, case, name, h):
                return None  # a corner that the definition does not declare
            columns = {"yours": ours, "autograd": truth, "differences": slopes}
            return Fault(f"the gradient of {name} is wrong", case, name, columns)
    return _along(definition, case, grads) or Agreement(worst)


def changed(case: Case, variables: dict[str, Any], constants: dict[str, Any], upstream: Any = None) -> str | None:
    """The name of an input that has changed."""
    if not np.array_equal(upstream, case.upstream):
        return "g, the upstream gradient"
    before, after = case.variables | case.constants, variables | constants
    return next((name for name in before if not np.array_equal(before[name], after[name])), None)


def raised(mistake: BaseException) -> str:
    """Describe an exception, with its line if that is neither in this package nor in an installed one."""
    frames = [f for f in traceback.extract_tb(mistake.__traceback__) if _is_user_code(f.filename)]
    where = f", in line {frames[-1].lineno}: {frames[-1].line}" if frames and frames[-1].line else ""
    return f"it raises {type(mistake).__name__}{f': {mistake}' if str(mistake) else ''}{where}"


def _is_user_code(filename: str) -> bool:
    library = Path(traceback.__file__).parent
    path = Path(filename)
    return not ({library, PACKAGE} & set(path.parents) or "site-packages" in path.parts)


def numeric(value: Any) -> bool:
    """Whether the value is a number or an array of numbers, and not None, a string or rows of different lengths."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except (ValueError, TypeError):
        return False


def _form(grads: Any, case: Case, truths: tuple[Any, ...]) -> str | None:
    """What is wrong with the form of the gradients."""
    names = list(case.variables)
    if not isinstance(grads, tuple):
        return f"pullback must return a tuple, one gradient for each of {', '.join(names)}, not {type(grads).__name__}"
    if len(grads) != len(names):
        return f"pullback returns {len(grads)} gradients for the {len(names)} variables {', '.join(names)}"
    for name, ours, truth in zip(names, grads, truths, strict=True):
        if not numeric(ours):
            return f"the gradient of {name} must be an array of numbers, not {type(ours).__name__}"
        if np.shape(ours) != np.shape(truth):
            hint = ": transposed?" if np.shape(ours) == np.shape(truth)[::-1] and np.ndim(ours) == 2 else ""
            return f"the gradient of {name} has the shape {np.shape(ours)}, not {np.shape(truth)}{hint}"
    return None


def _along(definition: Definition, case: Case, grads: tuple[Any, ...]) -> Fault | None:
    """Compare all gradients, along a random direction, with finite differences."""
    if not 1e-2 <= scale_of(case) <= 1e2:
        return None  # at other scales differences lose too many digits
    directions, expected, rounding = slope(definition, case, np.random.default_rng(0))
    parts = [float(np.sum(np.abs(g * u))) for g, u in zip(grads, directions, strict=True)]
    found = sum(float(np.sum(g * u)) for g, u in zip(grads, directions, strict=True))
    if abs(found - expected) > DIFFERENCES * (sum(parts) + definition.unit) + rounding:
        return Fault(
            "the slope along a random direction is wrong", case, None, {"yours": found, "differences": expected}
        )
    return None


def float32_fault(op: AnyOp, definition: Definition, case: Case, near: bool = False) -> Fault | None:
    """Test that float32 inputs give float32 results, even for an upstream np.float64 scalar.

    With `near`, also compare them with the float64 results: for generic points, where nothing cancels by accident.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        upstream = case.upstream if np.ndim(case.upstream) == 0 else np.asarray(case.upstream, np.float32)
        try:
            single, pullback = case.call(op, np.float32)
            singles = pullback(upstream)
        except Exception as mistake:
            return Fault(f"in float32 {raised(mistake)}", case)
        value, pullback = case.call(op)
        grads = pullback(case.upstream)
    names = ["the value", *(f"the gradient of {name}" for name in case.variables)]
    for name, ours in zip(names, (single, *singles), strict=True):
        if np.asarray(ours).dtype != np.float32:
            what = f"{name} is {np.asarray(ours).dtype}, but all inputs are float32"
            return Fault(f"{what}: NumPy numbers have their own dtype, so use x.dtype.type(number)", case)
    if not near or distance_to_corner(definition, case) < CLEARANCE_SINGLE:
        return None
    floors = [value_floor(definition)] + len(grads) * [gradient_floor(definition, case)]
    for name, ours, truth, floor in zip(names, (single, *singles), (value, *grads), floors, strict=True):
        if error(ours, np.asarray(truth), max(floor, 1e-30)) > SINGLE:
            return Fault(f"{name} in float32 is far from float64", case, None, {"float32": ours, "float64": truth})
    return None
