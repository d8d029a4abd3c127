"""Losses with margins in degrees, on a cosine distance: cos θ = 1 − D."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import as_matrix
from ..op import op
from .per_anchor import check_finite, log_sum_exp, reduce_rows, require_positives_and_negatives
from .reductions import reduced
from .several_positives import positives_against_negatives
from .softmax import softmax_cross_entropy

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Op


@op
def tuplet_margin(
    D: Float[Array, "n n"],
    /,
    labels: Int[Array, "n"],
    margin: float = 5.73,
    scale: float = 64.0,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean over positive pairs of log(1 + Σₙ exp(s (cos θ_in − cos(θ_ip − m)))).

    Parameters
    ----------
    D
        (n, n) cosine distances of a batch to itself.
    labels
        (n,) classes.
    margin
        m in degrees, from 0 to 90, subtracted from the angle of a positive, so that easy triplets do not dominate.
    scale
        s > 0.
    reduction
        mean, mean_active, sum, or none (one value for each anchor, the sum over its pairs).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    Kink at θ_ip = 0 and π, where the slope of the angle in its cosine is infinite: only the term cos m of the slope is
    kept. Distances outside [0, 2] count as the nearest end, with its slope.

    References
    ----------
    Yu & Tao (2019), "Deep metric learning with tuplet margin loss".
    """
    turn = np.deg2rad(require.between("margin", margin, 0, 90)).item()
    scale = require.between("scale", scale, 0, open_low=True)

    def rows(D, block):
        eased, slope = shifted_cosine(D[block.i, block.j], -turn)
        return positives_against_negatives(D, block, scale * (eased - 1), -scale, scale * slope)

    return reduce_rows(rows, D, labels, reduction)


def shifted_cosine(d: Array, turn: float) -> tuple[Array, Array]:
    """cos(θ + turn) and its slope in d, where cos θ = 1 − d is first clipped to [−1, 1].

    cos(θ + t) = c cos t − s sin t, with slope −(cos t + c/s sin t) in d; the second term is left out where s = 0.
    """
    c = np.clip(1 - d, -1, 1)
    s = np.sqrt((1 - c) * (1 + c))
    cot = np.divide(c, s, out=np.zeros_like(c), where=s > 0)
    cos, sin = np.cos(turn).item(), np.sin(turn).item()
    return c * cos - s * sin, -(cos + cot * sin)


@op
def arcface(
    D: Float[Array, "n m"],
    /,
    targets: Int[Array, "n"],
    margin: float = 28.6,
    scale: float = 64.0,
    reduction: str = "mean",
) -> Op[Float[Array, ""]]:
    """ℓ = mean −log softmax of s cos θ where the angle of the target is first increased to θ + m.

    Parameters
    ----------
    D
        (n, m) cosine distances of n images to m proxies.
    targets
        (n,) integers from 0 to m − 1.
    margin
        m in degrees, from 0 to 90.
    scale
        s > 0.
    reduction
        mean, mean_active, sum or none.

    Returns
    -------
    value, pullback
        `value` ≥ 0, in nats; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    Beyond θ = π − m, where cos(θ + m) would rise again, the target's logit is cos θ − m sin m: the value jumps there.
    This follows the authors' code; the paper does not mention this case. Kink at θ = 0 and π: the infinite slope of the
    second term is replaced by 0. Distances outside [0, 2] count as the nearest end, with its slope.

    References
    ----------
    Deng, Guo, Xue & Zafeiriou (2019), "ArcFace: additive angular margin loss for deep face recognition", eq. 3.
    """
    D = as_matrix(D).whole("arcface")
    require.dimensions(2, "(n, m), every image against every proxy", D=D)
    require.rows(D=D)
    require.columns(D.shape[1], targets=targets, rows=len(D))
    turn = np.deg2rad(require.between("margin", margin, 0, 90)).item()
    scale = require.between("scale", scale, 0, open_low=True)
    at = np.arange(len(D)), targets
    c = np.clip(1 - D[at], -1, 1)
    widened, slope = shifted_cosine(D[at], turn)
    inside = np.arccos(c) <= np.pi - turn
    moved = D.copy()
    moved[at] = 1 - np.where(inside, widened, c - turn * np.sin(turn).item())
    value, pull = softmax_cross_entropy(moved, targets, 1 / scale, reduction=reduction)

    def pullback(dl):
        (dD,) = pull(dl)
        dD[at] *= np.where(inside, -slope, 1)
        return (dD,)

    return value, pullback


@op
def angular(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], angle: float = 40.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over positive pairs of log(1 + Σₙ e^f),  f = 4 tan²α (a + p)·n − 2 (1 + tan²α) a·p.

    Parameters
    ----------
    D
        (n, n) cosine distances of a batch to itself: the products are 1 − D.
    labels
        (n,) classes.
    angle
        α in degrees, above 0 and below 90: an upper bound for the angle at the negative.
    reduction
        mean, mean_active, sum or none (one value for each ordered positive pair, sorted by row).

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    No kink. An angle does not depend on the scale of the embeddings. The sum over the negatives is computed for each
    positive pair, so time and memory are O(n² K).

    References
    ----------
    Wang et al. (2017), "Deep metric learning with angular loss".
    """
    D = as_matrix(D).whole("angular")
    positives = require_positives_and_negatives(D, labels)
    tan2 = np.tan(np.deg2rad(require.between("angle", angle, 0, 90, open_low=True, open_high=True))).item() ** 2
    i, j = positives.i, positives.j
    block = positives.of_rows(slice(0, len(D)))
    S = 1 - D
    negatives = block.without_positives(S, -np.inf)
    f = 4 * tan2 * (negatives[i] + negatives[j]) - (2 * (1 + tan2) * S[i, j])[:, None]
    losses, weights = log_sum_exp(f, one=True)
    value, spread = reduced(check_finite(losses, D), reduction)

    def pullback(dl):
        push = weights * np.reshape(spread(dl), (-1, 1))
        dD = -4 * tan2 * (_sum_rows(push, i, len(D)) + _sum_rows(push, j, len(D)))  # f has a term a·n and a term p·n
        dD[i, j] = 2 * (1 + tan2) * push.sum(axis=1)
        return (dD,)

    return value, pullback


def _sum_rows(values: Array, index: Array, rows: int) -> Array:
    """For each index from 0 to rows − 1, the sum of the rows of `values` with that index."""
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    out = np.zeros((rows, values.shape[1]), values.dtype)
    out[index[order][starts]] = np.add.reduceat(values[order], starts)
    return out
