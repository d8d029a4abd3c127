"""What a loss or a miner may read of a distance matrix, which need not be in memory as a whole.

Losses and miners call `distance_matrix(D)` once and then use the methods of `DistanceMatrix`. An array has them all;
a matrix that computes its rows on demand (`fast.blockwise`) has them all but `whole`, which is an error there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from . import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Array, Float, Shape


class RowLoss(NamedTuple):
    """The loss of each anchor, summed over its terms, and its slope: ∂valueᵢ / ∂Dᵢⱼ.

    values, terms, active : (r,) the sums, the number of terms, and how many of these are above 0
    slope : (r, n)
    """

    values: Array
    terms: Array
    active: Array
    slope: Array


class Scan(NamedTuple):
    """A row loss summed over all rows; `gradient` is the gradient of the sum, before any division."""

    value: float
    terms: int
    active: int
    gradient: Any


@runtime_checkable
class DistanceMatrix(Protocol):
    """The distances of n images to m others, as losses and miners read them."""

    @property
    def shape(self) -> Shape:
        """(n, m)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the distances."""

    @property
    def symmetric(self) -> bool:
        """Whether D[i, j] is known to be D[j, i], so that half of the matrix suffices."""

    def scan(self, loss: Callable[[Array, slice], RowLoss], above: bool = False) -> Scan:
        """Sum loss(rows, slice) over all rows; `loss` must not overwrite the rows.

        With `above`, which a symmetric matrix permits, each block starts at the column of its first row.
        """

    def entries(self, *places: tuple[Array, Array]) -> tuple[list[Array], Callable[..., Any]]:
        """Return D[rows, columns] for each place, and the pullback of all of them; repeated entries add."""

    def map(self, f: Callable[[Array, slice], Any]) -> list[Any]:
        """Return f(rows, slice) for each block of rows, in order; `f` must not overwrite the rows."""

    def whole(self, reader: str = "this loss") -> Array:
        """Return all rows as one array, or raise an error that says what `reader` needs and how to get it."""


class Whole(NamedTuple):
    """A distance matrix in memory: one block that holds every row."""

    D: Array

    @property
    def shape(self) -> Shape:
        """Return the shape of the array."""
        return self.D.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the dtype of the array."""
        return self.D.dtype

    @property
    def symmetric(self) -> bool:
        """Return False: an array may be asymmetric."""
        return False

    def scan(self, loss: Callable[[Array, slice], RowLoss], above: bool = False) -> Scan:
        """Call `loss` once, with every row."""
        values, terms, active, slope = loss(self.D, slice(0, len(self.D)))
        return Scan(values.sum(), int(terms.sum()), int(active.sum()), slope)

    def entries(self, *places: tuple[Array, Array]) -> tuple[list[Array], Callable[..., Array]]:
        """Return D[rows, columns] for each place, and the pullback, which adds their gradients into a zero matrix."""
        D = self.D

        def pull(*dd):
            dD = np.zeros(D.size, D.dtype)
            for (i, j), d in zip(places, dd, strict=True):
                np.add.at(dD, i * D.shape[1] + j, d)
            return dD.reshape(D.shape)

        return [D[i, j] for i, j in places], pull

    def map(self, f: Callable[[Array, slice], Any]) -> list[Any]:
        """Call `f` once, with every row."""
        return [f(self.D, slice(0, len(self.D)))]

    def whole(self, reader: str = "this loss") -> Array:
        """Return the array itself."""
        return self.D


def distance_matrix(D: Float[Array, "n m"] | DistanceMatrix) -> DistanceMatrix:
    """Return D with the methods of `DistanceMatrix`: an array becomes `Whole(D)`, without a copy."""
    if not isinstance(D, np.ndarray) and isinstance(D, DistanceMatrix):
        return D
    require.floating(D=D)
    return Whole(D)
