"""The kinks of the layers."""

from __future__ import annotations

import numpy as np

from .table import FAR, ONE, ROW0, numbers, row


def image(*rows):
    """One image of one channel."""
    return numbers(*rows)[None, :, :, None]


ROWS = [
    row("ops.relu", "x = 0: slope 0 (autograd ½)", [numbers(0)], numbers(0), [numbers(0)], ONE),
    row("ops.relu", "x = −0: slope 0", [numbers(-0.0)], numbers(0), [numbers(0)], ONE),
    row("ops.relu", "x is the least positive number: slope 1", [numbers(5e-324)], numbers(5e-324), [numbers(1)], ONE),
    row("ops.leaky_relu", "x = 0: the slope of the left", [numbers(0)], numbers(0), [numbers(0.01)], ONE),
    row("ops.leaky_relu", "x = 0 and slope 1: no kink is left", [numbers(0)], numbers(0), [numbers(1)], ONE, slope=1.0),
    row("ops.leaky_relu", "x < 0 and slope 0: a relu", [numbers(-2)], numbers(0), [numbers(0)], ONE, slope=0.0),
    row("ops.prelu", "x = 0: the slope of the left", [numbers(0), 0.3], numbers(0), [numbers(0.3), 0.0], ONE),
    row(
        "ops.prelu", "slope 0: a relu whose slope still learns", [numbers(-2), 0.0], numbers(0), [numbers(0), -2.0], ONE
    ),
    row("ops.tanh", "x = ±10⁴: saturated", [numbers(-FAR, FAR)], numbers(-1, 1), [numbers(0, 0)], numbers(1, 1)),
    row("ops.sigmoid", "x = 0: exactly ½", [numbers(0)], numbers(0.5), [numbers(0.25)], ONE),
    row(
        "ops.sigmoid",
        "x = ±10⁴: saturated, no overflow",
        [numbers(-FAR, FAR)],
        numbers(0, 1),
        [numbers(0, 0)],
        numbers(1, 1),
    ),
    row("ops.normalize", "x = 0: no direction, no gradient (autograd NaN)", [ROW0], ROW0, [ROW0], numbers([1, 2])),
    row("ops.normalize", "‖x‖ below √tiny: taken for 0", [numbers([1e-200, 0])], ROW0, [ROW0], numbers([1, 2])),
    row(
        "ops.normalize",
        "‖x‖ = √tiny: the last that is taken for 0",
        [numbers([2.0**-511, 0])],
        ROW0,
        [ROW0],
        numbers([1, 2]),
    ),
    row(
        "ops.normalize", "one feature: ±1 and no gradient", [numbers([-3])], numbers([-1]), [numbers([0])], numbers([1])
    ),
    row(
        "ops.normalize",
        "a zero row beside another",
        [numbers([0, 0], [0, 2])],
        numbers([0, 0], [0, 1]),
        [numbers([0, 0], [0.5, 0])],
        numbers([1, 1], [1, 1]),
    ),
    row(
        "ops.max_pool",
        "all four tie: the first (autograd ¼ each)",
        [image([1, 1], [1, 1])],
        image([1]),
        [image([1, 0], [0, 0])],
        image([1]),
    ),
    row(
        "ops.max_pool",
        "the last two tie: the first of them",
        [image([0, 1], [2, 2])],
        image([2]),
        [image([0, 0], [1, 0])],
        image([1]),
    ),
    row(
        "ops.max_pool",
        "an edge that fills no block",
        [image([1, 2, 9], [3, 4, 9], [9, 9, 9])],
        image([4]),
        [image([0, 0, 0], [0, 1, 0], [0, 0, 0])],
        image([1]),
    ),
    row(
        "ops.dropout",
        "everything is dropped",
        [numbers([2])],
        numbers([0]),
        [numbers([0])],
        numbers([1]),
        keep=np.array([[False]]),
    ),
    row(
        "ops.dropout",
        "rate 0: nothing changes",
        [numbers([2])],
        numbers([2]),
        [numbers([1])],
        numbers([1]),
        keep=np.array([[True]]),
        rate=0.0,
    ),
]
