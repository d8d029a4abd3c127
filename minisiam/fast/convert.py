"""The same network from other operations: what takes less time in the place of what reads well.

    encoder = fast(encoders.conv4(plain=True))      the same parameters and, up to rounding, the same function

A layer says what it is (`Layer.kind`), and here is the table of what may take its place.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..layers import Layer, in_stages, serial, with_params, without_params
from .batch_norm import pooled
from .fused import room_of
from .stages import Stage, through

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Params

POOLED = (("relu",), ("pool", 2))


def convert(encoder: Layer) -> Layer:
    """The encoder made of fast operations; `ways` says of which.

    conv2d                           → conv2d_winograd for 3×3 kernels, conv2d_fourier from 5×5 on, conv2d_rows for
                                       others, strides and images of few channels
    conv2d, relu and 2×2 max_pool    → conv_pool_relu, and nothing where the other two were
    BatchNorm, relu, 2×2 max_pool    → fast.batch_norm.pooled, and nothing where the other two were
    relu and 2×2 max_pool            → pool_2x2 and relu, in this order
    2×2 max_pool                     → pool_2x2

    Other layers stay as they are. A `serial` among the parts is made fast within.
    """
    if encoder.kind != ("serial",):
        return _alone(encoder)
    made: list[Layer] = []
    while len(made) < len(encoder.parts):
        made += _first_of(encoder.parts[len(made) :])
    return serial(*made, name=encoder.name)


def ways(encoder: Layer, params: Params) -> list[str]:
    """Every convolution of an encoder, and how it is done: by `ops.conv2d`, or by what `fast` has put in its place."""
    if encoder.kind[:1] in (("serial",), ("sharded",)):
        return [way for part, theta in zip(encoder.parts, params, strict=True) for way in ways(part, theta)]
    if encoder.kind[:1] == ("conv",):
        return [f"{encoder.name} by conv2d"]
    if encoder.kind[:1] != ("fast",):
        return []
    _, stride, besides = encoder.kind
    W, _ = params
    room = "planes" if W.shape[2] <= fast.im2row.FEW else room_of(W, stride).__name__.rpartition(".")[2]
    return [f"{encoder.name.removesuffix(', fast')} by {room}{besides}"]


def _first_of(parts: tuple[Layer, ...]) -> list[Layer]:
    """What the first one, two or three parts are replaced by; as many, so that parameters keep their places."""
    first, *others = parts[:3]
    kinds = tuple(part.kind for part in others)
    if kinds == POOLED and first.kind[:1] == ("conv",) and first.kind[3] == 1:
        return [_block(first, others[1]), *map(_nothing, others)]
    if kinds == POOLED and first.kind[:1] == ("batch norm",):
        return [_norm_block(first, others[1]), *(_nothing(other)._replace(test=_alone(other)) for other in others)]
    if (first.kind, *kinds[:1]) == POOLED:
        return [_alone(others[0]), first]
    return [convert(first)]


def _alone(layer: Layer) -> Layer:
    if layer.kind == ("pool", 2):
        return layer._replace(apply=without_params(fast.pool_2x2, "").apply, name=f"{layer.name}, fast", kind=())
    if layer.kind[:1] != ("conv",):
        return layer
    _, _, padding, stride = layer.kind

    def convolve(x, W, b, /, input_grad=True):
        room = room_of(W, stride)
        if room is fast.im2row:
            return fast.conv2d_im2row(x, W, b, padding=padding, stride=stride, input_grad=input_grad)
        op = fast.conv2d_winograd if room is fast.winograd else fast.conv2d_fft
        return op(x, W, b, padding=padding, input_grad=input_grad)

    return _fast(layer, convolve, stride)


def _block(conv: Layer, pool: Layer) -> Layer:
    """Convolution, ReLU and pooling in one."""
    _, _, padding, _ = conv.kind

    def init(rng, shape):
        params, shape = conv.init(rng, shape)
        return params, pool.init(rng, shape)[1]

    return _fast(conv._replace(init=init), partial(fast.conv_pool_relu, padding=padding), 1, ", pooled before Relu")


def _norm_block(norm: Layer, pool: Layer) -> Layer:
    """Batch norm, ReLU and pooling in one while training; at test time they are three again."""

    def init(rng, shape):
        return norm.init(rng, shape)[0], pool.init(rng, shape)[1]

    stages = in_stages(norm.kind[1], pooled)
    return norm._replace(init=init, apply=_in_one_piece(stages), name=f"{norm.name}, fast", kind=(), stages=stages)


def _in_one_piece(stages: tuple[Stage, ...]) -> Callable[..., Any]:
    """The layer form of stages, for a batch that is not in pieces."""

    def apply(params, x, /, input_grad=True):
        (y,), pull = through(stages, [params] * len(stages), [x], input_grad, lambda work, items: [*map(work, items)])

        def pullback(dy):
            dparams, (dx,) = pull([dy])
            return next(dtheta for dtheta in dparams if dtheta is not None), dx

        return y, pullback

    return apply


def _fast(layer: Layer, op: Callable[..., Any], stride: int, besides: str = "") -> Layer:
    return layer._replace(apply=with_params(op), name=f"{layer.name}, fast", kind=("fast", stride, besides))


def _nothing(layer: Layer) -> Layer:
    """In the place of a layer that the operation before it has done, while training."""

    def apply(params, x, /, input_grad=True):
        return x, lambda dy: ((), dy)

    return Layer(lambda rng, shape: ((), shape), apply, f"({layer.name})")
