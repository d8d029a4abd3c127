"""Means of a few runs and paired tests: Student's t from SciPy, and Holm's correction."""

from __future__ import annotations

from math import nan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import require

if TYPE_CHECKING:
    from collections.abc import Sequence


class Mean(NamedTuple):
    """A mean over runs and half the width of its interval, NaN for a single run."""

    value: float
    half: float


def student() -> Any:
    """`scipy.stats`, which only a comparison needs."""
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError("a comparison needs SciPy for its intervals: pip install 'minisiam[benchmark]'") from error
    return stats


def mean(values: Sequence[float], level: float = 0.95) -> Mean:
    """x̄ ± t · s / √n, with Student's t of n − 1 degrees of freedom.

    Parameters
    ----------
    values
        n ≥ 1 results of runs that differ in their seed alone.
    level
        How often such an interval contains the mean over all seeds, if results are normally distributed.
    """
    x = np.asarray(values, float)
    require.rows(values=x)
    if len(x) == 1:
        return Mean(float(x[0]), nan)
    t = student().t.ppf((1 + level) / 2, len(x) - 1)
    return Mean(float(x.mean()), float(t * x.std(ddof=1) / sqrt(len(x))))


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p-value of a paired t-test.

    Parameters
    ----------
    a, b
        n results each, of the same seeds in the same order. With fewer than two p = 1. Where all differences are equal
        p is 0, or 1 if they are 0.
    """
    if len(a) != len(b):
        raise ValueError(f"a paired test compares run by run, and there are {len(a)} and {len(b)}: take common seeds")
    d = np.asarray(a, float) - np.asarray(b, float)
    if len(d) < 2 or not d.any():
        return 1.0
    if np.ptp(d) == 0:
        return 0.0
    return float(student().ttest_1samp(d, 0.0).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """p-values of m tests, corrected: if no difference is real, the probability of any p < α is at most α.

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
