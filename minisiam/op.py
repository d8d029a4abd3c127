"""What an op is, `value, pullback = op(variables, /, constants)`; and ops whose last variables are parameters."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ._arrays import floats, reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import AnyOp, Array, Generator, Init

F = TypeVar("F", bound="AnyOp")


def op(function: F) -> F:
    """Mark a function as an op: read its array arguments, and silence underflow in it and in its pullback.

    The tests find every op by this mark. Arguments become arrays as their annotations say (`_arrays`), and the upstream
    gradient has the shape and the dtype of the value: it neither broadcasts nor changes the precision.

    Underflow is rounding and as harmless as any other rounding, so an op does not report it, even under
    `np.errstate(all="raise")`. The caller's settings for overflow, division by zero and invalid operations still apply.
    """
    read = reader(function)

    @wraps(function)
    def marked(*arguments: Any, **constants: Any) -> Any:
        arguments, constants = read(arguments, constants)  # type: ignore[assignment]
        with np.errstate(under="ignore"):
            value, pullback = function(*arguments, **constants)
        form = (
            (value.shape, value.dtype) if isinstance(value, (np.ndarray, np.generic)) else None
        )  # not the value itself

        def quiet_pullback(upstream: Any) -> tuple[Any, ...]:
            with np.errstate(under="ignore"):
                return pullback(_as_gradient(upstream, *form) if form else upstream)

        return value, quiet_pullback

    marked.is_op = True  # type: ignore[attr-defined]
    return cast("F", marked)


def _as_gradient(upstream: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The upstream gradient in the shape and the dtype of the value; for a value that is one number, a float."""
    if type(upstream) is float and not shape:
        return upstream
    if type(upstream) is np.ndarray and upstream.shape == shape != () and upstream.dtype == dtype:
        return upstream
    gradient = floats("the upstream gradient", upstream)
    if gradient.shape != shape:
        raise ValueError(f"the upstream gradient must have the shape of the value, {shape}, not {gradient.shape}")
    return gradient.astype(dtype, copy=False) if shape else gradient.item()


def with_parameters(init: Init) -> Callable[[F], F]:
    """Mark the last variables of an op as parameters: `init(rng, size)` draws them for embeddings of that size.

    A learned distance is an ordinary op, `weighted_l1(a, b, w, bias, /)`. This decorator only supplies the first w and
    bias. Applied again, it gives the same op with other first parameters.
    """

    def mark(op: F) -> F:
        @wraps(op)
        def marked(*arguments: Any, **constants: Any) -> Any:
            return op(*arguments, **constants)

        marked.init = init  # type: ignore[attr-defined]
        return cast("F", marked)

    return mark


def with_parameters_of(other: AnyOp) -> Callable[[F], F]:
    """Mark an op as one with the parameters of another op, which may be a `functools.partial`; none if it has none."""
    init = _init_of(other)
    return with_parameters(init) if init else lambda op: op


def init_params(op: AnyOp, rng: Generator, size: int) -> tuple[Array, ...]:
    """Draw the first parameters of an op for embeddings of that size: () for most ops."""
    init = _init_of(op)
    return init(rng, size) if init else ()


def has_parameters(op: AnyOp) -> bool:
    """Whether an op is learned: its last variables are parameters."""
    return _init_of(op) is not None


def _init_of(op: AnyOp) -> Init | None:
    return getattr(op, "init", None) or getattr(getattr(op, "func", None), "init", None)
