"""One training step of a network, in minisiam and in other libraries: what benchmarks/encoders.py measures.

`IMPLEMENTATIONS[name].make(network, params, x, cot)` gives `step, embed`:

    value = step(rate)      forward, (z · cot).sum(), backward, SGD: the parameters move
    z = embed()             the embedding as an array, rows × numbers, in training mode

`params` is always a tree of minisiam, in whose order of layers every library here takes its own; `x` is (n, h, w, c)
float32. Each library is written as its users would: PyTorch as modules, JAX as one compiled step, autograd as NumPy.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Step = tuple[Callable[[float], float], Callable[[], Array]]
RATE, EPSILON = 1e-5, 1e-5  # of SGD; beside the variance of a batch norm


class Stage(NamedTuple):
    """A convolution or, with no kernel, a dense layer; and what follows it."""

    outputs: int
    kernel: int = 0
    after: str = ""  # relu, prelu, sigmoid
    pool: bool = False
    padding: str = "valid"
    norm: bool = False


def _koch(*kernels: int, pooled: int) -> tuple[Stage, ...]:
    outputs = (64, 128, 128, 256)
    convolutions = [Stage(o, k, "relu", i < pooled) for i, (o, k) in enumerate(zip(outputs, kernels, strict=True))]
    return (*convolutions, Stage(4096, after="sigmoid"))


# pixels of the images, and the stages; `ours` has the same networks in minisiam
NETWORKS: dict[str, tuple[int, tuple[Stage, ...]]] = {
    "mlp": (28, (Stage(512, after="relu"), Stage(256, after="relu"), Stage(64))),
    "bielski": (
        28,
        (
            Stage(32, 5, "prelu", pool=True),
            Stage(64, 5, "prelu", pool=True),
            *(Stage(256, after="prelu"), Stage(256, after="prelu"), Stage(2)),
        ),
    ),
    "conv4": (28, 4 * (Stage(64, 3, "relu", True, "same"),)),
    "conv4-norm": (28, 4 * (Stage(64, 3, "relu", True, "same", norm=True),)),
    "koch105": (105, _koch(10, 7, 4, 4, pooled=3)),
    "koch35": (35, _koch(6, 4, 3, 2, pooled=2)),
    "koch28": (28, _koch(5, 3, 2, 2, pooled=2)),
}


def ours(network: str, plain: bool = False) -> Any:
    """The network in minisiam; `plain` asks for the ops that are written to be read."""
    from minisiam import encoders, fast

    makers: dict[str, Callable[..., Any]] = {
        "mlp": partial(encoders.mlp, 512, 256, 64),
        "bielski": encoders.bielski,
        "conv4": encoders.conv4,
        "conv4-norm": partial(encoders.conv4, norm="batch"),
        # He's weights: with the paper's the sigmoids saturate, and there is little left to compare
        **{f"koch{pixels}": partial(encoders.koch, pixels, init="he") for pixels in (105, 35, 28)},
    }
    encoder = makers[network]()
    return encoder if plain else fast.convert(encoder)


def problem(network: str, batch: int, seed: int = 0) -> tuple[Any, Array, Array]:
    """Parameters, images and the gradient of the embedding, the same for everyone."""
    from minisiam import tree

    rng = np.random.default_rng(seed)
    pixels = NETWORKS[network][0]
    params, (numbers,) = ours(network, plain=True).init(rng, (pixels, pixels, 1))
    # biases of zero would hide one that is left out
    params = tree.map(lambda p: p if p.ndim > 1 else (p + 0.1 * rng.normal(size=p.shape)).astype(np.float32), params)
    x = rng.normal(size=(batch, pixels, pixels, 1)).astype(np.float32)
    # a linear functional has no minimum: its gradient is small, so that thousands of steps do not lead anywhere
    return params, x, (0.01 / batch * rng.normal(size=(batch, numbers))).astype(np.float32)


def gflop(network: str, batch: int) -> float:
    """Of a step: two for each multiply-add of forward, dW and dx, without the dx of the images. Direct convolution."""
    side, stages = NETWORKS[network]
    total, channels, flat = 0, 1, False
    for number, stage in enumerate(stages):
        if stage.kernel:
            side -= stage.kernel - 1 if stage.padding == "valid" else 0
            products = side * side * stage.kernel**2 * channels * stage.outputs
            side //= 2 if stage.pool else 1
        else:
            products = (channels if flat else side * side * channels) * stage.outputs
            flat = True
        channels = stage.outputs
        total += 2 * products * (3 if number else 2)
    return batch * total / 1e9


def learned(params: Any) -> Any:
    """Without the running averages of a batch norm, which nobody reads while training."""
    if isinstance(params, dict):
        return {name: learned(branch) for name, branch in params.items() if name != "running"}
    return [learned(branch) for branch in params] if isinstance(params, (list, tuple)) else params


def weights(network: str, params: Any) -> list[dict[str, Array]]:
    """Our parameters stage by stage, by name: W and, where a stage has them, b, scale, shift and slope."""
    from minisiam import tree

    groups: list[list[Array]] = []
    for leaf in tree.leaves(learned(params)):
        if leaf.ndim > 1:  # weights begin a stage; what belongs to it has fewer axes
            groups.append([])
        groups[-1].append(np.array(leaf, np.float32))
    named = []
    for stage, (W, *rest) in zip(NETWORKS[network][1], groups, strict=True):
        last = ["scale", "shift"] if stage.norm else ["slope"] if stage.after == "prelu" else []
        names = ["W", "b", *last][-len(rest) - 1 :] if len(rest) > len(last) else ["W", *last]
        named.append(dict(zip(names, (W, *rest), strict=True)))
    return named


def _minisiam(network: str, params: Any, x: Array, cot: Array, plain: bool = False) -> Step:
    from minisiam import optimizers

    encoder = ours(network, plain)
    if not plain:
        from minisiam.fast.microbatch import microbatch

        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        encoder = microbatch(encoder, threads=threads if 0 < threads < (os.cpu_count() or 1) else None)
    state = optimizers.sgd(RATE).init(params)

    def step(rate: float) -> float:
        nonlocal params, state
        z, pull = encoder(params, x, input_grad=False)
        value = float((z * cot).sum())
        dtheta, _ = pull(cot)
        params, state = optimizers.sgd(rate).update(dtheta, state, params)
        return value

    return step, lambda: encoder(params, x, input_grad=False)[0]


def _torch(
    network: str, params: Any, x: Array, cot: Array, channels_last: bool = False, compiled: bool = False
) -> Step:
    import torch
    from torch import nn

    after = {"relu": partial(nn.ReLU, inplace=True), "prelu": nn.PReLU, "sigmoid": nn.Sigmoid}
    layers: list[Any] = []
    channels, flat = x.shape[3], False

    def add(layer: Any, *arrays: Array | None) -> None:
        """One more layer, with these for its parameters."""
        given = [array for array in arrays if array is not None]
        for p, array in zip(layer.parameters(), given, strict=True):
            p.data = torch.tensor(np.ascontiguousarray(array).reshape(p.shape))
        layers.append(layer)

    for stage, own in zip(NETWORKS[network][1], weights(network, params), strict=True):
        W, b = own["W"], own.get("b")
        if stage.kernel:
            conv = nn.Conv2d(channels, stage.outputs, stage.kernel, padding=stage.padding, bias=b is not None)
            add(conv, W.transpose(3, 2, 0, 1), b)
        else:
            if not flat:  # we flatten images with the channels last, they with the channels first
                add(nn.Flatten())
                W = W.reshape(-1, channels, stage.outputs).swapaxes(0, 1).reshape(-1, stage.outputs)
            add(nn.Linear(len(W), stage.outputs), W.T, b)
            flat = True
        if stage.norm:
            add(nn.BatchNorm2d(stage.outputs), own["scale"], own["shift"])
        if stage.after:
            add(after[stage.after](), own.get("slope"))
        if stage.pool:
            add(nn.MaxPool2d(2))
        channels = stage.outputs
    order = torch.channels_last if channels_last else torch.contiguous_format
    model = nn.Sequential(*layers, *([] if flat else [nn.Flatten()])).to(memory_format=order)
    rows = torch.tensor(x).permute(0, 3, 1, 2)
    images = torch.empty(rows.shape, memory_format=order).copy_(rows)
    gradient = torch.tensor(cot)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def objective() -> Any:
        return (model(images) * gradient).sum()

    if compiled:
        objective = torch.compile(objective)
        objective().backward()  # compiled here, so that the time and the memory of the compiler are not a step's

    def step(rate: float) -> float:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        value = objective()
        value.backward()
        optimizer.step()
        return value.item()

    def embed() -> Array:
        with torch.no_grad():
            return model(images).numpy()

    return step, embed


def _jax(network: str, params: Any, x: Array, cot: Array) -> Step:
    import jax
    import jax.numpy as jnp

    def forward(theta: Any, z: Any) -> Any:
        for stage, own in zip(NETWORKS[network][1], theta, strict=True):
            if stage.kernel:
                axes = ("NHWC", "HWIO", "NHWC")
                z = jax.lax.conv_general_dilated(z, own["W"], (1, 1), stage.padding.upper(), dimension_numbers=axes)
            else:
                z = z.reshape(len(z), -1) @ own["W"]
            if "b" in own:
                z = z + own["b"]
            if stage.norm:
                unit = (z - z.mean((0, 1, 2))) * jax.lax.rsqrt(z.var((0, 1, 2)) + EPSILON)
                z = unit * own["scale"] + own["shift"]
            if stage.after == "relu":
                z = jax.nn.relu(z)
            elif stage.after == "prelu":
                z = jnp.where(z > 0, z, own["slope"] * z)
            elif stage.after == "sigmoid":
                z = jax.nn.sigmoid(z)
            if stage.pool:
                z = jax.lax.reduce_window(z, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return z.reshape(len(z), -1)

    def stepped(theta: Any, x: Any, cot: Any, rate: Any) -> Any:
        value, grads = jax.value_and_grad(lambda theta: (forward(theta, x) * cot).sum())(theta)
        return jax.tree.map(lambda p, g: p - rate * g, theta, grads), value

    theta = jax.tree.map(jnp.array, weights(network, params))
    images, gradient = jnp.array(x), jnp.array(cot)
    # compiled here, so that the time and the memory of the compiler are not a step's
    compiled = jax.jit(stepped, donate_argnums=0).lower(theta, images, gradient, jnp.float32(RATE)).compile()

    def step(rate: float) -> float:
        nonlocal theta
        theta, value = jax.block_until_ready(compiled(theta, images, gradient, jnp.float32(rate)))
        return float(value)

    return step, lambda: np.asarray(jax.jit(forward)(theta, images))


def _autograd(network: str, params: Any, x: Array, cot: Array) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    # autograd's gradients of maximum, max and mean are float64 whatever they are given: what follows does without them

    def convolved(z: Any, W: Any, padding: str) -> Any:
        k = len(W)
        if padding == "same":
            sides = ((k - 1) // 2, k // 2)
            z = anp.pad(z, ((0, 0), sides, sides, (0, 0)), "constant")
        p, q = z.shape[1] - k + 1, z.shape[2] - k + 1
        columns = anp.concatenate([z[:, i : i + p, j : j + q] for i in range(k) for j in range(k)], axis=3)
        return (columns.reshape(-1, columns.shape[3]) @ W.reshape(-1, W.shape[3])).reshape(len(z), p, q, -1)

    def normed(z: Any, scale: Any, shift: Any) -> Any:
        share = 1 / float(z.size // z.shape[3])
        u = z - anp.sum(z, (0, 1, 2)) * share
        return u / anp.sqrt(anp.sum(u * u, (0, 1, 2)) * share + EPSILON) * scale + shift

    def pooled(z: Any) -> Any:
        n, h, w, c = z.shape
        z = z.astype(np.float32, copy=False)  # changes nothing, but its gradient is float32 again
        z = z[:, : h // 2 * 2, : w // 2 * 2] if h % 2 or w % 2 else z
        return anp.max(z.reshape(n, h // 2, 2, w // 2, 2, c), axis=(2, 4))

    def forward(theta: Any) -> Any:
        z: Any = x
        for stage, own in zip(NETWORKS[network][1], theta, strict=True):
            z = convolved(z, own["W"], stage.padding) if stage.kernel else z.reshape(len(z), -1) @ own["W"]
            if "b" in own:
                z = z + own["b"]
            if stage.norm:
                z = normed(z, own["scale"], own["shift"])
            if stage.after == "relu":
                z = z * (z > 0)
            elif stage.after == "prelu":
                z = z * (z > 0) + own["slope"] * (z * (z <= 0))
            elif stage.after == "sigmoid":
                z = (1 + anp.tanh(z / 2)) / 2
            if stage.pool:
                z = pooled(z)
        return z.reshape(len(z), -1)

    theta = weights(network, params)
    both = value_and_grad(lambda theta: anp.sum(forward(theta) * cot))

    def step(rate: float) -> float:
        nonlocal theta
        value, grads = both(theta)
        theta = [{name: p - rate * g[name] for name, p in own.items()} for own, g in zip(theta, grads, strict=True)]
        return float(value)

    return step, lambda: forward(theta)


SQUARE = 2048


def sgemm() -> Callable[[float], float]:
    """A square product in float32: the most that any step could do on this machine."""
    a, b = np.random.default_rng(0).normal(size=(2, SQUARE, SQUARE)).astype(np.float32)
    out = np.empty_like(a)

    def step(rate: float) -> float:
        np.matmul(a, b, out=out)
        return float(out[0, 0])

    return step


# glibc gives blocks of more than 32 MB back to the system, which zeroes them anew at the next step. PyTorch's tuning
# guide has another malloc preloaded for that, jemalloc or tcmalloc; with these three glibc keeps its memory as well
KEEP = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_TOP_PAD_": "67108864"}


class Implementation(NamedTuple):
    """Who makes the step, the module that must be there for it, and what its process finds in its environment."""

    make: Callable[[str, Any, Array, Array], Step]
    needs: str
    label: str
    environment: dict[str, str] = {}  # noqa: RUF012


IMPLEMENTATIONS = {
    "minisiam": Implementation(_minisiam, "numpy", "minisiam"),
    "minisiam-plain": Implementation(partial(_minisiam, plain=True), "numpy", "minisiam, plain"),
    "torch": Implementation(_torch, "torch", "PyTorch"),
    "torch-channels-last": Implementation(partial(_torch, channels_last=True), "torch", "PyTorch NHWC"),
    "torch-channels-last-malloc": Implementation(
        partial(_torch, channels_last=True), "torch", "PyTorch NHWC, malloc", KEEP
    ),
    "torch-compiled": Implementation(
        partial(_torch, channels_last=True, compiled=True), "torch", "PyTorch NHWC, compiled"
    ),
    "torch-compiled-malloc": Implementation(
        partial(_torch, channels_last=True, compiled=True), "torch", "PyTorch NHWC, compiled, malloc", KEEP
    ),
    "jax": Implementation(_jax, "jax", "JAX", {"JAX_PLATFORMS": "cpu"}),
    "autograd": Implementation(_autograd, "autograd", "autograd"),
}
