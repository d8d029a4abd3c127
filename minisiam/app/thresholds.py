"""The thresholds of verification that a run promises, and its calibration, from pairs of its validation set."""

from __future__ import annotations

from math import ceil, isfinite, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import samplers
from .._gram import slices
from ..evaluate import Calibration, Rate, Threshold, calibrate, choose_threshold

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..typing import Array, Params
    from .build import Method

COUNT = 20_000  # pairs
CHUNK = 1000  # pairs that are compared at a time
RATES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
DEFAULT = "false-accept 0.01"
TARGETS: dict[str, tuple[str, float]] = {
    **{name: (name, 0.5) for name in ("equal-error", "accuracy", "f1")},
    **{f"false-accept {rate:g}": ("false-accept", rate) for rate in RATES},
}


class Pairs(NamedTuple):
    """(n,) distances of random pairs of images, whether both have one class, and the row of each image."""

    d: Array
    same: Array
    first: Array
    second: Array


def draw_pairs(method: Method, params: Params, data: Dataset, count: int) -> Pairs:
    """Random pairs, half of them of one class, the others of two classes of one alphabet. An image is embedded once."""
    rng = np.random.default_rng(1)
    first, second, same = next(samplers.pair_indices(data.labels, rng, count, groups=data.groups))
    rows, place = np.unique([first, second], return_inverse=True)
    z = method.embed(params, method.prepare(data.images[rows]))
    one, other = place.reshape(2, -1)
    learned = params["distance"]
    d = [method.distance(z[one[some]], z[other[some]], *learned)[0] for some in slices(len(one), 1, CHUNK)]
    return Pairs(np.concatenate(d), same, first, second)


def of_validation(method: Method, params: Params, data: Dataset) -> dict[str, Any]:
    """The thresholds of all targets and the calibration, as report.json has them.

    Without an interval if the pairs have fewer than three groups; "missing" says why a target has no threshold.
    """
    pairs = draw_pairs(method, params, data, COUNT)
    kind = "alphabets" if data.has_alphabets else "classes"
    groups = (data.groups if data.has_alphabets else data.labels)[pairs.first]
    complete = np.isin(groups, np.intersect1d(groups[pairs.same], groups[~pairs.same]))
    count = len(np.unique(groups[complete]))
    if count >= 3:
        pairs, groups = Pairs(*(part[complete] for part in pairs)), groups[complete]
    different = _different(pairs, groups if count >= 3 else None)
    found, missing = {}, {}
    for name, (target, rate) in TARGETS.items():
        needed = ceil(1 / rate) if target == "false-accept" else 1
        if different < needed:
            where = f" in all {kind} but one" if count >= 3 else ""
            missing[name] = (
                f"it needs {needed:,} different pairs of validation images{where}, and there are {different:,}"
            )
            continue
        one = choose_threshold(pairs.d, pairs.same, groups if count >= 3 else None, target, rate)
        if isfinite(one.value):
            found[name] = {
                "value": one.value,
                "false_accept": _as_json(one.false_accept),
                "false_reject": _as_json(one.false_reject),
            }
        else:
            missing[name] = "every threshold that accepts a pair accepts too many different pairs"
    return {
        "thresholds": found,
        "missing": missing,
        "calibration": calibrate(pairs.d, pairs.same)._asdict(),
        "groups": {"kind": kind, "count": count},
    }


def _different(pairs: Pairs, groups: Array | None) -> int:
    """How many pairs of two classes there are, each counted once, in all groups but the largest."""
    both = np.sort([pairs.first[~pairs.same], pairs.second[~pairs.same]], axis=0)
    _, once = np.unique(both, axis=1, return_index=True)
    return len(once) - (
        int(np.unique(groups[~pairs.same][once], return_counts=True)[1].max()) if groups is not None else 0
    )


def _as_json(rate: Rate) -> dict[str, Any]:
    return {"rate": rate.rate, "interval": [rate.low, rate.high] if isfinite(rate.low) else None}


def from_json(verification: dict[str, Any]) -> tuple[dict[str, Threshold], Calibration]:
    """The thresholds by name, and the calibration, of a report."""
    found = {
        name: Threshold(one["value"], *(_rate(one[kind]) for kind in ("false_accept", "false_reject")))
        for name, one in verification["thresholds"].items()
    }
    return found, Calibration(**verification["calibration"])


def _rate(stored: dict[str, Any]) -> Rate:
    return Rate(stored["rate"], *(stored["interval"] or (nan, nan)))
