"""How far apart are two embeddings?     d, pullback = distance(a, b, /)      a, b (n, d)  →  d (n,)

Row i of `a` is compared with row i of `b`. A learned distance has parameters after a and b, and its pullback returns
their gradients after da and db: `da, db, *dparams = pullback(dd)`.

L2 and the cosine are right for all finite numbers whose differences are finite. The square of L2 is inf, and not NaN,
beyond ‖a − b‖ = 10¹⁵⁴ (float32: 10¹⁹).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import require
from ._numerics import lengths, unit_rows
from .op import has_parameters, op, with_parameters

if TYPE_CHECKING:
    from .typing import Array, Distance, Float, Op


@op
def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """d = ‖a − b‖², row by row.

    Parameters
    ----------
    a, b
        (n, d) embeddings.

    Returns
    -------
    d, pullback
        `d` ≥ 0 is (n,), in squared units of the embedding; `pullback(dd)` gives `(da, db)` with
        da = 2 dd (a − b) = −db.

    Notes
    -----
    No kink. The gradient vanishes where a = b, so different points are pushed apart least where they are closest.
    """
    u = _difference(a, b)

    def pullback(dd):
        da = 2 * dd[:, None] * u
        return da, -da

    return (u * u).sum(axis=1), pullback


@op
def l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """d = ‖a − b‖₂, row by row.

    Parameters
    ----------
    a, b
        (n, d) embeddings.

    Returns
    -------
    d, pullback
        `d` ≥ 0 is (n,), in units of the embedding; `pullback(dd)` gives `(da, db)` with da = dd (a − b) / d = −db.

    Notes
    -----
    Kink at a = b, where no direction is distinguished: the slope is 0, the subgradient of least norm
    (as in `torch.cdist`; autograd gives NaN).
    """
    u = _difference(a, b)
    d = lengths(u)

    def pullback(dd):
        unit = np.divide(u, d[:, None], out=np.zeros_like(u), where=d[:, None] > 0)
        da = dd[:, None] * unit
        return da, -da

    return d, pullback


@op
def l1(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """d = Σⱼ |aⱼ − bⱼ|, row by row.

    Parameters
    ----------
    a, b
        (n, d) embeddings.

    Returns
    -------
    d, pullback
        `d` ≥ 0 is (n,), in units of the embedding; `pullback(dd)` gives `(da, db)` with da = dd sign(a − b) = −db.

    Notes
    -----
    Kink wherever aⱼ = bⱼ: sign(0) = 0.
    """
    u = _difference(a, b)

    def pullback(dd):
        da = dd[:, None] * np.sign(u)
        return da, -da

    return np.abs(u).sum(axis=1), pullback


@with_parameters(lambda rng, size: (np.full(size, 1 / size, np.float32), np.zeros((), np.float32)))
@op
def weighted_l1(
    a: Float[Array, "n d"], b: Float[Array, "n d"], w: Float[Array, "d"], bias: Float[Array, ""], /
) -> Op[Float[Array, "n"]]:
    """d = Σⱼ wⱼ |aⱼ − bⱼ| + bias, row by row, with w and bias learned.

    Parameters
    ----------
    a, b
        (n, d) embeddings.
    w, bias
        (d,) weights and one number. They start at 1/d and 0, so the distance starts as the mean absolute difference.

    Returns
    -------
    d, pullback
        `d` is (n,); `pullback(dd)` gives `(da, db, dw, dbias)`.

    Notes
    -----
    Kink wherever aⱼ = bⱼ: sign(0) = 0. A weight may become negative and the bias shifts the zero, so this is a
    score and not a metric. Koch's α is −w and his logit has no bias: p(same) = σ(Σ αⱼ |aⱼ − bⱼ|) = σ(−d).

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.1.
    """
    u = _difference(a, b)
    check_weights(a, w, bias)
    gap = np.abs(u)

    def pullback(dd):
        da = dd[:, None] * w * np.sign(u)
        return da, -da, dd @ gap, dd.sum()

    return gap @ w + bias, pullback


@op
def cosine(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """d = 1 − a·b / (‖a‖ ‖b‖), row by row.

    Parameters
    ----------
    a, b
        (n, d) embeddings.

    Returns
    -------
    d, pullback
        `d` is (n,), from 0 (one direction) to 2 (opposite), and exactly 0 where a = b, except at the kink;
        `pullback(dd)` gives `(da, db)` with da = dd (â − b̂ − d â) / ‖a‖.

    Notes
    -----
    Kink where a or b is 0 (or its norm below √tiny, 10⁻¹⁵⁴ in float64 and 10⁻¹⁹ in float32), which has no direction:
    cos = 0, so d = 1, and both gradients are 0 (autograd gives NaN).

    Computed in float64 as half the squared difference of the unit vectors, which is right to about 10⁻¹⁶ / θ at a small
    angle θ; 1 − cos would have no digit left at 10⁻⁸.

    On the unit sphere ‖a − b‖² = 2 d: the two rank neighbours alike, and after `ops.normalize` their gradients
    differ by the factor 2 only.
    """
    require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
    require.same_shape(a=a, b=b)
    (unit_a, inverse_a), (unit_b, inverse_b) = unit_rows(a, np.float64), unit_rows(b, np.float64)
    directed = (inverse_a > 0) & (inverse_b > 0)
    u = unit_a - unit_b
    d = np.where(directed, np.minimum((u * u).sum(axis=1, keepdims=True) / 2, 2), 1)  # 2 + 4·10⁻¹⁶ is rounding

    def pullback(dd):
        g = dd[:, None]
        da, db = g * (u - d * unit_a) * inverse_a, g * (-u - d * unit_b) * inverse_b
        return da.astype(a.dtype), db.astype(b.dtype)

    return d[:, 0].astype(a.dtype), pullback


@op
def dot(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """d = −a·b, row by row: the similarity in a softmax, negated so that, as everywhere, smaller means nearer.

    Parameters
    ----------
    a, b
        (n, d) embeddings.

    Returns
    -------
    d, pullback
        `d` is (n,), of either sign; `pullback(dd)` gives `(da, db)` = (−dd b, −dd a).

    Notes
    -----
    No kink. Not a metric: d(a, a) = −‖a‖², and a longer vector is nearer to every vector in front of it. Computed in
    float64.
    """
    require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
    require.same_shape(a=a, b=b)
    d = -(a.astype(np.float64) * b).sum(axis=1)

    def pullback(dd):
        g = -dd[:, None]
        return g * b, g * a

    return d.astype(a.dtype), pullback


def calibrated(distance: Distance, scale: float = 1.0, threshold: float = 1.0) -> Distance:
    """d = scale · distance(a, b) + bias, with scale and bias learned: any distance, with a threshold at 0.

    Verification turns a distance into a probability, p(same) = σ(−d). A fixed distance has neither the unit nor the
    threshold that this needs; the two numbers supply them (Platt 1999). They start at `scale` and −scale · threshold.
    Start the threshold inside the range of the distances: from 0 it moves so slowly that the embedding shrinks instead.
    `distance` may be from `distances` or from `pairwise`.
    """
    if has_parameters(distance):
        raise ValueError(f"{distance.__name__} already has parameters: use it without distances.calibrated")

    @with_parameters(lambda rng, size: (np.full((), scale, np.float32), np.full((), -scale * threshold, np.float32)))
    @op
    def with_threshold(
        a: Float[Array, "n d"], b: Float[Array, "m d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ):
        d, pull = distance(a, b)

        def pullback(dd):
            return *pull(dd * scale), (dd * d).sum(), dd.sum()

        return scale * d + bias, pullback

    with_threshold.__name__ = f"calibrated_{distance.__name__}"
    with_threshold.uncalibrated = distance  # type: ignore[attr-defined]
    return with_threshold


def tempered(distance: Distance, scale: float = 1 / 0.07, bias: float | None = None) -> Distance:
    """d = e^s · distance(a, b) − b, with s and b learned: the temperature e^−s and the bias of CLIP and SigLIP.

    In a loss that reads logits, −d, the scale says how much a difference of distances counts. Its logarithm is learned,
    so the scale stays positive, and a step multiplies it. The parameters are those of open_clip: `logit_scale`, which
    is s, and if there is a bias, `logit_bias`.

    Parameters
    ----------
    distance
        From `distances` or from `pairwise`, without parameters. CLIP's similarity is `pairwise.dot` of encoders that
        end in `layers.Normalize`: the logits are e^s cos + b. With `pairwise.cosine` they are e^s cos + b − e^s, which
        is the same for a softmax.
    scale
        e^s at the start, > 0. CLIP and open_clip begin at 1 / 0.07 = 14.3, SigLIP at 10; sentence-transformers' scale
        of 20 is not learned.
    bias
        b at the start; None for no bias, as in CLIP, since a softmax does not depend on it. SigLIP begins at −10.

    Returns
    -------
    op
        `d, pullback = op(a, b, s, b, /)`, without the last b if there is no bias; `pullback(dd)` gives
        `(da, db, ds, dbias)` with ds = Σ dd e^s distance, dbias = −Σ dd, and da, db of the distance at dd e^s.

    Notes
    -----
    Nothing stops s from growing. `optimizers.projected` with `networks.clamp_log_scale` keeps e^s from 1 to 100.

    References
    ----------
    Radford et al. (2021), "CLIP", §2.5 and fig. 3; Zhai et al. (2023), "SigLIP", §3.2.
    """
    if has_parameters(distance):
        raise ValueError(f"{distance.__name__} already has parameters: use it without distances.tempered")
    first = [np.log(require.between("scale", scale, 0, open_low=True))]
    first += [] if bias is None else [require.between("bias", bias, -np.inf)]

    @with_parameters(lambda rng, size: tuple(np.full((), number, np.float32) for number in first))
    @op
    def with_temperature(
        a: Float[Array, "n d"], b: Float[Array, "m d"], log_scale: Float[Array, ""], /, *bias: Float[Array, ""]
    ):
        d, pull = distance(a, b)
        factor = np.exp(log_scale)

        def pullback(dd):
            return *pull(dd * factor), factor * (dd * d).sum(), *(-dd.sum() for _ in bias)

        return factor * d - sum(bias), pullback

    with_temperature.__name__ = f"tempered_{distance.__name__}"
    return with_temperature


def _difference(a: Array, b: Array) -> Array:
    """a − b, where both must be (n, d)."""
    require.dimensions(2, "(n, d), one embedding a row", a=a, b=b)
    require.same_shape(a=a, b=b)
    return a - b


def check_weights(a: Array, w: Array, bias: Array) -> None:
    """Require one weight per feature of a, and a single number for the bias."""
    require.dimensions(1, "(d,), one weight for each feature", w=w)
    require.dimensions(0, "(), a single number", bias=bias)
    if len(w) != a.shape[1]:
        raise ValueError(f"w must have {a.shape[1]} weights, one per feature of the embeddings, not {len(w)}")
