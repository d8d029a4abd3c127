"""A distance matrix of which each rank computes its own rows, d(zᵣ, Z): B × RB distances instead of RB × RB.

    distance = distributed.rows(pairwise.l2, ranks)                       instead of pairwise.l2
    distance = distributed.rows(fast.blockwise(pairwise.l2), ranks)       and the own rows in blocks

The loss asks the matrix for sums over its rows, or for the distances that a miner chooses (`distance_matrix`), and each
rank answers for its own rows. Numbers and gradients are then added up over the ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..distance_matrix import Total, as_matrix
from ..op import op, with_parameters_of
from .ranks import share, together, total, total_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..distance_matrix import DistanceMatrix, RowLoss
    from ..typing import Array, Float, PairwiseDistance
    from .ranks import Ranks


def rows(distance: PairwiseDistance, ranks: Ranks) -> PairwiseDistance:
    """Return the distance whose matrix is divided among the ranks: each computes d(a[own rows], b).

    It takes a, b and parameters that are the same on every rank, such as the embeddings of `distributed.encoder`. Its
    pullback returns the whole gradient on every rank.
    """

    @op
    def divided(a: Float[Array, "n d"], b: Float[Array, "m d"], /, *params: Float[Array, "..."]):
        mine = share(len(a), ranks)
        local, pull_local = distance(a[mine], b, *params)
        matrix = Divided(as_matrix(local), mine, len(a), ranks)

        def pullback(gradient: Any):
            da, db, *dparams = pull_local(matrix.own_part(gradient))
            own = np.zeros_like(a)
            own[mine] = da
            if a is b:  # one sum suffices, since the gradients of rows and columns are added anyway
                dz, *dparams = total_tree(ranks, [own + db, *dparams])
                return dz, np.zeros_like(dz), *dparams
            return tuple(total_tree(ranks, [own, db, *dparams]))

        return matrix, pullback

    divided.__name__ = f"rows_of_{getattr(distance, '__name__', 'distance')}"
    return with_parameters_of(distance)(divided)


class Divided:
    """A `distance_matrix.DistanceMatrix` of which this rank holds the rows `mine`."""

    def __init__(self, local: DistanceMatrix, mine: slice, size: int, ranks: Ranks) -> None:
        self.local, self.mine, self.ranks = local, mine, ranks
        self.shape: tuple[int, ...] = (size, local.shape[1])
        self.dtype = local.dtype

    def sum_rows(self, loss: Callable[[Array, slice], RowLoss]) -> Total:
        """Sum `loss(rows, slice)` over all rows; the gradient is that of the own rows."""
        found = together(self.ranks, lambda: self.local.sum_rows(self._shifted(loss)))
        value, terms, active = total(self.ranks, np.array([found.value, found.terms, found.active], np.float64))
        return Total(self.dtype.type(value), int(terms), int(active), found.gradient)

    def map_rows(self, f: Callable[[Array, slice], Any]) -> list[Any]:
        """Return `f(rows, slice)` of each block of rows, in order: a tuple of arrays, or None."""
        blocks = together(self.ranks, lambda: self.local.map_rows(self._shifted(f)))
        if blocks[0] is None:
            return blocks
        columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
        return list(zip(*map(self.ranks.gather, columns), strict=True))

    def entries(self, *places: tuple[Array, Array]) -> tuple[list[Array], Callable[..., Any]]:
        """Return single entries, list by list, and the pullback of all lists."""
        here = [(self.mine.start <= i) & (i < self.mine.stop) for i, _ in places]
        own = [(i[some] - self.mine.start, j[some]) for (i, j), some in zip(places, here, strict=True)]
        found, pull = self.local.entries(*own)
        every = [np.zeros(len(i), self.dtype) for i, _ in places]
        for d, distances, some in zip(every, found, here, strict=True):
            d[some] = distances
        sums = total_tree(self.ranks, every)  # each entry is 0 on all ranks but one
        return sums, lambda *dd: pull(*(d[some] for d, some in zip(dd, here, strict=True)))

    def whole(self, purpose: str) -> Array:
        """Return the whole array, on every rank."""
        local = together(self.ranks, lambda: self.local.whole(purpose))
        return np.concatenate(self.ranks.gather(local))

    def own_part(self, gradient: Any) -> Any:
        """The gradient of the own rows: of an array with all rows a part, else what `sum_rows` and `entries` gave."""
        whole = isinstance(gradient, np.ndarray) and gradient.shape == self.shape
        return gradient[self.mine] if whole else gradient

    def _shifted(self, f: Callable[[Array, slice], Any]) -> Callable[[Array, slice], Any]:
        """Call f with the place of a block among all rows."""
        return lambda block, some: f(block, slice(self.mine.start + some.start, self.mine.start + some.stop))
