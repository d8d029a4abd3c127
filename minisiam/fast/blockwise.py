"""A distance matrix that is never in memory as a whole: a block of rows is computed, used by the loss, and discarded.

    distance = fast.blockwise(pairwise.l2)           instead of pairwise.l2
    D, pull_D = distance(z, z)                       D has a shape and a dtype, and computes rows on demand

This suffices for a loss that is a sum over rows (`losses.per_anchor`). With B images the memory is O(B · rows) instead
of O(B²), and rows in the cache are read several times faster. The gradient of such a loss is available as soon as its
rows are, so it is propagated to the embedding at once. Two threads share the rows; the order of the sums does not
depend on the number of threads.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _gram, distances, pairwise, require, tree
from .._numerics import unit_rows
from ..distance_matrix import Total
from ..op import op, with_parameters_of
from .threads import count, keep_memory, one_blas_thread, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..distance_matrix import RowLoss
    from ..typing import Array, Distance, Float, PairwiseDistance

    Gradients = tuple[Array, ...]  # of a, b and the parameters
    Maker = Callable[[slice, slice], tuple[Array, Callable[[Array, Gradients], None]]]
    Finish = Callable[[Gradients], Gradients]

LARGEST, LEAST = 1 << 19, 64  # numbers in a block, and the smallest number of rows
BLOCKS = 4  # at least, if there are enough rows, so that two threads have equal work


def blockwise(distance: PairwiseDistance, threads: int | None = None) -> PairwiseDistance:
    """Return a distance whose matrix exists only one block of rows at a time.

    Parameters
    ----------
    distance
        A distance of `minisiam.pairwise`.
    threads
        1 or 2. Two threads need threadpoolctl, which keeps the products of each thread on one core
        (python -m pip install -e '.[threads]'); two are the default if it is installed and there are two cores.

    Returns
    -------
    op
        A replacement of `distance` for losses that are sums over rows (`losses.per_anchor`) and for
        `losses.with_miner(loss, miners.batch_hard)`: `networks.batch(encoder, fast.blockwise(pairwise.l2),
        losses.supcon)`. Its pullback returns the gradient that the loss has computed.

    Notes
    -----
    l2 and squared_l2 are as accurate as in `pairwise`. cosine and dot are float32 products if z is float32: their
    error is 10⁻⁷ relative to 1 and to ‖a‖ ‖b‖, not to the distance.
    """
    if distance not in ROW_BY_ROW:
        name = getattr(distance, "__name__", repr(distance))
        raise ValueError(
            f"blockwise takes only the distances of minisiam.pairwise, not {name}: use fast.blockwise(pairwise.l2)"
        )
    if threads not in (None, 1, 2):
        raise ValueError(f"threads must be 1 or 2; it is {threads!r}")
    threads = min(count(threads), 2)

    @op
    def matrix(a: Float[Array, "n d"], b: Float[Array, "m d"], /, *params: Float[Array, "..."]):
        require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
        require.same_columns(a=a, b=b)
        require.rows(a=a, b=b)
        return BlockwiseMatrix(distance, a, b, params, threads), lambda dD: dD

    matrix.__name__ = f"blockwise_{distance.__name__}"
    return with_parameters_of(distance)(matrix)


class BlockwiseMatrix:
    """A `distance_matrix.DistanceMatrix` that computes blocks of rows and single entries on demand.

    It is symmetric if it compares a set with itself.
    """

    def __init__(self, distance: PairwiseDistance, a: Array, b: Array, params: tuple[Array, ...], threads: int) -> None:
        self.shape: tuple[int, ...] = (len(a), len(b))
        self.dtype = a.dtype
        self.symmetric = a is b
        self.distance, self.a, self.b, self.params, self.threads = distance, a, b, params, threads
        self.slices = list(_blocks(len(a), len(b)))

    def map_rows(self, f: Callable[[Array, slice], Any]) -> list[Any]:
        """Return `f(rows, slice)` of each block of rows, in order."""
        maker, _ = self._maker()
        lanes = self._in_lanes(lambda mine: [(some.start, f(maker(some, _gram.EVERY)[0], some)) for some in mine])
        return [found for _, found in sorted(chain(*lanes), key=itemgetter(0))]

    def sum_rows(self, loss: Callable[[Array, slice], RowLoss], upper: bool = False) -> Total:
        """Sum `loss(rows, slice)` over all rows; the gradient is that of a, b and the parameters.

        With `upper`, each block starts at the column of its first row. This skips almost half of the matrix, and
        suffices for a loss on the pairs of one set.
        """
        maker, finish = self._maker()

        def lane(mine: list[slice]) -> tuple[Any, ...]:
            value, terms, active = 0.0, 0, 0
            gradient = tuple(np.zeros_like(x) for x in (self.a, self.b, *self.params))
            for some in mine:
                D, pull = maker(some, slice(some.start if upper else 0, None))
                found = loss(D, some)
                pull(found.slope, gradient)
                value += float(found.values.sum(dtype=np.float64))
                terms, active = terms + int(found.terms.sum()), active + int(found.active.sum())
            return value, terms, active, gradient

        values, terms, active, gradients = zip(*self._in_lanes(lane), strict=True)
        return Total(self.dtype.type(sum(values)), sum(terms), sum(active), finish(tree.add(*gradients)))

    def _in_lanes(self, work: Callable[[list[slice]], Any]) -> list[Any]:
        """Call work for each of at most two lanes, which are separate sums whatever the number of threads.

        Of four blocks, one lane has the first and the last: with `upper`, these have the most and the fewest columns.
        """
        keep_memory()
        lanes = [self.slices[0::4] + self.slices[3::4], self.slices[1::4] + self.slices[2::4]]
        lanes = [mine for mine in lanes if mine]
        quietly = np.errstate(under="ignore")(work)  # as in an op, underflow is silent
        if self.threads == 1 or len(lanes) == 1:
            return [quietly(mine) for mine in lanes]
        with one_blas_thread:
            return run(quietly, lanes, self.threads)

    def entries(self, *places: tuple[Array, Array]) -> tuple[list[Array], Callable[..., tuple[Array, ...]]]:
        """Return single entries, list by list, from the row-by-row distance, and the pullback of all lists."""
        row_form = ROW_BY_ROW[self.distance]
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

    def whole(self, purpose: str) -> Array:
        """Raise a TypeError: there is no whole matrix."""
        raise TypeError(
            f"{purpose} needs the whole matrix, and D is blockwise: use pairwise.{self.distance.__name__} instead of "
            f"fast.blockwise(pairwise.{self.distance.__name__})"
        )

    @np.errstate(under="ignore")
    def _maker(self) -> tuple[Maker, Finish]:
        """Return `maker`, which computes rows and their pullback, and `finish`, which turns sums into gradients."""
        return MAKERS.get(self.distance, _any_rows)(self)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows: few, since threads wait for each other between calls, but two for each lane if possible."""
    step = max(LEAST, min(LARGEST // columns, -(-rows // BLOCKS)))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


# How blocks are computed: maker, finish = f(matrix);  D, pull = maker(rows, columns);  pull(dD, (da, db, …)) adds to
# the gradients and overwrites dD.


def _squared_l2_rows(m: BlockwiseMatrix) -> tuple[Maker, Finish]:
    rows, weigh = _gram.differences(m.a, m.b)

    def maker(some, onto):
        D, close = rows(some, onto)

        def pull(dD, gradient):
            dD *= 2
            _add(gradient, some, onto, *weigh(dD, close, some, onto))

        return D, pull

    return maker, lambda gradient: gradient


def _l2_rows(m: BlockwiseMatrix) -> tuple[Maker, Finish]:
    rows, weigh = _gram.differences(m.a, m.b, root=True)

    def maker(some, onto):
        D, close = rows(some, onto)

        def pull(dD, gradient):
            _add(gradient, some, onto, *weigh(_gram.slopes(dD, D, close, out=dD), close, some, onto))

        return D, pull

    return maker, lambda gradient: gradient


def _dot_rows(m: BlockwiseMatrix) -> tuple[Maker, Finish]:
    minus_b = np.ascontiguousarray(-m.b.T)

    def maker(some, onto):
        def pull(dD, gradient):
            gradient[0][some] -= dD @ m.b[onto]
            gradient[1][onto] -= dD.T @ m.a[some]

        return m.a[some] @ minus_b[:, onto], pull

    return maker, lambda gradient: gradient


def _cosine_rows(m: BlockwiseMatrix) -> tuple[Maker, Finish]:
    unit_a = unit_rows(m.a, np.float64)
    units = [unit_a, unit_a if m.symmetric else unit_rows(m.b, np.float64)]
    A, B = (unit.astype(m.dtype) for unit, _ in units)
    B_columns = np.ascontiguousarray(B.T)

    def maker(some, onto):
        D = A[some] @ B_columns[:, onto]
        np.clip(np.subtract(1, D, out=D), 0, 2, out=D)  # beyond is rounding

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


def _any_rows(m: BlockwiseMatrix) -> tuple[Maker, Finish]:
    def maker(some, onto):
        D, pullback = m.distance(m.a[some], m.b[onto], *m.params)
        return D, lambda dD, gradient: _add(gradient, some, onto, *pullback(dD))

    return maker, lambda gradient: gradient


def _add(gradient: tuple[Array, ...], some: slice, onto: slice, da: Array, db: Array, *dparams: Array) -> None:
    gradient[0][some] += da
    gradient[1][onto] += db
    for total, part in zip(gradient[2:], dparams, strict=True):
        total += part


MAKERS: dict[PairwiseDistance, Callable[[BlockwiseMatrix], tuple[Maker, Finish]]] = {
    pairwise.l2: _l2_rows,
    pairwise.squared_l2: _squared_l2_rows,
    pairwise.dot: _dot_rows,
    pairwise.cosine: _cosine_rows,
}
ROW_BY_ROW: dict[PairwiseDistance, Distance] = {
    pairwise.l2: distances.l2,
    pairwise.squared_l2: distances.squared_l2,
    pairwise.l1: distances.l1,
    pairwise.weighted_l1: distances.weighted_l1,
    pairwise.cosine: distances.cosine,
    pairwise.dot: distances.dot,
}
