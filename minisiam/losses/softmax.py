"""Softmax losses: classify each image by its distances to the candidates, which may be the other images of the batch.

The logit of a distance is −d / temperature. The losses differ in the terms of the denominator, and in whether several
positives are averaged after the logarithm (supcon), summed inside it (nca), or each classified alone (nt_xent).

    one right column a row      softmax_cross_entropy N-pair, InfoNCE, proxies, prototypes: one softmax cross-entropy
    several right columns       nca, matching         −log of their summed probability
                                supcon                mean of −log of each
                                nt_xent               each against the negatives alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..distance_matrix import RowLoss, distance_matrix
from ..op import op
from .per_anchor import Block, by_rows, check_finite, log_sum_exp, log_sum_exp_list
from .reductions import reduced

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float, Int, Op


@op
def softmax_cross_entropy(
    D: Float[Array, "n m"],
    /,
    targets: Int[Array, "n"],
    temperature: float = 1.0,
    margin: float = 0.0,
    others_only: bool = False,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log softmaxⱼ(−Dᵢⱼ / τ) at j = targetᵢ, where the target's distance is first lengthened by a margin.

    Parameters
    ----------
    D
        (n, m) distances of n images to m candidates: proxies, class means, or the partners of a batch.
    targets
        (n,) integers from 0 to m − 1, the right candidate of each image.
    temperature
        τ > 0, in the units of D.
    margin
        ≥ 0, added to the target's distance. On a cosine distance that is CosFace's cos θ − m.
    others_only
        Leave the target out of the denominator, as proxy-NCA prints it.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log m for a collapsed network without a margin; `pullback(dl)` gives `(dD,)` =
        (target − softmax) / (τ n). With `others_only` it may have either sign, and log(m − 1) is the collapsed one.

    Notes
    -----
    No kink, no overflow. N-pair (squares of partners against partners), InfoNCE, proxy-NCA, normalised softmax, CosFace
    and prototypical networks are this one loss on different columns.

    References
    ----------
    Goldberger et al. (2005); Sohn (2016); Movshovitz-Attias et al. (2017), "No fuss distance metric learning using
    proxies" (`others_only`);
    Snell, Swersky & Zemel (2017), eq. 2; Wang et al. (2018), "CosFace", eq. 4.
    """
    D = distance_matrix(D).whole()
    require.dimensions(2, "(n, m), every image against every candidate", D=D)
    require.rows(D=D)
    require.columns(D.shape[1], targets=targets, rows=len(D))
    temperature = require.between("temperature", temperature, 0, open_low=True)
    margin = require.between("margin", margin, 0)
    at = np.arange(len(D)), targets
    x = D / -temperature
    x[at] -= margin / temperature
    right = x[at]
    if others_only:
        x[at] = -np.inf
    total, slope = log_sum_exp(x)
    slope[at] -= 1
    value, spread = reduced(check_finite(total - right, D), reduction)

    def pullback(dl):
        return (np.multiply(np.reshape(spread(dl) / -D.dtype.type(temperature), (-1, 1)), slope),)

    return value, pullback


@op
def info_nce(D: Float[Array, "n n"], /, temperature: float = 0.07) -> Op[Float[Array, ""]]:
    """ℓ = ½ (cross-entropy of the rows + of the columns) of softmax(−D / τ), where row i belongs to column i.

    Parameters
    ----------
    D
        (n, n) distances of n first views to their n second views: partners are on the diagonal.
    temperature
        τ > 0, in the units of D.

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log n for a collapsed network; `pullback(dl)` gives `(dD,)` = (2 I − P − Q) / (2 n τ),
        with P the softmax of the rows and Q that of the columns.

    Notes
    -----
    No kink. CLIP's loss, on a cosine distance; its learned temperature is `distances.calibrated`'s scale. Two images of
    one class in two rows are negatives of each other here: `supcon` knows the labels.

    References
    ----------
    van den Oord, Li & Vinyals (2018), eq. 4; Radford et al. (2021), "CLIP", fig. 3.
    """
    D = distance_matrix(D).whole()
    require.square(D=D)
    partners = np.arange(len(D))
    rows, pull_rows = softmax_cross_entropy(D, partners, temperature)
    columns, pull_columns = softmax_cross_entropy(D.T, partners, temperature)

    def pullback(dl):
        half = D.dtype.type(dl / 2)
        return (pull_rows(half)[0] + pull_columns(half)[0].T,)

    return (rows + columns) / 2, pullback


