"""Losses on pairs: the distance of two images, and whether both show the same class.

Think of two springs: one pulls the images of one class together, the other pushes images of two classes apart.
`losses.all_pairs` applies such a loss to every pair of a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..op import op, with_parameters
from .reductions import reduced

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float, Op


@op
def contrastive(
    d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean ½ d² where same, ½ max(0, margin − d)² where not.

    Parameters
    ----------
    d
        (n,) distances.
    same
        (n,) booleans, True where the pair shows one class. (Hadsell prints Y = 0 for these; here there is no Y.)
    margin
        The smallest distance that different pairs should have, > 0, in the units of d.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dd,)`: d / n where same, −max(0, margin − d) / n where not.

    Notes
    -----
    Same pairs: a spring of rest length 0. Different pairs: a spring that only pushes, up to the margin.
    No kink in d: both slopes are 0 at d = margin. Composed with L2, two identical points of different classes have
    gradient 0, since the distance has no direction there; a little noise on the images separates them.

    References
    ----------
    Hadsell, Chopra & LeCun (2006), "Dimensionality reduction by learning an invariant mapping", eq. 4.
    """
    margin = require.between("margin", margin, 0, open_low=True)
    require.pairs(same, d=d)
    squeeze = np.maximum(margin - d, 0)
    value, spread = reduced(np.where(same, d * d, squeeze * squeeze) / 2, reduction)

    def pullback(dl):
        return (spread(dl) * np.where(same, d, -squeeze),)

    return value, pullback


@op
def double_margin(
    d: Float[Array, "n"],
    /,
    same: Bool[Array, "n"],
    positive_margin: float = 0.2,
    negative_margin: float = 1.0,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean ½ max(0, d − m₊)² where same, ½ max(0, m₋ − d)² where not.

    Parameters
    ----------
    d
        (n,) distances.
    same
        (n,) booleans, True where the pair shows one class.
    positive_margin, negative_margin
        m₊ and m₋ in the units of d: same pairs may be m₊ apart, different pairs should be m₋ apart.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd,)`.

    Notes
    -----
    No kink. With m₊ = 0 it is the contrastive loss for d ≥ 0. With m₊ > 0 a class may have a width.

    References
    ----------
    Lin, Morère, Chandrasekhar, Veillard & Goh (2015), "DeepHash: getting regularization, depth and fine-tuning right".
    """
    near = require.between("positive_margin", positive_margin, -np.inf)
    far = require.between("negative_margin", negative_margin, -np.inf)
    require.pairs(same, d=d)
    stretch, squeeze = np.maximum(d - near, 0), np.maximum(far - d, 0)
    value, spread = reduced(np.where(same, stretch * stretch, squeeze * squeeze) / 2, reduction)

    def pullback(dl):
        return (spread(dl) * np.where(same, stretch, -squeeze),)

    return value, pullback


@op
def pair_hinge(
    d: Float[Array, "n"],
    /,
    same: Bool[Array, "n"],
    positive_margin: float = 0.0,
    negative_margin: float = 1.0,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean max(0, d − m₊) where same, max(0, m₋ − d) where not: the contrastive loss without squares.

    Parameters
    ----------
    d
        (n,) distances.
    same
        (n,) booleans, True where the pair shows one class.
    positive_margin, negative_margin
        m₊ and m₋ in the units of d.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd,)`: ±1/n where the pair is active.

    Notes
    -----
    Kink at d = m₊ and at d = m₋: the pair counts as satisfied, slope 0. The contrastive loss of
    pytorch-metric-learning is `balanced(pair_hinge)` with reduction mean_active.
    """
    near = require.between("positive_margin", positive_margin, -np.inf)
    far = require.between("negative_margin", negative_margin, -np.inf)
    require.pairs(same, d=d)
    violation = np.maximum(np.where(same, d - near, far - d), 0)
    value, spread = reduced(violation, reduction)

    def pullback(dl):
        return (spread(dl) * _sign(same, d) * (violation > 0),)

    return value, pullback


@with_parameters(lambda rng, size: (np.full((), 1.2, np.float32),))
@op
def margin_loss(
    d: Float[Array, "n"],
    beta: Float[Array, ""],
    /,
    same: Bool[Array, "n"],
    margin: float = 0.2,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean max(0, d − β + m) where same, max(0, β − d + m) where not, with the boundary β learned.

    Parameters
    ----------
    d
        (n,) distances.
    beta
        A number, the boundary between same and different pairs; its first value is 1.2, as in the paper, for the unit
        sphere.
    same
        (n,) booleans, True where the pair shows one class.
    margin
        m ≥ 0, in the units of d: the distance that a pair should have from the boundary.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd, dbeta)`.

    Notes
    -----
    Kink where a pair is exactly at its margin: slope 0. The paper draws its negatives by `miners.distance_weighted`.

    References
    ----------
    Wu, Manmatha, Smola & Krähenbühl (2017), "Sampling matters in deep embedding learning".
    """
    require.pairs(same, d=d)
    require.dimensions(0, "(), a single number", beta=beta)
    margin = require.between("margin", margin, 0)
    sign = _sign(same, d)
    violation = np.maximum(sign * (d - beta) + margin, 0)
    value, spread = reduced(violation, reduction)

    def pullback(dl):
        dd = spread(dl) * sign * (violation > 0)
        return dd, -dd.sum()

    return value, pullback


@op
def cosine_embedding(
    d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 0.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean 1 − cos where same, max(0, cos − margin) where not, with cos = 1 − d.

    Parameters
    ----------
    d
        (n,) cosine distances.
    same
        (n,) booleans, True where the pair shows one class.
    margin
        From −1 to 1: the cosine that different pairs may have.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0 if d is; `pullback(dl)` gives `(dd,)`.

    Notes
    -----
    Kink at cos = margin: slope 0. The same as torch.nn.CosineEmbeddingLoss, whose target is 1 for same and −1 for
    different.
    """
    margin = require.between("margin", margin, -1, 1)
    require.pairs(same, d=d)
    excess = np.maximum(1 - margin - d, 0)  # cos − margin
    value, spread = reduced(np.where(same, d, excess), reduction)

    def pullback(dl):
        return (spread(dl) * _sign(same, d) * (same | (excess > 0)),)

    return value, pullback


@op
def binary_cross_entropy(
    logits: Float[Array, "n"], /, same: Bool[Array, "n"], reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log p, where p = σ(logit) if same and 1 − σ(logit) if not.

    Parameters
    ----------
    logits
        (n,) log-odds of being the same: positive for same, negative for different.
    same
        (n,) booleans, True where the pair shows one class.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, in nats (log 2 = 0.693 for logits of 0); `pullback(dl)` gives
        `(dlogits,)` = (σ(logit) − same) / n.

    Notes
    -----
    No kink, and no overflow for any finite logit: ℓ = log(1 + e^−logit) for the same, log(1 + e^logit) for the others.
    The paper prints the cross-entropy without its minus sign; this one shrinks as the network learns.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    require.pairs(same, logits=logits)
    sign = -_sign(same, logits)
    value, spread = reduced(softplus(sign * logits), reduction)

    def pullback(dl):
        return (spread(dl) * sign * sigmoid(sign * logits),)

    return value, pullback


def _sign(same: Bool[Array, "n"], d: Float[Array, "n"]) -> Float[Array, "n"]:
    """1 where same, −1 where not, in the dtype of d."""
    return np.where(same, d.dtype.type(1), d.dtype.type(-1))
