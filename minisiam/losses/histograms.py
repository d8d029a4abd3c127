"""Losses on histograms of distances.

A distance between two nodes of a grid is shared between them by linear interpolation, so that the histogram is a
continuous function of the distances and has a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import RowLoss, as_matrix
from ..op import op
from .per_anchor import reduce_rows, require_positives_and_negatives

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Op


@op
def histogram(D: Float[Array, "n n"], /, labels: Int[Array, "n"], bins: int = 100) -> Op[Float[Array, ""]]:
    """ℓ = Σ_q h⁻_q Σ_{r ≥ q} h⁺_r: the probability that a negative is nearer than a positive, or in the same bin.

    Parameters
    ----------
    D
        (n, n) cosine distances of a batch to itself, in [0, 2].
    labels
        (n,) classes.
    bins
        The number of equal intervals into which [0, 2] is divided; h has a node at each end of each interval.

    Returns
    -------
    value, pullback
        `value` in [0, 1], and 1 for a collapsed network, whose pairs are all in one bin; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    Kink at every node: the slope of the bin below the node in D (above it in similarity); at D = 0, of the first bin.
    Distances outside [0, 2] count as the nearest end, with slope 0. Pairs of two images without a positive are left
    out, as in the reference implementation.

    References
    ----------
    Ustinova & Lempitsky (2016), "Learning deep embeddings with histogram loss".
    """
    D = as_matrix(D).whole("histogram")
    bins = require.whole("bins", bins, 1)
    block = require_positives_and_negatives(D, labels).of_rows(slice(0, len(D)))
    require.finite(D=D)
    both = (block.positives > 0) & (block.negatives > 0)
    negative = both[:, None] | both
    negative[np.arange(len(D)), block.own] = False
    negative[block.i, block.j] = False
    used = both[block.i]
    at_positive, at_negative = (block.i[used], block.j[used]), np.nonzero(negative)
    h_positive, low_positive, on_positive = _histogram(D[at_positive], bins)
    h_negative, low_negative, on_negative = _histogram(D[at_negative], bins)
    below = np.cumsum(h_positive)  # positives at most this similar
    above = np.cumsum(h_negative[::-1])[::-1]  # negatives at least this similar

    def pullback(dl):
        dD = np.zeros_like(D)
        step = D.dtype.type(dl * bins / 2)
        up, down = step / len(low_positive), step / len(low_negative)
        dD[at_positive] = up * on_positive * (above[low_positive] - above[low_positive + 1])
        dD[at_negative] = down * on_negative * (below[low_negative] - below[low_negative + 1])
        return (dD,)

    return np.minimum((h_negative * below).sum(), D.dtype.type(1)), pullback  # more than 1 is rounding


def _histogram(d: Array, bins: int) -> tuple[Array, Array, Array]:
    """The histogram of 1 − d at bins + 1 nodes from −1 to 1, the node below each entry, and whether it has a slope."""
    place = np.clip((2 - d) * (bins / 2), 0, bins)
    low = np.minimum(place.astype(np.intp), bins - 1)  # as np.bincount wants it, also where that is 32 bits
    part = place - low
    h = np.bincount(low, 1 - part, bins + 1) + np.bincount(low + 1, part, bins + 1)
    return (h / len(d)).astype(d.dtype), low, (d >= 0) & (d <= 2)


@op
def fast_ap(
    D: Float[Array, "n n"], /, labels: Int[Array, "n"], bins: int = 10, largest: float = 4.0, reduction: str = "mean"
) -> Op[Float[Array, ""]]:
    """ℓ = mean over anchors of 1 − AP,  AP = 1/|P| Σ_b h⁺_b H⁺_b / H_b with histograms h of distances and their sums H.

    Parameters
    ----------
    D
        (n, n) distances of a batch to itself; the paper's are squared L2 of unit vectors, in [0, 4].
    labels
        (n,) classes.
    bins
        The number of equal intervals into which [0, largest] is divided.
    largest
        The largest possible distance, > 0.
    reduction
        mean, mean_active, sum or none (one value for each anchor).

    Returns
    -------
    value, pullback
        `value` in [0, 1] (each term of a sum), one minus the average precision if a negative in the same bin as a
        positive counts as nearer: 1 − |P| / (n − 1) for a collapsed network; `pullback(dl)` gives `(dD,)`.

    Notes
    -----
    Kink at every node: slope 0. A distance outside [0, largest] counts less the farther it is from the nearest end,
    and not at all beyond one interval. Anchors without a positive are left out.

    References
    ----------
    Cakir, He, Xia, Kulis & Sclaroff (2019), "Deep metric learning to rank".
    """
    bins = require.whole("bins", bins, 1)
    largest = require.between("largest", largest, 0, open_low=True)

    def rows(D, block):
        r, (i, j) = np.arange(len(D)), (block.i, block.j)
        x = D * (bins / largest)
        x[r, block.own] = -2  # outside every triangle
        nodes = range(bins + 1)
        hp = np.stack([block.per_row(_triangle(x[i, j], b)) for b in nodes], axis=1)
        h = np.stack([_triangle(x, b).sum(axis=1) for b in nodes], axis=1)
        Hp, H = np.cumsum(hp, axis=1), np.cumsum(h, axis=1)
        count = np.maximum(block.positives, 1).astype(D.dtype)
        counts = block.positives > 0
        part = np.divide(hp, H, out=np.zeros_like(hp), where=H > 0)  # h⁺ / H
        ratio = np.divide(Hp, H, out=np.zeros_like(hp), where=H > 0)  # H⁺ / H
        values = np.maximum(1 - (part * Hp).sum(axis=1) / count, 0) * counts  # less than 0 is rounding
        later = lambda a: np.cumsum(a[:, ::-1], axis=1)[:, ::-1]  # Σ over this bin and all after it
        scale = (counts * (bins / largest) / count).astype(D.dtype)[:, None]
        to_all = later(part * ratio) * scale  # −∂AP / ∂h_b: every distance is in H
        to_positive = (ratio + later(part)) * scale
        slope = sum(to_all[:, [b]] * _triangle_slope(x, b) for b in nodes)
        own_part = sum(to_positive[i, b] * _triangle_slope(x[i, j], b) for b in nodes)
        slope[i, j] -= own_part
        return RowLoss(values, counts, values > bins * np.finfo(D.dtype).eps, slope)  # below it, rounding

    return reduce_rows(rows, D, labels, reduction)


def _triangle(x: Array, node: int) -> Array:
    """max(0, 1 − |x − node|): the share of a distance that counts at a node."""
    return np.maximum(1 - np.abs(x - node), 0)


def _triangle_slope(x: Array, node: int) -> Array:
    """The slope of `_triangle` in x: 1 below the node, −1 above it, and 0 at the node and at distance 1 or more."""
    u = x - node
    return np.sign(-u) * (np.abs(u) < 1)
