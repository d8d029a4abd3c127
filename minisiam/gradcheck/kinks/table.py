"""A row of the table of kinks, and the arrays that many rows use."""

from __future__ import annotations

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


def row(
    op: str, where: str, variables: list[Any], value: Any, gradients: list[Any], g: Any = 1.0, **constants: Any
) -> Kink:
    """A row; variables may be written as lists, and so may integer constants."""
    constants = {name: np.array(c) if isinstance(c, list) else c for name, c in constants.items()}
    return Kink(op, where, tuple(np.asarray(v, float) for v in variables), constants, g, value, tuple(gradients))


def numbers(*entries: Any) -> np.ndarray:
    """An array of floating-point numbers."""
    return np.array(entries, float)


SAME, DIFFERENT = np.array([True]), np.array([False])
ONE, ROW0, ROW1 = numbers(1), numbers([0, 0]), numbers([1, 0])  # a number; a row of zeros; a row
M0, M1 = np.zeros((1, 1)), np.ones((1, 1))
FAR = 1e4


# For losses on a matrix. TWO_AND_ONE is the smallest batch with all cases: two images of one class, and one image
# without a positive.
TWO_AND_ONE = np.array([0, 0, 1])
Z1, Z2, Z3 = np.zeros((1, 2)), np.zeros((2, 2)), np.zeros((3, 3))
INACTIVE = "mean_active where nothing is active: 0"


def on(op: str, where: str, D: Any, value: Any, dD: Any, g: Any = None, **constants: Any) -> Kink:
    """A row of a loss on a matrix; by default the upstream gradient is one."""
    return row(f"losses.{op}", where, [D], value, [dD], np.ones(np.shape(value))[()] if g is None else g, **constants)


def batch(op: str, where: str, D: Any, value: Any, dD: Any, **constants: Any) -> Kink:
    """The same for the batch TWO_AND_ONE."""
    return on(op, where, D, value, dD, labels=TWO_AND_ONE, **constants)


def pairs(positive: float, negative: float) -> np.ndarray:
    """The rows of the two anchors of TWO_AND_ONE: an entry for their positive, one for their negative."""
    return numbers([0, positive, negative], [positive, 0, negative], [0, 0, 0])


def whole(positive: float, negative: float) -> np.ndarray:
    """The same with the row of the third image: a symmetric matrix."""
    return numbers([0, positive, negative], [positive, 0, negative], [negative, negative, 0])


NEAR_AND_FAR, UPSIDE_DOWN = whole(0, FAR), whole(FAR, 0)
HALVES, FULL = pairs(0.25, -0.25), pairs(0.5, -0.5)  # the gradients at a tie, and of a linear loss
