"""The kinks of the distances, row by row and as matrices."""

from __future__ import annotations

import numpy as np

from .table import M0, M1, ONE, ROW0, ROW1, numbers, row

ROWS = [
    row("distances.l2", "a = b: slope 0 (autograd NaN)", [ROW1, ROW1], numbers(0), [ROW0, ROW0], ONE),
    row(
        "distances.l2",
        "a = b in one row of two",
        [numbers([1, 0], [0, 4]), numbers([1, 0], [0, 0])],
        numbers(0, 4),
        [numbers([0, 0], [0, 1]), numbers([0, 0], [0, -1])],
        numbers(1, 1),
    ),
    row("distances.squared_l2", "a = b: flat, no kink", [ROW1, ROW1], numbers(0), [ROW0, ROW0], ONE),
    row("distances.l1", "a = b: sign(0) = 0", [ROW1, ROW1], numbers(0), [ROW0, ROW0], ONE),
    row(
        "distances.l1",
        "one feature equal",
        [numbers([0, 3]), ROW0],
        numbers(3),
        [numbers([0, 1]), numbers([0, -1])],
        ONE,
    ),
    row(
        "distances.weighted_l1",
        "a = b: the bias is left",
        [ROW1, ROW1, [2, 3], 0.5],
        numbers(0.5),
        [ROW0, ROW0, numbers(0, 0), 1.0],
        ONE,
    ),
    row(
        "distances.weighted_l1",
        "a negative weight",
        [numbers([2]), numbers([0]), [-3], 0.0],
        numbers(-6),
        [numbers([-3]), numbers([3]), numbers(2), 1.0],
        ONE,
    ),
    row(
        "distances.cosine",
        "a = 0: as far as at a right angle, no gradient (autograd NaN)",
        [ROW0, ROW1],
        numbers(1),
        [ROW0, ROW0],
        ONE,
    ),
    row("distances.cosine", "b = 0", [ROW1, ROW0], numbers(1), [ROW0, ROW0], ONE),
    row("distances.cosine", "a = b = 0", [ROW0, ROW0], numbers(1), [ROW0, ROW0], ONE),
    row(
        "distances.cosine", "‖a‖ below √tiny: taken for 0", [numbers([0, 1e-200]), ROW1], numbers(1), [ROW0, ROW0], ONE
    ),
    row("distances.cosine", "a = b: 0 and flat", [ROW1, ROW1], numbers(0), [ROW0, ROW0], ONE),
    row("distances.cosine", "a = −b: 2 and flat", [ROW1, -ROW1], numbers(2), [ROW0, ROW0], ONE),
    row("distances.dot", "a = 0: flat for b", [ROW0, ROW1], numbers(0), [-ROW1, ROW0], ONE),
    row("distances.dot", "a = b: −‖a‖², no kink", [ROW1, ROW1], numbers(-1), [-ROW1, -ROW1], ONE),
    # matrices
    row("pairwise.l2", "aᵢ = bⱼ: slope 0", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    row(
        "pairwise.l2",
        "a set against itself: an exact zero diagonal",
        [numbers([0], [3]), numbers([0], [3])],
        numbers([0, 3], [3, 0]),
        [numbers([-1], [1]), numbers([-1], [1])],
        np.ones((2, 2)),
    ),
    row(
        "pairwise.l2",
        "aᵢ = bⱼ for one i and another j",
        [numbers([0], [1]), numbers([1], [3])],
        numbers([1, 3], [0, 2]),
        [numbers([-2], [-1]), numbers([1], [2])],
        np.ones((2, 2)),
    ),
    row("pairwise.squared_l2", "aᵢ = bⱼ: flat", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    row("pairwise.l1", "aᵢ = bⱼ: sign(0) = 0", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    row(
        "pairwise.weighted_l1",
        "aᵢ = bⱼ: the bias is left",
        [ROW1, ROW1, [2, 3], 0.5],
        M1 / 2,
        [ROW0, ROW0, numbers(0, 0), 1.0],
        M1,
    ),
    row("pairwise.cosine", "aᵢ = 0: distance 1, no gradient", [ROW0, ROW1], M1, [ROW0, ROW0], M1),
    row("pairwise.cosine", "aᵢ = bⱼ = 0: distance 1, also on the diagonal", [ROW0, ROW0], M1, [ROW0, ROW0], M1),
    row("pairwise.cosine", "bⱼ = 0: distance 1, no gradient", [ROW1, ROW0], M1, [ROW0, ROW0], M1),
    row(
        "pairwise.cosine",
        "aᵢ = 0 beside another row: exactly no gradient",
        [numbers([0, 0], [0.3, 0.4]), numbers([0.3, 0.4])],
        numbers([1], [0]),
        [np.zeros((2, 2)), ROW0],
        numbers([0.7], [0]),
    ),
    row("pairwise.dot", "aᵢ = 0: flat for bⱼ", [ROW0, ROW1], M0, [-ROW1, ROW0], M1),
    row("pairwise.dot", "aᵢ = bⱼ: −‖aᵢ‖², no kink", [ROW1, ROW1], -M1, [-ROW1, -ROW1], M1),
]
