"""Softmax losses of a batch in which an anchor has several positives. They differ in how they combine the positives:

    supcon      mean of −log of the probability of each positive
    nca         −log of the summed probability of the positives
    nt_xent     one term for each positive, against the negatives only

The logit of an image is −d / temperature. `softmax.matching` is nca with queries and a support set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..distance_matrix import RowLoss
from ..op import op
from .per_anchor import AnchorBlock, log_sum_exp, log_sum_exp_list, reduce_rows

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Op


@op
def supcon(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], temperature: float = 0.1, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over anchors of mean over their positives p of −log softmaxⱼ(−Dᵢⱼ / τ) at p, over all j ≠ i.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself.
    labels
        (n,) classes.
    temperature
        τ > 0, in the units of D. With a cosine distance, 0.05 to 0.2 is usual.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` is in nats, log(n − 1) for a collapsed network; `pullback(dl)` gives `(dD,)` =
        (1[p] / |P| − softmax) / (τ n) in each anchor's row.

    Notes
    -----
    No kink. It is the paper's L_out. The denominator contains the other positives, so with K images per class the
    value cannot fall below log(K − 1). Anchors without a positive are left out.

    References
    ----------
    Khosla et al. (2020), "Supervised contrastive learning", eq. 2.
    """
    temperature = require.between("temperature", temperature, 0, open_low=True)

    def rows(D, block):
        x = D * (-1 / temperature)
        share = _inverse_counts(block, D.dtype)
        right = block.per_row(x[block.i, block.j]) * share
        x[np.arange(len(x)), block.own] = -np.inf
        counts = block.positives > 0
        scale = (counts / -temperature).astype(D.dtype)
        total, slope = log_sum_exp(x, scale=scale)
        slope[block.i, block.j] -= (share * scale)[block.i]
        values = (total - right) * counts
        return RowLoss(values, counts, values > 0, slope)

    return reduce_rows(rows, D, labels, reduction)


@op
def nt_xent(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], temperature: float = 0.07, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over positive pairs (i, p) of log(1 + Σₙ exp((D_ip − D_in) / τ)), n over the negatives of i.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself.
    labels
        (n,) classes. For SimCLR, each image is a class, with two views.
    temperature
        τ > 0, in the units of D.
    reduction
        mean, mean_active, sum, or none (one value for each anchor, the sum over its pairs).

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log(1 + the number of negatives) for a collapsed network; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    No kink. Other positives of the anchor are not in the denominator. (In SimCLR an anchor has only one positive.)

    References
    ----------
    Sohn (2016); Chen et al. (2020), "A simple framework for contrastive learning", eq. 1.
    """
    temperature = require.between("temperature", temperature, 0, open_low=True)

    def rows(D, block):
        return positives_against_negatives(D, block, -D[block.i, block.j] / temperature, -1 / temperature)

    return reduce_rows(rows, D, labels, reduction)


def positives_against_negatives(
    D: Array, block: AnchorBlock, right: Array, scale: float, slope: Array | None = None
) -> RowLoss:
    """Σ over positives p of log(1 + Σₙ exp(scale · D_in − right_p)), where right_p is the logit of the positive.

    `slope` is ∂right / ∂D_ip, by default `scale`.
    """
    x = block.without_positives(D, np.inf if scale < 0 else -np.inf)
    x *= D.dtype.type(scale)
    total, weights = log_sum_exp(x)
    total[block.negatives == 0] = -np.inf
    wrong = total[block.i] - right
    loss, push = softplus(wrong), sigmoid(wrong)
    weights *= (block.per_row(push) * D.dtype.type(scale))[:, None]
    weights[block.i, block.j] = -push * (D.dtype.type(scale) if slope is None else slope)
    active = block.per_row((loss > 0).astype(D.dtype))
    return RowLoss(block.per_row(loss), block.positives, active, weights)


@op
def nca(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], temperature: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log Σₚ softmaxⱼ(−Dᵢⱼ / τ) at p: the probability that a random neighbour of i is of its class.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself; the paper's are squared L2.
    labels
        (n,) classes.
    temperature
        τ > 0, in the units of D.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` is in nats; `pullback(dl)` gives `(dD,)` = (softmax over the positives − softmax over all) / (τ n).

    Notes
    -----
    No kink. The paper's second objective, with the logarithm; its first is Σ p. One near positive is enough for an
    anchor, so a class may form several clusters. Anchors without a positive are left out.

    References
    ----------
    Goldberger, Roweis, Hinton & Salakhutdinov (2005), "Neighbourhood components analysis".
    """
    temperature = require.between("temperature", temperature, 0, open_low=True)

    def rows(D, block):
        x = D * (-1 / temperature)
        x[np.arange(len(x)), block.own] = -np.inf
        right, mine = log_sum_exp_list(x[block.i, block.j], block)
        counts = block.positives > 0
        scale = (counts / -temperature).astype(D.dtype)
        total, slope = log_sum_exp(x, scale=scale)
        slope[block.i, block.j] -= mine * scale[block.i]
        values = (total - right) * counts
        return RowLoss(values, counts, values > 0, slope)

    return reduce_rows(rows, D, labels, reduction)


def _inverse_counts(block: AnchorBlock, dtype: type) -> Array:
    """1 / |P| for each row, and 0 for a row without a positive."""
    return np.divide(1, block.positives, out=np.zeros(len(block.own), dtype), where=block.positives > 0)
