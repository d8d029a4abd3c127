"""Two functions whose textbook form overflows, written so that it does not. Both keep the dtype of their input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .typing import Array


def logistic(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), without ever raising e to a positive power."""
    small = np.exp(-np.abs(x))  # in (0, 1]
    return np.where(x >= 0, 1, small) / (1 + small)


def softplus(x: Array) -> Array:
    """log(1 + eˣ) = max(0, x) + log(1 + e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
