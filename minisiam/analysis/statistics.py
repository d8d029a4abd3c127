"""Intervals over runs, over units of questions and of differences, and paired tests, which use SciPy."""

from __future__ import annotations

from math import nan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require
from ..evaluate import Score, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Array, Bool, Float


class Mean(NamedTuple):
    """A mean over runs and half the width of its interval, NaN for a single run."""

    value: float
    half: float


def load_scipy() -> Any:
    """SciPy, which only paired tests, Student's t and spectral maps need."""
    try:
        import scipy.sparse.linalg
        import scipy.stats
    except ImportError as error:
        remedy = require.how_to_install("benchmark")
        raise ImportError(f"paired tests, Student's t and spectral maps need SciPy: {remedy}") from error
    return scipy


def t_quantile(level: float, freedom: int) -> float:
    """The t with P(|T| ≤ t) = level for Student's t: half the width of an interval, in standard errors."""
    return float(load_scipy().stats.t.ppf((1 + level) / 2, freedom))


def mean(values: Sequence[float], level: float = 0.95) -> Mean:
    """x̄ ± t · s / √n, with Student's t of n − 1 degrees of freedom.

    Parameters
    ----------
    values
        n ≥ 1 results of runs that differ only in their seed.
    level
        How often such an interval contains the mean over all seeds, if results are normally distributed.
    """
    x = np.asarray(values, float)
    require.rows(values=x)
    if len(x) == 1:
        return Mean(float(x[0]), nan)
    return Mean(float(x.mean()), t_quantile(level, len(x) - 1) * float(x.std(ddof=1)) / sqrt(len(x)))


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p-value of a paired t-test.

    Parameters
    ----------
    a, b
        n results each, of the same seeds in the same order. p is 1 if n < 2. If all differences are equal, p is 0, or 1
        if they are 0.
    """
    if len(a) != len(b):
        raise ValueError(
            f"a paired test needs two results per seed, and there are {len(a)} and {len(b)}: use the common seeds"
        )
    d = np.asarray(a, float) - np.asarray(b, float)
    if len(d) < 2 or not d.any():
        return 1.0
    if np.ptp(d) == 0:
        return 0.0
    return float(load_scipy().stats.ttest_1samp(d, 0.0).pvalue)


def clustered(right: Bool[Array, "units questions"], t: float = 1.96) -> Score:
    """Accuracy on questions that come in units, with the 95 % interval over units.

    The questions of one unit (a run, an episode, an alphabet) share their classes and are not independent. The design
    effect, the variance of the units' accuracies over what independent questions would have, k s² / (p̂ (1 − p̂)) for k
    questions a unit, divides the number of questions, and `wilson` is used with that effective size and Student's t of
    units − 1 degrees of freedom. The effect counts as 1 at least, so the interval is never narrower than that of
    independent questions.

    Parameters
    ----------
    right
        (units, questions) booleans, two units or more: which answers are correct.
    t
        The quantile of Student's t with units − 1 degrees of freedom, `scipy.stats.t.ppf(0.975, units − 1)`; 1.96 is
        its limit for many units.

    References
    ----------
    Kish 1965, Survey Sampling, §8.2 (design effect); Korn & Graubard 1998, Confidence intervals for proportions with
    small expected number of positive counts estimated from survey data, Survey Methodology 24 (effective size).
    """
    if right.ndim != 2 or right.dtype != bool:
        raise ValueError(f"right must be (units, questions) booleans, not {right.dtype} {right.shape}: given == wanted")
    units, questions = right.shape
    require.whole("units", units, 2)
    share = float(right.mean())
    independent = share * (1 - share) / questions
    effect = max(1.0, float(right.mean(axis=1).var(ddof=1)) / independent) if independent else 1.0
    return wilson(share, max(1.0, right.size / effect), t)


def difference(a: Score, b: Score) -> tuple[float, float]:
    """The 95 % interval of b − a, for two accuracies with Wilson intervals on independent questions.

        d − √((b − b_low)² + (a_high − a)²)   to   d + √((b_high − b)² + (a − a_low)²),   d = b − a

    On the same questions two good models err on the same ones, and it is wider than it need be.

    References
    ----------
    Newcombe 1998, Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
    method 10.
    """
    d = b.accuracy - a.accuracy
    down = float(np.hypot(b.accuracy - b.low, a.high - a.accuracy))
    up = float(np.hypot(b.high - b.accuracy, a.accuracy - a.low))
    return d - down, d + up


def paired_difference(a: Float[Array, "n"], b: Float[Array, "n"], t: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of the mean of b − a, for n ≥ 2 pairs of values in the same order.

        d̄ − t s / √n   to   d̄ + t s / √n,   d = b − a

    A pair is an episode or a seed. Two networks find the same episodes hard, so it is narrower than the interval that
    `difference` gives. 1.96 is for many pairs; for a few pass Student's t with n − 1 degrees of freedom, 2.78 for five.
    """
    require.same_shape(a=a, b=b)
    require.whole("the number of pairs", len(a), 2)
    d = np.asarray(b, float) - np.asarray(a, float)
    half = t * float(d.std(ddof=1)) / np.sqrt(len(d))
    return float(d.mean() - half), float(d.mean() + half)


class McNemar(NamedTuple):
    """Counts of questions that only the first or only the second model answers correctly, and the two-sided p."""

    first: int
    second: int
    p: float


def mcnemar(first: Bool[Array, "..."], second: Bool[Array, "..."]) -> McNemar:
    """Do two models that answer the same questions differ? McNemar's test, exact.

    Questions that both or neither answer correctly do not matter. If the models are equally good, each of the n others
    is decided by a fair coin, and the p-value is the probability of counts that are at least as unequal:
    min(1, 2 Σ_{i ≤ k} C(n, i) / 2ⁿ), k being the smaller of the two counts.

    Parameters
    ----------
    first, second
        Booleans of one shape: which questions each model answers correctly. The questions count as independent; if
        they form groups, compare the accuracies of the groups by `paired_p` as well.

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
    p = float(load_scipy().stats.binomtest(min(only), n).pvalue) if n else 1.0
    return McNemar(*only, p)


def holm(p: Sequence[float]) -> list[float]:
    """p-values of m tests, corrected: if no difference is real, the probability of any p < α is at most α.

    In ascending order p₍ᵢ₎ becomes max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎); returned in the order given.

    References
    ----------
    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    raw = np.asarray(p, float)
    order = np.argsort(raw, kind="stable")
    corrected = np.empty(len(raw))
    corrected[order] = np.maximum.accumulate(np.minimum(1, raw[order] * np.arange(len(raw), 0, -1)))
    return corrected.tolist()
