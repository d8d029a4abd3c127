"""What encoders are built from. A layer is a pair of pure functions, and the second of them is an op:

    params, shape = layer.init(rng, shape)                 shapes are those of one example, without the batch
    y, pullback   = layer.apply(params, x, /)              pullback(dy) → dparams, dx

`serial` turns layers into a layer, so a network is one too, and `layer(params, x)` is short for `apply`.
"""

from __future__ import annotations

from functools import partial
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
    from .typing import Array, Generator, Op, Params

    Shape = tuple[int, ...]


class Layer(NamedTuple):
    """A pair of pure functions, and what a summary or a faster version needs to know about them.

    init, apply : draw the parameters; compute the value and its pullback
    name : for the summary
    parts : the layers of a `serial`
    op, options : what the layer applies and with which constants, for instance `ops.conv2d` and {"stride": 2}
    test : the layer at test time, where that differs
    """

    init: Callable[[Generator, Shape], tuple[Params, Shape]]
    apply: Callable[..., Op[Array]]
    name: str
    parts: tuple[Layer, ...] = ()
    op: Callable[..., Any] | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    test: Layer | None = None

    def __call__(self, params: Params, x: Array, /, **constants: Any) -> Op[Array]:  # noqa: D102
        return self.apply(params, x, **constants)


def Dense(outputs: int, weights: Initializer = initializers.he, bias: Initializer = initializers.zeros) -> Layer:
    """x W + b, on examples that are one row each."""
    require.whole("outputs", outputs, 1)

    def init(rng, shape):
        if len(shape) != 1:
            raise ValueError(f"Dense needs examples of one axis, not of shape {shape}: put Flatten before it")
        return (weights(rng, (*shape, outputs)), bias(rng, (outputs,))), (outputs,)

    return Layer(init, with_params(ops.dense), f"Dense {outputs}", op=ops.dense)


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

    step = f" / {stride}" if stride > 1 else ""
    name = f"Conv {outputs} @ {kernel}×{kernel}{step} {padding}"
    options: dict[str, Any] = {"padding": padding, "stride": stride}
    return Layer(init, with_params(partial(ops.conv2d, **options)), name, op=ops.conv2d, options=options)


def MaxPool(size: int = 2) -> Layer:
    """`ops.max_pool` over size × size blocks."""
    require.whole("size", size, 1)

    def shape_of(shape):
        h, w, channels = shape
        if min(h, w) < size:
            raise ValueError(f"a {size}×{size} block does not fit into {h}×{w}: larger images or fewer poolings needed")
        return h // size, w // size, channels

    return without_params(ops.max_pool, f"MaxPool {size}×{size}", shape_of, size=size)


def PRelu(start: float = 0.25) -> Layer:
    """`ops.prelu`, its one slope beginning at `start`."""
    slope = initializers.constant(start)

    def activate(x, slope, /, input_grad=True):
        return ops.prelu(x, slope)

    return Layer(lambda rng, shape: ((slope(rng, ()),), shape), with_params(activate), "PRelu")


