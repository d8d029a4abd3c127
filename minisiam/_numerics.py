"""Three functions whose textbook form overflows or divides by zero, in a form that does neither."""

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
    """
    wide = x.astype(dtype or x.dtype)
    norm = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > np.sqrt(np.finfo(x.dtype).tiny))
    return wide * inverse, inverse
