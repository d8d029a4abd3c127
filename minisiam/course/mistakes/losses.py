"""Mistakes in lessons 04 to 07: losses on pairs and triplets, verification, and the layers of a convnet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate
from . import common, norms

if TYPE_CHECKING:
    from .common import Mistakes


def next_above(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """The next larger distance."""
    curve = evaluate.roc(d, same)
    return float(
        curve.thresholds[min(np.flatnonzero(curve.false_accept <= false_accept)[-1] + 1, len(curve.thresholds) - 1)]
    )


def strictly_below(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """The share of false accepts must be below the given one, although it may be equal."""
    curve = evaluate.roc(d, same)
    return float(curve.thresholds[np.flatnonzero((curve.false_accept < false_accept) | (curve.false_accept == 0))[-1]])


MISTAKES: Mistakes = {
    "contrastive": common.GRADIENT
    | common.MEAN
    | {"hinge missing": common.contrastive_without_hinge, "divided by active terms": common.divided_by_active},
    "triplet": common.GRADIENT
    | common.MEAN
    | common.SECOND
    | {"hinge missing": common.triplet_without_hinge, "divided by active terms": common.divided_by_active},
    "soft-margin": common.GRADIENT | common.MEAN | common.SECOND | {"overflow": common.overflow},
    "cross-entropy": common.GRADIENT | common.MEAN | {"overflow": common.overflow},
    "threshold": {
        "next larger distance": lambda _: next_above,
        "strictly below": lambda _: strictly_below,
        "same pairs counted": lambda op: lambda d, same, false_accept: op(d, ~same, false_accept),
        "largest distance": lambda _: lambda d, same, false_accept: float(d.max()),
    },
    "convolution": common.GRADIENT | {
        "bias missing": common.no_bias,
        "kernel flipped": common.changed(lambda _, g: (g[0], g[1][::-1, ::-1], g[2])),
    },
    "max-pool": common.GRADIENT | {"shared among ties": common.equal_points_not_handled},
    "batch-norm": common.GRADIENT | {
        "statistics taken for constants": norms.instead(norms.norm(norms.over_batch, norms.constant_statistics)),
        "only the mean is subtracted": norms.instead(norms.norm(norms.over_batch, norms.constant_deviation)),
        "scale missing in dx": norms.instead(norms.norm(norms.over_batch, norms.scale_missing)),
        "divided by n − 1": norms.instead(norms.norm(norms.over_batch, unbiased=True)),
        "statistics of each example": norms.instead(norms.norm(norms.over_example)),
    },
    "group-norm": common.GRADIENT | {
        "statistics taken for constants": norms.instead(norms.norm(norms.over_group, norms.constant_statistics)),
        "scale after the means": norms.instead(norms.norm(norms.over_group, norms.scale_last)),
        "statistics of the batch": norms.instead(norms.norm(norms.over_batch)),
        "statistics of each example": norms.instead(norms.norm(norms.over_example)),
        "every other channel": norms.instead(norms.norm(norms.over_strided_group)),
    },
}  # fmt: skip
