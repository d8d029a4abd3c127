"""A distance matrix from one matrix product (a Gram matrix) instead of n·m differences, without loss of digits.

The product is fast, but the printed formula ‖a‖² − 2 a·b + ‖b‖² loses all digits of a small distance between large
vectors, and a collapsing network has only such distances. Therefore we centre the vectors, compute the product in
float64, a few rows at a time so that they stay in the cache, and recompute the pairs that are still close from their
differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._numerics import lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .typing import Array

    Close = tuple[Array, Array]  # rows and columns of the close pairs

CLOSE = 0.01  # share of ‖a‖² + ‖b‖²: below it the product has lost two digits, and the gradient of L2 one more
EVERY = slice(None)
CHUNK = 1 << 17  # numbers in memory at a time: one megabyte in float64, which fits into a cache


def differences(
    a: Array, b: Array, dtype: Any = None, root: bool = False
) -> tuple[Callable[..., tuple[Array, Close]], Callable[..., Any]]:
    """Return two functions of the pairs of a and b: distances, squared or not, and weighted sums of differences.

    Returns
    -------
    rows
        `S, close = rows(some, onto)`: ‖aᵢ − bⱼ‖², or with `root` ‖aᵢ − bⱼ‖, for a slice of the rows and a slice of the
        columns, in `dtype`, and the pairs that were close, or whose square overflows in `dtype`.
    weigh
        `da, db = weigh(W, close, some, onto)`: Σⱼ Wᵢⱼ (aᵢ − bⱼ) for these rows and −Σᵢ Wᵢⱼ (aᵢ − bⱼ) for these columns.
        It overwrites W.

    Notes
    -----
    `weigh` also computes close pairs from their differences: the gradient of L2 divides by the distance, so a close
    pair needs the digits that a product would lose.
    """
    dtype = dtype or a.dtype
    centre = (a if a is b else np.concatenate([a, b])).mean(axis=0, dtype=np.float64)
    A = a - centre
    B = A if a is b else b - centre
    with np.errstate(over="ignore"):  # pairs whose square overflows are computed from their differences
        norm_a, norm_b = (A * A).sum(axis=1), (B * B).sum(axis=1)
    limits, size = np.finfo(dtype), lengths if root else squares
    left = np.concatenate([A, norm_a[:, None], np.ones_like(norm_a)[:, None]], axis=1)
    right = np.concatenate([-2 * B, np.ones_like(norm_b)[:, None], norm_b[:, None]], axis=1).T
    A, B = A.astype(dtype), B.astype(dtype)

    def rows(some: slice, onto: slice = EVERY) -> tuple[Array, Close]:
        with np.errstate(over="ignore", invalid="ignore"):
            S = left[some] @ right[:, onto]
        if not S.max() < limits.max:
            S[~(limits.max > S)] = np.nan  # it counts as close
        i, j = _close(S, norm_a[some], norm_b[onto], limits.tiny)
        S[i, j] = 0
        S = S.astype(dtype, copy=False)
        if root:
            np.sqrt(S, out=S)
        for few in slices(len(i), a.shape[1]):
            u = a[some][i[few]] - b[onto][j[few]]
            S[i[few], j[few]] = size(u)
        return S, (i, j)

    def weigh(W: Array, close: Close, some: slice = EVERY, onto: slice = EVERY) -> tuple[Array, Array]:
        i, j = close
        w = W[i, j]
        W[i, j] = 0
        i, j, w = i[w != 0], j[w != 0], w[w != 0]
        da = W.sum(axis=1)[:, None] * A[some] - W @ B[onto]
        db = (np.ones(len(W), dtype) @ W)[:, None] * B[onto] - W.T @ A[some]  # a product sums columns fastest
        for few in slices(len(i), a.shape[1]):
            u = a[some][i[few]] - b[onto][j[few]]
            pull = w[few][:, None] * u
            add_at(da, i[few], pull)
            add_at(db, j[few], -pull)
        return da, db

    return rows, weigh


def squares(u: Array) -> Array:
    """‖u‖², row by row."""
    return (u * u).sum(axis=1)


def slopes(dD: Array, D: Array, close: Close, out: Array | None = None) -> Array:
    """dD / D, and 0 where D = 0 or the ratio overflows, which is possible for close pairs only."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        W = np.divide(dD, D, out=out)
    i, j = close
    coincide = ~np.isfinite(W[i, j])
    W[i[coincide], j[coincide]] = 0
    return W


def _close(S: Array, norm_a: Array, norm_b: Array, tiny: float) -> Close:
    """The pairs with S ≤ CLOSE (‖a‖² + ‖b‖²), or S ≤ tiny, which may round to 0.

    A NaN after an overflow counts as close. A bound for the whole row excludes most pairs first.
    """
    bound = np.maximum(CLOSE * (norm_a + norm_b.max()), tiny)
    i, j = np.divmod(np.flatnonzero(~(bound[:, None] < S)), S.shape[1])
    near = ~(np.maximum(CLOSE * (norm_a[i] + norm_b[j]), tiny) < S[i, j])
    return i[near], j[near]


def whole(rows: Callable[[slice], tuple[Array, Close]], a: Array, b: Array) -> tuple[Array, Close]:
    """The whole matrix, and all close pairs."""
    D = np.empty((len(a), len(b)), a.dtype)
    close = []
    for some in slices(len(a), len(b)):
        D[some], (i, j) = rows(some)
        close.append((i + some.start, j))
    i, j = map(np.concatenate, zip(*close, strict=True))
    return D, (i, j)


def dots(a: Array, b: Array) -> Array:
    """aᵢ·bⱼ as a product in float64, rounded once."""
    return (a.astype(np.float64) @ b.T.astype(np.float64)).astype(a.dtype)


def slices(rows: int, columns: int, numbers: int = 0) -> Iterator[slice]:
    """Slices of the rows of a matrix, each with up to `numbers` entries (default CHUNK), but one row or more."""
    step = max(1, (numbers or CHUNK) // columns)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def add_at(out: Array, index: Array, values: Array) -> None:
    """out[index] += values, where an index may repeat; with many values np.bincount is faster than np.add.at."""
    if (index[1:] > index[:-1]).all():
        out[index] += values
    elif len(index) < len(out):
        np.add.at(out, index, values)
    else:
        width = out.shape[1]
        places = (index[:, None] * width + np.arange(width)).ravel()
        out += np.bincount(places, values.ravel(), out.size).reshape(out.shape).astype(out.dtype, copy=False)
