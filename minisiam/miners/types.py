"""The tuples that miners return, checks of a batch, and iterations over triplets that need no n³ memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require
from ..distance_matrix import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array

CHUNK = 1 << 17  # distances in memory at a time: one megabyte in float64, which fits into a cache


class Pairs(NamedTuple):
    """Pairs (rows[k], columns[k]) of a batch, and whether both images show one class.

    rows, columns : (m,) integers;  same : (m,) booleans
    """

    rows: Array
    columns: Array
    same: Array

    @property
    def entries(self) -> list[tuple[Array, Array]]:
        """The entries of D that are the argument d of a loss on pairs."""
        return [(self.rows, self.columns)]

    @property
    def targets(self) -> tuple[Array]:
        """The other arguments of a loss on pairs."""
        return (self.same,)

    @property
    def triplets(self) -> Triplets:
        """Each positive pair combined with each negative pair of the same anchor (row)."""
        same = self.same
        return join((self.rows[same], self.columns[same]), (self.rows[~same], self.columns[~same]))


class Triplets(NamedTuple):
    """Triplets of an anchor, another image of its class, and an image of another class: three arrays of m integers."""

    anchor: Array
    positive: Array
    negative: Array

    @property
    def entries(self) -> list[tuple[Array, Array]]:
        """The entries of D that are the arguments d_ap and d_an of a loss on triplets."""
        return [(self.anchor, self.positive), (self.anchor, self.negative)]

    @property
    def targets(self) -> tuple[()]:
        """No other arguments."""
        return ()

    @property
    def pairs(self) -> Pairs:
        """The distinct pairs (a, p) and (a, n), row by row; (i, j) and (j, i) are two pairs."""
        rows, columns = (np.concatenate(both, dtype=np.intp) for both in zip(*self.entries, strict=True))
        same = np.arange(len(rows)) < len(self.anchor)
        _, first = np.unique(rows * (columns.max(initial=0) + 1) + columns, return_index=True)
        return Pairs(rows[first], columns[first], same[first])


def join(positives: tuple[Array, Array], negatives: tuple[Array, Array]) -> Triplets:
    """Combine each positive pair (a, p) with each negative pair (a, n) of its anchor, in the order of the positives."""
    (a, p), (b, n) = positives, negatives
    order = np.argsort(b, kind="stable")
    start, end = (np.searchsorted(b[order], a, side) for side in ("left", "right"))
    count = end - start
    which = np.repeat(np.arange(len(a)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)  # 0 … count − 1 for each positive
    return Triplets(a[which], p[which], n[order[start[which] + place]])


def check(D: Any) -> Array:
    """Require a whole square matrix of finite numbers, and return it as an array."""
    D = as_matrix(D).whole("this miner (of all miners only batch_hard does not)")
    require.square(D=D)
    check_finite(D, slice(0, len(D)))
    return D


def check_finite(rows: Array, some: slice) -> None:
    """Require finite distances in a slice of the rows of D."""
    if not np.isfinite(rows).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(rows))[0])
        raise ValueError(
            f"D holds {rows[i, j]} at {(some.start + i, j)}, and a miner cannot rank it: if the images are finite, "
            "use a smaller learning rate, or normalize the embedding"
        )


def relations(D: Array, labels: Array) -> tuple[Array, Array]:
    """Two masks (n, n): where the column is another image of the row's class, and where it is of another class."""
    require.class_labels(labels, len(check(D)))
    same = labels[:, None] == labels
    return same & ~np.eye(len(labels), dtype=bool), ~same


def masks(D: Any, labels: Array) -> tuple[Array, Array, Array]:
    """D as an array, and the `relations` of a batch that has at least one positive pair and one negative pair.

    With two classes every anchor has a negative. Miners leave out anchors without a positive.
    """
    D = check(D)
    positive, negative = relations(D, labels)
    require_both_kinds(bool(positive.any()), bool(negative.any()))
    return D, positive, negative


def require_both_kinds(positive: bool, negative: bool) -> None:
    """Require a batch with a positive pair and a negative pair."""
    if not positive:
        raise ValueError("no class has two images in this batch, so there is no positive: draw it with samplers.pk")
    if not negative:
        raise ValueError("all images of this batch are of one class, so there is no negative: draw it with samplers.pk")


def positive_pairs(positive: Array) -> Iterator[tuple[Array, Array]]:
    """The pairs (a, p), row by row, in chunks: the pairs of a chunk times the images are at most CHUNK, if possible."""
    a, p = np.nonzero(positive)
    step = max(1, CHUNK // len(positive))
    return ((a[start : start + step], p[start : start + step]) for start in range(0, len(a), step))


def gap(D: Array, a: Array, p: Array) -> Array:
    """gapᵢₙ = D[aᵢ, n] − D[aᵢ, pᵢ]: for each pair, how much farther from aᵢ each image of the batch is than pᵢ."""
    return D[a] - D[a, p][:, None]
