"""The kinks of the losses on histograms."""

from __future__ import annotations

import numpy as np

from .table import FAR, INACTIVE, UPSIDE_DOWN, Z3, batch, numbers, on, pairs, whole

ROWS = [
    batch(
        "histogram",
        "collapsed at 0, the last node: 1, and the slope of the bin before it",
        Z3,
        1,
        whole(0, -0.125),
        bins=1,
    ),
    batch("histogram", "collapsed at 2, the first node: 1", np.full((3, 3), 2), 1, whole(0.25, 0), bins=1),
    batch(
        "histogram",
        "collapsed on a node: the slope of the bin above it in similarity",
        np.ones((3, 3)),
        1,
        whole(0.5, 0),
        bins=2,
    ),
    batch(
        "histogram",
        "collapsed between two nodes: 1 − p (1 − n) with p = n = ½",
        np.ones((3, 3)),
        0.75,
        whole(0.125, -0.0625),
        bins=1,
    ),
    batch("histogram", "all in order: 0", whole(0, 2), 0, whole(0.25, -0.125), bins=1),
    batch("histogram", "outside [0, 2]: as at the end, slope 0", whole(-1, 3), 0, Z3, bins=1),
    batch("histogram", "10⁴ away: as at the end, slope 0", whole(FAR, -FAR), 1, Z3),
    on(
        "histogram",
        "two images without a positive: their pair is left out",
        np.ones((4, 4)),
        0.75,
        numbers([0, 4, -1, -1], [4, 0, -1, -1], [-1, -1, 0, 0], [-1, -1, 0, 0]) / 32,
        labels=[0, 0, 1, 2],
        bins=1,
    ),
    batch("fast_ap", "collapsed on a node: ½, slope 0; without a positive no anchor", Z3, 0.5, Z3),
    batch(
        "fast_ap",
        "collapsed between two nodes: ½, and no longer flat",
        np.ones((3, 3)),
        0.5,
        pairs(1 / 16, -1 / 16),
        bins=1,
        largest=2.0,
    ),
    batch(
        "fast_ap",
        "beyond the last node: the triangle of its end",
        np.full((3, 3), 2.5),
        0.625,
        pairs(3 / 16, -1 / 16),
        bins=1,
        largest=2.0,
    ),
    batch(
        "fast_ap",
        "mean_active: one of two is active",
        numbers([0, 0, 4], [0, 0, 0], [4, 4, 0]),
        0.5,
        Z3,
        reduction="mean_active",
    ),
    batch("fast_ap", "mean_active, collapsed on a node: both", Z3, 0.5, Z3, reduction="mean_active"),
    batch("fast_ap", "all in order on the end nodes: 0, slope 0", whole(0, 4), 0, Z3),
    batch("fast_ap", "positives 10⁴ away, outside: 1 and flat", UPSIDE_DOWN, 1, Z3),
    batch("fast_ap", "all 10⁴ away, outside: 1 and flat", np.full((3, 3), FAR), 1, Z3),
    batch("fast_ap", "an anchor without a positive: 0 in “none”", Z3, numbers(0.5, 0.5, 0), Z3, reduction="none"),
    batch("fast_ap", INACTIVE, whole(0, 4), 0, Z3, reduction="mean_active"),
]
