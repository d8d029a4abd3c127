"""The parts of an encoder. A layer is a pair of pure functions, and the second function is an op:

    params, shape = layer.init(rng, shape)                 a shape is that of one example, without the batch axis
    y, pullback   = layer.apply(params, x, /)              pullback(dy) → dparams, dx

`serial` chains layers into one layer, so an encoder is a layer as well. `layer(params, x)` is short for `layer.apply`.
"""

from __future__ import annotations

from inspect import signature
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import initializers, ops, require, tree
from .op import op
from .ops.convolution import PADDINGS
from .ops.normalization import by_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .initializers import Initializer
    from .typing import AnyOp, Array, Generator, Op, Params, Shape

    Init = Callable[[Generator, Shape], tuple[Params, Shape]]


class Layer(NamedTuple):
    """A pair of pure functions, and the facts about them that a summary or a faster version needs.

    init, apply : draw the parameters; compute the value and its pullback
    name : the name in a summary
    parts : the layers of a `serial`
    op, options : the op that the layer applies (or `serial`) and its constants: `ops.conv2d` and {"stride": 2}
    test : the layer to use at test time, if it is a different one
    """

    init: Init
    apply: Callable[..., Op[Array]]
    name: str
    parts: tuple[Layer, ...] = ()
    op: Callable[..., Any] | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    test: Layer | None = None

    def __call__(self, params: Params, x: Array, /, **constants: Any) -> Op[Array]:  # noqa: D102
        return self.apply(params, x, **constants)


def Dense(outputs: int, weights: Initializer = initializers.he, bias: Initializer = initializers.zeros) -> Layer:
    """x W + b, for examples that are rows."""
    outputs = require.whole("outputs", outputs, 1)

    def init(rng, shape):
        if len(shape) != 1:
            raise ValueError(f"Dense needs examples with one axis, not with the shape {shape}: put Flatten before it")
        return (weights(rng, (*shape, outputs)), bias(rng, (outputs,))), (outputs,)

    return layer_of(ops.dense, f"Dense {outputs}", init)


