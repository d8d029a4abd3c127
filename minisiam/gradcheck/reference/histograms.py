"""Definitions of the losses on histograms of distances."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import COSINES, anchors, each_way, reduce_anchors


def _triangle(x, node):
    return np.maximum(0, 1 - np.abs(x - node))


def _nodes(D, bins, width):
    """The offset of every distance from the nearest node of the grid."""
    return (D * bins / width) - np.round(D * bins / width)


@specify(
    lambda D, labels, bins=100: _nodes(D, bins, 2),
    sizes={"n": (3, 5)},
    **COSINES,
    cases=({"bins": 4}, {"bins": 1}, {"bins": 3}),
)
def histogram(D, labels, bins=100):  # noqa: D103
    shares = lambda d: np.array([np.sum(_triangle((2 - d) * bins / 2, node)) / len(d) for node in range(bins + 1)])
    alone = {i for i, positives, _ in anchors(labels) if not positives}
    positive = shares(np.array([D[i, p] for i, positives, _ in anchors(labels) for p in positives]))
    negative = shares(
        np.array([D[i, n] for i, _, negatives in anchors(labels) for n in negatives if not {i, n} <= alone])
    )
    return sum(negative[q] * positive[r] for q in range(bins + 1) for r in range(q + 1))


@specify(
    lambda D, labels, bins=10, largest=4.0, **_: _nodes(D, bins, largest),
    sizes={"n": (3, 5)},
    domain=(0.0, 4.0),
    unit=1.0,
    # an AP of 1 leaves terms of 10⁻¹⁶, which mean_active would count here
    cases=tuple(c for c in each_way({}, {"bins": 3, "largest": 5.0}) if c["reduction"] != "mean_active"),
)
def fast_ap(D, labels, bins=10, largest=4.0, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        place = lambda j: D[i, j] * bins / largest
        h_positive = [sum(_triangle(place(j), b) for j in positives) for b in range(bins + 1)]
        h = [sum(_triangle(place(j), b) for j in positives + negatives) for b in range(bins + 1)]
        rows = [(h_positive[b] * sum(h_positive[: b + 1]), sum(h[: b + 1])) for b in range(bins + 1)]
        return 1 - sum(above / below for above, below in rows if below > 0) / len(positives)

    return reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)
