"""Graphs that define similarity for each pair of images, without classes, and pairs drawn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .._arrays import reads_arrays
from ..samplers.table import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Bool, Generator, Int


class Graph(NamedTuple):
    """A similarity graph: `neighbours[start[i] : start[i + 1]]` are the rows that are similar to row i, ascending.

    start : (n + 1,);   neighbours : (edges,). The graph is symmetric, and no row is its own neighbour.
    """

    start: Array
    neighbours: Array

    @classmethod
    @reads_arrays
    def of(cls, first: Int[Array, "e"], second: Int[Array, "e"], count: int) -> Graph:
        """Make the graph on `count` rows with these edges, in both directions, without duplicates and self-loops."""
        both = np.concatenate([first * count + second, second * count + first])
        row, neighbour = np.divmod(np.unique(both), count)
        row, neighbour = row[row != neighbour], neighbour[row != neighbour]
        return cls(np.searchsorted(row, np.arange(count + 1)), neighbour)

    @property
    def degree(self) -> Array:
        """(n,) the number of neighbours of each row."""
        return np.diff(self.start)

    @property
    def edges(self) -> tuple[Array, Array]:
        """Two (edges,) arrays, the start and the end of every edge, in both directions."""
        return np.repeat(np.arange(len(self.degree)), self.degree), self.neighbours

    @reads_arrays
    def has(self, first: Int[Array, "m"], second: Int[Array, "m"]) -> Bool[Array, "m"]:
        """Whether first[k] and second[k] are neighbours."""
        count = len(self.degree)
        row, neighbour = self.edges
        return np.isin(first * count + second, row * count + neighbour)


def neighbour_pair_indices(
    graph: Graph, rng: Generator, size: int = 64, same: float = 0.5
) -> Iterator[tuple[Array, Array, Array]]:
    """Pairs of rows, a given share of them neighbours in a graph (Hadsell et al. 2006).

    Parameters
    ----------
    graph
        Every row needs at least one neighbour and at least one non-neighbour.
    rng
        The random generator.
    size
        The number of pairs in a batch.
    same
        The share of neighbours among the pairs, in [0, 1]; each batch has this share, rounded.

    Yields
    ------
    first, second, same
        Two (size,) arrays of row numbers, and (size,) booleans. Every row is the first of a pair once before any is
        again. Its partner is equally likely to be any of its neighbours, or in a different pair any non-neighbour.
    """
    require.generator(rng)
    size = require.whole("size", size, 1)
    share = require.between("same", same, 0, 1)
    count, degree = len(graph.degree), graph.degree
    _check(degree)
    others = count - 1 - degree  # the number of non-neighbours of each row
    keys = _search_keys(graph)
    start = graph.start + np.arange(count + 1)  # in `keys` a row is among its own neighbours
    is_same = np.arange(size) < round(share * size)
    for first in chunks(count, size, rng):
        order = rng.permutation(is_same)
        near = graph.neighbours[graph.start[first] + rng.integers(0, degree[first])]
        rank = rng.integers(0, others[first])
        far = rank + np.searchsorted(keys, first * count + rank, side="right") - start[first]
        yield first, np.where(order, near, far), order


class PairsWithin(NamedTuple):
    """Row numbers and pairs of them: `first` and `second` are positions in `rows`, `same` marks neighbours."""

    rows: Array
    first: Array
    second: Array
    same: Array


def neighbour_batch_indices(graph: Graph, rng: Generator, size: int = 256, same: float = 0.2) -> Iterator[PairsWithin]:
    """Batches of rows and their neighbours: each row is encoded once and compared in many pairs.

    Half of a batch are the next rows in random order, and the other half are one neighbour of each. The pairs are all
    pairs of neighbours in the batch, and as many random pairs of non-neighbours as the share `same` requires.

    Parameters
    ----------
    graph, rng, same
        As in `neighbour_pair_indices`, but `same` must be greater than 0.
    size
        The number of rows in a batch; a batch with duplicates has fewer.

    Yields
    ------
    PairsWithin
        Every row is in the first half once before any is again.
    """
    require.generator(rng)
    size = require.whole("size", size, 4)
    share = require.between("same", same, 0, 1, open_low=True)
    _check(graph.degree)
    position = np.full(len(graph.degree), -1)
    for anchors in chunks(len(graph.degree), size // 2, rng):
        near = graph.neighbours[graph.start[anchors] + rng.integers(0, graph.degree[anchors])]
        rows = np.unique(np.concatenate([anchors, near]))
        position[rows] = np.arange(len(rows))
        similar = np.zeros((len(rows), len(rows)), bool)
        for i, row in enumerate(rows):
            others = position[graph.neighbours[graph.start[row] : graph.start[row + 1]]]
            similar[i, others[others >= 0]] = True
        position[rows] = -1
        first, second = np.nonzero(np.triu(similar, 1))
        others = np.flatnonzero(np.triu(~similar, 1))
        count = min(len(others), round(len(first) * (1 - share) / share))
        row, other = np.divmod(rng.choice(others, count, replace=False), len(rows))
        is_same = np.arange(len(first) + count) < len(first)
        yield PairsWithin(rows, np.concatenate([first, row]), np.concatenate([second, other]), is_same)


def _search_keys(graph: Graph) -> Array:
    """i·n + c − k for each row i, where c is the k-th row among i and its neighbours.

    The r-th non-neighbour of i is r + #{k : c − k ≤ r}, and a binary search in the keys finds this count.
    """
    count = len(graph.degree)
    row, neighbour = graph.edges
    key = np.sort(np.concatenate([row * count + neighbour, np.arange(count) * (count + 1)]))
    size = graph.degree + 1
    rank = np.arange(len(key)) - np.repeat(np.cumsum(size) - size, size)
    return key - rank


def _check(degree: Array) -> None:
    """Require a neighbour and a non-neighbour for every row."""
    isolated, full = np.flatnonzero(degree == 0), np.flatnonzero(degree == len(degree) - 1)
    if not len(degree) or len(isolated):
        what = f"row {isolated[0]} has no neighbour ({len(isolated)} such rows)" if len(isolated) else "graph is empty"
        raise ValueError(f"{what}: a similar pair needs a neighbour, so leave such rows out or use more neighbours")
    if len(full):
        raise ValueError(f"row {full[0]} is a neighbour of all other rows: a different pair needs a non-neighbour")
