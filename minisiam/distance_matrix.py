"""A distance matrix, in memory as a whole or computed in blocks of rows.

    matrix = as_matrix(D)        D is an array, or has the methods of DistanceMatrix already

Losses and miners use these methods only, so they accept both. `Whole` wraps an array without a copy;
`fast.blockwise` computes rows on demand. A function that needs all entries at once calls `matrix.whole(purpose)`, and
gets the array, or an error for a matrix computed in blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from . import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Array

    Places = tuple[Array, Array]  # rows and columns of some entries
    Result = TypeVar("Result")


class RowLoss(NamedTuple):
    """The loss of some rows, each summed over its terms, and the slopes ∂valuesᵢ / ∂Dᵢⱼ.

    values, terms, active : (r,) the sum of each row, the number of its terms, and how many of them are above 0
    slope : (r, n)
    """

    values: Array
    terms: Array
    active: Array
    slope: Array


class Total(NamedTuple):
    """A row loss summed over all rows; `gradient`, of the sum, is what the pullback of the distance takes."""

    value: Any
    terms: int
    active: int
    gradient: Any


@runtime_checkable
class DistanceMatrix(Protocol):
    """The distances of n rows to m columns."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, m)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the distances."""

    def sum_rows(self, loss: Callable[[Array, slice], RowLoss]) -> Total:
        """Sum `loss(rows, slice)` over all rows."""

    def map_rows(self, f: Callable[[Array, slice], Result]) -> list[Result]:
        """Return `f(rows, slice)` of each block of rows, in order. f must not change the rows."""

    def entries(self, *places: Places) -> tuple[list[Array], Callable[..., Any]]:
        """Return single entries, list by list, and the pullback of all lists; gradients of one entry add up."""

    def whole(self, purpose: str) -> Array:
        """Return the array, or raise an error that names the purpose."""


class Whole(NamedTuple):
    """A distance matrix in memory; its only block has all rows."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, m)."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the distances."""
        return self.array.dtype

    def sum_rows(self, loss: Callable[[Array, slice], RowLoss]) -> Total:
        """Sum `loss(rows, slice)` over all rows."""
        values, terms, active, slope = loss(self.array, slice(0, len(self.array)))
        return Total(values.sum(), int(terms.sum()), int(active.sum()), slope)

    def map_rows(self, f: Callable[[Array, slice], Result]) -> list[Result]:
        """Return `f(array, slice)`."""
        return [f(self.array, slice(0, len(self.array)))]

    def entries(self, *places: Places) -> tuple[list[Array], Callable[..., Any]]:
        """Return single entries, list by list, and the pullback of all lists."""
        D = self.array

        def pull(*dd):
            dD = np.zeros(D.size, D.dtype)
            for (i, j), d in zip(places, dd, strict=True):
                np.add.at(dD, np.ravel_multi_index((i, j), D.shape), d)
            return dD.reshape(D.shape)

        return [D[i, j] for i, j in places], pull

    def whole(self, purpose: str) -> Array:
        """Return the array."""
        return self.array


def as_matrix(D: Any) -> DistanceMatrix:
    """Return D as a DistanceMatrix: an array as `Whole`, without a copy, and a DistanceMatrix itself."""
    if not isinstance(D, np.ndarray) and isinstance(D, DistanceMatrix):  # the second check takes 10 µs
        return D
    require.floating(D=D)
    return Whole(D)
