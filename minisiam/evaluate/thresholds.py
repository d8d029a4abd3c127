"""The threshold of verification for a target, what it promises for new classes, and calibrated probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .._numerics import sigmoid
from .verification import equal_error, roc, threshold_at

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float, Int

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # Student's t, 1 to 9 degrees of freedom
STEPS = 100  # of Newton's method, which needs about ten


class Rate(NamedTuple):
    """An error rate on the pairs at hand, and the 95 % interval of this rate on new classes: NaN if it is unknown."""

    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{100 * self.rate:.2f} % (no interval)"
        return f"{100 * self.rate:.2f} % ({100 * self.low:.2f} to {100 * self.high:.2f})"


class Threshold(NamedTuple):
    """A pair is accepted as the same class if d ≤ value; with its false accepts and false rejects."""

    value: float
    false_accept: Rate
    false_reject: Rate


@reads_arrays
def choose_threshold(
    d: Float[Array, "n"],
    same: Bool[Array, "n"],
    groups: Int[Array, "n"] | None,
    target: str = "false-accept",
    rate: float = 0.01,
    unseen: int = 1,
) -> Threshold:
    """The threshold that meets a target on these pairs, and the error rates to expect on new classes.

    Parameters
    ----------
    d, same
        (n,) distances of pairs of held-out classes, and whether both images of each pair have the same class.
    groups
        (n,) integers: pairs that share a group (an alphabet, or the class of the first image) are not independent. At
        least three groups are needed, each with pairs of both kinds. None gives no interval.
    target
        "false-accept": accept at most the share `rate` of different pairs, and otherwise as many pairs as possible;
        "equal-error": as many false accepts as false rejects; "accuracy" or "f1": the best on these pairs.
    rate
        The share of false accepts in (0, 1); only "false-accept" uses it. It takes at least 1 / rate different pairs.
    unseen
        The number of new groups over which the promised rate is averaged: one new alphabet varies more than ten.

    Returns
    -------
    Threshold
        The intervals come from leaving groups out: the threshold that all other groups choose is tried on each group
        r_g, and x̄ ± t s √(1/G + 1/unseen), for the G rates r_g and Student's t of G − 1 degrees of freedom, is their
        prediction interval. It assumes that new groups resemble these, and that rates are about normal.

    References
    ----------
    Hahn & Meeker (1991), Statistical Intervals, §4.8 (a prediction interval for the mean of future observations).
    """
    require.one_of("target", target, TARGETS)
    rate = require.between("rate", rate, 0, 1, open_low=True, open_high=True)
    unseen = require.whole("unseen", unseen, 1)
    value = _choose(d, same, target, rate)
    rates = _errors(d, same, value)
    if groups is None:
        return Threshold(value, *(Rate(one, np.nan, np.nan) for one in rates))
    require.class_labels(groups, len(d), name="groups")
    kinds = np.unique(groups)
    if len(kinds) < 3:
        raise ValueError(f"groups has {len(kinds)} groups: an interval for new classes needs at least 3")
    left_out = np.array(
        [_errors(d[g], same[g], _choose(d[~g], same[~g], target, rate)) for g in kinds[:, None] == groups]
    )
    return Threshold(value, *(_promised(*both, unseen) for both in zip(rates, left_out.T, strict=True)))


def _choose(d: Array, same: Array, target: str, rate: float) -> float:
    needed = int(np.ceil(1 / rate))
    if target == "false-accept" and (different := int((~same).sum())) < needed:
        raise ValueError(
            f"d has {different} different pairs, too few for rate={rate:g}: it takes at least {needed} in all groups "
            "but one. Use more pairs, or a higher rate"
        )
    return TARGETS[target](d, same, rate)


def _errors(d: Array, same: Array, threshold: float) -> tuple[float, float]:
    """The shares of false accepts and of false rejects."""
    if same.all() or not same.any():
        raise ValueError("each group needs pairs of both kinds: same and different")
    accepted = d <= threshold
    return float(accepted[~same].mean()), float((~accepted[same]).mean())


def t_975(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: 12.7 for one degree of freedom, 1.96 for many."""
    return T_975[freedom - 1] if freedom <= len(T_975) else 1.96 + 2.37 / freedom + 2.8 / freedom**2


def _promised(rate: float, others: Array, unseen: int) -> Rate:
    half = t_975(len(others) - 1) * float(others.std(ddof=1)) * np.sqrt(1 / len(others) + 1 / unseen)
    middle = float(others.mean())
    return Rate(rate, max(0.0, middle - half), min(1.0, middle + half))


def _best(d: Array, same: Array, score: str) -> float:
    """The smallest threshold with the most correct pairs, or the largest F1 = 2 TP / (2 TP + FP + FN)."""
    curve = roc(d, same)
    hits, alarms = curve.true_accept * same.sum(), curve.false_accept * (~same).sum()
    scores = hits - alarms if score == "accuracy" else 2 * hits / (hits + alarms + same.sum())
    return float(curve.thresholds[int(np.argmax(scores))])


TARGETS = {
    "false-accept": threshold_at,
    "equal-error": lambda d, same, rate: equal_error(d, same).threshold,
    "accuracy": lambda d, same, rate: _best(d, same, "accuracy"),
    "f1": lambda d, same, rate: _best(d, same, "f1"),
}


class Calibration(NamedTuple):
    """P(same | d) = σ(offset − slope · d)."""

    slope: float
    offset: float


@reads_arrays
def calibrate(d: Float[Array, "n"], same: Bool[Array, "n"], prior: float = 0.5) -> Calibration:
    """Fit P(same | d) = σ(offset − slope · d) to pairs of held-out classes, by maximum likelihood.

    Parameters
    ----------
    d, same
        (n,) distances, and whether both images of each pair have the same class. Both kinds of pairs are needed.
    prior
        The share of same pairs among the pairs that will be verified, in (0, 1). The two kinds are weighted
        accordingly, whatever their shares here.

    Notes
    -----
    The targets are Platt's, (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) instead of 1 and 0, so the fit is finite where a
    threshold separates the pairs. Newton's method; the likelihood is concave.

    References
    ----------
    Platt 1999, Probabilistic outputs for support vector machines; Lin, Lin & Weng 2007, A note on Platt's
    probabilistic outputs, Machine Learning 68.
    """
    roc(d, same)  # checks both
    prior = require.between("prior", prior, 0, 1, open_low=True, open_high=True)
    x = d.astype(np.float64)
    centre, scale = float(x.mean()), float(x.std()) or 1.0
    X = np.stack([np.ones(len(x)), (x - centre) / scale], axis=1)
    counts = np.where(same, same.sum(), (~same).sum())
    target = np.where(same, (counts + 1) / (counts + 2), 1 / (counts + 2))
    weight = np.where(same, prior, 1 - prior) / counts
    w = np.zeros(2)
    for _ in range(STEPS):
        p = sigmoid(X @ w)
        gradient = X.T @ (weight * (p - target))
        hessian = (X.T * (weight * p * (1 - p))) @ X + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        w -= step * min(1.0, 2.0 / (np.abs(step).max() or 1.0))  # far away a full step overshoots
        if np.abs(step).max() < 1e-10:
            break
    return Calibration(-w[1] / scale, w[0] - w[1] * centre / scale)


@reads_arrays
def probability(calibration: Calibration, d: Float[Array, "n"]) -> Float[Array, "n"]:
    """P(same | d) in [0, 1] for (n,) distances."""
    require.finite(d=d)
    return sigmoid(calibration.offset - calibration.slope * np.asarray(d, np.float64))
