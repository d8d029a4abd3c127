"""Definitions of the losses on triplets."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import each_way, reduce


@specify(lambda positive, negative, margin=1.0, **_: positive - negative + margin, cases=each_way({}, {"margin": 0.3}))
def triplet_hinge(positive, negative, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, positive - negative + margin), reduction)


@specify(unit=1.0, cases=each_way({}, {"margin": 0.3}))
def triplet_soft_margin(positive, negative, margin=0.0, reduction="mean"):  # noqa: D103
    return reduce(np.logaddexp(0, positive - negative + margin), reduction)


@specify(scales=(-8, 2), unit=1.0, cases=each_way({}))
def triplet_ratio(positive, negative, reduction="mean"):  # noqa: D103
    total = np.exp(positive) + np.exp(negative)
    return reduce((np.exp(positive) / total) ** 2 + (np.exp(negative) / total - 1) ** 2, reduction)
