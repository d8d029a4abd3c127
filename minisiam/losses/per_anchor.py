"""Losses that are sums over anchors: each image of a batch is an anchor once, with its own row of the distance matrix.

Such a loss is defined for a block of rows, so it works on a whole matrix and on one that `fast.blockwise` computes in
blocks. A row has few positives and many negatives. Therefore the positives are a list of entries, and the negatives are
the other entries of the row, without the anchor itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require, tree
from ..distance_matrix import as_matrix
from .reductions import REDUCTIONS, terms_counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..distance_matrix import RowLoss
    from ..typing import Array, Float, Op


class AnchorBlock(NamedTuple):
    """The anchors of a block of rows, and their positives.

    own : (r,) the column of each anchor itself
    i, j : the positives: the row within the block, and the column; sorted by row, then by column
    positives, negatives : (r,) the numbers of positives and negatives of each anchor
    """

    own: Array
    i: Array
    j: Array
    positives: Array
    negatives: Array

    def per_row(self, values: Array) -> Array:
        """Sum `values`, one for each positive, over the positives of each row."""
        return np.bincount(self.i, values, len(self.own)).astype(values.dtype)

    def without_positives(self, D: Array, fill: float) -> Array:
        """A copy of the rows, with `fill` at the positives and at the anchor itself."""
        rest = D.copy()
        rest[self.i, self.j] = fill
        rest[np.arange(len(rest)), self.own] = fill
        return rest


class Positives(NamedTuple):
    """All ordered pairs of images of one class, sorted by row: those of row r are `start[r] : start[r + 1]`."""

    i: Array
    j: Array
    start: Array

    def of_rows(self, some: slice) -> AnchorBlock:
        """The anchors of a slice of rows."""
        n = len(self.start) - 1
        first, last = self.start[some.start], self.start[some.stop]
        count = np.diff(self.start[some.start : some.stop + 1])
        own = np.arange(some.start, some.stop)
        return AnchorBlock(own, self.i[first:last] - some.start, self.j[first:last], count, n - 1 - count)


def positives_of(labels: Array) -> Positives:
    """The list of positives of a batch, without a matrix of n² booleans."""
    n = len(labels)
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    size = np.diff(first, append=n)
    begin, count, place = np.empty((3, n), np.intp)
    begin[order], count[order] = np.repeat(first, size), np.repeat(size, size)
    place[order] = np.arange(n)
    start = np.concatenate([[0], np.cumsum(count - 1)])
    i = np.repeat(np.arange(n), count - 1)
    k = begin[i] + np.arange(len(i)) - start[i]
    return Positives(i, order[k + (k >= place[i])], start)


def reduce_rows(rows: Callable[[Array, AnchorBlock], RowLoss], D: Any, labels: Array, reduction: str) -> Op[Any]:
    """Value and pullback of a loss that is a sum over rows; `rows(block of D, anchors)` computes a block of them."""
    D = as_matrix(D)
    positives = require_positives_and_negatives(D, labels)
    require.one_of("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        whole = D.whole("reduction 'none'")
        values, _, _, slope = rows(whole, positives.of_rows(slice(0, len(whole))))
        return check_finite(values, D), lambda dl: (dl[:, None] * slope,)
    total = D.sum_rows(lambda block, some: rows(block, positives.of_rows(some)))
    check_finite(total.value, D)
    count = terms_counted(reduction, total.terms, total.active)
    return total.value / D.dtype.type(count), lambda dl: (
        tree.map(lambda g: D.dtype.type(dl / count) * g, total.gradient),
    )


def check_finite(value: Any, D: Any) -> Any:
    """Return the value. If it is NaN because D holds NaN or infinity, raise an error that gives the position in D."""
    if np.isnan(value).any():
        as_matrix(D).map_rows(lambda rows, some: require.finite(D=rows, first_row=some.start))
    return value


def require_positives_and_negatives(D: Any, labels: Array) -> Positives:
    """Require a square D, a label for each row, and pairs of both kinds; return the positives."""
    require.square(D=D)
    require.class_labels(labels, D.shape[0])
    if len(labels) == 0:
        raise ValueError("the batch is empty: a loss over no images is undefined. Skip it or draw a larger one")
    positives = positives_of(labels)
    if len(positives.i) == 0:
        raise ValueError("no class has two images in this batch, so there is no positive: draw it with samplers.pk")
    if len(positives.i) == len(labels) * (len(labels) - 1):
        raise ValueError("all images of this batch are of one class, so there is no negative: draw it with samplers.pk")
    return positives


def log_sum_exp(x: Float[Array, "n m"], one: bool = False, scale: Any = None) -> tuple[Array, Array]:
    """log Σⱼ e^xᵢⱼ, row by row, and its slope, the softmax of the row.

    Parameters
    ----------
    x
        (n, m) numbers. The slope is written into this array. An entry of −∞ is left out.
    one
        Whether to add 1 to the sum.
    scale
        (n,) factors of the slope, one for each row; 1 by default.

    Returns
    -------
    value, slope
        (n,) and (n, m). A row in which every entry is left out has the value 0 and the slope 0.
    """
    top = x.max(axis=1, initial=0.0 if one else -np.inf)
    empty = top == -np.inf
    top[empty] = 0
    np.exp(np.subtract(x, top[:, None], out=x), out=x)
    total = x.sum(axis=1)
    if one:
        total += np.exp(-top)
    total[empty] = 1
    x *= ((1 if scale is None else scale) / total)[:, None]
    return top + np.log(total), x


def log_sum_exp_list(x: Array, block: AnchorBlock, one: bool = False) -> tuple[Array, Array]:
    """log Σ e^x over the positives of each row, and its slope; x has one number for each positive."""
    top = np.full(len(block.own), 0.0 if one else -np.inf, x.dtype)
    some = block.positives > 0
    if len(x):
        starts = (np.cumsum(block.positives) - block.positives)[some]
        top[some] = np.maximum(top[some], np.maximum.reduceat(x, starts))
    top[top == -np.inf] = 0
    e = np.exp(x - top[block.i])
    total = block.per_row(e)
    if one:
        total += np.exp(-top)
    total[total == 0] = 1
    return top + np.log(total), e / total[block.i]
