"""Retrieval: how many of the images nearest to a query have its class?    P@1, R-precision and MAP@R.

    scores = retrieval.scores(z, labels)        → Scores(precision_at_1, r_precision, map_at_r), from one pass

Each image is a query against all other images, whereas a one-shot episode has only twenty classes. A reference of the
query's class ranks after the references of other classes at the same distance, so a network that maps all images to one
point scores 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pairwise, require
from .._arrays import reads_arrays
from .._gram import EVERY, slices
from .pair_scores import pair_scores
from .ties import highest_tie

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, PairwiseDistance
    from .pair_scores import PairScores

SHARE = 16  # scores are used if a class has less than 1 / SHARE of the images: its references are a short list
GROUP = 8  # numbers, of which only the smallest is compared with those of other groups
FEW = 32  # queries that are compared by distances at a time: their references together are few columns


class Scores(NamedTuple):
    """Means over the queries, each in [0, 1].

    precision_at_1 : the share of images whose nearest neighbour has their class
    r_precision : the share of the query's class among its R nearest neighbours, for R references
    map_at_r : (1/R) Σ_{i≤R} [the i-th neighbour has the query's class] · P(i), where P(i) is the share of the class
        among the first i, so unlike in R-precision the order within the list matters
    """

    precision_at_1: float
    r_precision: float
    map_at_r: float


@reads_arrays
def scores(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 256,
) -> Scores:
    """P@1, R-precision and MAP@R of each image as a query against all others, from one pass.

    Parameters
    ----------
    z, labels
        (n, d) embeddings and their (n,) classes. An image that is alone in its class is a reference, but not a query.
    distance
        A matrix distance, `D, _ = distance(queries, references)`; smaller means nearer.
    chunk
        The number of queries at a time: the memory is a few times chunk · n numbers.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If no class has two images, so that there is nothing to retrieve, or if z is not finite.

    Notes
    -----
    The k-th nearest reference of the query's class, at distance dₖ, has the rank

        rₖ = k + #{references of other classes at a distance ≤ dₖ}

    where ≤ makes a tie, two numbers in D that are equal up to rounding, count against the model. With R references
    of its class,

        P@1 = [r₁ = 1],     R-precision = (1/R) #{k : rₖ ≤ R},     MAP@R = (1/R) Σ_{k : rₖ ≤ R} k / rₖ

    since the precision among the first rₖ is k / rₖ. An infinite or NaN distance to the query's class counts as not
    found; a NaN distance to another class ranks first.

    For `pairwise.l2`, `squared_l2`, `cosine` and `dot`, the ranks come from one float32 product per chunk. If its
    rounding could change a rank of a query, they come from the distances to the images with the lowest scores.

    References
    ----------
    Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check.
    """
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    chunk = require.whole("chunk", chunk, 1)
    _, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sizes.max(initial=0) < 2:
        raise ValueError("labels: no class has two images, so there is nothing to retrieve: use more images per class")
    order = np.argsort(number, kind="stable")  # so that a class is a slice
    z, number = z[order], number[order]
    queries = np.flatnonzero(sizes[number] > 1)
    queries = queries[np.argsort(sizes[number[queries]], kind="stable")]  # so that those of a chunk have a similar R
    total, pairs = np.zeros(3), pair_scores(z, distance)
    for some in slices(len(queries), 1, chunk):
        rows = queries[some]
        R = sizes[number[rows]] - 1
        if pairs is None or SHARE * R[-1] > len(z):
            total += _sums(_ranks(distance(z[rows], z)[0], rows, EVERY, number, R[-1]), R)
        else:
            total += _sums(_ranks_by_scores(pairs, z, number, rows, R, distance), R)
    return Scores(*(total / len(queries)).tolist())


def _sums(rank: Array, R: Array) -> Array:
    """The sums of the three measures over some queries, from the ranks (q, most) of their class's references."""
    found = rank <= R[:, None]
    precise = (found * (np.arange(1, rank.shape[1] + 1) / rank)).sum(axis=1) / R
    return np.array([(found & (rank == 1)).sum(), (found.sum(axis=1) / R).sum(), precise.sum()])


def _ranks(D: Array, rows: Array, columns: Any, number: Array, most: int) -> Array:
    """(q, most): the ranks of the references of the query's class, n + 1 where there is none.

    D is (q, c), the distances of the queries in `rows` to the references in `columns`; `number` (n,) the classes.
    """
    same = number[rows][:, None] == number[columns]
    d_other = _nearest(np.where(np.isnan(D), -np.inf, D), same, most)
    same &= rows[:, None] != np.arange(len(number))[columns]  # no image retrieves itself
    d_same = _nearest(np.where(np.isnan(D), np.inf, D), ~same, most)  # inf beyond R
    before = np.stack([np.searchsorted(*row, side="right") for row in zip(d_other, highest_tie(d_same), strict=True)])
    return np.where(d_same < np.inf, np.arange(1, d_same.shape[1] + 1) + before, len(number) + 1)


def _nearest(D: Array, without: Array, most: int) -> Array:
    """(q, most): the smallest distances of each row in ascending order, without the entries of a mask."""
    D[without] = np.inf
    return _smallest(D, most)


def _smallest(D: Array, most: int) -> Array:
    """(q, most): the smallest numbers of each row in ascending order.

    They are in the `most` groups of GROUP numbers with the smallest minima, or tie with numbers that are.
    """
    q, c = D.shape
    if c > 4 * GROUP * most:
        groups = D[:, c % GROUP :].reshape(q, GROUP, -1)
        least = groups.min(axis=1)
        chosen = np.argpartition(least, most - 1, axis=1)[:, :most]
        few = np.take_along_axis(groups, chosen[:, None], axis=2).reshape(q, -1)
        D = np.concatenate([few, D[:, : c % GROUP]], axis=1)
    return np.sort(np.partition(D, most - 1, axis=1)[:, :most], axis=1)


def _ranks_by_scores(
    pairs: PairScores, z: Array, number: Array, rows: Array, R: Array, distance: PairwiseDistance
) -> Array:
    """The same ranks up to R, by scores; by distances for the queries in which rounding could change one."""
    most, at = R[-1], np.arange(len(rows))[:, None]
    S = pairs.left[rows] @ pairs.right
    own = np.searchsorted(number, number[rows])[:, None] + np.arange(most + 1)  # the columns of the class
    there = np.arange(most + 1) <= R[:, None]
    own = np.where(there, own, rows[:, None])
    s_same = np.where(there & (own != rows[:, None]), S[at, own], np.inf)
    S[at, own] = np.inf
    s_other = _smallest(S, most)
    margin = pairs.margin[rows][:, None]
    s_same = np.sort(s_same, axis=1)[:, :most]
    low, high = (np.stack([*map(np.searchsorted, s_other, s_same + side * margin)]) for side in (-1, 1))
    rank = np.arange(1, most + 1) + low
    unsure = np.flatnonzero(((low < high) & (rank <= R[:, None])).any(axis=1))
    for few in slices(len(unsure), 1, FEW):
        i = unsure[few]
        near = (S[i] <= s_other[i, -1:] + 2 * margin[i]).any(axis=0)
        near[own[i]] = True
        columns = np.flatnonzero(near)
        rank[i] = _ranks(distance(z[rows[i]], z[columns])[0], rows[i], columns, number, most)
    return rank
