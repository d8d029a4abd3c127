"""Losses on proxies: each class has a learned point, and an image is compared with these points, not with other images.

A distance matrix of images against proxies is (n, classes). Most proxy losses are `softmax_cross_entropy` on it:

    proxy-NCA              others_only=True, squared L2 of unit vectors        proxy-NCA++       a temperature, all in
    normalised softmax     cosine, temperature 0.05                            CosFace           margin 0.35, 1/64
    ArcFace                `arcface`: the margin is an angle                   SoftTriple   `soft_triple_distance`

This module has the loss whose anchors are the proxies, and the distance to a class of several proxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import distance_matrix
from ..op import op
from .per_anchor import log_sum_exp

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Op


@op
def proxy_anchor(
    D: Float[Array, "n m"], /, targets: Int[Array, "n"], margin: float = 0.1, scale: float = 32.0
) -> Op[Float[Array, ""]]:
    """ℓ = 1/|K₊| Σₖ log(1 + Σ e^(α (m − s))) over its own images + 1/|K| Σₖ log(1 + Σ e^(α (s + m))) over the others.

    Parameters
    ----------
    D
        (n, m) cosine distances of n images to m proxies, so that s = 1 − D.
    targets
        (n,) integers from 0 to m − 1.
    margin
        ≥ 0.
    scale
        α > 0.

    Returns
    -------
    value, pullback
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`: the softmax over the batch, with one extra logit 0, of each proxy.

    Notes
    -----
    No kink. The proxy is the anchor and is compared with the batch: the softmax is over each column. K₊ are the proxies
    with an image in the batch.

    References
    ----------
    Kim, Kim, Cho & Kwak (2020), "Proxy anchor loss for deep metric learning", eq. 4.
    """
    D = distance_matrix(D).whole()
    require.dimensions(2, "(n, m), every image against every proxy", D=D)
    require.rows(D=D)
    n, m = D.shape
    require.columns(m, targets=targets, rows=n)
    margin, scale = require.between("margin", margin, 0), require.between("scale", scale, 0, open_low=True)
    own = np.zeros((m, n), bool)
    own[targets, np.arange(n)] = True
    s = 1 - D.T
    near, pull = log_sum_exp(np.where(own, scale * (margin - s), -np.inf), one=True)
    far, push = log_sum_exp(np.where(own, -np.inf, scale * (s + margin)), one=True)
    present = int(own.any(axis=1).sum())

    def pullback(dl):
        share = D.dtype.type(dl * scale)
        return ((share / present) * pull.T - (share / m) * push.T,)

    return near.sum() / D.dtype.type(present) + far.sum() / D.dtype.type(m), pullback


@op
def soft_triple_distance(D: Float[Array, "n m"], /, centres: int = 10, gamma: float = 0.1) -> Op[Float[Array, "n k"]]:
    """Dᵢₖ = Σ_c softmax_c(−d_ikc / γ) d_ikc: the distance to a class of several centres is mostly that to the nearest.

    Parameters
    ----------
    D
        (n, classes · centres) distances to all centres; the centres of a class are adjacent.
    centres
        The number of centres per class.
    gamma
        γ > 0, in the units of D: how soft the choice is.

    Returns
    -------
    d, pullback
        `d` is (n, classes), from the least to the greatest distance to a class's centres; `pullback(dd)` gives `(dD,)`.

    Notes
    -----
    No kink. SoftTriple is `softmax_cross_entropy(d, targets, temperature=1 / 20, margin=0.01)` of this, without the
    paper's regulariser, which adds a multiple of the mean distance √(2 − 2 w·w′) between the centres of a class and so
    merges those that the class does not need. `networks.regularized` is the place for such a term.

    References
    ----------
    Qian et al. (2019), "SoftTriple loss: deep metric learning without triplet sampling".
    """
    D = distance_matrix(D).whole()
    require.dimensions(2, "(n, classes · centres)", D=D)
    require.rows(D=D)
    require.whole("centres", centres, 1)
    gamma = require.between("gamma", gamma, 0, open_low=True)
    if D.shape[1] % centres:
        raise ValueError(f"D has {D.shape[1]} columns, which are no whole number of classes of {centres} centres")
    d = D.reshape(-1, centres)
    _, p = log_sum_exp(d / -gamma)
    mean = (p * d).sum(axis=1, keepdims=True)

    def pullback(dd):
        slope = p * (1 - (d - mean) / gamma)
        return ((dd.reshape(-1, 1) * slope).reshape(D.shape),)

    return mean.reshape(len(D), -1), pullback
