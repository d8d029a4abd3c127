"""Functions whose textbook form overflows or divides by zero, in a form that does neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from .typing import Array


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), computed without a positive power of e."""
    small = np.exp(-np.abs(x))  # in (0, 1]
    return np.where(x >= 0, 1, small) / (1 + small)


def softplus(x: Array) -> Array:
    """log(1 + eˣ) = max(0, x) + log(1 + e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def unit_rows(x: Array, dtype: Any = None) -> tuple[Array, Array]:
    """x / ‖x‖ and 1 / ‖x‖, row by row, computed in `dtype`; both are 0 where ‖x‖² is too small for the dtype of x.

    The limit of ‖x‖ is 10⁻¹⁵⁴ in float64 and 10⁻¹⁹ in float32: rounding has destroyed the direction of a shorter row.
    There is no limit above.
    """
    wide, squares, shrink = _squares(x.astype(dtype or x.dtype, copy=False))
    norm = np.sqrt(squares)
    inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > np.sqrt(np.finfo(x.dtype).tiny) * shrink)
    return wide * inverse, inverse * shrink


def lengths(x: Array) -> Array:
    """‖x‖, row by row: (n,), also where ‖x‖² overflows or underflows."""
    _, squares, shrink = _squares(x)
    return (np.sqrt(squares) / shrink)[:, 0]


def _squares(x: Array) -> tuple[Array, Array, Any]:
    """The rows and Σ x² of each, (n, 1), after a power of two where a square would leave the range; and the powers.

    The power brings the largest entry of a row between ½ and 1. It changes no digit.
    """
    limits = np.finfo(x.dtype)
    with np.errstate(over="ignore"):
        squares = (x * x).sum(axis=1, keepdims=True)
    outside = ~((squares > limits.tiny) & (squares < np.inf))
    if not x[outside[:, 0]].any():
        return x, squares, x.dtype.type(1)
    exponent = np.frexp(np.abs(x).max(axis=1, keepdims=True, initial=0))[1]
    shrink = np.ldexp(x.dtype.type(1), -np.maximum(exponent, limits.minexp))
    x = x * shrink
    return x, (x * x).sum(axis=1, keepdims=True), shrink
