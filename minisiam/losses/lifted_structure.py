"""Losses that give harder pairs of a batch a larger share of the gradient.

All are smooth forms of one condition: the farthest positive is nearer than the nearest negative.

    generalised_lifted     log Σ e^d over the positives  +  log Σ e^(m−d) over the negatives
    lifted                 d of one positive pair  +  log Σ e^(m−d) over the negatives of both its images
    multi_similarity       a softplus of the positives above a threshold  +  one of the negatives below it
    circle                 also weights each pair by its distance from its optimum
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..distance_matrix import RowLoss, as_matrix
from ..op import op
from .per_anchor import check_finite, log_sum_exp, log_sum_exp_list, reduce_rows, require_positives_and_negatives
from .reductions import reduced

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Op


@op
def lifted(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], margin: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over positive pairs of ½ max(0, J)²,  J_ij = D_ij + log(Σₙ e^(m − D_in) + Σₙ e^(m − D_jn)).

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself.
    labels
        (n,) classes. The sums are over the negatives of i and of j.
    margin
        m ≥ 0, in the units of D.
    reduction
        mean, mean_active, sum or none (one value for each ordered positive pair, sorted by row).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`: max(0, J) at the pair, and −max(0, J) times a softmax over the
        negatives of i and j.

    Notes
    -----
    No kink: at J = 0 the slope max(0, J) is 0 on both sides. Every pair counts twice, as (i, j) and (j, i), which does
    not change the mean.

    References
    ----------
    Song, Xiang, Jegelka & Savarese (2016), "Deep metric learning via lifted structured feature embedding", eq. 4.
    """
    D = as_matrix(D).whole("lifted")
    positives = require_positives_and_negatives(D, labels)
    block = positives.of_rows(slice(0, len(D)))
    margin = require.between("margin", margin, 0)
    i, j = positives.i, positives.j
    negatives, weights = log_sum_exp(block.without_positives(margin - D, -np.inf))  # one logarithm for each anchor
    J = D[i, j] + np.logaddexp(negatives[i], negatives[j])
    from_i = sigmoid(negatives[i] - negatives[j])
    stretch = np.maximum(J, 0)
    value, spread = reduced(check_finite(stretch * stretch / 2, D), reduction)

    def pullback(dl):
        pull = spread(dl) * stretch
        push = np.bincount(i, pull * from_i, len(D)) + np.bincount(
            j, pull * sigmoid(negatives[j] - negatives[i]), len(D)
        )
        dD = -push.astype(D.dtype)[:, None] * weights
        dD[i, j] += pull
        return (dD,)

    return value, pullback


