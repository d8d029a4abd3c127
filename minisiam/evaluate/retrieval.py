"""Retrieval: how many of the images nearest to a query have its class?    P@1, R-precision and MAP@R.

    scores = retrieval.scores(z, labels)        → Scores(precision_at_1, r_precision, map_at_r), from one pass

Each image is a query against all other images, whereas a one-shot episode has only twenty classes. A reference of the
query's class ranks after the references of other classes at the same distance, so a network that maps all images to one
point scores 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import pairwise, require
from .._arrays import reads_arrays
from .ties import highest_tie

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, PairwiseDistance


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
    chunk: int = 512,
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

    References
    ----------
    Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check.
    """
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    chunk = require.whole("chunk", chunk, 1)
    _, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(sizes[number] > 1)
    if not len(queries):
        raise ValueError("labels: no class has two images, so there is nothing to retrieve: use more images per class")
    total = np.zeros(3)
    for start in range(0, len(queries), chunk):
        rows = queries[start : start + chunk]
        D, _ = distance(z[rows], z)
        total += _sums(D, rows, number, sizes[number[rows]] - 1)
    return Scores(*(total / len(queries)).tolist())


def _sums(D: Array, queries: Array, number: Array, R: Array) -> Array:
    """The sums of the three measures over some queries: D (q, n), `number` (n,) the classes, R (q,)."""
    same = number[queries][:, None] == number
    most = int(R.max())
    d_other = _nearest(np.where(np.isnan(D), -np.inf, D), same, most)
    same[np.arange(len(queries)), queries] = False  # no image retrieves itself
    d_same = _nearest(np.where(np.isnan(D), np.inf, D), ~same, most)  # inf beyond R
    before = np.stack([np.searchsorted(*row, side="right") for row in zip(d_other, highest_tie(d_same), strict=True)])
    k = np.arange(1, most + 1)
    rank = k + before
    found = (d_same < np.inf) & (rank <= R[:, None])
    precise = (found * (k / rank)).sum(axis=1) / R
    return np.array([(found & (rank == 1)).sum(), (found.sum(axis=1) / R).sum(), precise.sum()])


def _nearest(D: Array, without: Array, most: int) -> Array:
    """(q, most): the smallest distances of each row in ascending order, without the entries of a mask."""
    D[without] = np.inf
    return np.sort(np.partition(D, most - 1, axis=1)[:, :most], axis=1)
