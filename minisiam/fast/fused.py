"""Convolution, ReLU and 2×2 pooling in one op.

    max over the block of relu(z + b)  =  relu( (max over the block of z) + b )

holds because adding b and ReLU preserve the order of numbers. So we pool first, and bias and ReLU take a quarter of the
work. Three booleans per block store the position of the maximum, and the pullback multiplies the gradient by them:
in NumPy, multiplying by a mask is ten times as fast as selecting by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..op import op
from ..ops.convolution import geometry
from . import winograd
from .convolution import algorithm
from .layout import batch_first, by_place, column_sums, framed, of_one_dtype, places_first, unframed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Op

    Pull = Callable[[Array, Array, bool], tuple[Array | None, Array]]


@op
def conv_pool_relu(
    x: Float[Array, "n h w c"],
    W: Float[Array, "k k c o"],
    b: Float[Array, "o"],
    /,
    padding: str = "valid",
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """y = relu(max_pool(conv2d(x, W, b))), with pooling over 2×2 blocks.

    The variables and their shapes are those of `conv2d`. It uses the fastest convolution for the kernels, and does not
    compute outputs that do not fill a block. The result has the memory layout of `fast.layout`. The pullback keeps x, y
    and three bytes per block.

    The kinks are those of the separate ops: at a tie in a block the first, in reading order, receives the gradient, and
    the slope of ReLU at 0 is 0.
    """
    before, p, q = geometry(x, W, b, padding, 1)
    x, W, b = of_one_dtype(x, W, b)
    k, p, q = len(W), p // 2, q // 2
    if min(p, q) < 1:
        raise ValueError(f"images of {x.shape[1]}×{x.shape[2]} leave no 2×2 block to pool after a {k}×{k} kernel")
    height, width = 2 * p + k - 1, 2 * q + k - 1
    best, pull = _pooled(framed(x, before, height, width), W)
    y = best + b
    np.maximum(y, 0, out=y)

    def pullback(dy):
        dz = places_first(dy) * (y > 0)
        dframe, dW = pull(framed(x, before, height, width), dz, input_grad)
        dx = None if dframe is None else unframed(dframe, before, *x.shape[1:3])
        return dx, dW, column_sums(dz)

    return batch_first(y), pullback


def _pooled(frame: Array, W: Array) -> tuple[Array, Pull]:
    """max_pool of the convolution, (p, q, n, o), and dframe, dW = pull(frame, dz, input_grad)."""
    module = algorithm(W)
    Z = winograd.convolve(frame, winograd.kernels(W)) if module is winograd else by_place(module.convolve(frame, W))
    best, winners = best_of_four(Z)

    def pull(frame, dz, input_grad):
        if module is winograd:
            dR, dZ = winograd.gradient(dz.shape, dz.dtype)
            to_winners(dz, winners, dZ)
            dframe, dU = winograd.pull_convolve(frame, winograd.kernels(W), dR, input_grad)
            return dframe, winograd.pull_kernels(dU)
        p, q, n, outputs = dz.shape
        dconv = np.empty((2 * p, 2 * q, n, outputs), dz.dtype)
        to_winners(dz, winners, by_place(dconv))
        return module.pull_convolve(frame, W, dconv, input_grad)

    return best, pull


@op
def pool_2x2(x: Float[Array, "n h w c"], /) -> Op[Float[Array, "n p q c"]]:
    """`max_pool` over 2×2 blocks, whose pullback keeps three bytes per block instead of x and y.

    Shapes, errors and the kink are those of `max_pool`.
    """
    require.dimensions(4, "(n, height, width, channels)", x=x)
    n, h, w, c = x.shape
    p, q = h // 2, w // 2
    if min(p, q) < 1:
        raise ValueError(f"images of {h}×{w} are smaller than one block of 2×2")
    y, winners = best_of_four(by_place(places_first(x)[: 2 * p, : 2 * q]))

    def pullback(dy):
        dx = np.empty((2 * p, 2 * q, n, c), dy.dtype)
        to_winners(places_first(dy), winners, by_place(dx))
        return (unframed(dx, 0, h, w),)

    return batch_first(y), pullback


def best_of_four(Z: Array) -> tuple[Array, tuple[Array, Array]]:
    """The largest of four numbers, Z (2, 2, ...), and its position: left in each row, in the upper row."""
    left = Z[:, 0] >= Z[:, 1]
    best = np.maximum(Z[:, 0], Z[:, 1])
    return np.maximum(best[0], best[1]), (left, best[0] >= best[1])


def to_winners(dy: Array, winners: tuple[Array, Array], dZ: Array) -> None:
    """Write dy into dZ (2, 2, ...) at the position of the largest number, and 0 elsewhere."""
    left, upper = winners
    dbest = np.empty((2, *dy.shape), dy.dtype)
    np.multiply(dy, upper, out=dbest[0])
    np.subtract(dy, dbest[0], out=dbest[1])
    np.multiply(dbest, left, out=dZ[:, 0])
    np.subtract(dbest, dZ[:, 0], out=dZ[:, 1])
