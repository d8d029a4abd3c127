"""Convolution and pooling, written for readability: one matrix product of windows, one comparison per place of a block.

Images are (n, height, width, channels). With the channels last, each row of a window is k·c contiguous numbers in
memory, and the matrix product needs no transposed copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .. import require
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op

PADDINGS = ("valid", "same")


@op
def conv2d(
    x: Float[Array, "n h w c"],
    W: Float[Array, "k k c o"],
    b: Float[Array, "o"],
    /,
    padding: str = "valid",
    stride: int = 1,
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """z[i, j] = Σ_{u,v} x[s i + u, s j + v] W[u, v] + b   (cross-correlation, which every library calls convolution).

    Parameters
    ----------
    x
        (n, h, w, c) images.
    W, b
        (k, k, c, o) kernels and (o,) bias.
    padding
        "valid": windows lie inside the image, and the output is smaller by k − 1.
        "same": zeros around the image preserve its size; for an even k the extra row and column are at the end.
    stride
        s ≥ 1: only every s-th window of a row, and every s-th row, has an output.
    input_grad
        With False, dx is None and half of the pullback is saved: images need no gradient.

    Returns
    -------
    z, pullback
        `z` is (n, p, q, o), with p = ⌈(h − k + 1) / s⌉ if "valid", ⌈h / s⌉ if "same", and q likewise from w.
        `pullback(dz)` gives `(dx, dW, db)`. No kink.

    Notes
    -----
    With the windows of x as the rows of a matrix X, z = X W and dW = Xᵀ dz, as in a dense layer. X is k² times as
    large as x, so the pullback computes it again instead of keeping it. For dx, the gradient of every window is added
    to the k² places that the window covers.

    `minisiam.fast` has ops that compute the same numbers in less time: `conv2d_im2row` copies a k-th of X and uses k
    products; `conv2d_winograd` needs 16 multiplications instead of 36 for four 3×3 windows; `conv2d_fft` needs one
    product per frequency, whatever k is; `conv_pool_relu` takes the maximum before bias and ReLU.

    References
    ----------
    LeCun et al. (1998), "Gradient-based learning applied to document recognition".
    """
    before, p, q = geometry(x, W, b, padding, stride)
    k, outputs = len(W), W.shape[3]
    around = pad(x, before, k // 2 if padding == "same" else 0)
    rows = windows(around, k)[:, ::stride, ::stride]

    def pullback(dz):
        flat = dz.reshape(-1, outputs)
        dW = (as_matrix(rows).T @ flat).reshape(W.shape)
        dx = None
        if input_grad:
            dx = np.zeros_like(around)
            for i, j in np.ndindex(k, k):
                back = (flat @ W[i, j].T).reshape(*rows.shape[:3], x.shape[3])
                dx[:, i : i + p * stride : stride, j : j + q * stride : stride] += back
            dx = dx[:, before : before + x.shape[1], before : before + x.shape[2]]
        return dx, dW, flat.sum(axis=0)

    return (as_matrix(rows) @ W.reshape(-1, outputs)).reshape(*rows.shape[:3], outputs) + b, pullback


def geometry(x: Array, W: Array, b: Array, padding: str, stride: int) -> tuple[int, int, int]:
    """Check the shapes; return the rows of zeros before the image, and the sides of the output."""
    require.dimensions(4, "(n, height, width, channels)", x=x)
    require.dimensions(4, "(k, k, channels, outputs)", W=W)
    require.dimensions(1, "(outputs,)", b=b)
    require.one_of("padding", padding, PADDINGS)
    stride = require.whole("stride", stride, 1)
    k = len(W)
    if W.shape[1] != k or W.shape[2] != x.shape[3] or b.shape != W.shape[3:]:
        raise ValueError(f"x {x.shape}, W {W.shape} and b {b.shape} do not fit: (n, h, w, c), (k, k, c, o) and (o,)")
    around = k - 1 if padding == "same" else 0
    h, w = x.shape[1] + around, x.shape[2] + around
    if min(h, w) < k:
        raise ValueError(f"images of {x.shape[1]}×{x.shape[2]} are smaller than the {k}×{k} kernel: use padding='same'")
    return around // 2, (h - k) // stride + 1, (w - k) // stride + 1


def as_matrix(windows: Array) -> Array:
    """Copy the windows into a matrix, one per row."""
    return windows.reshape(-1, np.prod(windows.shape[3:]))


def pad(x: Array, before: int, after: int) -> Array:
    """Put zeros around each image."""
    return np.pad(x, ((0, 0), (before, after), (before, after), (0, 0))) if before or after else x


def windows(x: Array, k: int) -> Array:
    """Every k × k window of x: a view of shape (n, h − k + 1, w − k + 1, k, k, c)."""
    return sliding_window_view(x, (k, k), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)


@op
def max_pool(x: Float[Array, "n h w c"], /, size: int = 2) -> Op[Float[Array, "n p q c"]]:
    """y = the largest entry of each size × size block, channel by channel.

    Parameters
    ----------
    x
        (n, h, w, c) images.
    size
        The side of a block, and the step between blocks.

    Returns
    -------
    y, pullback
        `y` is (n, h // size, w // size, c): rows and columns that do not fill a block are left out and get no
        gradient. `pullback(dy)` gives `(dx,)`.

    Notes
    -----
    Kink where two entries of a block tie: the first, in reading order, receives all of the gradient
    (as in PyTorch; autograd divides it).

    The pullback keeps x and y and compares them again; `fast.pool_2x2` keeps the positions of the maxima instead,
    three bytes per block.
    """
    require.dimensions(4, "(n, height, width, channels)", x=x)
    size = require.whole("size", size, 1)
    h, w = x.shape[1] // size * size, x.shape[2] // size * size
    if h == 0 or w == 0:
        raise ValueError(f"images of {x.shape[1]}×{x.shape[2]} are smaller than one block of {size}×{size}")
    places = [np.s_[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
    y = x[places[0]]
    for place in places[1:]:
        y = np.maximum(y, x[place])

    def pullback(dy):
        dx = np.zeros_like(x)
        waiting = np.ones(y.shape, bool)
        for place in places:
            winner = waiting & (x[place] == y)
            dx[place] = dy * winner
            waiting &= ~winner
        return (dx,)

    return y, pullback
