"""Batch norm of a convolution of images with few channels, from the moments of its windows.

A convolution is linear in its windows: zₚ = Wᵀ uₚ + b. With 3×3 kernels on grey images, uₚ has nine numbers, and zₚ
often 64. So the mean and the variance of z follow from those of u, without a pass over z:

    mean z = Wᵀ ū + b        Σ (z − mean z)² = diag(Wᵀ C W)        C = Σ (u − ū)(u − ū)ᵀ

The same holds for the gradient. That of z is slope · dy + bend · (z − a) + rest (`fast.batch_norm`), here with the
anchor a = mean z, and dW = Σ u dzᵀ is

    dW = Σ u (slope · dy)ᵀ  +  C W · bend  +  Σ u · restᵀ

The bias cancels, db = 0. If pooling follows, z is needed only where it is largest in its block. So this convolution
computes nothing: it returns `Windows`, and the batch norm after it computes z, pools it, and forgets the rest.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arrays import floats
from ..ops.convolution import geometry
from .batch_norm import Collected, Normal, blocks, extreme_of_four, relu_of_best
from .convolution import fastest_conv2d
from .fused import to_winners
from .im2row import FEW, columns, convolve, planes, pull_convolve
from .layout import by_place, framed, of_one_dtype, unframed

if TYPE_CHECKING:
    from ..typing import Array, Op


class Windows(NamedTuple):
    """A convolution that is still to be computed: images in a frame (height, width, n, c), kernels and bias."""

    frame: Array
    W: Array
    b: Array
    input_grad: bool


class Best(NamedTuple):
    """A pooled convolution: the largest of four outputs less their mean, its position, ū, C W and how many windows."""

    windows: Windows
    best: Array
    winners: tuple[Array, Array]
    mean: Array
    bent: Array
    number: int


def postponed(x: Array, W: Array, b: Array, /, padding: str, input_grad: bool = True) -> Op[Any]:
    """Return the `windows` of a convolution if they are `short`; or compute it."""
    if short(W):
        return windows(x, W, b, padding, input_grad)
    return fastest_conv2d(x, W, b, padding=padding, stride=1, input_grad=input_grad)


def short(W: Array) -> bool:
    """Whether windows of these kernels have few channels, and at most as many numbers as outputs."""
    return W.shape[2] <= FEW and W[..., 0].size <= W.shape[3]


def windows(x: Array, W: Array, b: Array, /, padding: str, input_grad: bool) -> Op[Windows]:
    """Return what a convolution needs; the pullback takes (dframe, dW)."""
    x, W, b = of_one_dtype(floats("x", x), floats("W", W), floats("b", b))
    before, p, q = geometry(x, W, b, padding, 1)

    def pullback(found):
        dframe, dW = found
        return None if dframe is None else unframed(dframe, before, *x.shape[1:3]), dW, np.zeros_like(b)

    return Windows(framed(x, before, p + len(W) - 1, q + len(W) - 1), W, b, input_grad), pullback


def collected(chunk: Windows, scale: Array) -> Op[Collected]:
    """`batch_norm.collected` of the convolution, pooled; the pullback takes a function without arguments."""
    frame, W, b, _ = chunk
    k, _, _, outputs = W.shape
    p, q = blocks((len(frame) - k + 1, frame.shape[1] - k + 1))
    z = convolve(_inside(frame, p, q, k), W)
    best, winners = extreme_of_four(by_place(z), scale)
    u, kernels = columns(planes(frame, k)), W.reshape(-1, outputs)
    mean, bent, squares = _moments(u, kernels)
    anchor = mean @ kernels  # b cancels, so `best` is without it
    kept = Best(chunk, best - anchor, winners, mean, bent, u.shape[1])
    return Collected(kept, u.shape[1], anchor + b, np.zeros_like(b), squares), lambda send: (send(),)


def _moments(u: Array, W: Array) -> tuple[Array, Array, Array]:
    """ū, C W and diag(Wᵀ C W), computed in float64: kernels that take differences cancel most of C."""
    centred = u.astype(np.float64)
    mean = centred.sum(axis=1) / max(1, u.shape[1])
    centred -= mean[:, None]
    bent = centred @ centred.T @ W
    return mean.astype(u.dtype), bent.astype(u.dtype), (bent * W).sum(axis=0).astype(u.dtype)


def pooled(chunk: Normal) -> Op[Array]:
    """`batch_norm.pooled` of a chunk that `collected` has pooled."""
    kept, _, slope, level = chunk
    return relu_of_best(kept.best, slope, level, partial(_gradients, kept))


def _gradients(kept: Best, dbest: Array, bend: Array, rest: Array) -> tuple[Array | None, Array]:
    """The gradients of frame and W, from that of the largest outputs and the two terms of all outputs."""
    (frame, W, _, input_grad), _, winners, mean, bent, number = kept
    (p, q, n, outputs), k = dbest.shape, len(W)
    dz = np.empty((2 * p, 2 * q, n, outputs), dbest.dtype)
    to_winners(dbest, winners, by_place(dz))
    dW = pull_convolve(_inside(frame, p, q, k), W, dz, input_grad=False)[1]
    dW += (bent * bend + np.outer(number * mean, rest)).reshape(W.shape)
    if not input_grad:
        return None, dW
    u = planes(frame, k)
    every = ((columns(u) - mean[:, None]).T @ W.reshape(-1, outputs) * bend + rest).reshape(*u.shape[3:], outputs)
    every[: 2 * p, : 2 * q] += dz
    return pull_convolve(frame, W, every)[0], dW


def _inside(frame: Array, p: int, q: int, k: int) -> Array:
    """The part of the frame under p × q blocks of outputs."""
    return frame[: 2 * p + k - 1, : 2 * q + k - 1]
