"""Losses that are not functions of distances: a penalty on weights, and VICReg on embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def l2_penalty(W: Float[Array, "..."], /, strength: float = 1e-4) -> Op[Float[Array, ""]]:
    """ℓ = strength · Σ W².

    Parameters
    ----------
    W
        Weights of any shape.
    strength
        λ ≥ 0.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dW,)` = 2 λ W.

    Notes
    -----
    No kink. The gradient points away from 0, so a step against it shrinks the weights. The paper prints the update
    with + 2 λ |w|, which increases every weight, so that positive weights move away from 0.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    strength = require.between("strength", strength, 0)

    def pullback(dl):
        return (W.dtype.type(2 * strength * dl) * W,)

    return strength * np.sum(W * W), pullback


@op
def vicreg(
    z1: Float[Array, "n d"],
    z2: Float[Array, "n d"],
    /,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    epsilon: float = 1e-4,
) -> Op[Float[Array, ""]]:
    """ℓ = λ mean (z₁ − z₂)² + μ mean ½ Σ max(0, 1 − √(var + ε)) + ν Σ_{j≠k} cov²_jk / d, the last two for z₁ and z₂.

    Parameters
    ----------
    z1, z2
        (n, d) embeddings of two views of n images, n ≥ 2. There are no negatives.
    invariance, variance, covariance
        λ, μ, ν ≥ 0.
    epsilon
        ε > 0, under the root.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dz1, dz2)`.

    Notes
    -----
    Two terms prevent collapse without negatives: every feature should have a standard deviation of at least 1 over the
    batch, and no two features should be correlated. Variances and covariances divide by n − 1. Kink where a deviation
    is 1: slope 0.

    This follows the authors' code, github.com/facebookresearch/vicreg. The paper's eq. 6 sums the squares of the
    invariance term over the features and has no ½ on the variance: its λ, μ, ν are `invariance` = λ d,
    `variance` = 2 μ and `covariance` = ν here. Both apply the loss to the output of an expander, a network of three
    dense layers of 8,192 that is discarded after training.

    References
    ----------
    Bardes, Ponce & LeCun (2022), "VICReg: variance-invariance-covariance regularization for self-supervised learning".
    """
    require.dimensions(2, "(n, d), one embedding a row", z1=z1, z2=z2)
    require.same_shape(z1=z1, z2=z2)
    if len(z1) < 2:
        raise ValueError(f"vicreg needs the variance of a batch, so two rows or more, not {len(z1)}")
    weights = [("invariance", invariance), ("variance", variance), ("covariance", covariance)]
    invariance, variance, covariance = (require.between(name, value, 0) for name, value in weights)
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)
    u = z1 - z2
    (spread1, pull1), (spread2, pull2) = (_variance_and_covariance(z, variance, covariance, epsilon) for z in (z1, z2))

    def pullback(dl):
        g = z1.dtype.type(dl)
        together = (2 * invariance / u.size) * g * u
        return g * pull1 + together, g * pull2 - together

    return invariance * (u * u).mean() + spread1 + spread2, pullback


def _variance_and_covariance(z: Array, variance: float, covariance: float, epsilon: float) -> tuple[Any, Array]:
    """The variance and covariance terms of one embedding, and their gradient."""
    n, d = z.shape
    centred = z - z.mean(axis=0)
    C = centred.T @ centred / (n - 1)
    deviation = np.sqrt(np.diag(C) + epsilon)
    short = np.maximum(1 - deviation, 0)
    np.fill_diagonal(C, 0)
    value = variance * short.mean() / 2 + covariance * (C * C).sum() / d
    stretch = -(variance / (2 * d)) * (short > 0) / deviation
    gradient = centred * stretch.astype(z.dtype) + (4 * covariance / d) * (centred @ C)
    return value, gradient / (n - 1)
