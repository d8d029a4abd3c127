"""Losses on triplets: the anchor's distance to a positive should be less than its distance to a negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..numerics import logistic, softplus
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def triplet_hinge(
    positive: Float[Array, "n"], negative: Float[Array, "n"], /, margin: float = 1.0
) -> Op[Float[Array, ""]]:
    """ℓ = mean max(0, d₊ − d₋ + margin).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.
    margin
        By how much the negative should be farther, ≥ 0, in the units of the distance.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, and exactly `margin` for a collapsed network; `pullback(dl)` gives
        `(dpositive, dnegative)`: ±1/n where the triplet is active, 0 where it is satisfied.

    Notes
    -----
    Kink at d₊ − d₋ + margin = 0: the triplet counts as satisfied and gets no gradient (as in PyTorch; autograd gives
    it ½).

    References
    ----------
    Weinberger & Saul (2009), "Distance metric learning for large margin nearest neighbor classification", eq. 12;
    Schroff, Kalenichenko & Philbin (2015), "FaceNet", eq. 3 (squared L2 on the unit sphere, margin 0.2).
    """
    _check(positive, negative)
    margin = require.between("margin", margin, 0)
    violation = np.maximum(positive - negative + margin, 0)

    def pullback(dl):
        share = positive.dtype.type(dl / len(positive))
        dpositive = share * (violation > 0)
        return dpositive, -dpositive

    return violation.mean(), pullback


@op
def triplet_soft_margin(positive: Float[Array, "n"], negative: Float[Array, "n"], /) -> Op[Float[Array, ""]]:
    """ℓ = mean log(1 + exp(d₊ − d₋)).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.

    Returns
    -------
    value, pullback
        `value` is a number > 0, and log 2 = 0.693 for a collapsed network; `pullback(dl)` gives
        `(dpositive, dnegative)` = ±σ(d₊ − d₋) / n.

    Notes
    -----
    No kink and no margin: a hinge that never quite lets go.

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification", §2.
    """
    _check(positive, negative)
    x = positive - negative

    def pullback(dl):
        dpositive = positive.dtype.type(dl / len(x)) * logistic(x)
        return dpositive, -dpositive

    return softplus(x).mean(), pullback


@op
def triplet_ratio(positive: Float[Array, "n"], negative: Float[Array, "n"], /) -> Op[Float[Array, ""]]:
    """ℓ = mean ‖(s₊, s₋ − 1)‖² = mean 2 s₊², where (s₊, s₋) = softmax(d₊, d₋).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.

    Returns
    -------
    value, pullback
        `value` is a number in [0, 2], and ½ for a collapsed network; `pullback(dl)` gives
        `(dpositive, dnegative)` = ±4 s₊² (1 − s₊) / n.

    Notes
    -----
    No kink. The gradient vanishes at both ends: for a triplet that is right, and for one that is hopelessly wrong.

    References
    ----------
    Hoffer & Ailon (2015), "Deep metric learning using triplet network", §2.
    """
    _check(positive, negative)
    x = positive - negative
    s = logistic(x)

    def pullback(dl):
        share = positive.dtype.type(dl / len(x))
        dpositive = share * 4 * s * s * logistic(-x)
        return dpositive, -dpositive

    return (2 * s * s).mean(), pullback


def _check(positive: Array, negative: Array) -> None:
    require.dimensions(1, "(n,)", positive=positive, negative=negative)
    require.same_shape(positive=positive, negative=negative)
    require.rows(positive=positive)
