"""The same distances as matrices:     D, pullback = pairwise.l2(a, b, /)      a (n, d), b (m, d)  →  D (n, m)

Law:  diagonal(pairwise.f(a, b)) = distances.f(a, b), up to rounding. `_gram` explains how one matrix product replaces
n·m differences and keeps their digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import distances, require, tree
from ._gram import differences, dots, slices, slopes, whole
from ._numerics import unit_rows
from .distances import calibrated, check_weights, tempered
from .op import op, with_parameters_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .typing import Array, Float, Op, PairwiseDistance

__all__ = ["calibrated", "cosine", "dot", "l1", "l2", "nested", "squared_l2", "tempered", "weighted_l1"]


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
        `D` ≥ 0 is (n, m); `pullback(dD)` gives `(da, db)`. No kink. For one set against itself call with (z, z) and
        add the two gradients: the diagonal of D is exactly 0.

    Notes
    -----
    In float32 the relative error of every pair is at most 1e-6, including collapsed or offset embeddings.
    """
    _check(a, b)
    rows, weigh = differences(a, b)
    D, close = whole(rows, a, b)

    def pullback(dD):
        return weigh(2 * dD, close)

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
        `D` ≥ 0 is (n, m); `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink at aᵢ = bⱼ: slope 0, as in `distances.l2`. Accuracy as in `squared_l2`, also where the square overflows.
    """
    _check(a, b)
    rows, weigh = differences(a, b, root=True)
    D, close = whole(rows, a, b)

    def pullback(dD):
        return weigh(slopes(dD, D, close), close)

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
        `D` ≥ 0 is (n, m); `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink wherever aᵢₖ = bⱼₖ: sign(0) = 0. There is no product form: it takes one row of `a` at a time, with m·d numbers
    in memory.
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


@with_parameters_of(distances.weighted_l1)
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
    Kink wherever aᵢₖ = bⱼₖ: sign(0) = 0. It takes one row of `a` at a time, with m·d numbers in memory.
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
        `D` is (n, m), from 0 to 2, and exactly 0 where aᵢ = bⱼ; `pullback(dD)` gives `(da, db)`.

    Notes
    -----
    Kink at a zero row: d = 1 and no gradient, as in `distances.cosine`. Computed as ½ ‖â − b̂‖², which keeps the
    digits of small angles that 1 − cos would lose; the unit vectors are computed in float64, then centred.
    """
    _check(a, b)
    (unit_a, inverse_a), (unit_b, inverse_b) = unit_rows(a, np.float64), unit_rows(b, np.float64)
    rows, weigh = differences(unit_a, unit_b, a.dtype)
    D, close = whole(rows, a, b)
    np.minimum(D / 2, 2, out=D)  # 2 + 4·10⁻¹⁶ is rounding
    directed = ((inverse_a > 0) & (inverse_b > 0).T).astype(a.dtype)
    D[directed == 0] = 1

    def pullback(dD):
        g = dD * directed
        radial = g * D
        da, db = weigh(g, close)
        da = da - radial.sum(axis=1)[:, None] * unit_a
        db = db - radial.sum(axis=0)[:, None] * unit_b
        return (da * inverse_a).astype(a.dtype), (db * inverse_b).astype(b.dtype)

    return D, pullback


@op
def dot(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = −aᵢ·bⱼ: the similarity in a softmax, negated so that, as everywhere, smaller means nearer.

    Parameters
    ----------
    a, b
        (n, d) and (m, d) embeddings.

    Returns
    -------
    D, pullback
        `D` is (n, m), of either sign; `pullback(dD)` gives `(da, db)` = (−dD b, −dDᵀ a).

    Notes
    -----
    No kink. Not a metric: dᵢᵢ = −‖aᵢ‖², and a longer vector is nearer to every vector in front of it. The products are
    in float64.
    """
    _check(a, b)
    D = np.concatenate([dots(a[some], b) for some in slices(len(a), len(b))])
    np.negative(D, out=D)

    def pullback(dD):
        return -dD @ b, -dD.T @ a

    return D, pullback


def nested(distance: PairwiseDistance, sizes: Sequence[int]) -> PairwiseDistance:
    """Dₖ = distance(a[:, :sizesₖ], b[:, :sizesₖ]): one matrix for each size, (k, n, m), for `losses.nested`.

    An embedding whose first 8 numbers are an embedding, and the first 16, and so on: after training it may be cut to
    any of the sizes. `pairwise.cosine` gives every part the length 1 again, as the paper's retrieval and
    sentence-transformers' `MatryoshkaLoss` do; `pairwise.dot` does not. Parameters of the distance are shared by all
    sizes, and their gradients add up.

    Parameters
    ----------
    distance
        A distance of this module that takes embeddings of any size: all but `weighted_l1`.
    sizes
        The numbers of features, each from 1 to d. The paper halves d: 8, 16, 32, … 2048.

    Returns
    -------
    op
        `D, pullback = op(a, b, /)` with `D` (k, n, m); `pullback(dD)` gives `(da, db)`, and after them the gradients of
        the parameters of the distance.

    References
    ----------
    Kusupati et al. (2022), "Matryoshka representation learning".
    """
    require.nested_sizes(sizes)

    @op
    def of_sizes(a: Float[Array, "n d"], b: Float[Array, "m d"], /, *params: Float[Array, ""]):
        _check(a, b)
        require.nested_sizes(sizes, a.shape[1])
        parts = [distance(a[:, :size], b[:, :size], *params) for size in sizes]

        def pullback(dD):
            da, db, dparams = np.zeros_like(a), np.zeros_like(b), []
            for size, (_, pull), upstream in zip(sizes, parts, dD, strict=True):
                da_part, db_part, *rest = pull(upstream)
                da[:, :size] += da_part
                db[:, :size] += db_part
                dparams.append(tuple(rest))
            return da, db, *tree.add(*dparams)

        return np.stack([D for D, _ in parts]), pullback

    of_sizes.__name__ = f"nested_{distance.__name__}"
    return with_parameters_of(distance)(of_sizes)


def _check(a: Array, b: Array) -> None:
    require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
    require.same_columns(a=a, b=b)
    require.rows(a=a, b=b)
