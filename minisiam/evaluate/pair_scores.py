"""One matrix product that ranks like a distance, and how far rounding can move its entries.

The exact distance of two rows is dear, and most rankings do not need it: two scores that differ by more than the
rounding are in the order of their distances. Only the rows where that fails are compared by the distance itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import distances, pairwise
from .._numerics import unit_rows
from .ties import tolerance

if TYPE_CHECKING:
    from ..typing import Array, PairwiseDistance

SPARE = 16  # steps of float32 beside those of the sum: casts, lengths and a distance's own rounding


class PairScores(NamedTuple):
    """Scores of every row of z against every row: `left[some] @ right` in float32, smaller means nearer.

    left, right : (n, d + 2) and (d + 2, n)
    margin : (n,) two scores of a row that differ by more than this are in the order of their distances, without a tie
    """

    left: Array
    right: Array
    margin: Array


def pair_scores(z: Array, distance: PairwiseDistance) -> PairScores | None:
    """The scores h (‖aᵢ‖² + ‖aⱼ‖²) − aᵢ·aⱼ of all pairs of rows, or None.

    None is for a distance without such a product, and where a square could leave the range of the dtype of z, since
    then the distances tie and the scores do not.

    Notes
    -----
    A float32 sum of d + 2 products, in any order, is right to (d + 2) ε / 4 times (‖a‖ + ‖b‖)² (Higham 2002, §3.1),
    and two of them are compared.
    """
    if distance not in FORMS:
        return None
    _, ready, h = FORMS[distance]
    a, _ = ready(z, z)
    limits, largest, columns = np.finfo(a.dtype), np.abs(a).max(initial=0), a.shape[1]
    if not np.sqrt(limits.tiny) / limits.eps < largest < np.sqrt(limits.max / (8 * max(columns, 1))):
        return None
    a = (a / largest).astype(np.float32)
    squares = (a.astype(np.float64) ** 2).sum(axis=1)
    half, one = (h * squares)[:, None].astype(np.float32), np.ones((len(a), 1), np.float32)
    length = np.sqrt(squares)
    rounding = (columns / 2 + SPARE) * np.finfo(np.float32).eps + 2 * tolerance(z.dtype)
    margin = (rounding * (length + length.max()) ** 2).astype(np.float32)
    return PairScores(np.hstack([-a, half, one]), np.ascontiguousarray(np.hstack([a, one, half]).T), margin)


def _centred(a: Array, b: Array) -> tuple[Array, Array]:
    centre = (b / len(b)).sum(axis=0, dtype=np.float64).astype(b.dtype)  # the sum of b may overflow
    return a - centre, b - centre


def _units(a: Array, b: Array) -> tuple[Array, Array]:
    return unit_rows(a)[0], unit_rows(b)[0]


def _unchanged(a: Array, b: Array) -> tuple[Array, Array]:
    return a, b


# distances that rise with the score h ‖bⱼ‖² − aᵢ·bⱼ: the distance row by row, how a and b follow from the embeddings, h
FORMS: dict[PairwiseDistance, Any] = {
    pairwise.l2: (distances.l2, _centred, 0.5),  # ½‖a − b‖² less ½‖a‖², which is the same in a row
    pairwise.squared_l2: (distances.squared_l2, _centred, 0.5),
    pairwise.cosine: (distances.cosine, _units, 0.0),
    pairwise.dot: (distances.dot, _unchanged, 0.0),
}
