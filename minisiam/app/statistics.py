"""Means of a few runs, and which of them differ: Student's t, McNemar's test, both exact, and Holm's correction."""

from __future__ import annotations

from math import atan, comb, cos, inf, nan, pi, sin, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Array, Bool


def t_within(t: float, freedom: int) -> float:
    """P(|T| ≤ t) of Student's t with ν degrees of freedom, a finite sum.

    With θ = arctan(t / √ν) it is, for odd and for even ν,

        (2/π) (θ + sin θ (cos θ + 2/3 cos³θ + … + (2·4⋯(ν − 3))/(1·3⋯(ν − 2)) cos^(ν−2) θ)),
        sin θ (1 + 1/2 cos²θ + (1·3)/(2·4) cos⁴θ + … + (1·3⋯(ν − 3))/(2·4⋯(ν − 2)) cos^(ν−2) θ).

    Parameters
    ----------
    t, freedom
        t ≥ 0, and ν ≥ 1.

    References
    ----------
    Abramowitz, Stegun 1964, equations 26.7.3 and 26.7.4.
    """
    require.whole("freedom", freedom, 1)
    if t == inf:
        return 1.0
    theta = atan(require.between("t", t, 0) / sqrt(freedom))
    odd = freedom % 2
    term, total = (cos(theta) if odd else 1.0), 0.0
    for power in range(1 + odd, freedom, 2):  # the numerator of the next factor
        total += term
        term *= power / (power + 1) * cos(theta) ** 2
    return 2 / pi * (theta + sin(theta) * total) if odd else sin(theta) * total


def t_quantile(level: float, freedom: int) -> float:
    """The t with P(|T| ≤ t) = level, in [0, 1): half the width of an interval, in standard errors."""
    level = require.between("level", level, 0, 1, open_high=True)
    low, high = 0.0, 1.0
    while t_within(high, freedom) < level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, freedom) < level else (low, middle)
    return high


class Mean(NamedTuple):
    """A mean of runs and half the width of its interval, NaN where there is one run."""

    value: float
    half: float


def mean(values: Sequence[float], level: float = 0.95) -> Mean:
    """x̄ ± t · s / √n, t being Student's with n − 1 degrees of freedom.

    Parameters
    ----------
    values
        n ≥ 1 results of runs that differ in their seed alone.
    level
        How often such an interval holds the mean over all seeds, if they are normal.
    """
    x = np.asarray(values, float)
    require.rows(values=x)
    half = t_quantile(level, len(x) - 1) * float(x.std(ddof=1)) / sqrt(len(x)) if len(x) > 1 else nan
    return Mean(float(x.mean()), half)


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p-value of a paired t-test, t = d̄ √n / s with d = a − b.

    Parameters
    ----------
    a, b
        n results each, of the same seeds in the same order. Fewer than two tell nothing: p = 1. Where all differences
        are equal p is 0, or 1 if they are 0.
    """
    if len(a) != len(b):
        raise ValueError(f"a paired test compares run by run, and there are {len(a)} and {len(b)}: take common seeds")
    d = np.asarray(a, float) - np.asarray(b, float)
    if len(d) < 2 or not d.any():
        return 1.0
    error = float(d.std(ddof=1)) / sqrt(len(d))
    return 1 - t_within(abs(float(d.mean())) / error if error else inf, len(d) - 1)


class McNemar(NamedTuple):
    """Questions that only the first model answers correctly, only the second, and the two-sided p-value."""

    first: int
    second: int
    p: float


def mcnemar(first: Bool[Array, "..."], second: Bool[Array, "..."]) -> McNemar:
    """Do two models that answer the same questions differ? McNemar's test, exact.

    Questions that both or neither answer correctly do not matter. If the models are equally good, each of the n others
    is decided by a fair coin, and the p-value is the probability that the coins fall as unequally as they did, or more:
    min(1, 2 Σ_{i ≤ k} C(n, i) / 2ⁿ), k being the smaller of the two counts.

    Parameters
    ----------
    first, second
        Booleans of one shape: which questions each model answers correctly. The questions count as independent; where
        they come in units, compare the units' accuracies by `paired_p` as well.

    References
    ----------
    McNemar 1947, Note on the sampling error of the difference between correlated proportions or percentages.
    """
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape or one.dtype != bool or other.dtype != bool:
        raise ValueError(
            f"first and second must be booleans of one shape, not {one.dtype} {one.shape} and {other.dtype} "
            f"{other.shape}: first == right"
        )
    only = int((one & ~other).sum()), int((~one & other).sum())
    n = sum(only)
    p = min(1.0, 2 * sum(comb(n, i) for i in range(min(only) + 1)) / 2**n)
    return McNemar(*only, p)


def holm(p: Sequence[float]) -> list[float]:
    """p-values of m questions asked together, corrected: below α each, the chance of any false alarm is below α.

    In rising order p₍ᵢ₎ becomes max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎); returned in the order given.

    References
    ----------
    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    raw = np.asarray(p, float)
    order = np.argsort(raw, kind="stable")
    corrected = np.empty(len(raw))
    corrected[order] = np.maximum.accumulate(np.minimum(1, raw[order] * np.arange(len(raw), 0, -1)))
    return corrected.tolist()