def BatchNorm(epsilon: float = 1e-5) -> Layer:
    """`ops.batch_norm`: by the statistics of the batch while training, by their running averages `at_test`.

    The parameters are {"scale": γ, "shift": β, "running": (mean, variance)}, (c,) each. While training the "gradient"
    of `running` is running − statistics of the batch, the slope of ½‖m − μ‖² (the variance over n − 1); a step of 0.1
    down that slope, which the optimizers take, makes it an exponential average. It does not depend on dy, and is 0 at
    test time.

    Notes
    -----
    While training no image is alone: the embedding of each depends on all the others of its batch, and its gradient
    flows into all of them. `networks.siamese` runs the encoder once for each branch, so each branch is normalised by
    its own batch, and the same image beside others lies elsewhere. Where a batch was drawn by classes, or pair by pair,
    a loss can be lowered by what the statistics tell of the company, which is gone at test time. `GroupNorm` has none
    of this. `running` is pulled once for each branch: m − 0.1 Σ (m − μ).

    References
    ----------
    Ioffe & Szegedy (2015), "Batch normalization". What leaks: He et al. (2020), "Momentum contrast", §3.3.
    """
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)
    name = "BatchNorm"

    def init(rng, shape):
        (scale, shift), _ = _scale_and_shift(rng, shape)
        return {"scale": scale, "shift": shift, "running": (np.zeros_like(shift), np.ones_like(scale))}, shape

    @op
    def train(params, x, /, input_grad=True):
        y, pull, mean, variance = by_batch(x, params["scale"], params["shift"], epsilon)
        return y, lambda dy: _named(pull(dy), running_gradient(params, mean, variance, x.size // len(mean)))

    def test(params, x, /, input_grad=True):
        y, pull = ops.batch_norm(x, params["scale"], params["shift"], epsilon, *params["running"])
        return y, lambda dy: _named(pull(dy), tree.map(np.zeros_like, params["running"]))

    options = {"epsilon": epsilon}
    return Layer(init, train, name, op=ops.batch_norm, options=options, test=Layer(init, test, name))


def running_gradient(params: Params, mean: Array, variance: Array, values: int) -> Params:
    """Running statistics − those of a batch of that many values a channel, the variance without its bias."""
    return tree.map(np.subtract, params["running"], (mean, variance * (values / (values - 1))))


def _named(grads: tuple[Array, ...], running: Params) -> tuple[Params, Array]:
    """The gradients of `BatchNorm`, of its parameters and of x."""
    dx, dscale, dshift = grads
    return {"scale": dscale, "shift": dshift, "running": running}, dx


def GroupNorm(groups: int = 8, epsilon: float = 1e-5) -> Layer:
    """`ops.group_norm`: the same while training and at test time, and no image sees another."""
    require.whole("groups", groups, 1)
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)

    def init(rng, shape):
        if shape[-1] % groups:
            raise ValueError(f"GroupNorm({groups}) does not divide {shape[-1]} channels: choose groups that do")
        return _scale_and_shift(rng, shape)

    def normalize(x, scale, shift, /, input_grad=True):
        return ops.group_norm(x, scale, shift, groups=groups, epsilon=epsilon)

    return Layer(init, with_params(normalize), f"GroupNorm {groups}")


def LayerNorm(epsilon: float = 1e-5) -> Layer:
    """`ops.layer_norm`: each example over all that it has, by itself."""
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)

    def normalize(x, scale, shift, /, input_grad=True):
        return ops.layer_norm(x, scale, shift, epsilon=epsilon)

    return Layer(_scale_and_shift, with_params(normalize), "LayerNorm")


def _scale_and_shift(rng: Generator, shape: Shape) -> tuple[Params, Shape]:
    """1 and 0 for each channel."""
    channels = shape[-1:]
    return (np.ones(channels, np.float32), np.zeros(channels, np.float32)), shape


def with_params(op: Callable[..., Any]) -> Callable[..., Op[Array]]:
    """The layer form of an op whose variables are x and then the parameters."""

    def apply(params, x, /, input_grad=True):
        y, pull = op(x, *params, input_grad=input_grad)

        def pullback(dy):
            dx, *dparams = pull(dy)
            return tuple(dparams), dx

        return y, pullback

    return apply


def without_params(
    op: Callable[..., Any], name: str, shape_of: Callable[[Shape], Shape] = lambda shape: shape, **options: Any
) -> Layer:
    """The layer form of an op of x alone, with its constants."""

    def apply(params, x, /, input_grad=True):
        y, pull = op(x, **options)
        return y, lambda dy: ((), *(pull(dy) if input_grad else (None,)))

    return Layer(lambda rng, shape: ((), shape_of(shape)), apply, name, op=op, options=options)


Relu = without_params(ops.relu, "Relu")
Tanh = without_params(ops.tanh, "Tanh")
Sigmoid = without_params(ops.sigmoid, "Sigmoid")
Normalize = without_params(ops.normalize, "Normalize")
Flatten = without_params(ops.flatten, "Flatten", lambda shape: (prod(shape),))


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

    return Layer(init, apply, name, layers, op=serial)


def at_test(layer: Layer) -> Layer:
    """The layer as it is used after training: `Layer.test`, or a `serial` of its parts' own."""
    if layer.test or layer.op is not serial:
        return layer.test or layer
    tested = [at_test(part) for part in layer.parts]
    if all(after is before for after, before in zip(tested, layer.parts, strict=True)):
        return layer
    return serial(*tested, name=layer.name)
