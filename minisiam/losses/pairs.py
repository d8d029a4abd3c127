"""Losses on pairs: a distance, and whether the two are the same.

Each is two springs, functions of one distance: one that pulls the same together, and one that pushes the others apart.
SPRINGS has them; `losses.all_pairs` uses them on a whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..op import op, with_parameters
from .reductions import reduced

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Bool, Float, Op

    Spring = Callable[[Array], tuple[Array, Array]]  # d ↦ value, slope


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
        How far apart different pairs should be, > 0, in the units of d.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dd,)`: d / n where same, −max(0, margin − d) / n where not.

    Notes
    -----
    A spring of rest length 0 for the same pairs, and one that only pushes, up to the margin, for the others.
    No kink in d: both slopes are 0 at d = margin. Composed with L2, two identical points of different classes feel no
    push, since the distance has no direction there; a little noise on the images separates them.

    References
    ----------
    Hadsell, Chopra & LeCun (2006), "Dimensionality reduction by learning an invariant mapping", eq. 4.
    """
    return _pair_loss(d, same, hadsell_springs(margin), reduction)


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
        m₊ and m₋ in the units of d: the same may be as far as m₊, the others should be m₋ apart.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd,)`.

    Notes
    -----
    No kink. With m₊ = 0 it is the contrastive loss; a positive margin leaves a class some width.

    References
    ----------
    Lin, Morère, Chandrasekhar, Veillard & Goh (2015), "DeepHash: getting regularization, depth and fine-tuning right".
    """
    return _pair_loss(d, same, double_margin_springs(positive_margin, negative_margin), reduction)


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
    Kink at d = m₊ and at d = m₋: the pair counts as satisfied, slope 0. What pytorch-metric-learning calls the
    contrastive loss is `balanced(pair_hinge)` with reduction mean_active.
    """
    return _pair_loss(d, same, hinge_springs(positive_margin, negative_margin), reduction)


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
        One number, where same and different part; it starts at 1.2, as the paper's on the unit sphere.
    same
        (n,) booleans, True where the pair shows one class.
    margin
        m ≥ 0, in the units of d: how far from the boundary a pair should keep.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dd, dbeta)`.

    Notes
    -----
    Kink where a pair is just far enough: slope 0. The paper draws its negatives by `miners.distance_weighted`.

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
    Kink at cos = margin: slope 0. As torch.nn.CosineEmbeddingLoss, whose target is 1 for same and −1 for different.
    """
    return _pair_loss(d, same, cosine_springs(margin), reduction)


@op
def binary_cross_entropy(
    logits: Float[Array, "n"], /, same: Bool[Array, "n"], reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log p, where p = σ(logit) if same and 1 − σ(logit) if not.

    Parameters
    ----------
    logits
        (n,) log-odds of being the same: positive says same, negative says different.
    same
        (n,) booleans, True where the pair shows one class.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, in nats (log 2 = 0.693 says nothing was learnt); `pullback(dl)` gives
        `(dlogits,)` = (σ(logit) − same) / n.

    Notes
    -----
    No kink, and no overflow for any finite logit: ℓ = log(1 + e^−logit) for the same, log(1 + e^logit) for the others.
    The paper prints the cross-entropy without its minus sign; this one shrinks as the network learns.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    require.dimensions(1, "(n,)", logits=logits)
    require.rows(logits=logits)
    require.same_or_not(same, len(logits))
    sign = np.where(same, logits.dtype.type(-1), logits.dtype.type(1))
    wrongness = sign * logits
    value, spread = reduced(softplus(wrongness), reduction)

    def pullback(dl):
        return (spread(dl) * sign * sigmoid(wrongness),)

    return value, pullback


def hadsell_springs(margin: float = 1.0) -> tuple[Spring, Spring]:
    """½ d² and ½ max(0, margin − d)²."""
    return double_margin_springs(0.0, require.between("margin", margin, 0, open_low=True), True)


def double_margin_springs(
    positive_margin: float = 0.2, negative_margin: float = 1.0, two_sided: bool = False
) -> tuple[Spring, Spring]:
    """½ max(0, d − m₊)² and ½ max(0, m₋ − d)²; a two-sided spring pulls a d below m₊ as well."""
    near, far = _margins(positive_margin, negative_margin)

    def attract(d):
        stretch = d - near if two_sided else np.maximum(d - near, 0)
        return stretch * stretch / 2, stretch

    def repel(d):
        squeeze = np.maximum(far - d, 0)
        return squeeze * squeeze / 2, -squeeze

    return attract, repel


def hinge_springs(positive_margin: float = 0.0, negative_margin: float = 1.0) -> tuple[Spring, Spring]:
    """max(0, d − m₊) and max(0, m₋ − d)."""
    near, far = _margins(positive_margin, negative_margin)

    def attract(d):
        stretch = np.maximum(d - near, 0)
        return stretch, (stretch > 0).astype(d.dtype)

    def repel(d):
        squeeze = np.maximum(far - d, 0)
        return squeeze, -(squeeze > 0).astype(d.dtype)

    return attract, repel


def cosine_springs(margin: float = 0.0) -> tuple[Spring, Spring]:
    """d and max(0, 1 − margin − d)."""
    repel = hinge_springs(0.0, 1 - require.between("margin", margin, -1, 1))[1]
    return lambda d: (d, np.ones_like(d)), repel


PAIR_TERMS: dict[str, Callable[..., tuple[Spring, Spring]]] = {
    "contrastive": hadsell_springs,
    "double_margin": double_margin_springs,
    "pair_hinge": hinge_springs,
    "cosine_embedding": cosine_springs,
}


def _margins(positive_margin: float, negative_margin: float) -> tuple[float, float]:
    near = require.between("positive_margin", positive_margin, -np.inf)
    return near, require.between("negative_margin", negative_margin, -np.inf)


def _check(d: Array, same: Array) -> None:
    require.dimensions(1, "(n,)", d=d)
    require.rows(d=d)
    require.same_or_not(same, len(d))


def _pair_loss(d: Array, same: Array, springs: tuple[Spring, Spring], reduction: str) -> Any:
    _check(d, same)
    (near, pull), (far, push) = (spring(d) for spring in springs)
    values, slope = np.where(same, near, far), np.where(same, pull, push)
    value, spread = reduced(values, reduction)
    return value, lambda dl: (spread(dl) * slope,)
