"""Replace the readable ops of an encoder by faster ones.

    encoder = fast.convert(encoders.conv4())         the same parameters and, up to rounding, the same function

A layer names the op that it applies (`Layer.op`, `Layer.options`); this module decides which op replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from ..layers import Layer, layer_of, serial
from . import im2row, windows
from .batch_norm import pooled
from .convolution import algorithm, fastest_conv2d
from .fused import conv_pool_relu, pool_2x2
from .stages import in_one_chunk, stages_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Params


def convert(encoder: Layer) -> Layer:
    """Return the encoder made of fast ops; `algorithms` lists them.

    ::

        conv2d                           → conv2d_winograd for 3×3 kernels, conv2d_fft for 5×5 and larger,
                                           conv2d_im2row for others, for strides and for images with few channels
        conv2d, relu and 2×2 max_pool    → conv_pool_relu and two identities
        BatchNorm, relu, 2×2 max_pool    → batch_norm.pooled and two identities
        conv2d before these three        → windows.postponed, if its windows have at most as many numbers as its
                                           outputs, and up to four channels
        relu and 2×2 max_pool            → pool_2x2 and relu, in this order
        2×2 max_pool                     → pool_2x2

    Other layers stay as they are. A `serial` among the parts is converted, too. The parts of the result belong
    together: take the activations of a layer from the readable encoder.
    """
    if encoder.op is not serial:
        return _single(encoder)
    made: list[Layer] = []
    while len(made) < len(encoder.parts):
        made += _first_of(encoder.parts[len(made) :])
    return serial(*made, name=encoder.name)


def algorithms(encoder: Layer, params: Params) -> list[str]:
    """List the convolutions of an encoder, and the algorithm of each: `ops.conv2d`, or its replacement by `convert`."""
    if encoder.parts:
        return [name for part, theta in zip(encoder.parts, params, strict=True) for name in algorithms(part, theta)]
    if encoder.op is ops.conv2d:
        return [f"{encoder.name} by conv2d"]
    if encoder.op not in (fastest_conv2d, conv_pool_relu, windows.postponed):
        return []
    W, _ = params
    name = "planes" if W.shape[2] <= im2row.FEW else algorithm(W, encoder.options.get("stride", 1)).__name__
    if encoder.op is windows.postponed and windows.short(W):
        name = "windows"
    fused = ", pooled before Relu" if encoder.op is conv_pool_relu else ""
    return [f"{encoder.name.removesuffix(', fast')} by {name.rpartition('.')[2]}{fused}"]


def _single(layer: Layer) -> Layer:
    """The replacement of a single layer."""
    if layer.op is ops.conv2d:
        return layer_of(fastest_conv2d, f"{layer.name}, fast", layer.init, **layer.options)
    if _pools_2x2(layer):
        return layer_of(pool_2x2, f"{layer.name}, fast", layer.init)
    return layer


def _first_of(parts: tuple[Layer, ...]) -> list[Layer]:
    """The replacement of the first one to four parts, as many layers: parameters keep their places."""
    first, *others = parts[:3]
    then_pooled = _are_pooled(others)
    if _convolves_by_one(first) and len(parts) > 3 and parts[1].op is ops.batch_norm and _are_pooled(parts[2:4]):
        conv = layer_of(windows.postponed, f"{first.name}, fast", first.init, padding=first.options["padding"])
        return [conv._replace(test=_single(first)), *_first_of(parts[1:])]
    if then_pooled and _convolves_by_one(first):
        return [_conv_block(first, others[1]), *map(included, others)]
    if then_pooled and first.op is ops.batch_norm:
        return [_norm_block(first, others[1]), *(included(other)._replace(test=_single(other)) for other in others)]
    if first.op is ops.relu and others and _pools_2x2(others[0]):
        return [_single(others[0]), first]
    return [convert(first)]


def _convolves_by_one(layer: Layer) -> bool:
    return layer.op is ops.conv2d and layer.options["stride"] == 1


def _are_pooled(layers: Sequence[Layer]) -> bool:
    """Whether these are ReLU and 2×2 pooling."""
    return len(layers) == 2 and layers[0].op is ops.relu and _pools_2x2(layers[1])


def _pools_2x2(layer: Layer) -> bool:
    return layer.op is ops.max_pool and layer.options["size"] == 2


def _conv_block(conv: Layer, pool: Layer) -> Layer:
    """Convolution, ReLU and pooling in one layer."""

    def init(rng, shape):
        params, shape = conv.init(rng, shape)
        return params, pool.init(rng, shape)[1]

    return layer_of(conv_pool_relu, f"{conv.name}, fast", init, padding=conv.options["padding"])


def _norm_block(norm: Layer, pool: Layer) -> Layer:
    """Batch norm, ReLU and pooling in one layer in training; at test time they are three layers."""

    def init(rng, shape):
        return norm.init(rng, shape)[0], pool.init(rng, shape)[1]

    block = norm._replace(init=init, name=f"{norm.name}, fast", op=pooled)
    return block._replace(apply=in_one_chunk(stages_of(block)))


def included(layer: Layer) -> Layer:
    """Replace a layer that the layer before it includes: the identity, in training."""

    def apply(params, x, /, input_grad=True):
        return x, lambda dy: ((), dy)

    return Layer(lambda rng, shape: ((), shape), apply, f"({layer.name})", op=included)
