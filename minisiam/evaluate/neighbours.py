"""Nearest neighbours: the accuracy of their majority, and recall@k."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from .. import pairwise, require
from .._arrays import reads_arrays
from .ties import highest_tie, lowest_tie

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, PairwiseDistance


@reads_arrays
def knn_accuracy(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    queries: Float[Array, "m d"],
    query_labels: Int[Array, "m"],
    k: int = 1,
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 1024,
) -> float:
    """Share of queries for which the majority of the k nearest neighbours has the right class.

    Ties count against the model, both in the vote and between neighbours at the same distance: of those that compete
    for the last places, as many as possible are of one other class.
    """
    require.dimensions(2, "(n, d)", z=z, queries=queries)
    require.rows(z=z, queries=queries)
    require.finite(z=z, queries=queries)
    require.class_labels(labels, len(z))
    require.class_labels(query_labels, len(queries))
    k, chunk = require.whole("k", k, 1), require.whole("chunk", chunk, 1)
    if k > len(z):
        raise ValueError(f"k must be at most {len(z)}, the number of embeddings, not {k}")
    right = 0
    for start in range(0, len(queries), chunk):
        D, _ = distance(queries[start : start + chunk], z)
        wanted = query_labels[start : start + chunk]
        mine = labels == wanted[:, None]
        if k == 1:
            own, other = (np.where(some, D, np.inf).min(axis=1) for some in (mine, ~mine))
            right += int((highest_tie(own) < other).sum())
            continue
        farthest = np.partition(D, k - 1, axis=1)[:, [k - 1]]
        nearer, within = lowest_tie(farthest) > D, highest_tie(farthest) >= D
        right += sum(map(_wins, mine, nearer, within & ~nearer, [labels] * len(D), [k] * len(D)))
    return right / len(queries)


def _wins(mine: Array, nearer: Array, tied: Array, labels: Array, k: int) -> bool:
    """Whether a query's class has more votes than any other can have, if `tied` compete for the places left."""
    places = k - int(nearer.sum())
    own = int((mine & nearer).sum()) + max(0, places - int((tied & ~mine).sum()))
    sure, possible = (Counter(labels[some & ~mine].tolist()) for some in (nearer, tied))
    return own > max((sure[c] + min(possible[c], places) for c in {*sure, *possible}), default=0)


@reads_arrays
def recall_at_k(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    k: int = 1,
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 1024,
) -> float:
    """Recall@k: the share of images with an image of their class among their k nearest neighbours.

    Parameters
    ----------
    z, labels
        (n, d) embeddings and their (n,) classes. An image that is alone in its class is not a query, but may be a
        neighbour.
    k
        At least 1. For k = 1 this is precision at 1 and the accuracy of the nearest neighbour.
    distance
        A matrix distance, `D, _ = distance(z, z)`.
    chunk
        The number of rows of D in memory at a time.

    Returns
    -------
    float
        In [0, 1]. An image of another class at the same distance, up to rounding, counts as nearer, so ties count
        against the model.

    References
    ----------
    Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", §V (for one correct result).
    """
    require.dimensions(2, "(n, d)", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    k, chunk = require.whole("k", k, 1), require.whole("chunk", chunk, 1)
    found, queries = 0, 0
    for start in range(0, len(z), chunk):
        D, _ = distance(z[start : start + chunk], z)
        mine = labels[start : start + chunk, None] == labels
        others = mine & (np.arange(start, start + len(D))[:, None] != np.arange(len(z)))
        nearest = np.where(others, D, np.inf).min(axis=1, keepdims=True)
        nearer = (~mine & (highest_tie(nearest) >= D)).sum(axis=1)
        has_one = others.any(axis=1)
        found, queries = found + int((nearer[has_one] < k).sum()), queries + int(has_one.sum())
    if not queries:
        raise ValueError("labels: no class has two images, but recall needs two images of a class")
    return found / queries
