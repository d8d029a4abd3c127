"""Batch norm of a convolution of images with few channels, from the moments of its windows.

A convolution is linear in its windows: zₚ = Wᵀ uₚ + b. With 3×3 kernels on grey images, uₚ has nine numbers, and zₚ
often 64. So the mean and the variance of z follow from those of u, without a pass over z:

    mean z = Wᵀ ū + b        Σ (z − mean z)² = diag(Wᵀ C W)        C = Σ (u − ū)(u − ū)ᵀ

The same holds for the gradient. That of z is slope · dy + bend · (z − a) + rest (`fast.batch_norm`), here with the
anchor a = mean z, and dW = Σ u dzᵀ is

    dW = Σ u (slope · dy)ᵀ  +  C W · bend  +  Σ u · restᵀ

If pooling follows, z is needed only where it is largest in its block. So this convolution computes nothing: it returns
`Windows`, and the batch norm after it computes the convolution, pools it, and forgets the rest.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ops.convolution import geometry
from .batch_norm import Collected, Normal, blocks, extreme_of_four, relu_of_best
from .convolution import fastest_conv2d
from .fused import to_winners
from .im2row import FEW, columns, planes, pull_convolve
from .layout import by_place, column_sums, framed, of_one_dtype, unframed

if TYPE_CHECKING:
    from ..typing import Array, Op


class Windows(NamedTuple):
    """A convolution that is still to be computed: images in a frame (height, width, n, c), kernels and bias."""

    frame: Array
    W: Array
    b: Array
    input_grad: bool


class Best(NamedTuple):
    """A pooled convolution: the largest of four outputs, where it was, and C W and Σ u of all windows."""

    windows: Windows
    best: Array
    winners: tuple[Array, Array]
    bent: Array
    total: Array


def postponed(x: Array, W: Array, b: Array, /, padding: str, stride: int, input_grad: bool = True) -> Op[Any]:
    """`Windows`, whose pullback takes (dframe, dW, db), if x has few channels and the stride is 1.

    Otherwise the convolution itself.
    """
    if W.shape[2] > FEW or stride > 1:
        return fastest_conv2d(x, W, b, padding=padding, stride=stride, input_grad=input_grad)
    before, p, q = geometry(x, W, b, padding, 1)
    x, W, b = of_one_dtype(x, W, b)

    def pullback(found):
        dframe, dW, db = found
        return None if dframe is None else unframed(dframe, before, *x.shape[1:3]), dW, db

    return Windows(framed(x, before, p + len(W) - 1, q + len(W) - 1), W, b, input_grad), pullback


def collected(chunk: Windows, scale: Array) -> Op[Collected]:
    """`batch_norm.collected` of the convolution, pooled; the pullback takes a function without arguments."""
    frame, W, b, _ = chunk
    u = planes(frame, len(W))
    p, q = blocks(u.shape[3:])
    kernels = W.reshape(-1, len(b))
    z = (columns(u).T @ kernels).reshape(*u.shape[3:], len(b))
    best, winners = extreme_of_four(by_place(z[: 2 * p, : 2 * q]), scale)
    count = columns(u).shape[1]
    mean, bent, squares = _moments(columns(u), kernels)
    kept = Best(chunk, best + b, winners, bent, count * mean)
    return Collected(kept, count, mean @ kernels + b, np.zeros_like(b), squares), lambda send: (send(),)


def _moments(u: Array, W: Array) -> tuple[Array, Array, Array]:
    """ū, C W and diag(Wᵀ C W), computed in float64: kernels that take differences cancel most of C."""
    centred = u.astype(np.float64)
    mean = centred.sum(axis=1) / max(1, u.shape[1])
    centred -= mean[:, None]
    bent = centred @ centred.T @ W
    return mean.astype(u.dtype), bent.astype(u.dtype), (bent * W).sum(axis=0).astype(u.dtype)


def pooled(chunk: Normal) -> Op[Array]:
    """`batch_norm.pooled` of a chunk that `collected` has pooled."""
    kept, anchor, slope, level = chunk
    return relu_of_best(kept.best - anchor, slope, level, partial(_gradients, kept))


def _gradients(kept: Best, dbest: Array, bend: Array, rest: Array) -> tuple[Array | None, Array, Array]:
    """The gradients of frame, W and b, from that of the largest outputs and the two terms of all outputs."""
    (frame, W, b, input_grad), _, winners, bent, total = kept
    u = planes(frame, len(W))
    dz = np.empty((*u.shape[3:], len(b)), dbest.dtype)
    p, q = blocks(dz.shape)
    dz[2 * p :] = dz[:, 2 * q :] = 0
    to_winners(dbest, winners, by_place(dz[: 2 * p, : 2 * q]))
    count = columns(u).shape[1]
    dW = columns(u) @ dz.reshape(-1, len(b)) + bent * bend + np.outer(total, rest)
    db = column_sums(dbest) + count * rest
    if not input_grad:
        return None, dW.reshape(W.shape), db
    centred = (columns(u) - total[:, None] / count).T @ W.reshape(-1, len(b))
    dz += (centred * bend + rest).reshape(dz.shape)
    return pull_convolve(frame, W, dz)[0], dW.reshape(W.shape), db
