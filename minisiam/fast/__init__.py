"""Faster versions of the same ops, encoders, distances and losses. No other module chooses them.

    encoder = fast.convert(encoders.conv4())         the same encoder, made of fast ops
    encoder = fast.microbatch(encoder)               the same encoder, run on chunks of the batch, on all cores
    encoder = fast.cached(encoder)                   the same encoder, with the activations of one chunk in memory
    distance = fast.blockwise(pairwise.l2)           the same distances, without the whole matrix in memory
    loss = fast.all_triplets(losses.triplet_hinge)   the same loss, without a list of the triplets; all_pairs likewise

Parameters, values and gradients equal those of the readable version, up to rounding.
"""

from .all_pairs import all_pairs
from .all_triplets import all_triplets
from .blockwise import blockwise
from .cached import cached
from .convert import convert
from .fft import conv2d_fft
from .fused import conv_pool_relu, pool_2x2
from .im2row import conv2d_im2row
from .microbatch import microbatch
from .winograd import conv2d_winograd

__all__ = [
    "all_pairs",
    "all_triplets",
    "blockwise",
    "cached",
    "conv2d_fft",
    "conv2d_im2row",
    "conv2d_winograd",
    "conv_pool_relu",
    "convert",
    "microbatch",
    "pool_2x2",
]
