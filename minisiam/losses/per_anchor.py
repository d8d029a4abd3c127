"""Losses that read a distance matrix row by row: each image is the anchor of its row.

Such a loss is a function of a block of rows, so it works on a matrix in memory and on a blockwise one
(`minisiam.distance_matrix`).

Positives are few, so they are a list of entries. The negatives are all other entries of a row, without the anchor
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require, tree
from ..distance_matrix import DistanceMatrix, RowLoss, distance_matrix
from .reductions import REDUCTIONS, terms_counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Op


class Block(NamedTuple):
    """The relations of a block of rows, without their distances.

    own : (r,) the column of each row's own image
    i, j : the positives: row within the block, column; sorted by row, then by column
    positives, negatives : (r,) how many of each a row has
    """

    own: Array
    i: Array
    j: Array
    positives: Array
    negatives: Array

    def per_row(self, values: Array) -> Array:
        """Sum one value per positive over the positives of each row."""
        return np.bincount(self.i, values, len(self.own)).astype(values.dtype)

    def without_positives(self, D: Array, fill: float) -> Array:
        """Return a copy of the rows with `fill` at the positives and at the anchor itself."""
        rest = D.copy()
        rest[self.i, self.j] = fill
        rest[np.arange(len(rest)), self.own] = fill
        return rest


class Positives(NamedTuple):
    """Every ordered pair of two images of one class, sorted by row: those of row r are `start[r] : start[r + 1]`."""

    i: Array
    j: Array
    start: Array

    def block(self, some: slice) -> Block:
        """Return the part of a block of rows."""
        n = len(self.start) - 1
        first, last = self.start[some.start], self.start[some.stop]
        count = np.diff(self.start[some.start : some.stop + 1])
        own = np.arange(some.start, some.stop)
        return Block(own, self.i[first:last] - some.start, self.j[first:last], count, n - 1 - count)


def positives_of(labels: Array) -> Positives:
    """Return the list of positives of a batch, without a boolean (n, n) matrix."""
    n = len(labels)
    order = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(labels[order]) != 0))
    size = np.diff(first, append=n)
    begin, count, place = np.empty((3, n), np.int64)
    begin[order], count[order] = np.repeat(first, size), np.repeat(size, size)
    place[order] = np.arange(n)
    start = np.concatenate([[0], np.cumsum(count - 1)])
    i = np.repeat(np.arange(n), count - 1)
    k = begin[i] + np.arange(len(i)) - start[i]
    return Positives(i, order[k + (k >= place[i])], start)


def by_rows(rows: Callable[[Array, Block], RowLoss], D: Any, labels: Array, reduction: str) -> Op[Any]:
    """Return value and pullback of a row loss on a distance matrix."""
    matrix = distance_matrix(D)
    positives = require_positives_and_negatives(matrix, labels)
    require.one_of("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        every = slice(0, len(labels))
        values, _, _, slope = rows(matrix.whole("reduction 'none'"), positives.block(every))
        return check_finite(values, D), lambda dl: (dl[:, None] * slope,)
    found = matrix.scan(lambda block_D, some: rows(block_D, positives.block(some)))
    check_finite(found.value, D)
    count = terms_counted(reduction, found.terms, found.active)
    return found.value / D.dtype.type(count), lambda dl: (
        tree.map(lambda g: D.dtype.type(dl / count) * g, found.gradient),
    )


def check_finite(value: Any, D: Any) -> Any:
    """Return the value; if it is NaN because D holds a NaN, raise an error that names the position."""
    if np.isnan(value).any():
        distance_matrix(D).map(lambda rows, some: require.finite(some.start, D=rows))
    return value


def require_positives_and_negatives(D: Array | DistanceMatrix, labels: Array) -> Positives:
    """Return the positives of a batch; require a square D, labels that fit, and both kinds of pairs."""
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
        (n, m) numbers, overwritten by the slope. An entry of −∞ is left out.
    one
        Whether to add 1 to the sum.
    scale
        A factor of the slope: one number per row, (n,).

    Returns
    -------
    value, slope
        (n,) and (n, m). The logarithm of an empty sum counts as 0, and its slope is 0.
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


def log_sum_exp_list(x: Array, block: Block, one: bool = False) -> tuple[Array, Array]:
    """Return `log_sum_exp` over the positives of each row, which are a list."""
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
