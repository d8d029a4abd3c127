"""The results of miners, the checks of their arguments, and loops over triplets that need no n³ memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from ..distance_matrix import distance_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array

CHUNK = 1 << 17  # distances in memory at a time: a megabyte in float64, which fits in the cache


class Pairs(NamedTuple):
    """Pairs (rows[k], columns[k]) of a batch, and whether both images have one class.

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
    def targets(self) -> dict[str, Array]:
        """The other arguments of a loss on pairs, by name."""
        return {"same": self.same}

    @property
    def triplets(self) -> Triplets:
        """Each positive pair of an anchor with each negative pair of the same anchor, which is the row."""
        same = self.same
        return joined((self.rows[same], self.columns[same]), (self.rows[~same], self.columns[~same]))


class Triplets(NamedTuple):
    """Anchors, each with another image of its class and an image of another class: (m,) integers, three times."""

    anchor: Array
    positive: Array
    negative: Array

    @property
    def entries(self) -> list[tuple[Array, Array]]:
        """The entries of D that are the two arguments of a loss on triplets, d_ap and d_an."""
        return [(self.anchor, self.positive), (self.anchor, self.negative)]

    @property
    def targets(self) -> dict[str, Array]:
        """Empty: the order of the arguments distinguishes positives from negatives."""
        return {}

    @property
    def pairs(self) -> Pairs:
        """The distinct pairs (a, p) and (a, n), row by row; (i, j) and (j, i) are two pairs."""
        rows, columns = (np.concatenate(both) for both in zip(*self.entries, strict=True))
        same = np.arange(len(rows)) < len(self.anchor)
        _, first = np.unique(rows * (columns.max(initial=0) + 1) + columns, return_index=True)
        return Pairs(rows[first], columns[first], same[first])


def joined(positives: tuple[Array, Array], negatives: tuple[Array, Array]) -> Triplets:
    """Combine each positive pair (a, p) with each negative pair (a, n) of its anchor, in the order of the positives."""
    (a, p), (b, n) = positives, negatives
    order = np.argsort(b, kind="stable")
    start, end = (np.searchsorted(b[order], a, side) for side in ("left", "right"))
    count = end - start
    which = np.repeat(np.arange(len(a)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)  # 0 … count − 1 of each positive
    return Triplets(a[which], p[which], n[order[start[which] + place]])


def check(D: Array) -> None:
    """Require a square matrix of finite distances, in memory as a whole."""
    whole = distance_matrix(D).whole("this miner (batch_hard does not)")
    require.square(D=whole)
    check_finite(whole)


def check_finite(rows: Array, first: int = 0) -> None:
    """Require finite distances, which can be sorted; `first` is the number of the first row."""
    if not np.isfinite(rows).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(rows))[0])
        raise ValueError(
            f"D holds {rows[i, j]} at {(first + i, j)}, which cannot be compared: use a smaller learning rate, "
            "or normalize the embedding, if the images are finite"
        )


def relations(D: Array, labels: Array) -> tuple[Array, Array]:
    """Return masks (n, n): another image of the same class, and an image of another class."""
    check(D)
    require.class_labels(labels, len(D))
    same = labels[:, None] == labels
    return same & ~np.eye(len(labels), dtype=bool), ~same


def masks(D: Array, labels: Array) -> tuple[Array, Array]:
    """Return the relations of a batch, and require at least one positive pair and one negative pair.

    With two classes, every anchor has a negative. The miners leave out anchors without a positive.
    """
    positive, negative = relations(D, labels)
    require_both_kinds(not positive.any(), not negative.any())
    return positive, negative


def require_both_kinds(no_positive: bool, no_negative: bool) -> None:
    """Require a batch with a positive and with a negative pair."""
    if no_positive:
        raise ValueError("no class has two images in this batch, so there is no positive: draw it with samplers.pk")
    if no_negative:
        raise ValueError("all images of this batch are of one class, so there is no negative: draw it with samplers.pk")


def positive_pairs(positive: Array) -> Iterator[tuple[Array, Array]]:
    """Iterate over the pairs (a, p), row by row, in chunks that have at most CHUNK distances to the batch."""
    a, p = np.nonzero(positive)
    step = max(1, CHUNK // len(positive))
    return ((a[start : start + step], p[start : start + step]) for start in range(0, len(a), step))


def gap(D: Array, a: Array, p: Array) -> Array:
    """gapᵢₙ = D[aᵢ, n] − D[aᵢ, pᵢ]: how much farther than the positive each image of the batch is from the anchor."""
    return D[a] - D[a, p][:, None]
