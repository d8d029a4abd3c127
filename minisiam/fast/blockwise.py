"""A distance matrix that is never held: a few rows are computed, the loss reads them, and they are discarded.

    distance = fast.blockwise(pairwise.l2)           instead of pairwise.l2
    D, pull_D = distance(z, z)                       D has a shape and a dtype, and computes rows on demand

A loss that reads its matrix row by row (`losses.per_anchor`) needs no more: with B images the memory is O(B · rows)
instead of O(B²), and rows that stay in the cache are read several times faster. The gradient of such a loss is known as
soon as its rows are, so it is carried back to the embedding at once. Two threads share the rows; the sums run in one
order, whatever the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _gram, distances, pairwise, require, tree
from .._numerics import unit_rows
from ..op import op, with_parameters_of
from .threads import count, keep_memory, one_blas_thread, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..typing import Array

ROWS, LEAST = 1 << 18, 64  # numbers that are held at a time, and rows
LANES = 2  # sums that are kept apart, whatever the number of threads


def blockwise(distance: Callable[..., Any], threads: int | None = None) -> Callable[..., Any]:
    """A distance matrix of which only a few rows exist at a time.

    Parameters
    ----------
    distance
        Any of `minisiam.pairwise`.
    threads
        1 or 2. Two threads need threadpoolctl, which keeps the products of each thread on one core
        (pip install 'minisiam[threads]'); two are the default if it is installed and there are two cores.

    Returns
    -------
    op
        Instead of `distance`, for losses that read a matrix row by row (`losses.per_anchor`) and for
        `losses.with_miner(loss, miners.batch_hard)`: `networks.batch(encoder, fast.blockwise(pairwise.l2),
        losses.supcon)`. Its pullback returns what the loss has computed.

    Notes
    -----
    l2 and squared_l2 are as right as in `pairwise`. cosine and dot are float32 products where z is float32: their
    error is 10⁻⁷ of 1 and of ‖a‖ ‖b‖, not of the distance.
    """
    name = distance.__name__
    if getattr(pairwise, name, None) is not distance:
        raise ValueError(f"only the distances of minisiam.pairwise can be streamed, and {name} is none of them")
    if threads not in (None, 1, 2):
        raise ValueError(f"threads must be 1 or 2, as there are two lanes of rows; it is {threads!r}")
    threads = min(count(threads), LANES)

    @op
    def matrix(a, b, /, *params):
        require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
        require.same_columns(a=a, b=b)
        require.rows(a=a, b=b)
        return BlockwiseMatrix(name, a, b, params, threads), lambda dD: dD

    matrix.__name__ = f"streamed_{name}"
    return with_parameters_of(distance)(matrix)


class BlockwiseMatrix:
    """A matrix of distances that can be asked for its rows and for single entries, and is never whole.

    shape, dtype : as of the matrix
    symmetric : whether it is a set against itself
    blocks : a slice of rows and these rows, one after the other
    """

    def __init__(self, name: str, a: Array, b: Array, params: tuple[Array, ...], threads: int) -> None:
        self.shape, self.dtype = (len(a), len(b)), a.dtype
        self.symmetric = a is b
        self.name, self.a, self.b, self.params, self.threads = name, a, b, params, threads
        self.slices = list(_gram.slices(len(a), len(b), ROWS, LEAST))

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Some rows at a time, and which they are."""
        maker, _ = self._maker()
        return ((some, maker(some, _gram.EVERY)[0]) for some in self.slices)

    def map(self, f: Callable[[Array, slice], Any]) -> list[Any]:
        """f(rows, some) for some rows at a time, in their order; f may use the rows up."""
        maker, _ = self._maker()
        lanes = self._in_lanes(lambda mine: [f(maker(some, _gram.EVERY)[0], some) for some in mine])
        return [lanes[k % len(lanes)][k // len(lanes)] for k in range(len(self.slices))]

    def scan(self, loss: Callable[[Array, slice], Any], above: bool = False) -> tuple[Any, int, int, tuple[Array, ...]]:
        """A row loss summed over all rows: value, terms, active terms, and the gradient of a, b and the parameters.

        With `above` the rows begin at their first own column, which leaves out almost half: enough for a loss on pairs
        of a set with itself.
        """
        maker, finish = self._maker()

        def lane(mine: list[slice]) -> tuple[Any, ...]:
            value, terms, active = 0.0, 0, 0
            gradient = tuple(np.zeros_like(x) for x in (self.a, self.b, *self.params))
            for some in mine:
                D, pull = maker(some, slice(some.start if above else 0, None))
                found = loss(D, some)
                pull(found.slope, gradient)
                value += float(found.values.sum(dtype=np.float64))
                terms, active = terms + int(found.terms.sum()), active + int(found.active.sum())
            return value, terms, active, gradient

        values, terms, active, gradients = zip(*self._in_lanes(lane), strict=True)
        return self.dtype.type(sum(values)), sum(terms), sum(active), finish(tree.add(*gradients))

    def _in_lanes(self, work: Callable[[list[slice]], Any]) -> list[Any]:
        """Every LANES-th block is one lane's work, done in its order, whoever does it."""
        keep_memory()
        lanes = [self.slices[k::LANES] for k in range(min(LANES, len(self.slices)))]
        quietly = np.errstate(under="ignore")(work)  # as in an op: a number too small to hold is 0
        if self.threads == 1 or len(lanes) == 1:
            return [quietly(mine) for mine in lanes]
        with one_blas_thread:
            return run(quietly, lanes, self.threads)

    def entries(self, *places: tuple[Array, Array]) -> tuple[list[Array], Callable[..., tuple[Array, ...]]]:
        """Some entries, list by list, by the distance's row form, and the pullback of all lists."""
        row_form = getattr(distances, self.name)
        found = [row_form(self.a[i], self.b[j], *self.params) for i, j in places]

        def pull(*dd: Array) -> tuple[Array, ...]:
            gradient = tuple(np.zeros_like(x) for x in (self.a, self.b, *self.params))
            for (i, j), (_, pull_row), d in zip(places, found, dd, strict=True):
                if len(i):
                    da, db, *dparams = pull_row(d)
                    _gram.add_at(gradient[0], i, da)
                    _gram.add_at(gradient[1], j, db)
                    gradient = (*gradient[:2], *tree.add(gradient[2:], tuple(dparams)))
            return gradient

        return [d for d, _ in found], pull

    def _maker(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """What makes rows, with what pulls back through them, and what turns the sums of all rows into gradients."""
        return MAKERS.get(self.name, _any_rows)(self)


# How rows are made: maker, finish = f(streamed);  D, pull = maker(rows, columns);  pull(dD, (da, db, …)) adds, and uses
# dD up.


def _squared_l2_rows(m: BlockwiseMatrix) -> tuple[Callable[..., Any], Callable[..., Any]]:
    rows, weigh = _gram.differences(m.a, m.b)

    def maker(some, onto):
        D, close = rows(some, onto)

        def pull(dD, gradient):
            dD *= 2
            _add(gradient, some, onto, *weigh(dD, close, some, onto))

        return D, pull

    return maker, lambda gradient: gradient


def _l2_rows(m: BlockwiseMatrix) -> tuple[Callable[..., Any], Callable[..., Any]]:
    rows, weigh = _gram.differences(m.a, m.b)

    def maker(some, onto):
        D, close = rows(some, onto)
        np.sqrt(D, out=D)

        def pull(dD, gradient):
            _add(gradient, some, onto, *weigh(_gram.slopes(dD, D, close, out=dD), close, some, onto))

        return D, pull

    return maker, lambda gradient: gradient


def _dot_rows(m: BlockwiseMatrix) -> tuple[Callable[..., Any], Callable[..., Any]]:
    minus_b = np.ascontiguousarray(-m.b.T)

    def maker(some, onto):
        def pull(dD, gradient):
            gradient[0][some] -= dD @ m.b[onto]
            gradient[1][onto] -= dD.T @ m.a[some]

        return m.a[some] @ minus_b[:, onto], pull

    return maker, lambda gradient: gradient


def _cosine_rows(m: BlockwiseMatrix) -> tuple[Callable[..., Any], Callable[..., Any]]:
    unit_a = unit_rows(m.a, np.float64)
    units = [unit_a, unit_a if m.symmetric else unit_rows(m.b, np.float64)]
    A, B = (unit.astype(m.dtype) for unit, _ in units)
    B_columns = np.ascontiguousarray(B.T)

    def maker(some, onto):
        D = A[some] @ B_columns[:, onto]
        np.subtract(1, D, out=D)

        def pull(dD, gradient):
            gradient[0][some] -= dD @ B[onto]
            gradient[1][onto] -= dD.T @ A[some]

        return D, pull

    def finish(gradient):
        return tuple(
            ((g - (g * unit).sum(axis=1, keepdims=True) * unit) * inverse).astype(m.dtype)
            for g, (unit, inverse) in zip(gradient, units, strict=True)
        )

    return maker, finish


def _any_rows(m: BlockwiseMatrix) -> tuple[Callable[..., Any], Callable[..., Any]]:
    matrix = getattr(pairwise, m.name)

    def maker(some, onto):
        D, pullback = matrix(m.a[some], m.b[onto], *m.params)
        return D, lambda dD, gradient: _add(gradient, some, onto, *pullback(dD))

    return maker, lambda gradient: gradient


def _add(gradient: tuple[Array, ...], some: slice, onto: slice, da: Array, db: Array, *dparams: Array) -> None:
    gradient[0][some] += da
    gradient[1][onto] += db
    for total, part in zip(gradient[2:], dparams, strict=True):
        total += part


MAKERS = {"l2": _l2_rows, "squared_l2": _squared_l2_rows, "dot": _dot_rows, "cosine": _cosine_rows}