def Conv(
    outputs: int,
    kernel: int,
    padding: str = "valid",
    stride: int = 1,
    weights: Initializer = initializers.he,
    bias: Initializer = initializers.zeros,
) -> Layer:
    """`ops.conv2d` with a kernel × kernel window that moves by `stride` pixels."""
    outputs = require.whole("outputs", outputs, 1)
    kernel = require.whole("kernel", kernel, 1)
    require.one_of("padding", padding, PADDINGS)
    stride = require.whole("stride", stride, 1)

    def init(rng, shape):
        if len(shape) != 3:
            raise ValueError(f"Conv needs images of the shape (height, width, channels), not {shape}")
        h, w, channels = shape
        if padding == "valid":
            h, w = h - kernel + 1, w - kernel + 1
        if min(h, w) < 1:
            raise ValueError(f"a {kernel}×{kernel} window does not fit into {shape[0]}×{shape[1]}: use larger images")
        params = weights(rng, (kernel, kernel, channels, outputs)), bias(rng, (outputs,))
        return params, (-(-h // stride), -(-w // stride), outputs)

    step = f" / {stride}" if stride > 1 else ""
    name = f"Conv {outputs} @ {kernel}×{kernel}{step} {padding}"
    return layer_of(ops.conv2d, name, init, padding=padding, stride=stride)


def MaxPool(size: int = 2) -> Layer:
    """`ops.max_pool` over size × size blocks."""
    size = require.whole("size", size, 1)

    def init(rng, shape):
        h, w, channels = shape
        if min(h, w) < size:
            raise ValueError(f"a {size}×{size} block does not fit into {h}×{w}: use larger images or pool less often")
        return (), (h // size, w // size, channels)

    return layer_of(ops.max_pool, f"MaxPool {size}×{size}", init, size=size)


def PRelu(start: float = 0.25) -> Layer:
    """`ops.prelu`, with one slope for all entries that starts at `start`."""
    slope = initializers.constant(start)
    return layer_of(ops.prelu, "PRelu", lambda rng, shape: ((slope(rng, ()),), shape))


def BatchNorm(epsilon: float = 1e-5) -> Layer:
    """`ops.batch_norm`: with the statistics of the batch in training, with their running averages at test time.

    The parameters are {"scale": γ, "shift": β, "running": (mean, variance)}, (c,) each. In training, the "gradient" of
    `running` is running − statistics of the batch, which is the slope of ½‖m − μ‖² (with the variance over n − 1). The
    optimizers take a step of 0.1 down this slope, so `running` is an exponential average. The slope does not depend on
    dy, and it is 0 at test time.

    Notes
    -----
    In training, the embedding of an image depends on all images of its batch, and its gradient flows into all of them.
    `networks.siamese` runs the encoder once per branch, so each branch is normalised with its own batch, and the same
    image has a different embedding in another batch. If batches were drawn by class or pair by pair, the statistics
    carry information about the other images. The network can use it to lower the loss, but does not have it at test
    time. `GroupNorm` does not have this problem. Each branch moves `running` once: m − 0.1 Σ (m − μ).

    References
    ----------
    Ioffe & Szegedy (2015), "Batch normalization". On the leak: He et al. (2020), "Momentum contrast", §3.3.
    """
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)
    name = "BatchNorm"

    def init(rng, shape):
        (scale, shift), _ = _scale_and_shift(rng, shape)
        return {"scale": scale, "shift": shift, "running": (np.zeros_like(shift), np.ones_like(scale))}, shape

    @op
    def train(params, x, /, input_grad=True):
        y, pull, mean, variance = by_batch(x, params["scale"], params["shift"], epsilon)
        return y, lambda dy: _as_dict(pull(dy), running_gradient(params, mean, variance, x.size // len(mean)))

    def test(params, x, /, input_grad=True):
        y, pull = ops.batch_norm(x, params["scale"], params["shift"], epsilon, *params["running"])
        return y, lambda dy: _as_dict(pull(dy), tree.map(np.zeros_like, params["running"]))

    options = {"epsilon": epsilon}
    return Layer(init, train, name, op=ops.batch_norm, options=options, test=Layer(init, test, name))


def running_gradient(params: Params, mean: Array, variance: Array, values: int) -> Params:
    """Running statistics − those of a batch with this many values per channel, where the variance is unbiased."""
    return tree.map(np.subtract, params["running"], (mean, variance * (values / (values - 1))))


def _as_dict(grads: tuple[Array, ...], running: Params) -> tuple[Params, Array]:
    """The gradient of the parameters of `BatchNorm` as a dict, and the gradient of x."""
    dx, dscale, dshift = grads
    return {"scale": dscale, "shift": dshift, "running": running}, dx


def GroupNorm(groups: int = 8, epsilon: float = 1e-5) -> Layer:
    """`ops.group_norm`: the same in training and at test time, and each image is normalised by itself."""
    groups = require.whole("groups", groups, 1)
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)

    def init(rng, shape):
        if shape[-1] % groups:
            raise ValueError(f"GroupNorm({groups}): groups must divide the number of channels, {shape[-1]}")
        return _scale_and_shift(rng, shape)

    return layer_of(ops.group_norm, f"GroupNorm {groups}", init, groups=groups, epsilon=epsilon)


def LayerNorm(epsilon: float = 1e-5) -> Layer:
    """`ops.layer_norm`: each example is normalised over all of its entries."""
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)
    return layer_of(ops.layer_norm, "LayerNorm", _scale_and_shift, epsilon=epsilon)


def _scale_and_shift(rng: Generator, shape: Shape) -> tuple[Params, Shape]:
    """The first scale and shift of a norm: 1 and 0 for each channel."""
    channels = shape[-1:]
    return (np.ones(channels, np.float32), np.zeros(channels, np.float32)), shape


def layer_of(op: AnyOp, name: str, init: Init = lambda rng, shape: ((), shape), **options: Any) -> Layer:
    """Return the layer of an op whose variables are x and then the parameters, with the op's constants as `options`."""
    can_skip_dx = "input_grad" in signature(op).parameters

    def apply(params, x, /, input_grad=True):
        y, pull = op(x, *params, **options, **({"input_grad": input_grad} if can_skip_dx else {}))

        def pullback(dy):
            dx, *dparams = pull(dy) if input_grad or params else (None,)
            return tuple(dparams), dx

        return y, pullback

    return Layer(init, apply, name, op=op, options=options)


Relu = layer_of(ops.relu, "Relu")
Tanh = layer_of(ops.tanh, "Tanh")
Sigmoid = layer_of(ops.sigmoid, "Sigmoid")
Normalize = layer_of(ops.normalize, "Normalize")
Flatten = layer_of(ops.flatten, "Flatten", lambda rng, shape: ((), (prod(shape),)))


def serial(*layers: Layer, name: str = "serial") -> Layer:
    """f = fₖ ∘ … ∘ f₁; the parameters are a list with one entry per layer."""
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
            input_grad = input_grad or tree.size(theta) > 0  # after the first weights, dx is needed

        def pullback(dy):
            dparams = []
            for pull in reversed(pullbacks):
                dtheta, dy = pull(dy)
                dparams.append(dtheta)
            return dparams[::-1], dy

        return x, pullback

    return Layer(init, apply, name, layers, op=serial)


def at_test(layer: Layer) -> Layer:
    """Return the layer to use after training: `Layer.test`, or for a `serial` the same of its parts."""
    if layer.test or layer.op is not serial:
        return layer.test or layer
    tested = [at_test(part) for part in layer.parts]
    if all(after is before for after, before in zip(tested, layer.parts, strict=True)):
        return layer
    return serial(*tested, name=layer.name)
