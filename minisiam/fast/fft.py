"""Convolution with large kernels in the frequency domain, where it is one product per frequency.

Let x̂ be the two-dimensional discrete Fourier transform of the image. Then

    z = x ⋆ W        ẑ = x̂ · conj Ŵ
    dx = dz ∗ W      dx̂ = dẑ · Ŵᵀ          a true convolution, without the conjugate
    dW = x ⋆ dz      dŴ = x̂ᵀ · conj dẑ

Each is a matrix product of channels and outputs at each of the h · w / 2 frequencies (those of a real image are in
conjugate pairs), whatever the size of the kernel. The direct method needs k² products at each of h · w places. Our
images are small, so the transform itself is a product with a small matrix of cosines and sines.

There is no wrap-around: an image with h rows has h − k + 1 outputs, and the rows that would wrap are not computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..op import op
from ..ops.convolution import geometry
from .layout import batch_first, column_sums, framed, of_one_dtype, places_first, unframed

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def conv2d_fft(
    x: Float[Array, "n h w c"],
    W: Float[Array, "k k c o"],
    b: Float[Array, "o"],
    /,
    padding: str = "valid",
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """`conv2d` with stride 1, in the frequency domain: for kernels of 5×5 and larger, on small images.

    Variables, constants, shapes, errors and numbers are those of `conv2d`, up to rounding. The rounding is relative to
    the largest number in the image and not in the window, since every frequency depends on the whole image. As in
    `conv2d`, a window of zeros gives b exactly. The result has the memory layout of `fast.layout`. No kink.

    References
    ----------
    Mathieu, Henaff & LeCun (2014), "Fast training of convolutional networks through FFTs". Here a matrix product
    replaces the fast transform; for 48 numbers it is no slower.
    """
    before, p, q = geometry(x, W, b, padding, 1)
    x, W, b = of_one_dtype(x, W, b)
    height, width = p + len(W) - 1, q + len(W) - 1
    z = convolve(framed(x, before, height, width), W)
    z += b

    def pullback(dz):
        dz = np.ascontiguousarray(places_first(dz))
        dframe, dW = pull_convolve(framed(x, before, height, width), W, dz, input_grad)
        dx = None if dframe is None else unframed(dframe, before, *x.shape[1:3])
        return dx, dW, column_sums(dz)

    return batch_first(z), pullback


def convolve(frame: Array, W: Array) -> Array:
    """z (p, q, n, o) without a bias, from a frame (p + k − 1, q + k − 1, n, c)."""
    k, sides = len(W), frame.shape[:2]
    X = _spectrum(frame, sides)
    Z = np.empty((*X.shape[:3], W.shape[3]), X.dtype)
    across, down = _half_kernels(W, sides, X.dtype)
    for f in range(len(X)):  # Ŵ would be as large as W padded to the image; only one column exists at a time
        np.matmul(X[f], _kernels(across[f], down), out=Z[f])
    z = _signal(Z, sides, (sides[0] - k + 1, sides[1] - k + 1))
    # a window of zeros gives exactly 0, without rounding errors: it may be at the kink of ReLU or of a tie
    seen = sliding_window_view(frame.any(axis=3, keepdims=True), (k, k), axis=(0, 1))
    z *= seen.any(axis=(4, 5))
    return z


def pull_convolve(frame: Array, W: Array, dz: Array, input_grad: bool = True) -> tuple[Array | None, Array]:
    """The gradients of the frame and of W, from that of z."""
    sides = frame.shape[:2]
    X, dZ = _spectrum(frame, sides), _spectrum(dz, sides).conj()
    across, down = _half_kernels(W, sides, X.dtype)
    dX, dacross = np.empty_like(X), np.empty_like(across)
    back = down.T / sides[0]
    for f in range(len(X)):
        np.matmul(back, (X[f].swapaxes(1, 2) @ dZ[f]).reshape(sides[0], -1), out=dacross[f].reshape(len(W), -1))
        if input_grad:
            np.matmul(dZ[f], _kernels(across[f], down).swapaxes(1, 2), out=dX[f])
    dframe = _signal(dX.conj(), sides, sides) if input_grad else None
    return dframe, _rows_back(dacross, sides[1], len(W))


def _half_kernels(W: Array, sides: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
    """conj Ŵ with only the rows transformed, (sides[1] // 2 + 1, k, c, o), and the matrix that transforms columns."""
    return _rows(W, sides[1]).conj(), _waves(sides[0], sides[0], dtype)[:, : len(W)].conj()


def _kernels(across: Array, down: Array) -> Array:
    """One column of frequencies of conj Ŵ, (sides[0], c, o)."""
    return (down @ across.reshape(len(across), -1)).reshape(-1, *across.shape[1:])


def _spectrum(a: Array, sides: tuple[int, ...]) -> Array:
    """The transform of images (h, w, n, c), padded with zeros to `sides`: (sides[1] // 2 + 1, sides[0], n, c)."""
    A = _rows(a, sides[1])
    down = _waves(sides[0], sides[0], A.dtype)[:, : len(a)]
    return (down @ A.reshape(*A.shape[:2], -1)).reshape(len(A), sides[0], *a.shape[2:])


def _signal(A: Array, sides: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """The first `shape` rows and columns of the images whose spectrum is A."""
    back = _waves(sides[0], sides[0], A.dtype)[:, : shape[0]].conj().T / sides[0]
    return _rows_back((back @ A.reshape(*A.shape[:2], -1)).reshape(len(A), shape[0], *A.shape[2:]), sides[1], shape[1])


def _rows(a: Array, width: int) -> Array:
    """Transform every row; frequencies become the first axis: (h, w, ...) → (width // 2 + 1, h, ...)."""
    dtype = np.result_type(a, np.complex64)
    waves = _waves(width // 2 + 1, width, dtype)[:, : a.shape[1]]
    A = np.empty((len(waves), len(a), a[0, 0].size), dtype)
    np.matmul(waves, a.reshape(*a.shape[:2], -1).astype(dtype), out=A.swapaxes(0, 1))
    return A.reshape(*A.shape[:2], *a.shape[2:])


def _rows_back(A: Array, width: int, columns: int) -> Array:
    """Transform the rows back, and return the first columns: (f, h, ...) → (h, columns, ...)."""
    stands_for = np.full(len(A), 2.0)  # a frequency and its conjugate
    stands_for[0] = 1
    if width % 2 == 0:
        stands_for[-1] = 1
    back = (_waves(len(A), width, A.dtype)[:, :columns].conj().T * stands_for / width).astype(A.dtype)
    rows = (back @ A.reshape(*A.shape[:2], -1).swapaxes(0, 1)).real
    return np.ascontiguousarray(rows).reshape(A.shape[1], columns, *A.shape[2:])


def _waves(frequencies: int, size: int, dtype: Any) -> Array:
    """exp(−2πi f t / size), one frequency per row."""
    turns = np.outer(np.arange(frequencies), np.arange(size)) % size
    return np.exp(-2j * np.pi / size * turns).astype(dtype)
