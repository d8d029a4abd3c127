"""What encoders are built from. A layer is a pair of pure functions, and the second of them is an op:

    params, shape = layer.init(rng, shape)                 shapes are those of one example, without the batch
    y, pullback   = layer.apply(params, x, /)              pullback(dy) → dparams, dx

`serial` turns layers into a layer, so a network is one too, and `layer(params, x)` is short for `apply`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from . import initializers, ops, require, tree
from .ops.convolution import PADDINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .initializers import Initializer
    from .typing import Array, Generator, Op, Params

    Shape = tuple[int, ...]


class Layer(NamedTuple):
    """A pair of pure functions, with a name and parts for the summary."""

    init: Callable[[Generator, Shape], tuple[Params, Shape]]
    apply: Callable[..., Op[Array]]
    name: str
    parts: tuple[Layer, ...] = ()

    def __call__(self, params: Params, x: Array, /, **constants: Any) -> Op[Array]:  # noqa: D102
        return self.apply(params, x, **constants)


def Dense(outputs: int, weights: Initializer = initializers.he, bias: Initializer = initializers.zeros) -> Layer:
    """x W + b, on examples that are one row each."""
    require.whole("outputs", outputs, 1)

    def init(rng, shape):
        if len(shape) != 1:
            raise ValueError(f"Dense needs examples of one axis, not of shape {shape}: put Flatten before it")
        return (weights(rng, (*shape, outputs)), bias(rng, (outputs,))), (outputs,)

    return Layer(init, _with_params(ops.dense), f"Dense {outputs}")


def Conv(
    outputs: int,
    kernel: int,
    padding: str = "valid",
    stride: int = 1,
    weights: Initializer = initializers.he,
    bias: Initializer = initializers.zeros,
) -> Layer:
    """`ops.conv2d` with a kernel × kernel window, at every `stride`-th place."""
    require.whole("outputs", outputs, 1)
    require.whole("kernel", kernel, 1)
    require.one_of("padding", padding, PADDINGS)
    require.whole("stride", stride, 1)

    def init(rng, shape):
        if len(shape) != 3:
            raise ValueError(f"Conv needs images of shape (height, width, channels), not {shape}")
        h, w, channels = shape
        if padding == "valid":
            h, w = h - kernel + 1, w - kernel + 1
        if min(h, w) < 1:
            raise ValueError(f"a {kernel}×{kernel} window does not fit into {shape[0]}×{shape[1]}: use larger images")
        params = weights(rng, (kernel, kernel, channels, outputs)), bias(rng, (outputs,))
        return params, (-(-h // stride), -(-w // stride), outputs)

    def convolve(x, W, b, /, input_grad=True):
        return ops.conv2d(x, W, b, padding=padding, stride=stride, input_grad=input_grad)

    step = f" / {stride}" if stride > 1 else ""
    return Layer(init, _with_params(convolve), f"Conv {outputs} @ {kernel}×{kernel}{step} {padding}")


def MaxPool(size: int = 2) -> Layer:
    """`ops.max_pool` over size × size blocks."""
    require.whole("size", size, 1)

    def shape_of(shape):
        h, w, channels = shape
        if min(h, w) < size:
            raise ValueError(f"a {size}×{size} block does not fit into {h}×{w}: larger images or fewer poolings needed")
        return h // size, w // size, channels

    return _without_params(lambda x: ops.max_pool(x, size=size), f"MaxPool {size}×{size}", shape_of)


def PRelu(start: float = 0.25) -> Layer:
    """`ops.prelu`, its one slope beginning at `start`."""
    slope = initializers.constant(start)

    def activate(x, slope, /, input_grad=True):
        return ops.prelu(x, slope)

    return Layer(lambda rng, shape: ((slope(rng, ()),), shape), _with_params(activate), "PRelu")


def _with_params(op: Callable[..., Any]) -> Callable[..., Op[Array]]:
    """The layer form of an op whose variables are x and then the parameters."""

    def apply(params, x, /, input_grad=True):
        y, pull = op(x, *params, input_grad=input_grad)

        def pullback(dy):
            dx, *dparams = pull(dy)
            return tuple(dparams), dx

        return y, pullback

    return apply


def _without_params(
    op: Callable[..., Any], name: str, shape_of: Callable[[Shape], Shape] = lambda shape: shape
) -> Layer:
    """The layer form of an op of x alone."""

    def apply(params, x, /, input_grad=True):
        y, pull = op(x)
        return y, lambda dy: ((), *(pull(dy) if input_grad else (None,)))

    return Layer(lambda rng, shape: ((), shape_of(shape)), apply, name)


Relu = _without_params(ops.relu, "Relu")
Tanh = _without_params(ops.tanh, "Tanh")
Sigmoid = _without_params(ops.sigmoid, "Sigmoid")
Normalize = _without_params(ops.normalize, "Normalize")
Flatten = _without_params(ops.flatten, "Flatten", lambda shape: (prod(shape),))


def serial(*layers: Layer, name: str = "serial") -> Layer:
    """f = fₖ ∘ … ∘ f₁; the parameters are a list, one entry a layer."""
    if not layers:
        raise ValueError("serial needs at least one layer")

    def init(rng, shape):
        require.generator(rng)
        params = []
        for layer in layers:
            theta, shape = layer.init(rng, shape)
            params.append(theta)
        return params, shape

    def apply(params, x, /, input_grad=True):
        pullbacks = []
        for layer, theta in zip(layers, params, strict=True):
            x, pull = layer(theta, x, input_grad=input_grad)
            pullbacks.append(pull)
            input_grad = input_grad or tree.size(theta) > 0  # beyond the first weights, dx is needed

        def pullback(dy):
            dparams = []
            for pull in reversed(pullbacks):
                dtheta, dy = pull(dy)
                dparams.append(dtheta)
            return dparams[::-1], dy

        return x, pullback

    return Layer(init, apply, name, layers)
