"""How the terms of a loss (one for each pair, triplet or anchor) become its value.

mean          the mean over all terms, so the value does not grow with the batch
mean_active   the mean over terms above 0. It need not fall while a network learns, since satisfied terms leave the
              mean. The gradient treats their number as a constant. Where a term reaches 0, the value jumps.
sum           the sum
none          one value for each term; the upstream gradient then has one entry for each term
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array

REDUCTIONS = ("mean", "mean_active", "sum", "none")


def reduced(values: Array, reduction: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return the value, and a function that maps the upstream gradient to the gradient of each term."""
    require.one_of("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return values, lambda dl: dl
    count = terms_counted(reduction, len(values), int(np.count_nonzero(values > 0)))
    return values.sum() / values.dtype.type(count), lambda dl: values.dtype.type(dl / count)


def terms_counted(reduction: str, terms: int, active: int) -> int:
    """Return the number by which the sum is divided: 1 where no term counts, so that the value is 0."""
    return max(1, int({"mean": terms, "mean_active": active, "sum": 1}[reduction]))
