"""Sums over all triplets of a block of anchors, without a list of the triplets: for `all_triplets`.

one_positive_at_a_time                   any term: each positive of a row with all negatives of the row
hinge_rows, hinge_by_counts              the hinge, which needs only counts
count_by_comparing, count_by_sorting     two ways to count
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import RowLoss

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..losses.per_anchor import AnchorBlock
    from ..typing import Array
    from .terms import Term


def _places_of_positives(D: Array, block: AnchorBlock) -> tuple[Array, Array]:
    """(r, K): the index of each row's k-th positive in the list of the block, and whether there is one."""
    K = int(block.positives.max(initial=0))
    k = np.arange(K)
    first = np.cumsum(block.positives) - block.positives
    there = k < block.positives[:, None]
    return np.where(there, first[:, None] + k, 0), there


def one_positive_at_a_time(D: Array, block: AnchorBlock, term: Term) -> RowLoss:
    """Sum `term(d₊ − d₋)` over the triplets of each anchor, for one positive of each anchor at a time."""
    place, there = _places_of_positives(D, block)
    near = D[block.i, block.j]
    slope, pull = np.zeros_like(D), np.zeros_like(near)
    values, active = np.zeros(len(D), D.dtype), np.zeros(len(D), np.int64)
    negative = np.ones(D.shape, bool)
    negative[block.i, block.j] = False
    negative[np.arange(len(D)), block.own] = False
    for k in range(place.shape[1]):
        r, at = np.flatnonzero(there[:, k]), place[there[:, k], k]
        value, push = term(near[at][:, None] - D[r])
        value *= negative[r]
        push *= negative[r]
        values[r] += value.sum(axis=1)
        active[r] += np.count_nonzero(value > 0, axis=1)
        pull[at] = push.sum(axis=1)
        slope[r] -= push
    slope[block.i, block.j] = pull
    return RowLoss(values, block.positives * block.negatives, active, slope)


def hinge_rows(many: int, margin: float = 1.0) -> Callable[[Array, AnchorBlock], RowLoss]:
    """Return `rows(D, block)` of the hinge, which sorts if an anchor has at least `many` positives."""
    margin = require.between("margin", margin, 0)

    def rows(D, block):
        count = count_by_sorting if block.positives.max(initial=0) >= many else count_by_comparing
        return hinge_by_counts(D, block, margin, count)

    return rows


def hinge_by_counts(
    D: Array, block: AnchorBlock, margin: float, count: Callable[[Array, Array], tuple[Array, Array]]
) -> RowLoss:
    """Sum max(0, d₊ − d₋ + margin) over the triplets of each anchor, from counts: see `all_triplets`."""
    place, there = _places_of_positives(D, block)
    base = np.zeros(len(D), D.dtype)
    base[block.i] = D[block.i, block.j]  # only differences matter, and differences from a positive keep their digits
    far = D - base[:, None]
    far[block.i, block.j] = far[np.arange(len(far)), block.own] = np.inf
    near = D[block.i, block.j] - base[block.i]
    reach = np.where(there, near[place] + D.dtype.type(margin), D.dtype.type(-np.inf))
    by_positive, by_negative = count(far, reach)
    slope = by_negative.astype(D.dtype)
    far[block.i, block.j] = far[np.arange(len(far)), block.own] = 0
    pulled = np.einsum("rk,rk->r", by_positive, np.where(there, reach, 0))
    pushed = np.einsum("rn,rn->r", slope, far)
    np.negative(slope, out=slope)
    slope[block.i, block.j] = by_positive[there]
    active = by_positive.sum(axis=1).astype(np.int64)
    return RowLoss(pulled - pushed, block.positives * block.negatives, active, slope)


def count_by_comparing(far: Array, reach: Array) -> tuple[Array, Array]:
    """The number of negatives nearer than each positive's reach, d₊ + m, and of reaches greater than each negative."""
    by_positive = np.empty(reach.shape, far.dtype)
    by_negative = np.zeros(far.shape, np.uint8 if reach.shape[1] < 256 else np.uint16)
    within = np.empty(far.shape, bool)
    for k in range(reach.shape[1]):
        np.less(far, reach[:, k, None], out=within)
        by_positive[:, k] = within.view(np.uint8).sum(
            axis=1, dtype=np.uint32
        )  # four times faster than np.count_nonzero
        np.add(by_negative, within, out=by_negative)
    return by_positive, by_negative


def count_by_sorting(far: Array, reach: Array) -> tuple[Array, Array]:
    """The same counts by sorting each row, once for all its positives."""
    by_positive, by_negative = np.empty(reach.shape, far.dtype), np.empty(far.shape, far.dtype)
    K = reach.shape[1]
    for row, (d, t) in enumerate(zip(far, reach, strict=True)):
        by_positive[row] = np.searchsorted(np.sort(d), t)
        by_negative[row] = K - np.searchsorted(np.sort(t), d, side="right")
    return by_positive, by_negative
