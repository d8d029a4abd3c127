"""95 % intervals of the numbers in reports, and verdicts that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import evaluate
from ...analysis import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

MET, NOT_MET, CANNOT_TELL = "met", "not met", "cannot tell"
POSITIVE = float(np.nextafter(0, 1))  # the smallest difference that is greater than 0

Report = dict[str, Any]


class Interval(NamedTuple):
    """A 95 % interval, and what it is over, for instance "5 seeds"."""

    low: float
    high: float
    over: str


def verdict(interval: Interval | None, bound: float, higher: bool) -> str:
    """Whether an interval is wholly on the right side of a bound ("met"), wholly on the wrong side, or neither.

    Parameters
    ----------
    interval
        None if the uncertainty is unknown; the verdict is then "cannot tell".
    bound
        The value to reach; the bound itself is on the right side.
    higher
        Whether higher is better.
    """
    if interval is None:
        return CANNOT_TELL
    ends = [end >= bound if higher else end <= bound for end in interval[:2]]
    return MET if all(ends) else CANNOT_TELL if any(ends) else NOT_MET


def widest(intervals_: Sequence[Interval]) -> Interval | None:
    """The interval that decides a verdict."""
    return max(intervals_, key=lambda interval: interval.high - interval.low, default=None)


def metric_of(report: Report, name: str) -> Any:
    """A metric of a report, or what is stored beside it; None if the report does not have it."""
    return report.get("metrics", {}).get(name)


def intervals(metric: str, reports: Sequence[Report]) -> list[Interval]:
    """The intervals of a metric: over seeds if there are several reports, and over alphabets, images or episodes.

    Intervals that each report has are averaged over the reports, end by end.

    Parameters
    ----------
    metric
        A name in the "metrics" of a report. Beside it a report may have "…_by_alphabet", the values whose mean it is;
        "…_of", the number of test images of which it is a share; or "…_interval" and "…_over".
    reports
        One for each seed.
    """
    values = [value for report in reports if (value := metric_of(report, metric)) is not None]
    known = [_student(values, "seeds")] if len(values) > 1 else []
    own = [interval for report in reports if (interval := _of_one_report(metric, report)) is not None]
    if own:
        low, high = (float(np.mean(ends)) for ends in zip(*(interval[:2] for interval in own), strict=True))
        known.append(Interval(low, high, own[0].over))
    return known


def _of_one_report(metric: str, report: Report) -> Interval | None:
    by_alphabet, count, stored = (
        metric_of(report, f"{metric}_{suffix}") for suffix in ("by_alphabet", "of", "interval")
    )
    if by_alphabet and len(by_alphabet) > 1:
        return _student(list(by_alphabet.values()), "alphabets")
    if count:
        score = evaluate.wilson(metric_of(report, metric), count)
        return Interval(score.low, score.high, f"{count:,} test images")
    return Interval(stored[0], stored[1], metric_of(report, f"{metric}_over")) if stored else None


def _student(values: Sequence[float], unit: str) -> Interval:
    mean = statistics.mean(values)
    return Interval(mean.value - mean.half, mean.value + mean.half, f"{len(values)} {unit}")


def differences(metric: str, worse: Sequence[Report], better: Sequence[Report]) -> list[Interval]:
    """The intervals of the difference of a metric between two experiments: over seeds, and over alphabets or images.

    Over common seeds and over common alphabets they are Student's t intervals of the paired differences; over test
    images `statistics.difference`. With several seeds, the value of an alphabet is its mean over them.
    """
    known = []
    seeds = [{report["config"]["seed"]: metric_of(report, metric) for report in some} for some in (worse, better)]
    common = sorted(set(seeds[0]) & set(seeds[1]))
    if len(common) > 1:
        known.append(_student([seeds[1][seed] - seeds[0][seed] for seed in common], "seeds"))
    alphabets = [_by_alphabet(metric, some) for some in (worse, better)]
    if alphabets[0].keys() == alphabets[1].keys() and len(alphabets[0]) > 1:
        known.append(_student([alphabets[1][name] - alphabets[0][name] for name in alphabets[0]], "alphabets"))
    count = [metric_of(some[0], f"{metric}_of") for some in (worse, better)]
    if all(count):
        means = [float(np.mean([metric_of(report, metric) for report in some])) for some in (worse, better)]
        scores = [evaluate.wilson(mean, many) for mean, many in zip(means, count, strict=True)]
        known.append(Interval(*statistics.difference(*scores), f"{count[1]:,} test images"))
    return known


def _by_alphabet(metric: str, reports: Sequence[Report]) -> dict[str, float]:
    """The value of each alphabet, averaged over reports; empty if the reports do not have the same alphabets."""
    values = [metric_of(report, f"{metric}_by_alphabet") or {} for report in reports]
    if any(some.keys() != values[0].keys() for some in values):
        return {}
    return {name: float(np.mean([some[name] for some in values])) for name in values[0]}
