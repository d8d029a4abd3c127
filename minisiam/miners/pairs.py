"""Miners of pairs. All but the first return (i, j) and (j, i) as two pairs, since D may be asymmetric."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .types import Pairs, masks

if TYPE_CHECKING:
    from ..typing import Array, Float, Int


@reads_arrays
def all_pairs(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Pairs:
    """All n (n − 1) / 2 pairs with i < j."""
    masks(D, labels)
    i, j = np.triu_indices(len(labels), k=1)
    return Pairs(i, j, labels[i] == labels[j])


@reads_arrays
def ordered_pairs(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Pairs:
    """All n (n − 1) pairs with i ≠ j, which are the pairs that pytorch-metric-learning uses without a miner."""
    D, positive, negative = masks(D, labels)
    return _pairs_where(positive | negative, labels)


@reads_arrays
def pair_margin(
    D: Float[Array, "n n"], labels: Int[Array, "n"], positive_margin: float = 0.2, negative_margin: float = 0.8
) -> Pairs:
    """Positive pairs with d > positive_margin, negative pairs with d < negative_margin.

    With the margins of a loss on pairs, these are the pairs that have a gradient.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    positive_margin, negative_margin
        At least 0, in the units of D. The defaults suit L2 between normalized embeddings.

    Returns
    -------
    Pairs
        Ordered, row by row; empty if every pair satisfies its margin.
    """
    D, positive, negative = masks(D, labels)
    far = require.between("positive_margin", positive_margin, 0)
    near = require.between("negative_margin", negative_margin, 0)
    return _pairs_where(positive & (far < D) | negative & (near > D), labels)


@reads_arrays
def multi_similarity(D: Float[Array, "n n"], labels: Int[Array, "n"], epsilon: float = 0.1) -> Pairs:
    """(a, p) where d_ap + ε > minₙ d_an, and (a, n) where d_an − ε < maxₚ d_ap.

    A pair is kept if it is in the wrong order with the hardest pair of the other kind of its anchor, or in the right
    order by less than ε.

    Parameters
    ----------
    D, labels
        (n, n) distances, cosine in the paper, and (n,) integers.
    epsilon
        At least 0, in the units of D.

    Returns
    -------
    Pairs
        Ordered, row by row; empty if the positives of every anchor are nearer than its negatives by ε or more.

    References
    ----------
    Wang et al. (2019), "Multi-similarity loss with general pair weighting for deep metric learning",
    section on pair mining, printed for similarities s = 1 − d.
    """
    D, positive, negative = masks(D, labels)
    epsilon = require.between("epsilon", epsilon, 0)
    nearest_negative = np.where(negative, D, np.inf).min(axis=1, keepdims=True)
    farthest_positive = np.where(positive, D, -np.inf).max(axis=1, keepdims=True)
    return _pairs_where(
        positive & (D + epsilon > nearest_negative) | negative & (D - epsilon < farthest_positive), labels
    )


@reads_arrays
def hardest_pairs(D: Float[Array, "n n"], labels: Int[Array, "n"], fraction: float = 0.5) -> Pairs:
    """The farthest ⌈fraction · count⌉ of the positive pairs and the nearest ⌈fraction · count⌉ of the negative pairs.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    fraction
        Greater than 0 and at most 1. If D is symmetric, an even count keeps (i, j) and (j, i) together.

    Returns
    -------
    Pairs
        The positives and then the negatives, each from the hardest to the easiest.

    References
    ----------
    Yuan, Yang & Zhang (2017), "Hard-aware deeply cascaded embedding": one of the cascades.
    """
    D, positive, negative = masks(D, labels)
    share = require.between("fraction", fraction, 0, 1, open_low=True)
    hardest = [_smallest(-D, positive, share), _smallest(D, negative, share)]
    rows, columns = (np.concatenate(both) for both in zip(*hardest, strict=True))
    return Pairs(rows, columns, labels[rows] == labels[columns])


def _smallest(D: Array, mask: Array, share: float) -> tuple[Array, Array]:
    """The given share of the mask's entries, those with the smallest D, in ascending order."""
    rows, columns = np.nonzero(mask)
    count = ceil(round(share * len(rows), 9))  # 0.07 · 100 is 7.000000000000001
    least = np.argsort(D[rows, columns], kind="stable")[:count]
    return rows[least], columns[least]


def _pairs_where(keep: Array, labels: Array) -> Pairs:
    """The pairs of a mask (n, n), row by row."""
    rows, columns = np.nonzero(keep)
    return Pairs(rows, columns, labels[rows] == labels[columns])
