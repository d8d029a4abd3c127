"""Losses on triplets: the anchor's distance to a positive, d₊, should be less than its distance to a negative, d₋.

Each term depends on the difference d₊ − d₋ alone. `losses.all_triplets` applies the loss to all triplets of a
batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..op import op
from .reductions import reduced

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def triplet_hinge(
    positive: Float[Array, "n"], negative: Float[Array, "n"], /, margin: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean max(0, d₊ − d₋ + margin).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.
    margin
        ≥ 0, in the units of the distance: the negative should be at least this much farther than the positive.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

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
    Weinberger & Saul (2009), "Distance metric learning for large margin nearest neighbor classification";
    Schroff, Kalenichenko & Philbin (2015), "FaceNet", eq. 3 (squared L2 on the unit sphere, margin 0.2).
    """
    _check(positive, negative)
    margin = require.between("margin", margin, 0)
    violation = np.maximum(positive - negative + margin, 0)
    value, spread = reduced(violation, reduction)

    def pullback(dl):
        dpositive = spread(dl) * (violation > 0)
        return dpositive, -dpositive

    return value, pullback


@op
def triplet_soft_margin(
    positive: Float[Array, "n"], negative: Float[Array, "n"], /, margin: float = 0.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean log(1 + exp(d₊ − d₋ + margin)).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.
    margin
        ≥ 0. The paper has no margin: the soft margin does not need one.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, and log 2 = 0.693 for a collapsed network without a margin; `pullback(dl)` gives
        `(dpositive, dnegative)` = ±σ(d₊ − d₋ + margin) / n.

    Notes
    -----
    No kink: a smooth hinge, whose slope is never exactly 0.

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification", §2.
    """
    _check(positive, negative)
    margin = require.between("margin", margin, 0)
    violation = positive - negative + margin
    value, spread = reduced(softplus(violation), reduction)

    def pullback(dl):
        dpositive = spread(dl) * sigmoid(violation)
        return dpositive, -dpositive

    return value, pullback


@op
def triplet_ratio(
    positive: Float[Array, "n"], negative: Float[Array, "n"], /, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean ‖(s₊, s₋ − 1)‖² = mean 2 s₊², where (s₊, s₋) = softmax(d₊, d₋).

    Parameters
    ----------
    positive, negative
        (n,) distances of each anchor to its positive, d₊, and to its negative, d₋.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` is a number in [0, 2] (each term of a sum), and ½ for a collapsed network; `pullback(dl)` gives
        `(dpositive, dnegative)` = ±4 s₊² (1 − s₊) / n.

    Notes
    -----
    No kink. The gradient vanishes at both ends: where d₋ is much larger than d₊, and where d₊ is much larger than d₋.

    References
    ----------
    Hoffer & Ailon (2015), "Deep metric learning using triplet network", §2.
    """
    _check(positive, negative)
    x = positive - negative
    s = sigmoid(x)
    value, spread = reduced(2 * s * s, reduction)

    def pullback(dl):
        dpositive = spread(dl) * (4 * s * s * sigmoid(-x))
        return dpositive, -dpositive

    return value, pullback


def _check(positive: Array, negative: Array) -> None:
    require.dimensions(1, "(n,)", positive=positive, negative=negative)
    require.same_shape(positive=positive, negative=negative)
    require.rows(positive=positive)
