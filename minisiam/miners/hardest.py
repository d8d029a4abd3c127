"""One triplet per anchor or per positive pair: the nearest or farthest candidates, and of equal ones the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import distance_matrix
from .types import Triplets, check_finite, joined, masks, positive_pairs, require_both_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int

    Choose = Callable[[Array, Array], tuple[Array, Array]]


def batch_hard(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """For each anchor its farthest positive and its nearest negative.

    Anchors without a positive are left out. D may be blockwise (`fast.blockwise`).

    References
    ----------
    Hermans, Beyer & Leibe (2017), "In defense of the triplet loss for person re-identification", eq. 5.
    """
    matrix = distance_matrix(D)
    require.square(D=matrix)
    require.class_labels(labels, matrix.shape[0])
    _, classes, count = np.unique(labels, return_inverse=True, return_counts=True)
    require_both_kinds(not (count > 1).any(), len(count) < 2)

    def hardest(rows: Array, some: slice) -> tuple[Array, Array]:
        check_finite(rows, some.start)
        same = classes[some, None] == classes
        n = np.where(same, np.inf, rows).argmin(axis=1)
        same[np.arange(len(rows)), np.arange(some.start, some.stop)] = False
        return np.where(same, rows, -np.inf).argmax(axis=1), n

    p, n = map(np.concatenate, zip(*matrix.map(hardest), strict=True))
    a = np.flatnonzero(count[classes] > 1)
    return Triplets(a, p[a], n[a])


def batch_easy_hard(
    D: Float[Array, "n n"], labels: Int[Array, "n"], positive: str = "easy", negative: str = "semi-hard"
) -> Triplets:
    """For each anchor an easy, hard or semi-hard positive with an easy, hard or semi-hard negative.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    positive
        "easy" the nearest; "hard" the farthest; "semi-hard" the farthest positive that is nearer than the chosen
        negative; "all" every positive.
    negative
        "easy" the farthest; "hard" the nearest; "semi-hard" the nearest negative that is farther than the chosen
        positive; "all" every negative.

    Returns
    -------
    Triplets
        Sorted by anchor. Nearer and farther are strict. An anchor without such an image is left out.

    Notes
    -----
    A semi-hard choice is relative to one other choice, so "semi-hard" cannot be combined with "semi-hard" or "all".
    ("hard", "hard") is `batch_hard`, ("all", "all") is `all_triplets`.

    References
    ----------
    Xuan, Stylianou & Pless (2020), "Improved embeddings with easy positive triplet mining".
    """
    is_positive, is_negative = masks(D, labels)
    require.one_of("positive", positive, POSITIVE)
    require.one_of("negative", negative, NEGATIVE)
    if "semi-hard" in (positive, negative) and {positive, negative} <= {"semi-hard", "all"}:
        raise ValueError(
            f"positive {positive!r} does not go with negative {negative!r}: combine 'semi-hard' with 'easy' or 'hard'"
        )
    if positive == "semi-hard":
        is_positive &= _bound(D, NEGATIVE[negative](D, is_negative)) > D
    if negative == "semi-hard":
        is_negative &= _bound(D, POSITIVE[positive](D, is_positive)) < D
    return joined(POSITIVE[positive](D, is_positive), NEGATIVE[negative](D, is_negative))


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
    The paper states only the inequality. Of the negatives that satisfy it, the nearest is TensorFlow's choice.

    References
    ----------
    Schroff, Kalenichenko & Philbin (2015), "FaceNet", section 3.2 and eq. 4.
    """
    margin = require.between("margin", margin, 0)
    positive, negative = masks(D, labels)
    a, p, n, d = _nearest_farther(D, positive, negative)
    some = d - D[a, p] <= margin
    return Triplets(a[some], p[some], n[some])


def semi_hard_tensorflow(D: Float[Array, "n n"], labels: Int[Array, "n"]) -> Triplets:
    """For each (a, p) the nearest negative with d_an > d_ap; if there is none, the farthest negative.

    There is one triplet per ordered positive pair, as `triplet_semihard_loss` of TensorFlow Addons chooses them.
    """
    positive, negative = masks(D, labels)
    a, p, n, d = _nearest_farther(D, positive, negative)
    _, farthest = _farthest(D, negative)
    return Triplets(a, p, np.where(np.isfinite(d), n, farthest[a]))


def _farthest(D: Array, mask: Array) -> tuple[Array, Array]:
    """Return the rows of the mask that have an entry, and for each row the column with the greatest D."""
    rows = np.flatnonzero(mask.any(axis=1))
    return rows, np.where(mask, D, -np.inf)[rows].argmax(axis=1)


def _nearest(D: Array, mask: Array) -> tuple[Array, Array]:
    return _farthest(-D, mask)


def _every(D: Array, mask: Array) -> tuple[Array, Array]:
    rows, columns = np.nonzero(mask)
    return rows, columns


POSITIVE: dict[str, Choose] = {"easy": _nearest, "hard": _farthest, "semi-hard": _farthest, "all": _every}
NEGATIVE: dict[str, Choose] = {"easy": _farthest, "hard": _nearest, "semi-hard": _nearest, "all": _every}


def _bound(D: Array, chosen: tuple[Array, Array]) -> Array:
    """(n, 1) the distance of each anchor's choice; 0 if it has none, and then it has no triplet either."""
    bound = np.zeros((len(D), 1), D.dtype)
    bound[chosen[0], 0] = D[chosen]
    return bound


def _nearest_farther(D: Array, positive: Array, negative: Array) -> tuple[Array, ...]:
    """Return every (a, p), the nearest negative farther than p, and its distance, infinite if there is none."""
    found = []
    for a, p in positive_pairs(positive):
        d = np.where(negative[a] & (D[a] > D[a, p][:, None]), D[a], np.inf)
        n = d.argmin(axis=1)
        found.append((a, p, n, d[np.arange(len(a)), n]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))
