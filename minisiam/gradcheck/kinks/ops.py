"""The kinks of the ops of networks."""

from __future__ import annotations

import numpy as np

from .table import FAR, ONE, ROW0, numbers, row


def image(*rows):
    """One image with one channel."""
    return numbers(*rows)[None, :, :, None]


def kernel(*rows, channels=1):
    """One kernel, the same for every channel."""
    return np.repeat(numbers(*rows)[:, :, None, None], channels, axis=2)


UNEVEN = 0.1 * 2**60  # because of rounding, (3 · UNEVEN) / 3 differs from UNEVEN

ROWS = [
    row("ops.relu", "x = 0: slope 0 (autograd ½)", [numbers(0)], numbers(0), [numbers(0)], ONE),
    row("ops.relu", "x = −0: slope 0", [numbers(-0.0)], numbers(0), [numbers(0)], ONE),
    row("ops.relu", "x is the least positive number: slope 1", [numbers(5e-324)], numbers(5e-324), [numbers(1)], ONE),
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
        "ops.batch_norm",
        "a constant channel: shift, and only the mean of dy is removed",
        [numbers([7, 1], [7, 3]), [3, 1], [5, 0]],
        numbers([5, -(0.8**0.5)], [5, 0.8**0.5]),
        [numbers([6, 0], [-6, 0]), numbers(0, 0), numbers(2, 2)],
        numbers([2, 1], [0, 1]),
        epsilon=0.25,
    ),
    row(
        "ops.batch_norm",
        "two values: ±1 but for ε, and so is what is left of dx",
        [numbers([-1], [1]), [1], [0]],
        numbers([-0.5], [0.5]),
        [numbers([0.375], [-0.375]), numbers(-1), numbers(0)],
        numbers([1], [-1]),
        epsilon=3.0,
    ),
    row(
        "ops.batch_norm",
        "two constant channels, the mean of one of which would be rounded: shift",
        [3 * [[0, UNEVEN]], [1, 1], [4, 5]],
        numbers(*3 * [[4, 5]]),
        [numbers([2, 2], [0, 0], [-2, -2]), numbers(0, 0), numbers(6, 6)],
        numbers([3, 3], [2, 2], [1, 1]),
        epsilon=0.25,
    ),
    row(
        "ops.batch_norm",
        "at test time one row will do, and a variance of 0",
        [numbers([2]), [3], [5]],
        numbers([11]),
        [numbers([6]), numbers(2), numbers(1)],
        ONE[None],
        epsilon=0.25,
        mean=[1.0],
        variance=[0.0],
    ),
    row(
        "ops.group_norm",
        "a constant group: shift; the other group is not affected",
        [numbers([7, 7, 1, 3]), [3, 1, 1, 1], [5, 6, 0, 0]],
        numbers([5, 6, -(0.8**0.5), 0.8**0.5]),
        [numbers([3, -3, 0, 0]), numbers(0, 0, -(0.8**0.5), 0.8**0.5), numbers(1, 0, 1, 1)],
        numbers([1, 0, 1, 1]),
        groups=2,
        epsilon=0.25,
    ),
    row(
        "ops.layer_norm",
        "a constant row, whose mean would be rounded: shift",
        [[3 * [UNEVEN]], [1, 1, 1], [4, 5, 6]],
        numbers([4, 5, 6]),
        [numbers([2, 0, -2]), numbers(0, 0, 0), numbers(3, 2, 1)],
        numbers([3, 2, 1]),
        epsilon=0.25,
    ),
    *(
        row(op, where, [x], y, [dx], image([1]))
        for op in ("ops.max_pool", "fast.pool_2x2")
        for where, x, y, dx in [
            ("all four tie: the first (autograd ¼ each)", image([1, 1], [1, 1]), image([1]), image([1, 0], [0, 0])),
            ("the last two tie: the first of them", image([0, 1], [2, 2]), image([2]), image([0, 0], [1, 0])),
            ("the left two tie: the upper", image([2, 1], [2, 1]), image([2]), image([1, 0], [0, 0])),
            ("a diagonal ties: the upper right", image([0, 2], [2, 1]), image([2]), image([0, 1], [0, 0])),
            (
                "an edge that fills no block",
                image([1, 2, 9], [3, 4, 9], [9, 9, 9]),
                image([4]),
                image([0, 0, 0], [0, 1, 0], [0, 0, 0]),
            ),
        ]
    ),
    row(
        "fast.conv2d_fft",
        "a window of zeros: exactly 0 plus b, without rounding errors of a sum over all frequencies",
        [image([0, 3, 7]), kernel([3]), [0]],
        image([0, 9, 21]),
        [image([3, 3, 3]), kernel([10]), numbers(3)],
        image([1, 1, 1]),
    ),
    row(
        "fast.conv_pool_relu",
        "the largest of four is 0: slope 0 (autograd ½)",
        [image([1, 0], [0, 0]), kernel([2]), [-2]],
        image([0]),
        [image([0, 0], [0, 0]), kernel([0]), numbers(0)],
        image([1]),
    ),
    row(
        "fast.conv_pool_relu",
        "all four tie: the first (autograd ¼ each)",
        [image([1, 1], [1, 1]), kernel([2]), [1]],
        image([3]),
        [image([2, 0], [0, 0]), kernel([1]), numbers(1)],
        image([1]),
    ),
    row(
        "fast.conv_pool_relu",
        "a diagonal of z ties, and is smallest in x: the upper right",
        [image([3, 1], [1, 2]), kernel([-1]), [5]],
        image([4]),
        [image([0, -1], [0, 0]), kernel([1]), numbers(1)],
        image([1]),
    ),
    row(
        "fast.conv_pool_relu",
        "a row and a column that fill no block",
        [image([1, 2, 9], [3, 4, 9], [9, 9, 9]), kernel([2]), [0]],
        image([8]),
        [image([0, 0, 0], [0, 2, 0], [0, 0, 0]), kernel([4]), numbers(1)],
        image([1]),
    ),
    row(
        "fast.conv_pool_relu",
        "black images of five channels and a 3×3 kernel, where four zeros tie: the first",
        [np.zeros((1, 2, 2, 5)), kernel([1, 2, 3], [4, 5, 6], [7, 8, 9], channels=5), [1]],
        image([1]),
        [np.repeat(image([5, 6], [8, 9]), 5, axis=3), np.zeros((3, 3, 5, 1)), numbers(1)],
        image([1]),
        padding="same",
    ),
]
