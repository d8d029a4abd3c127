"""Every distance again, as a matrix:     D, pullback = pairwise.l2(a, b, /)      a (n, d), b (m, d)  →  D (n, m)

Law:  diagonal(pairwise.f(a, b)) = distances.f(a, b), to rounding. One matrix product replaces n·m differences,
which is fast and, taken as printed, wrong: ‖a‖² − 2 a·b + ‖b‖² loses every digit of a small distance between
large vectors. A network that collapses is made of those, so here the vectors are centred first and the pairs
that are still close are computed again by their differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import distances, require
from .distances import calibrated, check_weights
from .numerics import directions
from .op import learned, op

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .typing import Array, Float, Op

__all__ = ["calibrated", "cosine", "l1", "l2", "squared_l2", "weighted_l1"]

CLOSE = 0.5  # of ‖a‖² + ‖b‖²: below it the product form may miss 1e-6 in float32
CHUNK = 1 << 22  # numbers held at a time where differences are formed


@op
def squared_l2(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = ‖aᵢ − bⱼ‖².

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.

    Returns
    -------
    D, pullback
        `D` is (n, m); `pullback(dD)` gives `(da, db)`. No kink. For one set against itself call with (z, z) and
        add the two gradients: the diagonal of D is exactly 0.

    Notes
    -----
    In float32 right to 1e-6 relative on every pair, collapsed or offset embeddings included.
    """
    _check(a, b)
    D, weigh = _differences(a, b)

    def pullback(dD):
        return weigh(2 * dD)

    return D, pullback


@op
def l2(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = ‖aᵢ − bⱼ‖₂.

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.

    Returns
    -------
    D, pullback
        `D` is (n, m); `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink at aᵢ = bⱼ: slope 0, as in `distances.l2`. Accuracy as in `squared_l2`.
    """
    _check(a, b)
    S, weigh = _differences(a, b)
    D = np.sqrt(S)

    def pullback(dD):
        return weigh(np.divide(dD, D, out=np.zeros_like(D), where=D > 0))

    return D, pullback


@op
def l1(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = Σₖ |aᵢₖ − bⱼₖ|.

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.

    Returns
    -------
    D, pullback
        `D` is (n, m); `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink wherever aᵢₖ = bⱼₖ: sign(0) = 0. There is no product form: one row of `a` at a time, m·d numbers in memory.
    """
    _check(a, b)
    D = np.stack([np.abs(row - b).sum(axis=1) for row in a])

    def pullback(dD):
        da, db = np.empty_like(a), np.zeros_like(b)
        for i, row in enumerate(a):
            push = dD[i][:, None] * np.sign(row - b)
            da[i] = push.sum(axis=0)
            db -= push
        return da, db

    return D, pullback


@learned(distances.weighted_l1.init)  # type: ignore[attr-defined]
@op
def weighted_l1(
    a: Float[Array, "n d"], b: Float[Array, "m d"], w: Float[Array, "d"], bias: Float[Array, ""], /
) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = Σₖ wₖ |aᵢₖ − bⱼₖ| + bias, with w and bias learned.

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.
    w, bias
        (d,) weights and one number.

    Returns
    -------
    D, pullback
        `D` is (n, m); `pullback(dD)` gives `(da, db, dw, dbias)`.

    Notes
    -----
    Kink wherever aᵢₖ = bⱼₖ: sign(0) = 0. One row of `a` at a time, m·d numbers in memory.
    """
    _check(a, b)
    check_weights(a, w, bias)
    D = np.stack([np.abs(row - b) @ w for row in a]) + bias

    def pullback(dD):
        da, db, dw = np.empty_like(a), np.zeros_like(b), np.zeros_like(w)
        for i, row in enumerate(a):
            u = row - b
            push = dD[i][:, None] * w * np.sign(u)
            da[i] = push.sum(axis=0)
            db -= push
            dw += dD[i] @ np.abs(u)
        return da, db, dw, dD.sum()

    return D, pullback


@op
def cosine(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = 1 − aᵢ·bⱼ / (‖aᵢ‖ ‖bⱼ‖).

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.

    Returns
    -------
    D, pullback
        `D` is (n, m), between 0 and 2; `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink at a zero row: d = 1 and no gradient, as in `distances.cosine`. Computed as ½ ‖â − b̂‖², which keeps the
    digits of small angles that 1 − cos would lose; the unit vectors are made in float64, then centred.
    """
    _check(a, b)
    (unit_a, inverse_a), (unit_b, inverse_b) = directions(a, np.float64), directions(b, np.float64)
    centre = np.concatenate([unit_a, unit_b]).mean(axis=0)
    A, B = (unit_a - centre).astype(a.dtype), (unit_b - centre).astype(a.dtype)
    undirected = (inverse_a == 0) | (inverse_b == 0).T
    D = np.where(undirected, a.dtype.type(1), _squares(unit_a, unit_b, A, B)[0] / 2)

    def pullback(dD):
        g = dD * ~undirected
        radial = g * D
        da = g.sum(axis=1)[:, None] * A - g @ B - radial.sum(axis=1)[:, None] * unit_a
        db = g.sum(axis=0)[:, None] * B - g.T @ A - radial.sum(axis=0)[:, None] * unit_b
        return (da * inverse_a).astype(a.dtype), (db * inverse_b).astype(a.dtype)

    return D, pullback


def _differences(a: Array, b: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """‖aᵢ − bⱼ‖² for every pair, and the function  W ↦ Σⱼ Wᵢⱼ (aᵢ − bⱼ),  −Σᵢ Wᵢⱼ (aᵢ − bⱼ).

    Both by products of centred matrices where that is right, and by differences for the close pairs: an L2 gradient
    divides by the distance, so a close pair needs the digits that a product would lose.
    """
    centre = np.concatenate([a, b]).mean(axis=0)
    A, B = a - centre, b - centre
    D, rows, columns = _squares(a, b, A, B)

    def weigh(W):
        far = W.copy()
        far[rows, columns] = 0
        da = far.sum(axis=1)[:, None] * A - far @ B
        db = far.sum(axis=0)[:, None] * B - far.T @ A
        for i, j in _chunks(rows, columns, a.shape[1]):
            pull = W[i, j][:, None] * (a[i] - b[j])
            _add_at(da, i, pull)
            _add_at(db, j, -pull)
        return da, db

    return D, weigh


def _squares(a: Array, b: Array, A: Array, B: Array) -> tuple[Array, Array, Array]:
    """‖aᵢ − bⱼ‖² by a product of the centred A and B, by differences for the close pairs; and which these are."""
    norms = (A * A).sum(axis=1)[:, None] + (B * B).sum(axis=1)
    D = norms - 2 * (A @ B.T)
    rows, columns = np.nonzero(~(CLOSE * norms < D))  # this way round, so that NaN from an overflow counts as close
    for i, j in _chunks(rows, columns, a.shape[1]):
        u = a[i] - b[j]
        D[i, j] = (u * u).sum(axis=1)
    return D, rows, columns


def _chunks(rows: Array, columns: Array, width: int) -> Iterator[tuple[Array, Array]]:
    """The pairs, as many at a time as hold CHUNK numbers."""
    step = max(1, CHUNK // width)
    for start in range(0, len(rows), step):
        yield rows[start : start + step], columns[start : start + step]


def _add_at(out: Array, index: Array, values: Array) -> None:
    """out[index] += values, where an index may come again: np.add.at, many times faster."""
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    out[index[order][starts]] += np.add.reduceat(values[order], starts, axis=0)


def _check(a: Array, b: Array) -> None:
    require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
    require.same_columns(a=a, b=b)
    require.rows(a=a, b=b)
