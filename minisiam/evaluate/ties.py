"""Which distances tie: those that are equal up to rounding.

Equal distances of a matrix may differ in the last digits, by the place of a pair in a product. Without a tolerance, the
order of the rows would decide which of them is nearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array

ROUNDING = 4096  # steps of float64: a product is right to 1 / CLOSE steps, times the length of its sums
ROUNDED = 4  # steps of float32: a product in float64 is rounded once


def highest_tie(d: Array) -> Array:
    """The largest distance that ties with d, entry by entry."""
    return d + np.abs(d) * tolerance(d.dtype)


def lowest_tie(d: Array) -> Array:
    """The smallest distance that ties with d, entry by entry."""
    return d - np.abs(d) * tolerance(d.dtype)


def tolerance(dtype: Any) -> Any:
    """The relative difference up to which two distances of this dtype tie."""
    limits = np.finfo(dtype)
    return limits.eps * (ROUNDED if limits.bits == 32 else ROUNDING)
