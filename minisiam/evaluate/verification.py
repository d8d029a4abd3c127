"""Verification: do two images have the same class? ROC, its area, the equal error rate, and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .._arrays import reads_arrays

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float


class Roc(NamedTuple):
    """The shares of different and of same pairs that are accepted at each threshold."""

    false_accept: Array
    true_accept: Array
    thresholds: Array


@reads_arrays
def roc(d: Float[Array, "n"], same: Bool[Array, "n"]) -> Roc:
    """The receiver operating characteristic of verification: a pair is accepted if d ≤ threshold.

    Parameters
    ----------
    d, same
        (n,) distances, and whether both images of each pair have the same class. Both kinds of pairs are needed.

    Returns
    -------
    Roc
        Three arrays, from accepting no pair (threshold −∞) to accepting all pairs.
    """
    require.dimensions(1, "(n,)", d=d)
    require.finite(d=d)
    require.same_or_not(same, len(d))
    if same.all() or not same.any():
        kind = "different" if same.all() else "same"
        raise ValueError(f"same has no {kind} pair: verification needs pairs of both kinds")
    thresholds, at = np.unique(d, return_inverse=True)
    accepted_same = np.cumsum(np.bincount(at, same, len(thresholds)))
    accepted_different = np.cumsum(np.bincount(at, ~same, len(thresholds)))
    return Roc(
        np.concatenate([[0.0], accepted_different / accepted_different[-1]]),
        np.concatenate([[0.0], accepted_same / accepted_same[-1]]),
        np.concatenate([[-np.inf], thresholds]),
    )


def auc(d: Float[Array, "n"], same: Bool[Array, "n"]) -> float:
    """Area under the ROC: the probability that a same pair is nearer than a different pair, where a tie counts half."""
    curve = roc(d, same)
    return float(np.trapezoid(curve.true_accept, curve.false_accept))


class EqualError(NamedTuple):
    """The error rate at which false accepts and false rejects are equally frequent, and the threshold of d there."""

    rate: float
    threshold: float


def equal_error(d: Float[Array, "n"], same: Bool[Array, "n"]) -> EqualError:
    """EER, interpolated between the two thresholds around it."""
    curve = roc(d, same)
    gap = curve.false_accept - (1 - curve.true_accept)  # rises from −1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    rate = curve.false_accept[before] + share * (curve.false_accept[after] - curve.false_accept[before])
    return EqualError(float(rate), float(curve.thresholds[after]))


def threshold_at(d: Float[Array, "n"], same: Bool[Array, "n"], false_accept: float = 0.01) -> float:
    """The largest threshold that accepts at most this share of different pairs; −∞ if every distance accepts more."""
    require.between("false_accept", false_accept, 0, 1)
    curve = roc(d, same)
    return float(curve.thresholds[np.flatnonzero(curve.false_accept <= false_accept)[-1]])
