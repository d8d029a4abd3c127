"""Convolution with windows of one row: k matrix products instead of one, and k times less copying.

`conv2d` copies every k×k window, k² numbers for each number of the image. Here we copy windows that are k numbers wide
and one row high, and use each of them in k products,

    z[p] = Σᵢ X[p + i] W[i]        X[p] the windows of row p, k · c numbers each; W[i] the i-th row of the kernels

For images with few channels these windows are too short for an efficient product. For these we copy the whole windows,
as one plane for each place of the window and each channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..op import op
from ..ops.convolution import geometry
from .layout import batch_first, column_sums, framed, of_one_dtype, places_first, unframed

if TYPE_CHECKING:
    from ..typing import Array, Float, Op

FEW = 4  # up to this number of channels, whole windows are copied


@op
def conv2d_im2row(
    x: Float[Array, "n h w c"],
    W: Float[Array, "k k c o"],
    b: Float[Array, "o"],
    /,
    padding: str = "valid",
    stride: int = 1,
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """`conv2d` for kernels of any size, as k products with windows of one row; with few channels, as one product.

    Variables, constants, shapes, errors and numbers are those of `conv2d`, up to rounding. The result has the memory
    layout of `fast.layout`, so that one fast op follows another without a copy. No kink.

    References
    ----------
    Chellapilla, Puri & Simard (2006), "High performance convolutional neural networks for document processing", on
    windows as a matrix.
    """
    before, p, q = geometry(x, W, b, padding, stride)
    x, W, b = of_one_dtype(x, W, b)
    height, width = (p - 1) * stride + len(W), (q - 1) * stride + len(W)
    z = convolve(framed(x, before, height, width), W, stride)
    z += b

    def pullback(dz):
        dz = np.ascontiguousarray(places_first(dz))
        dframe, dW = pull_convolve(framed(x, before, height, width), W, dz, input_grad, stride)
        dx = None if dframe is None else unframed(dframe, before, *x.shape[1:3])
        return dx, dW, column_sums(dz)

    return batch_first(z), pullback


def convolve(frame: Array, W: Array, stride: int = 1) -> Array:
    """z without the bias, (p, q, n, o), from padded images."""
    return (_by_planes if W.shape[2] <= FEW else _by_rows)(frame, W, stride)


def pull_convolve(
    frame: Array, W: Array, dz: Array, input_grad: bool = True, stride: int = 1
) -> tuple[Array | None, Array]:
    """The gradients of the frame and of W, from that of z."""
    return (_pull_by_planes if W.shape[2] <= FEW else _pull_by_rows)(frame, W, dz, input_grad, stride)


def _by_rows(frame: Array, W: Array, stride: int) -> Array:
    X = _windows(frame, len(W), stride)
    z = _below(X, 0, W, stride) @ _matrix(W[0])
    for i in range(1, len(W)):
        z += _below(X, i, W, stride) @ _matrix(W[i])
    return z.reshape((len(X) - len(W)) // stride + 1, X.shape[1], frame.shape[2], W.shape[3])


def _pull_by_rows(frame: Array, W: Array, dz: Array, input_grad: bool, stride: int) -> tuple[Array | None, Array]:
    X = _windows(frame, len(W), stride)
    rows = dz.reshape(-1, dz.shape[-1])
    dW = np.stack([_below(X, i, W, stride).T @ rows for i in range(len(W))]).reshape(W.shape)
    if not input_grad:
        return None, dW
    dX = np.zeros_like(X)
    for i in range(len(W)):
        below = dX[_every(i, len(dz), stride)]
        below += (rows @ _matrix(W[i]).T).reshape(below.shape)
    dframe = np.zeros_like(frame)
    for j in range(len(W)):
        dframe[:, _every(j, dz.shape[1], stride)] += dX[:, :, :, j]
    return dframe, dW


def _windows(frame: Array, k: int, stride: int) -> Array:
    """X[row, place, image, j] = frame[row, stride · place + j, image]: (height, q, n, k, c)."""
    height, width, n, channels = frame.shape
    q = (width - k) // stride + 1
    X = np.empty((height, q, n, k, channels), frame.dtype)
    for j in range(k):
        X[:, :, :, j] = frame[:, _every(j, q, stride)]
    return X


def _below(X: Array, i: int, W: Array, stride: int) -> Array:
    """Row i of every k×k window, one per row; a view if the stride is 1."""
    p = (len(X) - len(W)) // stride + 1
    return X[_every(i, p, stride)].reshape(-1, X.shape[3] * X.shape[4])


def _by_planes(frame: Array, W: Array, stride: int) -> Array:
    u = planes(frame, len(W), stride)
    return (columns(u).T @ _matrix(W)).reshape(*u.shape[3:], W.shape[3])


def _pull_by_planes(frame: Array, W: Array, dz: Array, input_grad: bool, stride: int) -> tuple[Array | None, Array]:
    u = planes(frame, len(W), stride)
    rows = dz.reshape(-1, dz.shape[-1])
    dW = (columns(u) @ rows).reshape(W.shape)
    if not input_grad:
        return None, dW
    dplanes = (_matrix(W) @ rows.T).reshape(u.shape)
    dframe = np.zeros_like(frame)
    by_channel = dframe.transpose(3, 0, 1, 2)
    for i, j in np.ndindex(W.shape[:2]):
        by_channel[:, _every(i, dz.shape[0], stride), _every(j, dz.shape[1], stride)] += dplanes[i, j]
    return dframe, dW


def planes(frame: Array, k: int, stride: int = 1) -> Array:
    """u[i, j, channel, p, q, image] = frame[stride · p + i, stride · q + j, image, channel]: all windows."""
    height, width, n, channels = frame.shape
    p, q = (height - k) // stride + 1, (width - k) // stride + 1
    u = np.empty((k, k, channels, p, q, n), frame.dtype)
    for i, j in np.ndindex(k, k):
        u[i, j] = frame[_every(i, p, stride), _every(j, q, stride)].transpose(3, 0, 1, 2)
    return u


def columns(u: Array) -> Array:
    """The windows of `planes` as the columns of a matrix."""
    return u.reshape(int(np.prod(u.shape[:3])), int(np.prod(u.shape[3:])))


def _matrix(W: Array) -> Array:
    """Kernels, or a row of them, as a matrix with one column per output."""
    return W.reshape(-1, W.shape[-1])


def _every(start: int, count: int, stride: int) -> slice:
    """The slice of `count` places from `start` with step `stride`."""
    return slice(start, start + (count - 1) * stride + 1, stride)
