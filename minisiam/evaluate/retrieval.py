"""Of everything that is near an image, how much is of its class?    P@1, R-precision and MAP@R, each image a query.

    scores = retrieval.scores(z, labels)        → Scores(precision_at_1, r_precision, map_at_r), from one pass

One-shot episodes ask about twenty classes at a time; here every image competes with all others. Where a reference of
the query's class is as near as one of another class it comes after it, so a network that maps everything to one point
scores nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pairwise, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int


class Scores(NamedTuple):
    """Means over the queries, each in [0, 1]."""

    precision_at_1: float
    r_precision: float
    map_at_r: float


def scores(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    distance: Callable[..., Any] = pairwise.l2,
    chunk: int = 512,
) -> Scores:
    """P@1, R-precision and MAP@R of each image as a query against all others, from one pass.

    Parameters
    ----------
    z, labels
        (n, d) embeddings and their (n,) classes. An image that is alone in its class is no query, but a reference all
        the same.
    distance
        A matrix distance, `D, _ = distance(queries, references)`; less is nearer.
    chunk
        Queries at a time: what is held in memory is a few times chunk · n numbers.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        Where no class has two images, so that there is nothing to find; where z is not finite.

    Notes
    -----
    The k-th nearest reference of the query's own class, at distance dₖ, has the rank

        rₖ = k + #{references of other classes at a distance ≤ dₖ}

    where ≤ lets a tie, two equal numbers in D, count against the model. With R references of its class,

        P@1 = [r₁ = 1],     R-precision = (1/R) #{k : rₖ ≤ R},     MAP@R = (1/R) Σ_{k : rₖ ≤ R} k / rₖ

    since the precision among the first rₖ is k / rₖ. A distance that is infinite or NaN finds nothing; a NaN to another
    class comes before everything.

    References
    ----------
    Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check.
    """
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    require.whole("chunk", chunk, 1)
    _, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(sizes[number] > 1)
    if not len(queries):
        raise ValueError("labels hold no class of two images, so there is nothing to find: give more images a class")
    total = np.zeros(3)
    for start in range(0, len(queries), chunk):
        some = queries[start : start + chunk]
        D, _ = distance(z[some], z)
        total += _of_queries(D, some, number, sizes[number[some]] - 1)
    return Scores(*(total / len(queries)).tolist())


def precision_at_1(z: Array, labels: Array, distance: Callable[..., Any] = pairwise.l2, chunk: int = 512) -> float:
    """P@1: the share of images whose nearest neighbour is of their class. Parameters as in `scores`."""
    return scores(z, labels, distance, chunk).precision_at_1


def r_precision(z: Array, labels: Array, distance: Callable[..., Any] = pairwise.l2, chunk: int = 512) -> float:
    """The share of an image's R nearest that are of its class, where R are. Parameters as in `scores`."""
    return scores(z, labels, distance, chunk).r_precision


def map_at_r(z: Array, labels: Array, distance: Callable[..., Any] = pairwise.l2, chunk: int = 512) -> float:
    """MAP@R = (1/R) Σ_{i≤R} [i-th neighbour is of the query's class] · P(i). Parameters as in `scores`.

    P(i) is the share of the first i that are of the class: unlike R-precision it matters where in the list they are.
    """
    return scores(z, labels, distance, chunk).map_at_r


def _of_queries(D: Array, queries: Array, number: Array, R: Array) -> Array:
    """Sums over some queries of the three measures: D (q, n), `number` (n,) the classes, R (q,)."""
    own = number[queries][:, None] == number
    most = int(R.max())
    rivals = _nearest(np.where(np.isnan(D), -np.inf, D), own, most)
    own[np.arange(len(queries)), queries] = False  # no image finds itself
    mine = _nearest(np.where(np.isnan(D), np.inf, D), ~own, most)  # beyond R, inf
    before = np.stack([np.searchsorted(*row, side="right") for row in zip(rivals, mine, strict=True)])
    k = np.arange(1, most + 1)
    rank = k + before
    found = (mine < np.inf) & (rank <= R[:, None])
    precise = (found * (k / rank)).sum(axis=1) / R
    return np.array([(found & (rank == 1)).sum(), (found.sum(axis=1) / R).sum(), precise.sum()])


def _nearest(D: Array, without: Array, most: int) -> Array:
    """(q, most): the least distances of each row in order, without those of a mask."""
    D[without] = np.inf
    return np.sort(np.partition(D, most - 1, axis=1)[:, :most], axis=1)
