"""From one value a pair, triplet or anchor to one number: `mean`, `mean_active`, `sum`, or `none`.

mean          every term counts: a batch twice as large has a value of the same size
mean_active   only terms above 0 count, so the value need not fall while a network learns: satisfied terms leave the
              mean. How many count is held fixed in the gradient; where a term comes to rest, the value jumps.
sum, none     as they say; the upstream gradient of `none` has one entry a term
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
    """The value, and the function that spreads an upstream gradient over the terms."""
    require.one_of("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return values, lambda dl: dl
    count = terms_counted(reduction, len(values), int(np.count_nonzero(values > 0)))
    return values.sum() / values.dtype.type(count), lambda dl: values.dtype.type(dl / count)


def terms_counted(reduction: str, terms: int, active: int) -> int:
    """What the sum is divided by; 1 where nothing counts, so that nothing over nothing is 0."""
    return max(1, int({"mean": terms, "mean_active": active, "sum": 1}[reduction]))
