"""All triplets of a kind.     gap = d_an − d_ap

hard       gap ≤ 0            the negative is as near as the positive, or nearer
semi-hard  0 < gap ≤ margin   the right order, but not by the margin
easy       gap > margin       nothing to learn from a hinge
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
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
    """Every anchor with every positive and every negative: O(n³) of them."""
    return ordered_pairs(D, labels).triplets


def triplet_margin(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2, kind: str = "all") -> Triplets:
    """Every triplet of one kind:  d_an − d_ap ≤ margin,  or a part of these, or the others.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    margin
        At least 0, in the units of D.
    kind
        "all": d_an − d_ap ≤ margin, the triplets with a gradient in a hinge with this margin. "hard" and "semi-hard"
        are its two parts, d_an ≤ d_ap and d_an > d_ap. "easy": the triplets that satisfy the margin.

    Returns
    -------
    Triplets
        Sorted by anchor, positive, negative; empty if there is no such triplet.
    """
    require.one_of("kind", kind, KINDS)
    margin = require.between("margin", margin, 0)
    return _kept(D, labels, lambda a, p: KINDS[kind](gap(D, a, p), margin))


def hard(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """Every triplet with d_an ≤ d_ap."""
    return triplet_margin(D, labels, kind="hard")


def easy(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2) -> Triplets:
    """Every triplet with d_an − d_ap > margin."""
    return triplet_margin(D, labels, margin, kind="easy")


def angular(D: Float[Array, "n n"], labels: Int[Array, "n"], degrees: float = 20) -> Triplets:
    """Every triplet with  arctan( d_ap / 2‖n − m‖ ) > degrees,  where m = (a + p) / 2.

    This is the angle at the negative between a (or p) and the middle m, if n − m is perpendicular to p − a. It does not
    depend on the scale of the embeddings.

    Parameters
    ----------
    D, labels
        (n, n) L2 distances and (n,) integers.
    degrees
        At least 0 and less than 90.

    Returns
    -------
    Triplets
        Sorted by anchor, positive, negative; empty if every negative is far from its pair.

    Notes
    -----
    The distance to the middle follows from the three sides: ‖n − m‖² = ½ d_an² + ½ d_pn² − ¼ d_ap². It is computed
    in float64, and is 0 where rounding, or a D that is not the distances of any points, would make it negative.
    pytorch-metric-learning reads raw rows here, whereas its other miners normalize them: pass raw L2 distances to
    agree.

    References
    ----------
    Wang et al. (2017), "Deep metric learning with angular loss".
    """
    angle = np.radians(require.between("degrees", degrees, 0, 90, open_high=True))
    masks(D, labels)
    if D.min() < 0:
        raise ValueError(f"angular reads L2 distances, but D holds {D.min():.3g}: give it pairwise.l2(z, z)")
    unit = D.astype(np.float64) / (D.max() or 1)  # its square does not overflow

    def seen_wide(a: Array, p: Array) -> Array:
        near = unit[a, p][:, None]
        with np.errstate(under="ignore"):
            squared = unit[a] ** 2 / 2 + unit[p] ** 2 / 2 - near**2 / 4
            return np.arctan2(near, 2 * np.sqrt(np.maximum(squared, 0))) > angle

    return _kept(D, labels, seen_wide)


def _kept(D: Array, labels: Array, keep: Callable[[Array, Array], Array]) -> Triplets:
    """Return the triplets for which `keep(a, p)`, a mask (pairs, n), is true, computed CHUNK entries at a time."""
    positive, negative = masks(D, labels)
    found = []
    for a, p in positive_pairs(positive):
        pair, n = np.nonzero(keep(a, p) & negative[a])
        found.append((a[pair], p[pair], n))
    return Triplets(*(np.concatenate(part) for part in zip(*found, strict=True)))
