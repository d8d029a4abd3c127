"""Definitions of the losses that weight the pairs of a batch against each other."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import BATCH, anchors, each_way, lse, reduce, reduce_anchors


def _lifted_sums(D, labels, margin):
    far = [[margin - D[i, n] for n in negatives] for i, _, negatives in anchors(labels)]
    return [D[i, j] + lse(far[i] + far[j]) for i, positives, _ in anchors(labels) for j in positives]


@specify(
    lambda D, labels, margin=1.0, **_: np.array(_lifted_sums(D, labels, margin)),
    **BATCH,
    cases=each_way({}, {"margin": 0.3}),
)
def lifted(D, labels, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, np.array(_lifted_sums(D, labels, margin))) ** 2 / 2, reduction)


def _generalised(D, labels, margin=1.0, **_):
    return np.array(
        [
            lse([D[i, p] for p in positives]) + lse([margin - D[i, n] for n in negatives])
            for i, positives, negatives in anchors(labels)
        ]
    )


@specify(_generalised, **BATCH, cases=each_way({}, {"margin": 0.3}))
def generalised_lifted(D, labels, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, _generalised(D, labels, margin)), reduction)


@specify(
    sizes={"n": (3, 5)}, scales=(-1, 0), unit=1.0, cases=each_way({}, {"alpha": 3.0, "beta": 5.0, "threshold": 0.3})
)
def multi_similarity(D, labels, alpha=2.0, beta=50.0, threshold=0.5, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        near = lse([0.0, *(alpha * (D[i, p] - threshold) for p in positives)]) / alpha
        return near + lse([0.0, *(beta * (threshold - D[i, n]) for n in negatives)]) / beta

    return reduce(np.array([term(*a) for a in anchors(labels)]), reduction)


def _until_rest(D, labels, margin=0.4, **_):
    return np.where(labels[:, None] == labels, D + margin, 1 + margin - D)


def _weights(D, labels, detached=True, **rest):
    return {"weights": np.maximum(0, _until_rest(D, labels, **rest))} if detached else {}


@specify(
    _until_rest,
    sizes={"n": (3, 5)},
    scales=(-1, 0),
    unit=1.0,
    reach=0.8,
    cases=(
        *each_way({"scale": 8.0}, {"margin": 0.25, "scale": 2.0}),
        *each_way({"scale": 8.0, "detached": False}, {"margin": 0.25, "scale": 2.0, "detached": False}),
    ),
    held=_weights,
)
def circle(D, labels, margin=0.4, scale=80.0, detached=True, reduction="mean", weights=None):  # noqa: D103
    weights = np.maximum(0, _until_rest(D, labels, margin)) if weights is None else weights

    def term(i, positives, negatives):
        near = [scale * weights[i, p] * (D[i, p] - margin) for p in positives]
        far = [scale * weights[i, n] * (1 - margin - D[i, n]) for n in negatives]
        return np.logaddexp(0, lse(near) + lse(far))

    return reduce_anchors([term(*a) if a[1] and a[2] else None for a in anchors(labels)], reduction)
