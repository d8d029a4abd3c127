"""Convolution and pooling, written to be read: windows and one matrix product; a comparison for each place of a window.

Images are (n, height, width, channels). With the channels last a window is k rows of k·c numbers that lie
side by side in memory, and the product needs no transposed copy.
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
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """z[p] = Σ_q x[p + q] W[q] + b   (cross-correlation, which every library calls convolution).

    Parameters
    ----------
    x
        (n, h, w, c) images.
    W, b
        (k, k, c, o) kernels and (o,) bias.
    padding
        "valid": windows lie inside the image and the output shrinks by k − 1.
        "same": zeros around the image keep its size; for an even k the extra row and column come after.
    input_grad
        False returns None for dx and saves half of the pullback: images need no gradient.

    Returns
    -------
    z, pullback
        `z` is (n, h', w', o) with stride 1; `pullback(dz)` gives `(dx, dW, db)`. No kink.

    Notes
    -----
    With the windows of x as the rows of a matrix X, z = X W and dW = Xᵀ dz, as in a dense layer. For dx every
    pixel collects from the windows it was in: the same operation on dz, with the kernel turned by 180°.

    References
    ----------
    LeCun et al. (1998), "Gradient-based learning applied to document recognition".
    """
    require.dimensions(4, "(n, height, width, channels)", x=x)
    require.dimensions(4, "(k, k, channels, outputs)", W=W)
    require.dimensions(1, "(outputs,)", b=b)
    require.one_of("padding", padding, PADDINGS)
    k = len(W)
    if W.shape[1] != k or W.shape[2] != x.shape[3] or b.shape != W.shape[3:]:
        raise ValueError(f"x {x.shape}, W {W.shape} and b {b.shape} do not fit: (n, h, w, c), (k, k, c, o) and (o,)")
    before, after = ((k - 1) // 2, k // 2) if padding == "same" else (0, 0)
    if min(x.shape[1:3]) + before + after < k:
        raise ValueError(f"images of {x.shape[1]}×{x.shape[2]} are smaller than the {k}×{k} kernel: use padding='same'")
    rows = windows(pad(x, before, after), k)

    def pullback(dz):
        dW = np.tensordot(rows, dz, axes=((0, 1, 2), (0, 1, 2)))
        dx = None
        if input_grad:
            around = pad(dz, k - 1 - before, k - 1 - after)
            dx = np.tensordot(windows(around, k), W[::-1, ::-1], axes=((3, 4, 5), (0, 1, 3)))
        return dx, dW, dz.sum(axis=(0, 1, 2))

    return np.tensordot(rows, W, axes=3) + b, pullback


def pad(x: Array, before: int, after: int) -> Array:
    """Zeros around each image."""
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
        Side of a block, and the step between blocks.

    Returns
    -------
    y, pullback
        `y` is (n, h // size, w // size, c): rows and columns that fill no block are left out and get no
        gradient. `pullback(dy)` gives `(dx,)`.

    Notes
    -----
    Kink where two entries of a block tie: the first, in reading order, receives all of the gradient
    (as in PyTorch; autograd shares it).
    """
    require.dimensions(4, "(n, height, width, channels)", x=x)
    require.whole("size", size, 1)
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
