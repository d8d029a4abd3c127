"""Compare an op with its definition at one input."""

from __future__ import annotations

import copy
import linecache
import traceback
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .inputs import Case, scale_of
from .oracles import (
    AUTOGRAD,
    DIFFERENCES,
    SINGLE,
    Truth,
    by_differences,
    error,
    gradient_floor,
    has_corner,
    value_floor,
)

if TYPE_CHECKING:
    from types import FrameType

    from ..typing import AnyOp, Definition

PACKAGE = Path(__file__).parents[1]
CLEARANCE_SINGLE = 3e-2  # the smallest distance from a corner at which float32 is compared with float64


class Fault(NamedTuple):
    """A fault, its input, and the results of each oracle; `variable` is None if the fault is not in a gradient."""

    what: str
    case: Case
    variable: str | None = None
    columns: dict[str, Any] = {}  # noqa: RUF012


class WrongForm(TypeError):
    """A result of another form than required. The message alone is the fault."""


class Agreement(NamedTuple):
    """No fault: the largest relative error against autograd."""

    error: float


def fault(op: AnyOp, definition: Definition, case: Case, truth: Truth | None) -> Fault | Agreement | None:
    """Compare op with its definition at one input; None if the formula has no derivative there.

    In this order: the op runs, its value is right, it does not change its inputs, the gradients have the right form,
    each gradient equals autograd, and all of them along a random direction equal finite differences.
    """
    if truth is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _compare(op, definition, case, truth)


def _compare(op: AnyOp, definition: Definition, case: Case, truth: Truth) -> Fault | Agreement | None:
    variables, constants, upstream = _copied(case.variables), _copied(case.constants), copy.copy(case.upstream)
    try:
        result = op(*variables.values(), **constants)
    except Exception as mistake:
        return Fault(raised(mistake), case)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        return Fault(f"it must return a pair, value and pullback, not {_kind(result)}", case)
    value, pullback = result
    wrong = wrong_form("the value", value, truth.value)
    if wrong:
        return Fault(wrong, case)
    worst = error(value, truth.value, value_floor(definition))
    if worst > AUTOGRAD:
        return Fault("the value is wrong", case, None, {"yours": value, "definition": truth.value})
    try:
        grads = pullback(upstream)
    except Exception as mistake:
        return Fault(raised(mistake), case)
    touched = changed(case, variables, constants, upstream)
    if touched:
        return Fault(f"it changes its input {touched}", case)
    wrong = _wrong_gradients(grads, case, truth.gradients) or _views(grads, variables)
    if wrong:
        return Fault(wrong, case)
    floor = gradient_floor(definition, case)
    for name, ours, right in zip(case.variables, grads, truth.gradients, strict=True):
        off = error(ours, right, floor)
        worst = max(worst, off)
        if off > AUTOGRAD:
            h = 1e-5 * scale_of(case)
            slopes = by_differences(definition, case, name, h)
            if error(slopes, right, floor) > 1e-3 or has_corner(definition, case, name, h):
                return None  # a corner that the definition does not declare
            if 100 * error(ours, slopes, 0) < error(right, slopes, 0):
                return None  # autograd does not see every step of the definition
            columns = {"yours": ours, "autograd": right, "differences": slopes}
            return Fault(f"the gradient of {name} is wrong", case, name, columns)
    return _along(definition, case, grads, truth) or Agreement(worst)


def _copied(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: x.copy() if isinstance(x, np.ndarray) else copy.deepcopy(x) for name, x in inputs.items()}


def changed(case: Case, variables: dict[str, Any], constants: dict[str, Any], upstream: Any = None) -> str | None:
    """The name of an input that has changed."""
    if not np.array_equal(upstream, case.upstream):
        return "g, the upstream gradient"
    before, after = case.variables | case.constants, variables | constants
    return next((name for name in before if not np.array_equal(before[name], after[name])), None)


def raised(mistake: BaseException) -> str:
    """Describe an exception, with its line if that is neither in this package nor in an installed one."""
    if isinstance(mistake, WrongForm):
        return str(mistake)
    steps = [(f, line) for f, line in traceback.walk_tb(mistake.__traceback__) if _is_user_code(f.f_code.co_filename)]
    where = _line(*steps[-1]) if steps else ""
    return f"it raises {type(mistake).__name__}{f': {mistake}' if str(mistake) else ''}{where}"


def _line(frame: FrameType, number: int) -> str:
    """The line of a frame, of which only its own file is read."""
    name = frame.f_code.co_filename
    linecache.checkcache(name)
    linecache.lazycache(name, frame.f_globals)
    line = linecache.getline(name, number).strip()
    return f", in line {number}: {line}" if line else ""


@cache
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


def _kind(value: Any) -> str:
    return "None (is a return missing?)" if value is None else type(value).__name__


