"""Pairs from a graph: who is similar is told image by image, and no class is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .table import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Bool, Generator, Int


class Graph(NamedTuple):
    """Who is similar to whom: `neighbours[start[i] : start[i + 1]]` are the rows that row i is similar to, ascending.

    start : (n + 1,);   neighbours : (edges,). An edge goes both ways, and nobody is a neighbour of itself.
    """

    start: Array
    neighbours: Array

    @classmethod
    def of(cls, first: Int[Array, "e"], second: Int[Array, "e"], count: int) -> Graph:
        """The graph on `count` rows of these edges: each is taken both ways and once, and none from a row to itself."""
        both = np.concatenate([first * count + second, second * count + first])
        row, neighbour = np.divmod(np.unique(both), count)
        row, neighbour = row[row != neighbour], neighbour[row != neighbour]
        return cls(np.searchsorted(row, np.arange(count + 1)), neighbour)

    @property
    def degree(self) -> Array:
        """(n,) how many neighbours each row has."""
        return np.diff(self.start)

    @property
    def edges(self) -> tuple[Array, Array]:
        """Two (edges,) arrays, from and to: every edge in both directions."""
        return np.repeat(np.arange(len(self.degree)), self.degree), self.neighbours

    def has(self, first: Int[Array, "m"], second: Int[Array, "m"]) -> Bool[Array, "m"]:
        """Whether first[k] and second[k] are neighbours."""
        count = len(self.degree)
        row, neighbour = self.edges
        return np.isin(first * count + second, row * count + neighbour)


def neighbour_pair_indices(
    graph: Graph, rng: Generator, size: int = 64, same: float = 0.5
) -> Iterator[tuple[Array, Array, Array]]:
    """Pairs of rows, a share of them neighbours in a graph, all others not (Hadsell et al. 2006).

    Parameters
    ----------
    graph
        Every row needs a neighbour, and a row besides itself that is none.
    rng
        Where chance comes from.
    size
        Pairs in a batch.
    same
        Share of pairs of neighbours, in [0, 1]; each batch holds that many, rounded.

    Yields
    ------
    first, second, same
        Two times (size,) rows, and (size,) booleans. Every row is the first of a pair once before any is again; each
        of its neighbours is equally likely, and in a different pair each of the other rows.
    """
    require.generator(rng)
    require.whole("size", size, 1)
    share = require.between("same", same, 0, 1)
    count, degree = len(graph.degree), graph.degree
    _check(degree)
    others = count - 1 - degree  # of each row, those that are neither itself nor a neighbour
    passed = _passed(graph)
    start = graph.start + np.arange(count + 1)  # a row itself stands among its neighbours in `passed`
    is_same = np.arange(size) < round(share * size)
    for first in chunks(count, size, rng):
        order = rng.permutation(is_same)
        near = graph.neighbours[graph.start[first] + rng.integers(0, degree[first])]
        rank = rng.integers(0, others[first])
        far = rank + np.searchsorted(passed, first * count + rank, side="right") - start[first]
        yield first, np.where(order, near, far), order


class PairsWithin(NamedTuple):
    """Rows of a data set, and pairs of them: `first` and `second` are places in `rows`, `same` whether neighbours."""

    rows: Array
    first: Array
    second: Array
    same: Array


def neighbour_batch_indices(graph: Graph, rng: Generator, size: int = 256, same: float = 0.2) -> Iterator[PairsWithin]:
    """Batches of rows and their neighbours, of which many pairs are compared though each row is encoded once.

    Half of a batch comes in turn and the other half are neighbours of these, one each. Its pairs are all neighbours
    that it holds, and as many random others as make their share `same`; to Hadsell et al. all others are different.

    Parameters
    ----------
    graph, rng, same
        As in `neighbour_pair_indices`, but the share is more than 0.
    size
        Rows in a batch, fewer where a row is met twice.

    Yields
    ------
    PairsWithin
        Every row comes in turn once before any does again.
    """
    require.generator(rng)
    require.whole("size", size, 4)
    share = require.between("same", same, 0, 1, open_low=True)
    _check(graph.degree)
    place = np.full(len(graph.degree), -1)
    for anchors in chunks(len(graph.degree), size // 2, rng):
        near = graph.neighbours[graph.start[anchors] + rng.integers(0, graph.degree[anchors])]
        rows = np.unique(np.concatenate([anchors, near]))
        place[rows] = np.arange(len(rows))
        similar = np.zeros((len(rows), len(rows)), bool)
        for at, row in enumerate(rows):
            others = place[graph.neighbours[graph.start[row] : graph.start[row + 1]]]
            similar[at, others[others >= 0]] = True
        place[rows] = -1
        first, second = np.nonzero(np.triu(similar, 1))
        others = np.flatnonzero(np.triu(~similar, 1))
        count = min(len(others), round(len(first) * (1 - share) / share))
        row, other = np.divmod(rng.choice(others, count, replace=False), len(rows))
        told = np.arange(len(first) + count) < len(first)
        yield PairsWithin(rows, np.concatenate([first, row]), np.concatenate([second, other]), told)


def _passed(graph: Graph) -> Array:
    """For each row i and each k-th row c that is itself or a neighbour: i·n + c − k.

    The r-th of all other rows of i is r + the number of those with c − k ≤ r, which a search in the whole finds.
    """
    count = len(graph.degree)
    row, neighbour = graph.edges
    key = np.sort(np.concatenate([row * count + neighbour, np.arange(count) * (count + 1)]))
    size = graph.degree + 1
    rank = np.arange(len(key)) - np.repeat(np.cumsum(size) - size, size)
    return key - rank


def _check(degree: Array) -> None:
    """Every row needs a neighbour, and one that is none."""
    alone, everybody = np.flatnonzero(degree == 0), np.flatnonzero(degree == len(degree) - 1)
    if not len(degree) or len(alone):
        what = f"row {alone[0]} has no neighbour ({len(alone)} such rows)" if len(alone) else "the graph is empty"
        raise ValueError(f"{what}: a similar pair needs one, so leave it out or use more neighbours")
    if len(everybody):
        raise ValueError(f"row {everybody[0]} is a neighbour of all others: a different pair needs one that is none")
