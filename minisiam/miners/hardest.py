"""Miners that choose the nearest or farthest image for each anchor or positive pair; if several tie, the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from ..distance_matrix import as_matrix
from .types import Triplets, check_finite, join, masks, positive_pairs, require_both_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int

    Choose = Callable[[Array, Array], tuple[Array, Array]]


@reads_arrays
def batch_hard(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """For each anchor its farthest positive and its nearest negative.

    Anchors without a positive are left out. D may come from `fast.blockwise`.

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification", eq. 5.
    """
    matrix = as_matrix(D)
    require.square(D=matrix)
    require.class_labels(labels, matrix.shape[0])
    _, number, count = np.unique(labels, return_inverse=True, return_counts=True)
    require_both_kinds(bool((count > 1).any()), len(count) > 1)

    def hardest(rows: Array, some: slice) -> tuple[Array, Array]:
        check_finite(rows, some)
        same = number[some][:, None] == number
        candidates = rows.copy()
        candidates[same] = np.inf
        nearest_negative = candidates.argmin(axis=1)
        same[np.arange(len(rows)), np.arange(some.start, some.stop)] = False
        candidates.fill(-np.inf)
        candidates[same] = rows[same]
        return candidates.argmax(axis=1), nearest_negative

    farthest_positive, nearest_negative = map(np.concatenate, zip(*matrix.map_rows(hardest), strict=True))
    anchor = np.flatnonzero(count[number] > 1)
    return Triplets(anchor, farthest_positive[anchor], nearest_negative[anchor])


@reads_arrays
def batch_easy_hard(
    D: Float[Array, "n n"], labels: Int[Array, "n"], positive: str = "easy", negative: str = "semi-hard"
) -> Triplets:
    """For each anchor an easy, hard or semi-hard positive with an easy, hard or semi-hard negative.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    positive
        "easy": the nearest. "hard": the farthest. "semi-hard": the farthest of those nearer than the chosen negative.
        "all": every positive.
    negative
        "easy": the farthest. "hard": the nearest. "semi-hard": the nearest of those farther than the chosen positive.
        "all": every negative.

    Returns
    -------
    Triplets
        Sorted by anchor. Nearer and farther are strict. An anchor without such a positive or negative is left out.

    Notes
    -----
    A semi-hard choice is made relative to a single choice of the other kind, so "semi-hard" cannot be combined with
    "semi-hard" or "all". ("hard", "hard") is `batch_hard`, ("all", "all") is `all_triplets`.

    References
    ----------
    Xuan, Stylianou & Pless (2020), "Improved embeddings with easy positive triplet mining".
    """
    D, is_positive, is_negative = masks(D, labels)
    require.one_of("positive", positive, POSITIVE)
    require.one_of("negative", negative, NEGATIVE)
    if "semi-hard" in (positive, negative) and {positive, negative} <= {"semi-hard", "all"}:
        raise ValueError(
            f"positive {positive!r} cannot be combined with negative {negative!r}: "
            "a 'semi-hard' choice needs an 'easy' or 'hard' choice of the other kind"
        )
    if positive == "semi-hard":
        is_positive &= _chosen_distance(D, NEGATIVE[negative](D, is_negative)) > D
    if negative == "semi-hard":
        is_negative &= _chosen_distance(D, POSITIVE[positive](D, is_positive)) < D
    return join(POSITIVE[positive](D, is_positive), NEGATIVE[negative](D, is_negative))


@reads_arrays
def semi_hard_facenet(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2) -> Triplets:
    """For each (a, p) the nearest negative with  0 < d_an − d_ap ≤ margin.

    Parameters
    ----------
    D, labels
        (n, n) distances, squared L2 in the paper, and (n,) integers.
    margin
        At least 0, in the units of D.

    Returns
    -------
    Triplets
        Sorted by anchor and positive. A pair without a semi-hard negative is left out, so there may be none.

    Notes
    -----
    The paper states only the inequality. TensorFlow takes the nearest of the negatives that satisfy it, as here.

    References
    ----------
    Schroff, Kalenichenko & Philbin (2015), "FaceNet", section 3.2 and eq. 4.
    """
    margin = require.between("margin", margin, 0)
    D, positive, negative = masks(D, labels)
    a, p, n, d = _nearest_farther(D, positive, negative)
    some = d - D[a, p] <= margin
    return Triplets(a[some], p[some], n[some])


@reads_arrays
def semi_hard_tensorflow(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """For each (a, p) the nearest negative with d_an > d_ap; where there is none, the farthest negative.

    There is one triplet for every ordered positive pair, as in `triplet_semihard_loss` of TensorFlow Addons.
    """
    D, positive, negative = masks(D, labels)
    a, p, n, d = _nearest_farther(D, positive, negative)
    _, farthest = _farthest(D, negative)
    return Triplets(a, p, np.where(np.isfinite(d), n, farthest[a]))


def _farthest(D: Array, mask: Array) -> tuple[Array, Array]:
    """The rows of the mask that have an entry, and the column of the largest D among the entries of each row."""
    rows = np.flatnonzero(mask.any(axis=1))
    return rows, np.where(mask, D, -np.inf)[rows].argmax(axis=1)


def _nearest(D: Array, mask: Array) -> tuple[Array, Array]:
    return _farthest(-D, mask)


def _all_of(D: Array, mask: Array) -> tuple[Array, Array]:
    rows, columns = np.nonzero(mask)
    return rows, columns


POSITIVE: dict[str, Choose] = {"easy": _nearest, "hard": _farthest, "semi-hard": _farthest, "all": _all_of}
NEGATIVE: dict[str, Choose] = {"easy": _farthest, "hard": _nearest, "semi-hard": _nearest, "all": _all_of}


def _chosen_distance(D: Array, chosen: tuple[Array, Array]) -> Array:
    """(n, 1) the distance of each anchor to its choice; 0 for an anchor without a choice, which has no triplet."""
    bound = np.zeros((len(D), 1), D.dtype)
    bound[chosen[0], 0] = D[chosen]
    return bound


def _nearest_farther(D: Array, positive: Array, negative: Array) -> tuple[Array, ...]:
    """All (a, p), with the nearest negative farther than p and its distance, infinite if there is no such negative."""
    found = []
    for a, p in positive_pairs(positive):
        d = np.where(negative[a] & (D[a] > D[a, p][:, None]), D[a], np.inf)
        n = d.argmin(axis=1)
        found.append((a, p, n, d[np.arange(len(a)), n]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))