def _wrong_gradients(grads: Any, case: Case, truths: tuple[Any, ...]) -> str | None:
    """What is wrong with the form of the gradients."""
    names = list(case.variables)
    if not isinstance(grads, tuple):
        return f"pullback must return a tuple, one gradient for each of {', '.join(names)}, not {_kind(grads)}"
    if len(grads) != len(names):
        return f"pullback returns {len(grads)} gradients for the {len(names)} variables {', '.join(names)}"
    found = (wrong_form(f"the gradient of {n}", g, t) for n, g, t in zip(names, grads, truths, strict=True))
    return next(filter(None, found), None)


def wrong_form(what: str, ours: Any, truth: Any) -> str | None:
    """What is wrong with the type, the shape or the dtype of a result."""
    if isinstance(ours, (list, tuple)) and numeric(ours):
        return f"{what} is a {type(ours).__name__}, not an array: return np.array(…)"
    if not numeric(ours):
        return f"{what} must be an array of numbers, not {type(ours).__name__}"
    if np.shape(ours) != np.shape(truth):
        return f"{what} has the shape {np.shape(ours)}, not {np.shape(truth)}{_shape_hint(ours, truth)}"
    if getattr(ours, "dtype", np.dtype(float)).kind in "biu":
        return f"{what} is an array of {ours.dtype}, which has no fractions: make it with np.zeros_like or np.where"
    return None


def _shape_hint(ours: Any, truth: Any) -> str:
    if np.ndim(ours) == np.ndim(truth) == 2 and np.shape(ours) == np.shape(truth)[::-1]:
        return ": transposed?"
    if np.shape(ours) == (*np.shape(truth), 1):
        return ": use [..., 0], or leave out keepdims=True"
    return ""


def _views(grads: tuple[Any, ...], variables: dict[str, Any]) -> str | None:
    """A gradient that is a view of an input: who changes the gradient in place would change the input."""
    for name, gradient in zip(variables, grads, strict=True):
        for other, array in variables.items():
            if np.may_share_memory(gradient, array):
                return f"the gradient of {name} is a view of the input {other}: return a copy, with np.copy"
    return None


def _along(definition: Definition, case: Case, grads: tuple[Any, ...], truth: Truth) -> Fault | None:
    """Compare all gradients, along a random direction, with finite differences."""
    if truth.along is None:
        return None
    directions, expected, rounding = truth.along
    parts = [float(np.sum(np.abs(g * u))) for g, u in zip(grads, directions, strict=True)]
    found = sum(float(np.sum(g * u)) for g, u in zip(grads, directions, strict=True))
    if abs(found - expected) > DIFFERENCES * (sum(parts) + definition.unit) + rounding:
        return Fault(
            "the slope along a random direction is wrong", case, None, {"yours": found, "differences": expected}
        )
    return None


def float32_fault(op: AnyOp, definition: Definition, case: Case, truth: Truth) -> Fault | None:
    """Compare the results for float32 inputs with those for float64 ones, at a generic point: nothing cancels there."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            singles = _in_float32(op, case)
        except Exception as mistake:
            return Fault(f"in float32 {raised(mistake)}", case)
        value, pullback = case.call(op)
        grads = pullback(case.upstream)
    if truth.corner < CLEARANCE_SINGLE:
        return None
    floors = [value_floor(definition)] + len(grads) * [gradient_floor(definition, case)]
    for (name, *_), ours, truth, floor in zip(_results(case), singles, (value, *grads), floors, strict=True):
        if error(ours, np.asarray(truth), max(floor, 1e-30)) > SINGLE:
            return Fault(f"{name} in float32 is far from float64", case, None, {"float32": ours, "float64": truth})
    return None


def _in_float32(op: AnyOp, case: Case) -> tuple[Any, ...]:
    """The value and the gradients for float32 inputs, even with an upstream gradient that is a np.float64 scalar."""
    upstream = case.upstream if np.ndim(case.upstream) == 0 else np.asarray(case.upstream, np.float32)
    value, pullback = case.call(op, np.float32)
    return value, *pullback(upstream)


def _results(case: Case) -> list[tuple[str, str, str]]:
    """For the value and each gradient: its name, a name for it in code, and the variable whose dtype it should have."""
    first = next(iter(case.variables))
    return [("the value", "value", first), *((f"the gradient of {name}", f"d{name}", name) for name in case.variables)]


def dtype_remark(op: AnyOp, case: Case) -> str:
    """A remark on a result of another dtype for float32 inputs, with the line that corrects it; "" if there is none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for (what, code, name), ours in zip(_results(case), _in_float32(op, case), strict=True):
            if np.asarray(ours).dtype != np.float32:
                return (
                    f"{what} is {np.asarray(ours).dtype}, but all inputs are float32, and float64 makes training "
                    f"slower. Return np.asarray({code}, {name}.dtype)"
                )
    return ""
