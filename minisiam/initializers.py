"""First values of parameters. An initializer is a function (rng, shape) → float32 array.

The last axis of a shape is the output, (in, out) for a dense layer and (height, width, in, out) for a convolution, so
the fan-in is the product of all other axes.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from . import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Array, Generator

    Initializer = Callable[[Generator, tuple[int, ...]], Array]


def he(rng: Generator, shape: tuple[int, ...]) -> Array:
    """W ~ N(0, 2 / fan_in): keeps the mean square through a ReLU, which halves it (He et al. 2015, eq. 10).

    The variance falls further, to ½ − 1 / (2π) = 0.34 of a normal one: what a ReLU leaves has a mean.
    """
    return normal(sqrt(2 / prod(shape[:-1])))(rng, shape)


def glorot(rng: Generator, shape: tuple[int, ...]) -> Array:
    """W ~ U(−r, r), r = √(6 / (fan_in + fan_out)): for tanh and sigmoid (Glorot & Bengio 2010, eq. 16)."""
    fan_in, fan_out = prod(shape[:-1]), prod(shape[:-2]) * shape[-1]
    limit = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def normal(std: float, mean: float = 0.0) -> Initializer:
    """W ~ N(mean, std²). Koch et al. 2015, §3.2: std 0.01 for a convolution, 0.2 for a dense layer, biases mean 0.5."""
    require.between("std", std, 0)

    def draw(rng: Generator, shape: tuple[int, ...]) -> Array:
        require.generator(rng)
        return rng.normal(mean, std, shape).astype(np.float32)

    return draw


def constant(value: float) -> Initializer:
    """W = value in every entry."""
    return lambda rng, shape: np.full(shape, value, np.float32)


zeros = constant(0.0)