@op
def generalised_lifted(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], margin: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over anchors of max(0, log Σₚ e^D_ip + log Σₙ e^(m − D_in)): a smooth form of the batch-hard hinge.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself.
    labels
        (n,) classes.
    margin
        m ≥ 0, in the units of D.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)` = (softmax over the positives − softmax over the negatives) / n.

    Notes
    -----
    Kink where the sum is 0: the anchor counts as satisfied, slope 0. The logarithm of an empty sum is set to 0, so an
    anchor without a positive still pushes its negatives away.

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification".
    """
    margin = require.between("margin", margin, 0)

    def rows(D, block):
        near, pull = log_sum_exp_list(D[block.i, block.j], block)
        far, slope = log_sum_exp(block.without_positives(margin - D, -np.inf))
        values = np.maximum(near + far, 0)
        np.negative(slope, out=slope)
        slope[block.i, block.j] = pull
        slope *= (values > 0)[:, None]
        return RowLoss(values, np.ones(len(values), int), values > 0, slope)

    return reduce_rows(rows, D, labels, reduction)


@op
def multi_similarity(
    D: Float[Array, "n n"],
    /,
    labels: Int[Array, "n"],
    alpha: float = 2.0,
    beta: float = 50.0,
    threshold: float = 0.5,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean over anchors of 1/α log(1 + Σₚ e^(α (D_ip − t))) + 1/β log(1 + Σₙ e^(β (t − D_in))).

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself; the paper's are cosine distances.
    labels
        (n,) classes.
    alpha, beta
        > 0, in 1 / the units of D: larger values give the hardest positives and negatives more weight.
    threshold
        t: positives should be below, and negatives above. The paper's similarity λ is 1 − t.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`: the softmax weights of the positives, and minus those of the
        negatives, each with one extra logit 0, over n.

    Notes
    -----
    No kink. The paper's mining is not included: it is `miners.multi_similarity`.

    References
    ----------
    Wang et al. (2019), "Multi-similarity loss with general pair weighting for deep metric learning".
    """
    alpha, beta = (require.between(n, v, 0, open_low=True) for n, v in (("alpha", alpha), ("beta", beta)))
    threshold = require.between("threshold", threshold, -np.inf)

    def rows(D, block):
        near, pull = log_sum_exp_list(alpha * (D[block.i, block.j] - threshold), block, one=True)
        x = block.without_positives(D, np.inf)
        far, slope = log_sum_exp(np.multiply(np.subtract(threshold, x, out=x), D.dtype.type(beta), out=x), one=True)
        np.negative(slope, out=slope)
        slope[block.i, block.j] = pull
        values = near / alpha + far / beta
        return RowLoss(values, np.ones(len(values), int), values > 0, slope)

    return reduce_rows(rows, D, labels, reduction)


@op
def circle(
    D: Float[Array, "n n"],
    /,
    labels: Int[Array, "n"],
    margin: float = 0.4,
    scale: float = 80.0,
    detached: bool = True,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean log(1 + Σₚ e^(γ [D_ip + m]₊ (D_ip − m)) · Σₙ e^(γ [1 + m − D_in]₊ (1 − m − D_in))).

    Parameters
    ----------
    D
        (n, n) cosine distances of a batch to itself, so that the paper's similarity is s = 1 − D.
    labels
        (n,) classes.
    margin
        m ≥ 0. The optimum of a positive is D = 0 and of a negative D = 1; the decision boundary is a circle of radius
        √2 m around that point.
    scale
        γ > 0.
    detached
        Whether the gradient treats the weights [·]₊ as constants, as in the paper.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`: in each anchor's row a softmax over the positives times
        γ [D_ip + m]₊, and minus a softmax over the negatives times γ [1 + m − D_in]₊, so that no positive is pushed
        away and no negative attracted.

    Notes
    -----
    No kink. With constant weights, the gradient is not the derivative of the value, so finite differences of the value
    disagree with it; they agree if the weights are held fixed.

    `detached=False` gives the derivative. Since [1 + m − D]₊ (1 − m − D) = (1 − D)² − m² and [D + m]₊ (D − m) = D² − m²
    where the weights are positive, each pair is then drawn to D = 0 or D = 1 from both sides: it attracts a negative
    with 1 < D < 1 + m, which the paper's gradient pushes away. There is then a kink where a weight is 0, at D_ip = −m
    and D_in = 1 + m: the slope of the weight is 0.

    Anchors without a positive or without a negative are left out.

    References
    ----------
    Sun et al. (2020), "Circle loss: a unified perspective of pair similarity optimization", eq. 6; weights, eq. 5.
    """
    margin, scale = require.between("margin", margin, 0), require.between("scale", scale, 0, open_low=True)

    def weighed(x, rest):  # γ [x]₊ (x − rest) and its slope in x
        weight = np.maximum(x, 0)
        return scale * weight * (x - rest), scale * (weight + (0 if detached else (x > 0) * (x - rest)))

    def rows(D, block):
        u, du = weighed(D[block.i, block.j] + margin, 2 * margin)
        v, dv = weighed(1 + margin - D, 2 * margin)
        near, pull = log_sum_exp_list(u, block)
        far, slope = log_sum_exp(block.without_positives(v, -np.inf))
        counts = (block.positives > 0) & (block.negatives > 0)
        values = softplus(near + far) * counts
        push = (sigmoid(near + far) * counts)[:, None]
        slope *= -dv
        slope[block.i, block.j] = pull * du
        slope *= push
        return RowLoss(values, counts, values > 0, slope)

    return reduce_rows(rows, D, labels, reduction)
