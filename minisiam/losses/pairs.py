"""Losses on pairs: each sees the distances of n pairs, and whether both images of a pair show one class.

Each term is a spring between the two images: one kind pulls pairs of one class together, the other pushes different
pairs apart. `losses.all_pairs` applies the loss to all pairs of a batch.
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
        (n,) booleans, True where both images show one class. (Hadsell prints Y = 0 for these pairs.)
    margin
        The distance beyond which different pairs are not pushed any more, > 0, in the units of d.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dd,)`: d / n where same, −max(0, margin − d) / n where not.

    Notes
    -----
    Pairs of one class are joined by a spring of rest length 0; a spring between different pairs only pushes, and only
    up to the margin. No kink in d: both slopes are 0 at d = margin. With L2, two identical points of different classes
    get no push, since their distance has no direction; a little noise on the images separates them.

    References
    ----------
    Hadsell, Chopra & LeCun (2006), "Dimensionality reduction by learning an invariant mapping", eq. 4.
    """
    _check(d, same)
    margin = require.between("margin", margin, 0, open_low=True)
    stretch, squeeze = d, np.maximum(margin - d, 0)
    values = np.where(same, stretch * stretch, squeeze * squeeze) / 2
    value, spread = reduced(values, reduction)

    def pullback(dl):
        return (spread(dl) * np.where(same, stretch, -squeeze),)

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
        (n,) booleans, True where both images show one class.
    positive_margin, negative_margin
        m₊ and m₋ in the units of d. A pair of one class may be m₊ apart; different pairs should be at least m₋ apart.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd,)`: max(0, d − m₊) / n where same, −max(0, m₋ − d) / n where not.

    Notes
    -----
    No kink. With m₊ = 0 it is the contrastive loss; with a larger m₊ the images of a class need not coincide.

    References
    ----------
    Lin, Morère, Chandrasekhar, Veillard & Goh (2015), "DeepHash: getting regularization, depth and fine-tuning right".
    """
    _check(d, same)
    near, far = check_margins(positive_margin, negative_margin)
    stretch, squeeze = np.maximum(d - near, 0), np.maximum(far - d, 0)
    values = np.where(same, stretch * stretch, squeeze * squeeze) / 2
    value, spread = reduced(values, reduction)

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
        (n,) booleans, True where both images show one class.
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
    pytorch-metric-learning is `balanced(pair_hinge)` with the reduction mean_active.
    """
    _check(d, same)
    near, far = check_margins(positive_margin, negative_margin)
    side = np.where(same, d.dtype.type(1), d.dtype.type(-1))
    values = np.maximum(np.where(same, d - near, far - d), 0)
    value, spread = reduced(values, reduction)

    def pullback(dl):
        return (spread(dl) * side * (values > 0),)

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
    """ℓ = mean max(0, d − β + m) where same, max(0, β − d + m) where not, with a learned boundary β.

    Parameters
    ----------
    d
        (n,) distances.
    beta
        One number, the boundary between pairs of one class and different pairs. It starts at 1.2, the paper's value
        for unit vectors.
    same
        (n,) booleans, True where both images show one class.
    margin
        m ≥ 0, in the units of d: the distance from the boundary at which a pair is satisfied.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd, dbeta)`.

    Notes
    -----
    Kink where a pair is exactly m from the boundary, on its side: slope 0. The paper draws the negatives with
    `miners.distance_weighted`.

    References
    ----------
    Wu, Manmatha, Smola & Krähenbühl (2017), "Sampling matters in deep embedding learning".
    """
    _check(d, same)
    require.dimensions(0, "(), a single number", beta=beta)
    margin = require.between("margin", margin, 0)
    side = np.where(same, d.dtype.type(1), d.dtype.type(-1))
    values = np.maximum(side * (d - beta) + margin, 0)
    value, spread = reduced(values, reduction)

    def pullback(dl):
        dd = spread(dl) * side * (values > 0)
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
        (n,) booleans, True where both images show one class.
    margin
        From −1 to 1: the cosine that different pairs may have.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0 if d is; `pullback(dl)` gives `(dd,)`: 1/n where same, −1/n where not and the pair is active.

    Notes
    -----
    Kink at cos = margin: slope 0. It equals torch.nn.CosineEmbeddingLoss, with target 1 for same and −1 for different.
    """
    _check(d, same)
    far = 1 - require.between("margin", margin, -1, 1)
    squeeze = np.maximum(far - d, 0)
    value, spread = reduced(np.where(same, d, squeeze), reduction)

    def pullback(dl):
        return (spread(dl) * np.where(same, 1, -(squeeze > 0).astype(d.dtype)),)

    return value, pullback


@op
def binary_cross_entropy(
    logits: Float[Array, "n"], /, same: Bool[Array, "n"], reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log p, where p = σ(logit) if same and 1 − σ(logit) if not.

    Parameters
    ----------
    logits
        (n,) log-odds that both images show one class: positive for same, negative for different.
    same
        (n,) booleans, True where both images show one class.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, in nats, and log 2 = 0.693 if all logits are 0; `pullback(dl)` gives
        `(dlogits,)` = (σ(logit) − same) / n.

    Notes
    -----
    No kink, and no overflow for any finite logit: ℓ = log(1 + e^−logit) where same, log(1 + e^logit) where not.
    The paper prints the cross-entropy without its minus sign; this loss decreases as the network learns.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    _check(logits, same, "logits")
    sign = np.where(same, logits.dtype.type(-1), logits.dtype.type(1))
    wrongness = sign * logits
    value, spread = reduced(softplus(wrongness), reduction)

    def pullback(dl):
        return (spread(dl) * sign * sigmoid(wrongness),)

    return value, pullback


def check_margins(positive_margin: float, negative_margin: float) -> tuple[float, float]:
    """Require two finite margins, and return them as Python floats."""
    near = require.between("positive_margin", positive_margin, -np.inf)
    return near, require.between("negative_margin", negative_margin, -np.inf)


def _check(d: Array, same: Array, name: str = "d") -> None:
    require.dimensions(1, "(n,)", **{name: d})
    require.rows(**{name: d})
    require.same_or_not(same, len(d))
