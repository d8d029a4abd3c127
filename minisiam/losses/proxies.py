"""Proxy losses: each class has a learned point, its proxy, and images are compared with proxies only.

A distance matrix of images against proxies is (n, classes). Most proxy losses are `softmax_cross_entropy` on it:

    proxy-NCA              others_only=True, squared L2 of unit vectors        proxy-NCA++       a temperature, all in
    normalised softmax     cosine, temperature 0.05                            CosFace           margin 0.35, 1/64
    ArcFace                `arcface`: the margin is an angle                   SoftTriple   `soft_triple_distance`

This module has the loss that takes proxies as anchors, and the distance to a class with several proxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import as_matrix
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
        `value` ≥ 0; `pullback(dl)` gives `(dD,)`: for each proxy, the softmax over the batch with one extra logit 0.

    Notes
    -----
    No kink. The proxy is the anchor and is compared with the images of the batch: the softmax is over the rows. K₊ is
    the set of proxies that have an image in the batch.

    References
    ----------
    Kim, Kim, Cho & Kwak (2020), "Proxy anchor loss for deep metric learning", eq. 4.
    """
    D = as_matrix(D).whole("proxy_anchor")
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
    """Dᵢₖ = Σ_c softmax_c(−d_ikc / γ) d_ikc: a soft minimum over the centres of class k.

    Parameters
    ----------
    D
        (n, classes · centres) distances to all centres, where the centres of a class are in adjacent columns.
    centres
        The number of centres of each class.
    gamma
        γ > 0, in the units of D: smaller values give the nearest centre more weight.

    Returns
    -------
    d, pullback
        `d` is (n, classes), from the least to the greatest distance to a class's centres; `pullback(dd)` gives `(dD,)`.

    Notes
    -----
    No kink. SoftTriple is `softmax_cross_entropy(d, targets, temperature=1 / 20, margin=0.01)` of this, without the
    paper's regulariser. The regulariser adds a multiple of the mean distance √(2 − 2 w·w′) between the centres of a
    class and so merges centres that the class does not need; `networks.regularized` adds such a term.

    References
    ----------
    Qian et al. (2019), "SoftTriple loss: deep metric learning without triplet sampling".
    """
    D = as_matrix(D).whole("soft_triple_distance")
    require.dimensions(2, "(n, classes · centres)", D=D)
    require.rows(D=D)
    centres = require.whole("centres", centres, 1)
    gamma = require.between("gamma", gamma, 0, open_low=True)
    if D.shape[1] % centres:
        raise ValueError(f"D has {D.shape[1]} columns, which is not a multiple of centres = {centres}")
    d = D.reshape(-1, centres)
    _, p = log_sum_exp(d / -gamma)
    mean = (p * d).sum(axis=1, keepdims=True)

    def pullback(dd):
        slope = p * (1 - (d - mean) / gamma)
        return ((dd.reshape(-1, 1) * slope).reshape(D.shape),)

    return mean.reshape(len(D), -1), pullback
