"""Definitions of the losses with an angular margin."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import COSINES, TARGETS, anchors, each_way, log_softmax, lse, reduce, reduce_pairs


def _ends(D, labels, **_):
    return np.array([D[i, p] * (2 - D[i, p]) for i, positives, _ in anchors(labels) for p in positives])


@specify(_ends, sizes={"n": (3, 5)}, **COSINES, cases=each_way({"scale": 8.0}, {"margin": 30.0, "scale": 2.0}))
def tuplet_margin(D, labels, margin=5.73, scale=64.0, reduction="mean"):  # noqa: D103
    def term(i, p, negatives):
        eased = np.cos(np.arccos(1 - D[i, p]) - np.deg2rad(margin))
        return lse([0.0, *(scale * (1 - D[i, n] - eased) for n in negatives)])

    return reduce_pairs(
        [[term(i, p, negatives) for p in positives] for i, positives, negatives in anchors(labels)], reduction
    )


@specify(sizes={"n": (3, 5)}, scales=(-1, 0), unit=1.0, cases=each_way({}, {"angle": 20.0}))
def angular(D, labels, angle=40.0, reduction="mean"):  # noqa: D103
    tan2 = np.tan(np.deg2rad(angle)) ** 2

    def term(a, p, negatives):
        f = lambda n: 4 * tan2 * ((1 - D[a, n]) + (1 - D[p, n])) - 2 * (1 + tan2) * (1 - D[a, p])
        return lse([0.0, *(f(n) for n in negatives)])

    return reduce(
        np.array([term(a, p, negatives) for a, positives, negatives in anchors(labels) for p in positives]), reduction
    )


def _targets(D, targets):
    return np.array([D[i, t] for i, t in enumerate(targets)])


@specify(
    lambda D, targets, margin=28.6, **_: np.array(
        [(d * (2 - d)) * (np.arccos(1 - d) + np.deg2rad(margin) - np.pi) for d in _targets(D, targets)]
    ),
    sizes=TARGETS["sizes"],
    **COSINES,
    cases=each_way({"scale": 8.0}, {"margin": 70.0, "scale": 2.0}),
)
def arcface(D, targets, margin=28.6, scale=64.0, reduction="mean"):  # noqa: D103
    m = np.deg2rad(margin)

    def term(d, t):
        angle = np.arccos(1 - d[t])
        right = np.cos(angle + m) if angle <= np.pi - m else 1 - d[t] - m * np.sin(m)
        return log_softmax([scale * right, *(scale * (1 - d[j]) for j in range(len(d)) if j != t)], 0)

    return reduce(np.array([term(d, t) for d, t in zip(D, targets)]), reduction)  # noqa: B905
