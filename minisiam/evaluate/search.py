"""The k nearest of many embeddings, exactly: one matrix product finds few candidates, and these are compared again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import pairwise, require
from .._arrays import reads_arrays
from .._gram import slices
from .pair_scores import FORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Distance, Float, Int, PairwiseDistance

GROUP = 32  # columns of the product of which only the minimum is compared
ROUNDING = 4  # more than the errors of a product, of centring and of a distance together, in d · eps · (‖a‖ + ‖b‖)²
NUMBERS = 1 << 22  # numbers in memory while candidates are compared


@reads_arrays
def nearest(
    z: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    k: int = 1,
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 128,
) -> tuple[Float[Array, "m k"], Int[Array, "m k"]]:
    """The k nearest rows of `z` for each query, nearest first: their distances and their numbers.

    Parameters
    ----------
    z, queries
        (n, d) embeddings, and the (m, d) embeddings whose neighbours are wanted.
    k
        From 1 to n.
    distance
        A matrix distance, `D, _ = distance(queries, z)`. For `pairwise.l2`, `squared_l2`, `cosine` and `dot` one
        matrix product per chunk finds the candidates.
    chunk
        The number of queries that are compared with all of z at a time: chunk × n numbers are in memory.

    Returns
    -------
    d, index
        (m, k) distances and row numbers (np.intp). Of rows at the same distance the first comes first. The distances
        are those of `distances`, row by row, so they do not depend on the chunk.

    Notes
    -----
    The product ranks by ½‖b‖² − a·b for centred a and b, which differs from ½‖a − b‖² by a constant per query. Columns
    are taken in groups. The k-th smallest minimum of a group bounds the k-th smallest score from above, so only groups
    below that bound, with a margin for rounding, hold a neighbour.
    """
    require.dimensions(2, "(n, d)", z=z, queries=queries)
    require.same_columns(z=z, queries=queries)
    require.rows(z=z)
    require.finite(z=z, queries=queries)
    k = require.whole("k", k, 1)
    chunk = require.whole("chunk", chunk, 1)
    if k > len(z):
        raise ValueError(f"k must be at most {len(z)}, the number of embeddings, not {k}")
    if not len(queries):
        return np.empty((0, k), z.dtype), np.empty((0, k), np.intp)
    form = FORMS.get(distance)
    if form is None:
        found = [_smallest(distance(queries[some], z)[0], k) for some in slices(len(queries), 1, chunk)]
    else:
        rows, ready, h = form
        a, b = ready(queries, z)
        found = list(_by_product(rows, queries, z, a, b, h, k, chunk))
    d, index = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return d, index


def _smallest(D: Array, k: int) -> tuple[Array, Array]:
    """The k smallest entries of each row, and their columns; of equal entries the first."""
    bound = np.partition(D, k - 1, axis=1)[:, k - 1 : k]
    i, j = np.nonzero(bound >= D)
    return _first(k, len(D), i, j, D[i, j])


def _first(k: int, rows: int, i: Array, j: Array, d: Array) -> tuple[Array, Array]:
    """Of the distances d of pairs (i, j), the k smallest of each row i, by distance and then by column."""
    order = np.lexsort((j, d, i))
    place = order[np.searchsorted(i[order], np.arange(rows))[:, None] + np.arange(k)]
    return d[place], j[place]


def _by_product(
    distance: Distance, queries: Array, z: Array, a: Array, b: Array, h: float, k: int, chunk: int
) -> Iterator[tuple[Array, Array]]:
    """The k nearest for each chunk of the queries, by one product and the distances of few candidates."""
    largest = max(np.abs(a).max(initial=0), np.abs(b).max()) or 1
    a, b = a / largest, b / largest  # so that no square overflows
    groups = max(k, -(-len(b) // GROUP))  # group g has the columns g, g + groups, …
    columns = groups * -(-len(b) // groups)
    right = np.zeros((b.shape[1] + 1, columns), b.dtype)
    right[:-1, : len(b)], right[-1, : len(b)], right[-1, len(b) :] = b.T, h * (b * b).sum(axis=1), np.inf
    left = np.concatenate([-a, np.ones((len(a), 1), a.dtype)], axis=1)
    length, longest = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1).max()
    margin = ROUNDING * b.shape[1] * np.finfo(b.dtype).eps * (length + longest) ** 2
    for some in slices(len(queries), 1, chunk):
        S = left[some] @ right
        least = S.reshape(len(S), -1, groups).min(axis=1)
        bound = np.partition(least, k - 1, axis=1)[:, k - 1] + margin[some]
        i, g = np.nonzero(least <= bound[:, None])
        pairs = [_within(S, i[few], g[few], bound, groups) for few in slices(len(i), columns // groups, NUMBERS)]
        i, j = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        near = slices(len(i), z.shape[1], NUMBERS)
        d = np.concatenate([distance(queries[some][i[few]], z[j[few]])[0] for few in near])
        yield _first(k, len(S), i, j, d)


def _within(S: Array, i: Array, g: Array, bound: Array, groups: int) -> tuple[Array, Array]:
    """The pairs of some groups whose score is within the bound."""
    j = np.arange(0, S.shape[1], groups) + g[:, None]
    row, place = np.nonzero(S[i[:, None], j] <= bound[i][:, None])
    return i[row], j[row, place]
