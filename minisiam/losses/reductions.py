"""From one value per pair, triplet or anchor to one number: `mean`, `mean_active`, `sum`, or `none`.

mean          the mean over all terms, whose size does not depend on the size of the batch
mean_active   the mean over the terms above 0. Satisfied terms leave this mean, so the value need not fall while a
              network learns, and jumps where a term reaches 0. The gradient takes the number of terms as constant.
sum           the sum over all terms
none          the terms themselves; the upstream gradient has one entry per term
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
    """Return the value, and the function that spreads an upstream gradient over the terms."""
    require.one_of("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return values, lambda dl: dl
    count = terms_counted(reduction, len(values), int(np.count_nonzero(values > 0)))
    return values.sum() / values.dtype.type(count), lambda dl: values.dtype.type(dl / count)


def terms_counted(reduction: str, terms: int, active: int) -> int:
    """Return the divisor of the sum: at least 1, so that a mean over no terms is 0."""
    return max(1, int({"mean": terms, "mean_active": active, "sum": 1}[reduction]))
