"""Nearest neighbours: the accuracy of their majority, and recall@k."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pairwise, require
from .._arrays import reads_arrays
from .._gram import EVERY, slices
from .pair_scores import pair_scores
from .ties import highest_tie, lowest_tie

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, PairwiseDistance
    from .pair_scores import PairScores

FEW = 64  # undecided rows that are compared at a time: their candidates together are few columns


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
        against the model. An infinite or NaN distance to the query's class counts as not found; a NaN distance to
        another class counts as nearer.

    Notes
    -----
    For `pairwise.l2`, `squared_l2`, `cosine` and `dot`, one float32 product per tile of chunk × chunk pairs decides all
    queries whose two classes in front are further apart than the product's rounding, and for a symmetric matrix half of
    the tiles suffice. The rest is compared with those images only that rounding leaves in question.

    References
    ----------
    Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", §V (for one correct result).
    """
    require.dimensions(2, "(n, d)", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    k, chunk = require.whole("k", k, 1), require.whole("chunk", chunk, 1)
    order = np.argsort(labels, kind="stable")  # so that a class is a slice
    z = z[order]
    _, start, number, sizes = np.unique(labels[order], return_index=True, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(sizes[number] > 1)
    if not len(queries):
        raise ValueError("labels: no class has two images, but recall needs two images of a class")
    scores = pair_scores(z, distance)
    if scores is None:
        parts = (queries[some] for some in slices(len(queries), 1, chunk))
        found = sum(int((_nearer(z, number, rows, EVERY, distance) < k).sum()) for rows in parts)
    else:
        own, other = _lowest(scores, number, np.append(start, len(z)), chunk)
        ahead = other - own
        sure = ahead > scores.margin
        rest = queries[(~sure if k > 1 else np.abs(ahead) <= scores.margin)[queries]]
        parts = (rest[some] for some in slices(len(rest), 1, min(chunk, FEW)))
        found = int(sure[queries].sum()) + sum(_found(scores, z, number, rows, own, k, distance) for rows in parts)
    return found / len(queries)


def _found(
    scores: PairScores, z: Array, number: Array, rows: Array, own: Array, k: int, distance: PairwiseDistance
) -> int:
    """How many of some rows have one of their class among the k nearest; by distances where scores do not decide."""
    S = scores.left[rows] @ scores.right
    S[np.arange(len(rows)), rows] = np.inf
    low, high = ((own + side * scores.margin)[rows, None] for side in (-1, 1))
    near = high >= S  # all that can be nearer than the first of the class, and that one
    few = near.sum(axis=1) <= k
    unsure = ~few & ((low > S).sum(axis=1) < k)
    columns = np.flatnonzero(near[unsure].any(axis=0))
    if not len(columns):
        return int(few.sum())
    return int(few.sum() + (_nearer(z, number, rows[unsure], columns, distance) < k).sum())


def _nearer(z: Array, number: Array, rows: Array, columns: Any, distance: PairwiseDistance) -> Array:
    """How many images of other classes are as near to each row as the nearest of its class, among some columns.

    A NaN distance counts against the model.
    """
    D, _ = distance(z[rows], z[columns])
    mine = number[rows][:, None] == number[columns]
    others = mine & (rows[:, None] != np.arange(len(z))[columns])
    nearest = np.where(others & ~np.isnan(D), D, np.inf).min(axis=1, keepdims=True)
    return (~mine & ~(highest_tie(nearest) < D)).sum(axis=1)


def _lowest(scores: PairScores, number: Array, start: Array, side: int) -> tuple[Array, Array]:
    """The lowest score of each row with another row of its class, and with the other classes; (n,) both.

    Rows are sorted by class; class c has the rows from start[c] to start[c + 1]. Scores are symmetric, so that the
    tiles of side × side on and above the diagonal suffice.
    """
    n = len(number)
    own, other = np.full((2, n), np.inf, np.float32)
    for first in range(0, n, side):
        i = slice(first, min(first + side, n))
        for second in range(first, n, side):
            j = slice(second, min(second + side, n))
            S = scores.left[i] @ scores.right[:, j]
            if i == j:
                np.fill_diagonal(S, np.inf)
            for c in range(number[j.start], number[i.stop - 1] + 1):  # the classes that are in both
                rows, columns = (slice(max(start[c], s.start), min(start[c + 1], s.stop)) for s in (i, j))
                tile = S[rows.start - first : rows.stop - first, columns.start - second : columns.stop - second]
                _lower(own, rows, columns, tile)
                tile[:] = np.inf
            _lower(other, i, j, S)
    return own, other


def _lower(least: Array, rows: slice, columns: slice, S: Array) -> None:
    """Lower the numbers of some rows and some columns to the smallest of a tile."""
    np.minimum(least[rows], S.min(axis=1), out=least[rows])
    np.minimum(least[columns], S.min(axis=0), out=least[columns])
