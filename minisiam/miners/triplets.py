"""Miners that return all triplets of one kind.     gap = d_an − d_ap

hard       gap ≤ 0            the negative is at least as near as the positive
semi-hard  0 < gap ≤ margin   the right order, but by less than the margin
easy       gap > margin       a hinge has no gradient
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .pairs import ordered_pairs
from .types import Triplets, gap, masks, positive_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int

KINDS: dict[str, Callable[[Array, float], Array]] = {
    "all": lambda gap, margin: gap <= margin,
    "hard": lambda gap, margin: gap <= 0,
    "semi-hard": lambda gap, margin: (gap > 0) & (gap <= margin),
    "easy": lambda gap, margin: gap > margin,
}


def all_triplets(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """All triplets: each anchor with each positive and each negative, O(n³) in number."""
    return ordered_pairs(D, labels).triplets


@reads_arrays
def triplet_margin(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2, kind: str = "all") -> Triplets:
    """All triplets with  d_an − d_ap ≤ margin,  or another `kind`.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    margin
        At least 0, in the units of D.
    kind
        "all": d_an − d_ap ≤ margin, the triplets for which a hinge with this margin has a gradient. "hard" and
        "semi-hard": the parts of these with d_an ≤ d_ap and with d_an > d_ap. "easy": the other triplets.

    Returns
    -------
    Triplets
        Sorted by anchor, positive, negative; empty if there is no such triplet.
    """
    require.one_of("kind", kind, KINDS)
    margin = require.between("margin", margin, 0)
    return _triplets_where(D, labels, lambda D, a, p: KINDS[kind](gap(D, a, p), margin))


def hard(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """All triplets with d_an ≤ d_ap."""
    return triplet_margin(D, labels, kind="hard")


def easy(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2) -> Triplets:
    """All triplets with d_an − d_ap > margin."""
    return triplet_margin(D, labels, margin, kind="easy")


@reads_arrays
def angular(D: Float[Array, "n n"], labels: Int[Array, "n"], degrees: float = 20) -> Triplets:
    """All triplets with  arctan( d_ap / 2‖n − m‖ ) > degrees,  where m = (a + p) / 2.

    If the line from n to m is perpendicular to the segment from a to p, this is the angle at n between a and m. It does
    not depend on the scale of the embeddings.

    Parameters
    ----------
    D, labels
        (n, n) L2 distances and (n,) integers.
    degrees
        At least 0 and less than 90.

    Returns
    -------
    Triplets
        Sorted by anchor, positive, negative; empty if every negative is far from every positive pair.

    Notes
    -----
    The distance to the midpoint follows from the three sides: ‖n − m‖² = ½ d_an² + ½ d_pn² − ¼ d_ap². It is computed
    in float64, and set to 0 if it is negative, by rounding or because D is not the distance matrix of any points.
    In pytorch-metric-learning this miner, unlike the others, does not normalize the embeddings.

    References
    ----------
    Wang et al. (2017), "Deep metric learning with angular loss".
    """
    angle = np.radians(require.between("degrees", degrees, 0, 90, open_high=True))
    D, _, _ = masks(D, labels)
    if D.min() < 0:
        raise ValueError(f"angular needs L2 distances, but D holds {D.min():.3g}: pass pairwise.l2(z, z)")
    unit = D.astype(np.float64) / (D.max() or 1)  # its square does not overflow

    def seen_wide(D: Array, a: Array, p: Array) -> Array:
        near = unit[a, p][:, None]
        with np.errstate(under="ignore"):
            squared = unit[a] ** 2 / 2 + unit[p] ** 2 / 2 - near**2 / 4
            return np.arctan2(near, 2 * np.sqrt(np.maximum(squared, 0))) > angle

    return _triplets_where(D, labels, seen_wide)


def _triplets_where(D: Array, labels: Array, keep: Callable[[Array, Array, Array], Array]) -> Triplets:
    """The triplets for which `keep(D, a, p)`, a mask (pairs, n), is true; CHUNK triplets are tested at a time."""
    D, positive, negative = masks(D, labels)
    found = []
    for a, p in positive_pairs(positive):
        pair, n = np.nonzero(keep(D, a, p) & negative[a])
        found.append((a[pair], p[pair], n))
    return Triplets(*(np.concatenate(part) for part in zip(*found, strict=True)))
