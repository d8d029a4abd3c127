"""Parameters with the names and axes of PyTorch, in both directions.

    minisiam                 PyTorch
    convolution (k, k, c, o) N.weight (o, c, k, k), N.bias
    dense (in, out)          N.weight (out, in), N.bias; the inputs of a flattened image are in the order (c, h, w), as
                             `nn.Flatten` has them for images (n, c, h, w), instead of (h, w, c)
    norms, PReLU             N.weight and N.bias; batch norm also N.running_mean and N.running_var
    other parameters         "distance.0", "loss.0", "proxies", unchanged

N is the number of the layer, and 3.1 is layer 1 of the `serial` that is layer 3. The parameters of an encoder have the
names of an `nn.Sequential` of the same layers; in those of a network they begin with "encoder.".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..networks import Network
    from ..typing import Array, Params, Shape

OTHERS = re.compile(r"(distance|loss)\.\d+|proxies")
PLAIN = {"weight": np.ones, "bias": np.zeros}  # of a layer with bias=False, and of a norm with affine=False


def to_state_dict(params: Params, channels: int = 1) -> dict[str, Array]:
    """Return every array of an encoder or of a network by its name in PyTorch, with its axes in PyTorch's order.

    Parameters
    ----------
    params
        The parameters of a `layers.serial`, or of a network whose encoder is one.
    channels
        Of the images. Needed only for an encoder that flattens colour images without a convolution.
    """
    if isinstance(params, list):
        return {name: _to_torch(array, c) for name, array, c in _named(params, channels)}
    if not isinstance(params, dict) or not isinstance(params.get("encoder"), list):
        raise ValueError("params must be those of a network, {'encoder': [one entry a layer], …}: see networks.py")
    found = {f"encoder.{name}": array for name, array in to_state_dict(params["encoder"], channels).items()}
    return found | {name: np.asarray(array) for name, array in _others(params)}


def from_state_dict(state: Mapping[str, Any], network: Layer | Network, shape: Shape) -> Params:
    """Return the parameters of an encoder or a network from the `state_dict` of the same layers in PyTorch.

    Parameters
    ----------
    state
        Tensors or arrays by name. Layers are assigned in their order, whatever their names: a dropout or an identity
        between them, or an `nn.Sequential` inside another module, makes no difference. For the encoder of a saved
        network, the other parameters of the network are left out.
    network
        The encoder, or a network of `minisiam.networks` with learned distances, losses or proxies.
    shape
        The shape of one image, (h, w, c), or (d,) for rows.

    Returns
    -------
    params
        float32, as `network.init` would draw them. A missing bias is 0; in a norm without weights they are 1 and 0.

    Raises
    ------
    ValueError
        If the state belongs to another architecture; the message has the key and both shapes.

    Notes
    -----
    A state_dict has no strides, paddings, group counts and ε: they are those of `network`. The `nn.LayerNorm` of an
    image has a weight for each place, and `layers.LayerNorm` one for each channel, as `nn.GroupNorm(1, channels)`.
    """
    if hasattr(state, "state_dict"):
        raise TypeError("state must be a state_dict and not a module: model.state_dict()")
    rng = np.random.default_rng(0)
    template = network.init(rng, shape)[0] if isinstance(network, Layer) else network.init(rng, shape)
    channels = shape[-1] if len(shape) == 3 else 1
    arrays = {name: a for name, a in state.items() if not name.endswith("num_batches_tracked")}
    if isinstance(network, Layer):
        return _encoder({name: a for name, a in arrays.items() if not OTHERS.fullmatch(name)}, template, channels)
    others = {name: _of_shape(arrays, name, like.shape) for name, like in _others(template)}
    values = iter(others.values())
    rest = tree.map(lambda _: next(values), {name: part for name, part in template.items() if name != "encoder"})
    encoder = {name: a for name, a in arrays.items() if name not in others}
    return {"encoder": _encoder(encoder, template["encoder"], channels)} | rest


def _encoder(state: Mapping[str, Any], template: Params, channels: int) -> Params:
    """The parameters of an encoder, layer by layer."""
    if not isinstance(template, list):
        raise ValueError("the encoder must be a layers.serial: layers.serial(layer)")
    groups = iter(_grouped(state).items())
    made = []
    for number, layer in _layers(template):
        prefix, names = next(groups, (number, []))
        wanted = _by_name(layer)
        _refuse([f"{prefix}{name}" for name in names if name not in wanted], state)
        for name, like in wanted.items():
            channels = like.shape[3] if like.ndim == 4 else channels
            made.append(_converted(state, f"{prefix}{name}", like, channels, _default(name, wanted, names)))
            channels = 1 if like.ndim == 2 else channels
    _refuse([f"{prefix}{name}" for prefix, names in groups for name in names], state)
    values = iter(made)
    return tree.map(lambda _: next(values), template)


def _grouped(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of each layer, {"0.": ["weight", "bias"], …}: by number if all layers have one, else in their order."""
    groups: dict[str, list[str]] = {}
    for name in state:
        prefix, _, last = name.rpartition(".")
        groups.setdefault(f"{prefix}." if prefix else "", []).append(last)
    numbers = {prefix: [part for part in prefix.split(".") if part and part != "encoder"] for prefix in groups}
    if all(part.isdecimal() for parts in numbers.values() for part in parts):
        return {prefix: groups[prefix] for prefix in sorted(groups, key=lambda prefix: [*map(int, numbers[prefix])])}
    return groups