@op
def n_pair(D: Float[Array, "n n"], /, labels: Int[Array, "n"], reduction: str = "mean") -> Op[Float[Array, ""]]:
    """ℓ = mean over classes of −log softmaxₖ(−d(aᵢ, pₖ)) at k = i: one pair per class, and all partners as candidates.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself; N-pair's own are negative dot products, `pairwise.dot`.
    labels
        (n,) classes. The first two images of each class are its anchor and its positive; others are not used.
    reduction
        mean, mean_active, sum or none (one value per class, in sorted order).

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, the logarithm of the number of pairs for a collapsed network; `pullback(dl)` gives
        `(dD,)`, 0 outside the chosen pairs.

    Notes
    -----
    No kink. `softmax_cross_entropy` on a chosen part of D. The paper also penalises the length of the embeddings (0.002
    is the default of TensorFlow's `npairs_loss` for it): `networks.regularized` is the place for such a term.

    References
    ----------
    Sohn (2016), "Improved deep metric learning with multi-class N-pair loss objective".
    """
    D = distance_matrix(D).whole()
    require.square(D=D)
    require.class_labels(labels, len(D))
    order = np.argsort(labels, kind="stable")
    _, first, count = np.unique(labels[order], return_index=True, return_counts=True)
    first = first[count > 1]
    if len(first) < 2:
        raise ValueError("n_pair needs two classes of two images in the batch: draw it with samplers.pk")
    chosen = np.ix_(order[first], order[first + 1])
    value, pull = softmax_cross_entropy(D[chosen], np.arange(len(first)), reduction=reduction)

    def pullback(dl):
        dD = np.zeros_like(D)
        dD[chosen] = pull(dl)[0]
        return (dD,)

    return value, pullback


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
        τ > 0, in the units of D. On a cosine distance 0.05 to 0.2 is usual.
    reduction
        mean, mean_active, sum or none (one value per anchor).

    Returns
    -------
    value, pullback
        `value` is in nats, log(n − 1) for a collapsed network; `pullback(dl)` gives `(dD,)` =
        (1[p] / |P| − softmax) / (τ n) in each anchor's row.

    Notes
    -----
    No kink. The paper's L_out. Positives compete with each other in the denominator, so with K images a class the value
    cannot fall below log(K − 1). Anchors without a positive are left out.

    References
    ----------
    Khosla et al. (2020), "Supervised contrastive learning", eq. 2.
    """
    temperature = require.between("temperature", temperature, 0, open_low=True)

    def rows(D, block):
        x = D * (-1 / temperature)
        share = _share(block, D.dtype)
        right = block.per_row(x[block.i, block.j]) * share
        x[np.arange(len(x)), block.own] = -np.inf
        counts = block.positives > 0
        scale = (counts / -temperature).astype(D.dtype)
        total, slope = log_sum_exp(x, scale=scale)
        slope[block.i, block.j] -= (share * scale)[block.i]
        values = (total - right) * counts
        return RowLoss(values, counts, values > 0, slope)

    return by_rows(rows, D, labels, reduction)


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
        (n,) classes. Two views of one image are one class.
    temperature
        τ > 0, in the units of D.
    reduction
        mean, mean_active, sum, or none (one value per anchor: the sum over its pairs).

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log(1 + the number of negatives) for a collapsed network; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    No kink. Other positives of the anchor are not in the denominator (SimCLR has none, so its paper does not define
    this case).

    References
    ----------
    Sohn (2016); Chen et al. (2020), "A simple framework for contrastive learning", eq. 1.
    """
    temperature = require.between("temperature", temperature, 0, open_low=True)

    def rows(D, block):
        return against_negatives(D, block, -D[block.i, block.j] / temperature, -1 / temperature)

    return by_rows(rows, D, labels, reduction)


def against_negatives(D: Array, block: Block, right: Array, scale: float, slope: Array | None = None) -> RowLoss:
    """Σ over positives p of log(1 + Σₙ exp(scale · D_in − right_p)): a positive's logit against all negatives.

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
        mean, mean_active, sum or none (one value per anchor).

    Returns
    -------
    value, pullback
        `value` is in nats; `pullback(dl)` gives `(dD,)` = (softmax over the positives − softmax over all) / (τ n).

    Notes
    -----
    No kink. The log form, whose gradient does not vanish for a misclassified anchor; the paper's first objective is Σ p
    itself. One near positive is enough, so a class may fall into several clusters. Anchors without a positive are left
    out.

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

    return by_rows(rows, D, labels, reduction)


@op
def matching(
    D: Float[Array, "n m"], /, same: Bool[Array, "n m"], temperature: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log Σⱼ softmaxⱼ(−Dᵢⱼ / τ) over the j of i's class: a soft nearest-neighbour vote.

    Parameters
    ----------
    D
        (n, m) distances of n queries to m support images; the paper's are cosine distances.
    same
        (n, m) booleans: whether query i and support image j are of one class.
    temperature
        τ > 0, in the units of D.
    reduction
        mean, mean_active, sum or none (one value per query, 0 where it is left out).

    Returns
    -------
    value, pullback
        `value` is in nats; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    No kink. Without the paper's full context embeddings. A query whose class has no support image is left out; if
    all are left out, the value is 0.

    References
    ----------
    Vinyals et al. (2016), "Matching networks for one shot learning".
    """
    D = distance_matrix(D).whole()
    require.dimensions(2, "(n, m), every query against every support image", D=D)
    require.rows(D=D)
    require.same_matrix(same, D.shape)
    temperature = require.between("temperature", temperature, 0, open_low=True)
    known = same.any(axis=1)
    x = D[known] / -temperature
    right, mine = log_sum_exp(np.where(same[known], x, -np.inf))
    total, slope = log_sum_exp(x)
    value, spread = reduced(check_finite(total - right, D), reduction)
    slope -= mine
    if reduction == "none":
        value, spread = np.zeros(len(D), D.dtype), lambda dl: dl[known]
        value[known] = total - right

    def pullback(dl):
        dD = np.zeros_like(D)
        dD[known] = np.reshape(spread(dl) / -D.dtype.type(temperature), (-1, 1)) * slope
        return (dD,)

    return value, pullback


def _share(block: Block, dtype: np.dtype[Any]) -> Array:
    """1 / |P| for each row, 0 where there is no positive."""
    return np.divide(1, block.positives, out=np.zeros(len(block.own), dtype), where=block.positives > 0)
