"""Where the formulas have no derivative, or no value: what each op answers there, to the number.

The rule is PyTorch's, with which autograd does not always agree: at a convex corner the subgradient of least norm,
so 0 at the corner of a hinge and where two points coincide; at a tie the first. Every row is exact: the tests know no
tolerance here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any, NamedTuple

import numpy as np


class Kink(NamedTuple):
    """One row of the table: at these variables and constants, this value and these gradients."""

    op: str
    where: str
    variables: tuple[Any, ...]
    constants: dict[str, Any]
    upstream: Any
    value: Any
    gradients: tuple[Any, ...]


def of(op: Callable[..., Any]) -> list[Kink]:
    """The rows of an op, by its room and name; a function from elsewhere gets those of its namesake."""
    rooms = {row.op.partition(".")[0] for row in TABLE}
    room = next((part for part in reversed(op.__module__.split(".")) if part in rooms), None)
    names = (
        {f"{room}.{op.__name__}"}
        if op.__module__.startswith("minisiam.")
        else {f"{r}.{op.__name__}" for r in rooms - {"pairwise"}}
    )
    return [row for row in TABLE if row.op in names]


def _a(*numbers: Any) -> np.ndarray:
    return np.array(numbers, float)


SAME, DIFFERENT = np.array([True]), np.array([False])
ONE, ROW0, ROW1 = _a(1), _a([0, 0]), _a([1, 0])  # a number; a row of zeros; a row
M0, M1 = np.zeros((1, 1)), np.ones((1, 1))
IMAGE = lambda *rows: _a(*rows)[None, :, :, None]
FAR = 1e4


def _row(
    op: str, where: str, variables: list[Any], value: Any, gradients: list[Any], g: Any = 1.0, **constants: Any
) -> Kink:
    return Kink(op, where, tuple(np.asarray(v, float) for v in variables), constants, g, value, tuple(gradients))


TABLE = [
    # ops
    _row("ops.relu", "x = 0: slope 0 (autograd ½)", [_a(0)], _a(0), [_a(0)], ONE),
    _row("ops.relu", "x = −0: slope 0", [_a(-0.0)], _a(0), [_a(0)], ONE),
    _row("ops.relu", "x is the least positive number: slope 1", [_a(5e-324)], _a(5e-324), [_a(1)], ONE),
    _row("ops.leaky_relu", "x = 0: the slope of the left", [_a(0)], _a(0), [_a(0.01)], ONE),
    _row("ops.leaky_relu", "x = 0 and slope 1: no kink is left", [_a(0)], _a(0), [_a(1)], ONE, slope=1.0),
    _row("ops.leaky_relu", "x < 0 and slope 0: a relu", [_a(-2)], _a(0), [_a(0)], ONE, slope=0.0),
    _row("ops.prelu", "x = 0: the slope of the left", [_a(0), 0.3], _a(0), [_a(0.3), 0.0], ONE),
    _row("ops.prelu", "slope 0: a relu whose slope still learns", [_a(-2), 0.0], _a(0), [_a(0), -2.0], ONE),
    _row("ops.tanh", "x = ±10⁴: saturated", [_a(-FAR, FAR)], _a(-1, 1), [_a(0, 0)], _a(1, 1)),
    _row("ops.sigmoid", "x = 0: exactly ½", [_a(0)], _a(0.5), [_a(0.25)], ONE),
    _row("ops.sigmoid", "x = ±10⁴: saturated, no overflow", [_a(-FAR, FAR)], _a(0, 1), [_a(0, 0)], _a(1, 1)),
    _row("ops.normalize", "x = 0: no direction, no gradient (autograd NaN)", [ROW0], ROW0, [ROW0], _a([1, 2])),
    _row("ops.normalize", "‖x‖ below √tiny: taken for 0", [_a([1e-200, 0])], ROW0, [ROW0], _a([1, 2])),
    _row("ops.normalize", "‖x‖ = √tiny: the last that is taken for 0", [_a([2.0**-511, 0])], ROW0, [ROW0], _a([1, 2])),
    _row("ops.normalize", "one feature: ±1 and no gradient", [_a([-3])], _a([-1]), [_a([0])], _a([1])),
    _row(
        "ops.normalize",
        "a zero row beside another",
        [_a([0, 0], [0, 2])],
        _a([0, 0], [0, 1]),
        [_a([0, 0], [0.5, 0])],
        _a([1, 1], [1, 1]),
    ),
    _row(
        "ops.max_pool",
        "all four tie: the first (autograd ¼ each)",
        [IMAGE([1, 1], [1, 1])],
        IMAGE([1]),
        [IMAGE([1, 0], [0, 0])],
        IMAGE([1]),
    ),
    _row(
        "ops.max_pool",
        "the last two tie: the first of them",
        [IMAGE([0, 1], [2, 2])],
        IMAGE([2]),
        [IMAGE([0, 0], [1, 0])],
        IMAGE([1]),
    ),
    _row(
        "ops.max_pool",
        "an edge that fills no block",
        [IMAGE([1, 2, 9], [3, 4, 9], [9, 9, 9])],
        IMAGE([4]),
        [IMAGE([0, 0, 0], [0, 1, 0], [0, 0, 0])],
        IMAGE([1]),
    ),
    _row("ops.dropout", "everything is dropped", [_a([2])], _a([0]), [_a([0])], _a([1]), keep=np.array([[False]])),
    _row(
        "ops.dropout",
        "rate 0: nothing changes",
        [_a([2])],
        _a([2]),
        [_a([1])],
        _a([1]),
        keep=np.array([[True]]),
        rate=0.0,
    ),
    # distances of rows
    _row("distances.l2", "a = b: slope 0 (autograd NaN)", [ROW1, ROW1], _a(0), [ROW0, ROW0], ONE),
    _row(
        "distances.l2",
        "a = b in one row of two",
        [_a([1, 0], [0, 4]), _a([1, 0], [0, 0])],
        _a(0, 4),
        [_a([0, 0], [0, 1]), _a([0, 0], [0, -1])],
        _a(1, 1),
    ),
    _row("distances.l2", "‖a − b‖² too small to hold: taken for 0", [_a([1e-200, 0]), ROW0], _a(0), [ROW0, ROW0], ONE),
    _row("distances.squared_l2", "a = b: flat, no kink", [ROW1, ROW1], _a(0), [ROW0, ROW0], ONE),
    _row("distances.l1", "a = b: sign(0) = 0", [ROW1, ROW1], _a(0), [ROW0, ROW0], ONE),
    _row("distances.l1", "one feature equal", [_a([0, 3]), ROW0], _a(3), [_a([0, 1]), _a([0, -1])], ONE),
    _row(
        "distances.weighted_l1",
        "a = b: the bias is left",
        [ROW1, ROW1, [2, 3], 0.5],
        _a(0.5),
        [ROW0, ROW0, _a(0, 0), 1.0],
        ONE,
    ),
    _row(
        "distances.weighted_l1",
        "a negative weight",
        [_a([2]), _a([0]), [-3], 0.0],
        _a(-6),
        [_a([-3]), _a([3]), _a(2), 1.0],
        ONE,
    ),
    _row(
        "distances.cosine",
        "a = 0: as far as at a right angle, no gradient (autograd NaN)",
        [ROW0, ROW1],
        _a(1),
        [ROW0, ROW0],
        ONE,
    ),
    _row("distances.cosine", "b = 0", [ROW1, ROW0], _a(1), [ROW0, ROW0], ONE),
    _row("distances.cosine", "a = b = 0", [ROW0, ROW0], _a(1), [ROW0, ROW0], ONE),
    _row("distances.cosine", "‖a‖ below √tiny: taken for 0", [_a([0, 1e-200]), ROW1], _a(1), [ROW0, ROW0], ONE),
    _row("distances.cosine", "a = b: 0 and flat", [ROW1, ROW1], _a(0), [ROW0, ROW0], ONE),
    _row("distances.cosine", "a = −b: 2 and flat", [ROW1, -ROW1], _a(2), [ROW0, ROW0], ONE),
    # distances as matrices
    _row("pairwise.l2", "aᵢ = bⱼ: slope 0", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    _row(
        "pairwise.l2",
        "a set against itself: an exact zero diagonal",
        [_a([0], [3]), _a([0], [3])],
        _a([0, 3], [3, 0]),
        [_a([-1], [1]), _a([-1], [1])],
        np.ones((2, 2)),
    ),
    _row("pairwise.squared_l2", "aᵢ = bⱼ: flat", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    _row("pairwise.l1", "aᵢ = bⱼ: sign(0) = 0", [ROW1, ROW1], M0, [ROW0, ROW0], M1),
    _row(
        "pairwise.weighted_l1",
        "aᵢ = bⱼ: the bias is left",
        [ROW1, ROW1, [2, 3], 0.5],
        M1 / 2,
        [ROW0, ROW0, _a(0, 0), 1.0],
        M1,
    ),
    _row("pairwise.cosine", "aᵢ = 0: distance 1, no gradient", [ROW0, ROW1], M1, [ROW0, ROW0], M1),
    _row("pairwise.cosine", "aᵢ = bⱼ = 0: distance 1, also on the diagonal", [ROW0, ROW0], M1, [ROW0, ROW0], M1),
    _row("pairwise.cosine", "bⱼ = 0: distance 1, no gradient", [ROW1, ROW0], M1, [ROW0, ROW0], M1),
    _row(
        "pairwise.cosine",
        "aᵢ = 0 beside another row: exactly no gradient",
        [_a([0, 0], [0.3, 0.4]), _a([0.3, 0.4])],
        _a([1], [0]),
        [np.zeros((2, 2)), ROW0],
        _a([0.7], [0]),
    ),
    _row("pairwise.l2", "‖aᵢ − bⱼ‖² too small to hold: taken for 0", [_a([1e-200, 0]), ROW0], M0, [ROW0, ROW0], M1),
    # losses on pairs
    _row("losses.contrastive", "d = margin, different: no kink", [_a(1)], 0, [_a(0)], same=DIFFERENT),
    _row("losses.contrastive", "d > margin, different: neglected", [_a(3)], 0, [_a(0)], same=DIFFERENT),
    _row("losses.contrastive", "d = 0, same: at rest", [_a(0)], 0, [_a(0)], same=SAME),
    _row(
        "losses.contrastive",
        "d = 0, different: the largest push, though L2 has no direction for it",
        [_a(0)],
        2,
        [_a(-2)],
        same=DIFFERENT,
        margin=2.0,
    ),
    _row("losses.cross_entropy", "logit 0: log 2", [_a(0)], log(2), [_a(-0.5)], same=SAME),
    _row("losses.cross_entropy", "logit 10⁴, same: certain and right", [_a(FAR)], 0, [_a(0)], same=SAME),
    _row(
        "losses.cross_entropy",
        "logit 10⁴, different: certain and wrong, no overflow",
        [_a(FAR)],
        FAR,
        [_a(1)],
        same=DIFFERENT,
    ),
    _row("losses.cross_entropy", "logit −10⁴, same: certain and wrong", [_a(-FAR)], FAR, [_a(-1)], same=SAME),
    # losses on triplets
    _row(
        "losses.triplet_hinge",
        "d₊ − d₋ + margin = 0: satisfied, slope 0 (autograd ½)",
        [_a(1), _a(2)],
        0,
        [_a(0), _a(0)],
    ),
    _row(
        "losses.triplet_hinge",
        "d₊ = d₋: a collapsed network's loss is its margin",
        [_a(0), _a(0)],
        0.5,
        [_a(1), _a(-1)],
        margin=0.5,
    ),
    _row("losses.triplet_hinge", "margin 0 and d₊ = d₋: satisfied", [_a(1), _a(1)], 0, [_a(0), _a(0)], margin=0.0),
    _row(
        "losses.triplet_hinge",
        "one active triplet of two: half a gradient",
        [_a(3, 0), _a(0, 3)],
        2,
        [_a(0.5, 0), _a(-0.5, 0)],
    ),
    _row(
        "losses.triplet_soft_margin",
        "d₊ = d₋: a collapsed network's loss is log 2",
        [_a(0), _a(0)],
        log(2),
        [_a(0.5), _a(-0.5)],
    ),
    _row(
        "losses.triplet_soft_margin",
        "d₊ − d₋ = 10⁴: a straight line, no overflow",
        [_a(FAR), _a(0)],
        FAR,
        [_a(1), _a(-1)],
    ),
    _row("losses.triplet_soft_margin", "d₊ − d₋ = −10⁴: flat", [_a(0), _a(FAR)], 0, [_a(0), _a(0)]),
    _row("losses.triplet_ratio", "d₊ = d₋: a collapsed network's loss is ½", [_a(0), _a(0)], 0.5, [_a(0.5), _a(-0.5)]),
    _row("losses.triplet_ratio", "d₊ − d₋ = 10⁴: hopeless, and flat", [_a(FAR), _a(0)], 2, [_a(0), _a(0)]),
    _row("losses.triplet_ratio", "d₊ − d₋ = −10⁴: right, and flat", [_a(0), _a(FAR)], 0, [_a(0), _a(0)]),
    _row("losses.l2_penalty", "W = 0: flat", [_a(0)], 0, [_a(0)]),
    _row("losses.l2_penalty", "strength 0: free", [_a(3)], 0, [_a(0)], strength=0.0),
]