def _default(name: str, wanted: Mapping[str, Array], names: list[str]) -> Any:
    """What a parameter that PyTorch leaves out stands for: no bias, or a batch norm without weights; else None."""
    if not names or name not in PLAIN or (name == "weight" and "running_mean" not in wanted):
        return None
    return PLAIN[name]


def _converted(state: Mapping[str, Any], name: str, like: Array, channels: int, default: Any) -> Array:
    """An array of the state as a parameter of the shape of `like`."""
    if name not in state and default is not None:
        return default(like.shape, np.float32)
    return _from_torch(_of_shape(state, name, _to_torch(like, channels).shape), channels).reshape(like.shape)


def _of_shape(state: Mapping[str, Any], name: str, shape: Shape) -> Array:
    """An array of the state, which must have this shape."""
    if name not in state:
        raise ValueError(f"the state_dict has no {name}, and the network needs one of the shape {shape}")
    array = _array(state[name])
    if array.shape != shape:
        raise ValueError(
            f"the state_dict is of another architecture: {name} has the shape {array.shape}, and the network needs "
            f"{shape}"
        )
    return array


def _refuse(names: list[str], state: Mapping[str, Any]) -> None:
    """Raise an error if there are names that no layer takes."""
    if names:
        raise ValueError(
            f"the state_dict is of another architecture: the network has no parameter for {names[0]}, of the shape "
            f"{tuple(state[names[0]].shape)}"
        )


def _layers(params: list[Params], prefix: str = "") -> Iterator[tuple[str, Params]]:
    """The parameters of each layer that has some, by its number; a `serial` in a `serial` has numbers like 3.1."""
    for number, layer in enumerate(params):
        if isinstance(layer, list):
            yield from _layers(layer, f"{prefix}{number}.")
        elif tree.leaves(layer):
            yield f"{prefix}{number}.", layer


def _by_name(params: Params) -> dict[str, Array]:
    """The arrays of a layer by PyTorch's names, in the order of `tree.leaves`."""
    names = ("weight", "bias", "running_mean", "running_var")  # the last two of BatchNorm
    return {name: np.asarray(array) for name, array in zip(names, tree.leaves(params), strict=False)}


def _named(params: list[Params], channels: int) -> Iterator[tuple[str, Array, int]]:
    """The arrays of an encoder by name, each with the number of channels of the images that it reads."""
    for prefix, layer in _layers(params):
        for name, array in _by_name(layer).items():
            channels = array.shape[3] if array.ndim == 4 else channels
            yield f"{prefix}{name}", array, channels
            channels = 1 if array.ndim == 2 else channels


def _others(params: Params) -> Iterator[tuple[str, Array]]:
    """The parameters of a network besides those of its encoder, by name."""
    for kind, part in params.items():
        if kind != "encoder":
            many = isinstance(part, tuple)
            yield from (
                (f"{kind}.{k}" if many else kind, np.asarray(a)) for k, a in enumerate(part if many else [part])
            )


def _to_torch(array: Array, channels: int) -> Array:
    """An array with the axes of PyTorch; `channels` are those of the images that a dense layer or a norm reads flat."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if array.ndim == 2:
        inputs, outputs = array.shape
        return array.reshape(inputs // channels, channels, outputs).transpose(2, 1, 0).reshape(outputs, inputs)
    return array.reshape(-1, channels if array.size > 1 else 1).T.ravel()  # the slope of PReLU has the shape (1,)


def _from_torch(array: Array, channels: int) -> Array:
    """The inverse of `_to_torch`, up to the shape of a single number."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if array.ndim == 2:
        outputs, inputs = array.shape
        return array.reshape(outputs, channels, inputs // channels).transpose(2, 1, 0).reshape(inputs, outputs)
    return array.reshape(channels if array.size > 1 else 1, -1).T.ravel()


def _array(a: Any) -> Array:
    """The float32 array of a tensor, on any device and of any floating dtype, or of an array."""
    return np.array(a.detach().cpu().float().numpy() if hasattr(a, "detach") else a, np.float32)
