"""Random triplets. The generator is an argument: functools.partial(random_triplets, rng=rng) is a miner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .types import Triplets, masks, positive_pairs

if TYPE_CHECKING:
    from ..typing import Array, Float, Generator, Int


@reads_arrays
def random_triplets(
    D: Float[Array, "n n"], labels: Int[Array, "n"], *, rng: Generator, per_anchor: int = 1
) -> Triplets:
    """For each anchor, `per_anchor` draws of a positive and a negative, uniformly and with replacement.

    Anchors without a positive are left out. `rng` is a np.random.Generator. The distances in D are not used.
    """
    require.generator(rng)
    per_anchor = require.whole("per_anchor", per_anchor, 1)
    D, positive, negative = masks(D, labels)
    anchor = np.repeat(np.flatnonzero(positive.any(axis=1)), per_anchor)
    return Triplets(anchor, _draw_columns(positive, anchor, rng), _draw_columns(negative, anchor, rng))


@reads_arrays
def distance_weighted(
    D: Float[Array, "n n"],
    labels: Int[Array, "n"],
    *,
    rng: Generator,
    dimensions: int,
    cutoff: float = 0.5,
    nonzero_loss_cutoff: float = 1.4,
) -> Triplets:
    """For each (a, p), one negative, drawn with probability ∝ 1 / q(d_an),  q(d) = dᴰ⁻² (1 − d²/4)^((D − 3) / 2).

    q is the density of the distance between two random points of the unit sphere in D dimensions. Most distances are
    close to √2, so a uniform draw gives easy negatives; with weights 1 / q, all distances are about equally likely.

    Parameters
    ----------
    D, labels
        (n, n) L2 distances of normalized embeddings, so between 0 and 2, and (n,) integers.
    rng
        A np.random.Generator.
    dimensions
        The size of the embeddings, the D of q: at least 2.
    cutoff
        Shorter distances get the weight of this one. Otherwise 1 / q would almost always select the nearest, which are
        often noise.
    nonzero_loss_cutoff
        Between `cutoff` and 2: negatives at this distance or farther are never drawn.

    Returns
    -------
    Triplets
        Sorted by anchor and positive. Anchors without a negative inside the cutoff are left out.

    Notes
    -----
    Computed in logarithms, since 1 / q spans hundreds of orders of magnitude: the index of the greatest of
    log wₙ + Gumbel noise is n with probability wₙ / Σ w.

    References
    ----------
    Wu, Manmatha, Smola & Krähenbühl (2017), "Sampling matters in deep embedding learning", section 4.
    """
    require.generator(rng)
    dimensions = require.whole("dimensions", dimensions, 2)
    beyond = require.between("nonzero_loss_cutoff", nonzero_loss_cutoff, 0, 2, open_low=True, open_high=True)
    cutoff = require.between("cutoff", cutoff, 0, beyond, open_low=True)
    D, positive, negative = masks(D, labels)
    if D.min() < 0 or D.max() > 2.001:  # a little more than 2 is rounding
        raise ValueError(
            f"distance_weighted needs L2 distances of normalized embeddings, between 0 and 2, but D holds "
            f"{D.min() if D.min() < 0 else D.max():.3g}: use pairwise.l2 and end the encoder with Normalize"
        )
    d = np.clip(D.astype(np.float64), cutoff, beyond)
    log_q = (dimensions - 2) * np.log(d) + (dimensions - 3) / 2 * np.log1p(-d * d / 4)
    log_weight = np.where(negative & (beyond > D), -log_q, -np.inf)
    found = []
    for a, p in positive_pairs(positive):
        n = (log_weight[a] + rng.gumbel(size=(len(a), len(D)))).argmax(axis=1)
        some = np.isfinite(log_weight[a, n])
        found.append((a[some], p[some], n[some]))
    return Triplets(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _draw_columns(mask: Array, rows: Array, rng: Generator) -> Array:
    """Draw, for each of the given rows, one of the columns where the mask is true."""
    columns, count = np.nonzero(mask)[1], mask.sum(axis=1)
    start = np.cumsum(count) - count
    return columns[start[rows] + rng.integers(0, count[rows])]
