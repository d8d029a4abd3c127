"""The kinks of the losses on triplets, on embeddings and on weights."""

from __future__ import annotations

from math import log

import numpy as np

from .table import FAR, numbers, row

ROWS = [
    # triplets
    row(
        "losses.triplet_hinge",
        "d₊ − d₋ + margin = 0: satisfied, slope 0 (autograd ½)",
        [numbers(1), numbers(2)],
        0,
        [numbers(0), numbers(0)],
    ),
    row(
        "losses.triplet_hinge",
        "d₊ = d₋: a collapsed network's loss is its margin",
        [numbers(0), numbers(0)],
        0.5,
        [numbers(1), numbers(-1)],
        margin=0.5,
    ),
    row(
        "losses.triplet_hinge",
        "margin 0 and d₊ = d₋: satisfied",
        [numbers(1), numbers(1)],
        0,
        [numbers(0), numbers(0)],
        margin=0.0,
    ),
    row(
        "losses.triplet_hinge",
        "one active triplet of two: half a gradient",
        [numbers(3, 0), numbers(0, 3)],
        2,
        [numbers(0.5, 0), numbers(-0.5, 0)],
    ),
    row(
        "losses.triplet_soft_margin",
        "d₊ = d₋: a collapsed network's loss is log 2",
        [numbers(0), numbers(0)],
        log(2),
        [numbers(0.5), numbers(-0.5)],
    ),
    row(
        "losses.triplet_soft_margin",
        "d₊ − d₋ = 10⁴: a straight line, no overflow",
        [numbers(FAR), numbers(0)],
        FAR,
        [numbers(1), numbers(-1)],
    ),
    row("losses.triplet_soft_margin", "d₊ − d₋ = −10⁴: flat", [numbers(0), numbers(FAR)], 0, [numbers(0), numbers(0)]),
    row(
        "losses.triplet_ratio",
        "d₊ = d₋: a collapsed network's loss is ½",
        [numbers(0), numbers(0)],
        0.5,
        [numbers(0.5), numbers(-0.5)],
    ),
    row(
        "losses.triplet_ratio",
        "d₊ − d₋ = 10⁴: wrong, and flat",
        [numbers(FAR), numbers(0)],
        2,
        [numbers(0), numbers(0)],
    ),
    row(
        "losses.triplet_ratio",
        "d₊ − d₋ = −10⁴: right, and flat",
        [numbers(0), numbers(FAR)],
        0,
        [numbers(0), numbers(0)],
    ),
    row(
        "losses.triplet_hinge",
        "mean_active where nothing is active: 0",
        [[0], [1]],
        0,
        [numbers(0), numbers(0)],
        reduction="mean_active",
    ),
    row(
        "losses.triplet_hinge",
        "mean_active: one of two is active, a whole gradient",
        [[3, 0], [0, 3]],
        4,
        [numbers(1, 0), numbers(-1, 0)],
        reduction="mean_active",
    ),
    row(
        "losses.triplet_soft_margin",
        "mean_active where log(1 + e⁻¹⁰⁰⁰⁰) is 0: 0",
        [[0], [FAR]],
        0,
        [numbers(0), numbers(0)],
        reduction="mean_active",
    ),
    # weights
    row("losses.l2_penalty", "W = 0: flat", [numbers(0)], 0, [numbers(0)]),
    row("losses.l2_penalty", "strength 0: free", [numbers(3)], 0, [numbers(0)], strength=0.0),
    # embeddings
    row(
        "losses.vicreg",
        "collapsed: 1 − √ε short in either view, and no gradient",
        [2 * [[3, 4]], 2 * [[3, 4]]],
        12.5,
        2 * [np.zeros((2, 2))],
        epsilon=0.25,
    ),
    row(
        "losses.vicreg",
        "deviation 1: satisfied, slope 0 (autograd ½)",
        2 * [[[-0.5], [0.5]]],
        0,
        2 * [np.zeros((2, 1))],
        epsilon=0.5,
    ),
    row("losses.vicreg", "deviation above 1: satisfied", 2 * [[[-1], [1]]], 0, 2 * [np.zeros((2, 1))]),
    row(
        "losses.vicreg",
        "two equal features",
        2 * [[[0.5, 0.5], [-0.5, -0.5]]],
        0.5,
        2 * [numbers([0.5, 0.5], [-0.5, -0.5])],
        epsilon=0.5,
    ),
    row(
        "losses.vicreg",
        "one feature: nothing to correlate",
        [[[1], [-1]], [[2], [-2]]],
        25,
        [numbers([-25], [25]), numbers([25], [-25])],
        covariance=1e4,
    ),
]
