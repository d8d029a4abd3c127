"""Which entries of the distance matrix should the loss see?     indices, targets = miner(D, labels)

`indices` holds one (rows, columns) pair of index arrays for each distance that the loss takes: one for a pair
loss, two for a triplet loss. `targets` are the loss's remaining arguments by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import require

if TYPE_CHECKING:
    from .typing import Array, Float, Int

    Mined = tuple[list[tuple[Array, Array]], dict[str, Any]]


def all_pairs(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Mined:
    """Every pair i < j once, and whether it is the same class."""
    _positives(labels)
    i, j = np.triu_indices(len(labels), k=1)
    return [(i, j)], {"same": labels[i] == labels[j]}


def all_triplets(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Mined:
    """Every anchor with every positive and every negative: O(n³) of them."""
    positive, negative = _positives(labels)
    a, p, n = np.nonzero(positive[:, :, None] & negative[:, None, :])
    return [(a, p), (a, n)], {}


def batch_hard(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Mined:
    """For each anchor its farthest positive and its nearest negative; ties go to the first.

    Anchors without a positive or without a negative are left out.

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification", eq. 5.
    """
    positive, negative = _positives(labels)
    a = np.flatnonzero(positive.any(axis=1) & negative.any(axis=1))
    p = np.where(positive, D, -np.inf)[a].argmax(axis=1)
    n = np.where(negative, D, np.inf)[a].argmin(axis=1)
    return [(a, p), (a, n)], {}


def _positives(labels: Array) -> tuple[Array, Array]:
    """Masks (n, n): another image of the same class, and an image of another class."""
    require.class_labels(labels)
    same = labels[:, None] == labels
    positive, negative = same & ~np.eye(len(labels), dtype=bool), ~same
    if not positive.any():
        raise ValueError("no class has two images in this batch, so there is no positive: draw it with samplers.pk")
    if not negative.any():
        raise ValueError("all images of this batch are of one class, so there is no negative: draw it with samplers.pk")
    return positive, negative
