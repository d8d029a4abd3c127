"""Definitions of the losses on pairs."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import each_way, reduce


@specify(corner=lambda d, same, margin=1.0, **_: np.where(same, d, margin - d), cases=each_way({}, {"margin": 0.3}))
def contrastive(d, same, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, d**2, np.maximum(0, margin - d) ** 2) / 2, reduction)


MARGINS = {"positive_margin": 0.3, "negative_margin": 2.0}


@specify(
    lambda d, same, positive_margin=0.2, negative_margin=1.0, **_: np.where(
        same, d - positive_margin, negative_margin - d
    ),
    cases=each_way({}, MARGINS),
)
def double_margin(d, same, positive_margin=0.2, negative_margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(
        np.where(same, np.maximum(0, d - positive_margin), np.maximum(0, negative_margin - d)) ** 2 / 2, reduction
    )


@specify(
    lambda d, same, positive_margin=0.0, negative_margin=1.0, **_: np.where(
        same, d - positive_margin, negative_margin - d
    ),
    cases=each_way({}, MARGINS),
)
def pair_hinge(d, same, positive_margin=0.0, negative_margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, np.maximum(0, d - positive_margin), np.maximum(0, negative_margin - d)), reduction)


def _boundary(d, beta, same, margin=0.2, **_):
    return np.where(same, d - beta, beta - d) + margin


@specify(_boundary, cases=each_way({}, {"margin": 1.3}))
def margin_loss(d, beta, same, margin=0.2, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, _boundary(d, beta, same, margin)), reduction)


@specify(lambda d, same, margin=0.0, **_: np.where(same, d, 1 - d - margin), cases=each_way({}, {"margin": 0.3}))
def cosine_embedding(d, same, margin=0.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, d, np.maximum(0, 1 - d - margin)), reduction)


@specify(unit=1.0, cases=each_way({}))
def binary_cross_entropy(logits, same, reduction="mean"):  # noqa: D103
    return reduce(
        np.where(same, np.logaddexp(0, -logits), np.logaddexp(0, logits)), reduction
    )  # −log σ(x) = log(1 + e⁻ˣ)
