"""Choose the algorithm of a convolution: Winograd for 3×3 kernels, Fourier transform for large ones, else im2row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import fft, im2row, winograd

if TYPE_CHECKING:
    from types import ModuleType

    from ..typing import Array, Op

LARGE = 5  # for kernels with this side or a larger one, the Fourier transform is faster


def algorithm(W: Array, stride: int = 1) -> ModuleType:
    """Return the module with the fastest convolution for these kernels: `winograd`, `fft` or `im2row`."""
    if stride > 1 or W.shape[2] <= im2row.FEW:
        return im2row
    return winograd if len(W) == 3 else fft if len(W) >= LARGE else im2row


def fastest_conv2d(x: Array, W: Array, b: Array, /, padding: str, stride: int, input_grad: bool = True) -> Op[Array]:
    """`ops.conv2d` by the algorithm that is fastest for these kernels."""
    module = algorithm(W, stride)
    if module is im2row:
        return im2row.conv2d_im2row(x, W, b, padding=padding, stride=stride, input_grad=input_grad)
    op = winograd.conv2d_winograd if module is winograd else fft.conv2d_fft
    return op(x, W, b, padding=padding, input_grad=input_grad)
