"""Softmax losses: classify each image, where the columns of D are other images, proxies or prototypes.

The logit of a column is −d / temperature. N-pair, InfoNCE, proxy-NCA, CosFace and prototypical networks are
`softmax_cross_entropy` on different columns. `several_positives` has the softmax losses of a batch with labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import as_matrix
from ..op import op
from .per_anchor import check_finite, log_sum_exp
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
    """ℓ = mean −log softmaxⱼ(−Dᵢⱼ / τ) at j = targetᵢ, after adding a margin to the target's distance.

    Parameters
    ----------
    D
        (n, m) distances of n images to m columns: proxies, class means, or other images of the batch.
    targets
        (n,) integers from 0 to m − 1, the right column of each image.
    temperature
        τ > 0, in the units of D.
    margin
        ≥ 0, added to the target's distance. With a cosine distance this is CosFace's cos θ − m.
    others_only
        Whether to leave the target out of the denominator, as printed for proxy-NCA.
    reduction
        mean, mean_active, sum or none: `losses.reductions`.

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log m for a collapsed network without a margin; `pullback(dl)` gives `(dD,)` =
        (target − softmax) / (τ n). With `others_only` the value may have either sign, and log(m − 1) for a collapsed
        network.

    Notes
    -----
    No kink, no overflow. N-pair, InfoNCE, proxy-NCA, normalised softmax, CosFace and prototypical networks are this
    loss on different columns.

    References
    ----------
    Goldberger et al. (2005); Sohn (2016); Movshovitz-Attias et al. (2017), "No fuss distance metric learning using
    proxies" (`others_only`);
    Snell, Swersky & Zemel (2017), eq. 2; Wang et al. (2018), "CosFace", eq. 4.
    """
    D = as_matrix(D).whole("softmax_cross_entropy")
    require.dimensions(2, "(n, m), every image against every column", D=D)
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
        (n, n) distances of n first views to n second views; the two views of an image are on the diagonal.
    temperature
        τ > 0, in the units of D.

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, log n for a collapsed network; `pullback(dl)` gives `(dD,)` = (2 I − P − Q) / (2 n τ),
        with P the softmax of the rows and Q that of the columns.

    Notes
    -----
    No kink. With the distance `pairwise.tempered(pairwise.cosine)` and temperature=1 it is CLIP's loss with its learned
    temperature, which begins at 0.07 there and in open_clip. sentence-transformers' `MultipleNegativesRankingLoss` has
    only the rows, `softmax_cross_entropy`, at 0.05 (`scale=20`); with `directions=("query_to_doc", "doc_to_query")` and
    `partition_mode="per_direction"` it is this loss.
    Labels are not used, so two images of one class are negatives of each other: `supcon` uses the labels.

    References
    ----------
    van den Oord, Li & Vinyals (2018), eq. 4; Radford et al. (2021), "CLIP", fig. 3.
    """
    D = as_matrix(D).whole("info_nce")
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
    """ℓ = mean over classes of −log softmaxₖ(−d(aᵢ, pₖ)) at k = i, with one pair (aᵢ, pᵢ) per class.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself; the paper's are negative dot products, `pairwise.dot`.
    labels
        (n,) classes. The first two images of each class are its anchor and its positive; others are not used.
    reduction
        mean, mean_active, sum or none (one value for each class, in sorted order).

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, the logarithm of the number of pairs for a collapsed network; `pullback(dl)` gives
        `(dD,)`, which is 0 at entries that are not used.

    Notes
    -----
    No kink. It is `softmax_cross_entropy` on a part of D. The paper also penalises the length of the embeddings (with
    0.002 by default in TensorFlow's `npairs_loss`); `networks.regularized` adds such a term.

    References
    ----------
    Sohn (2016), "Improved deep metric learning with multi-class N-pair loss objective".
    """
    D = as_matrix(D).whole("n_pair")
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
def matching(
    D: Float[Array, "n m"], /, same: Bool[Array, "n m"], temperature: float = 1.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log Σⱼ softmaxⱼ(−Dᵢⱼ / τ) over the j of i's class: a soft nearest neighbour.

    Parameters
    ----------
    D
        (n, m) distances of n queries to m support images; the paper's are cosine distances.
    same
        (n, m) booleans, True where query i and support image j show one class.
    temperature
        τ > 0, in the units of D.
    reduction
        mean, mean_active, sum or none (one value for each query, 0 where it is left out).

    Returns
    -------
    value, pullback
        `value` is in nats; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    No kink. The paper's full context embeddings are not included. A query whose class has no support image is left
    out; if all are, the value is 0.

    References
    ----------
    Vinyals et al. (2016), "Matching networks for one shot learning".
    """
    D = as_matrix(D).whole("matching")
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
