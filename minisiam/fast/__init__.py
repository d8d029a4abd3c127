"""The same operations and encoders, faster. Speed is chosen here and nowhere else.

    encoder = fast.convert(encoders.conv4())         the same network, made of fast ops
    encoder = fast.microbatch(encoder)               the same network, a few images at a time, on all cores
    distance = fast.blockwise(pairwise.l2)           the same distances, a few rows at a time, never held

Parameters, values and gradients are those of the readable version, up to rounding.
"""

from .blockwise import blockwise
from .convert import convert
from .fft import conv2d_fft
from .fused import conv_pool_relu, pool_2x2
from .im2row import conv2d_im2row
from .microbatch import microbatch
from .winograd import conv2d_winograd

__all__ = [
    "blockwise",
    "conv2d_fft",
    "conv2d_im2row",
    "conv2d_winograd",
    "conv_pool_relu",
    "convert",
    "microbatch",
    "pool_2x2",
]
