"""Parameters for other programs, in the safetensors format, with the names and axes of PyTorch.

Without the prefix "encoder." the file is the `state_dict` of an `nn.Sequential` of the same layers in the same order.
All arrays are float32.

    minisiam                 in the file
    convolution (k, k, c, o) N.weight (o, c, k, k), N.bias
    dense (in, out)          N.weight (out, in), N.bias; after a convolution the inputs are in the order (c, h, w), as
                             `nn.Flatten` has them for images (n, c, h, w), instead of (h, w, c)
    norms, PReLU             N.weight and N.bias; batch norm also N.running_mean and N.running_var
    other parameters         "distance.0", "loss.0", "proxies", unchanged
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..checkpoint import replacing

if TYPE_CHECKING:
    from ..typing import Array, Params


def save_safetensors(path: str | Path, params: Params, metadata: dict[str, str] | None = None) -> None:
    """Write the parameters of a network, {"encoder": …, "distance": …, "loss": …}, with PyTorch's names and axes.

    Parameters
    ----------
    path
        The file. An older one is replaced when the new one is complete.
    params
        The parameters of a network whose encoder is a `layers.serial`.
    metadata
        Texts by name that describe the file.

    Raises
    ------
    ImportError
        If the package `safetensors` is not installed.
    """
    require_package()
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, np.float32, order="C") for name, array in named(params).items()}
    data = save(arrays, metadata)
    with replacing(Path(path)) as file:
        file.write(data)


def require_package() -> None:
    """Raise an ImportError with the pip command if the package `safetensors` is not installed."""
    if find_spec("safetensors") is None:
        raise ImportError(f"safetensors files need the package safetensors: {require.how_to_install('safetensors')}")


def named(params: Params) -> dict[str, Array]:
    """Every array of a network by its name in PyTorch, with its axes in PyTorch's order."""
    if not isinstance(params, dict) or not isinstance(params.get("encoder"), list):
        raise ValueError("params must be those of a network, {'encoder': [one entry a layer], …}: see networks.py")
    found: dict[str, Array] = {}
    channels = 1  # of the last convolution, whose images are flattened
    for number, layer in enumerate(params["encoder"]):
        for name, array in _layer(layer).items():
            if array.ndim == 4:
                channels = array.shape[3]
                array = array.transpose(3, 2, 0, 1)
            elif array.ndim == 2:
                array, channels = _dense(array, channels), 1
            found[f"encoder.{number}.{name}"] = array
    for kind in ("distance", "loss"):
        found |= {f"{kind}.{number}": np.asarray(array) for number, array in enumerate(params.get(kind, ()))}
    return found | {kind: array for kind, array in params.items() if kind not in ("encoder", "distance", "loss")}


def _layer(params: Params) -> dict[str, Array]:
    """The arrays of a layer by PyTorch's names."""
    if isinstance(params, dict):  # BatchNorm
        mean, variance = params["running"]
        return {"weight": params["scale"], "bias": params["shift"], "running_mean": mean, "running_var": variance}
    arrays = [np.asarray(array) for array in params]
    if len(arrays) == 1 and arrays[0].ndim == 0:  # PReLU, whose slope has shape (1,) in PyTorch
        return {"weight": arrays[0][None]}
    return dict(zip(("weight", "bias"), arrays, strict=False))


def _dense(W: Array, channels: int) -> Array:
    """(h·w·c, out) → (out, c·h·w)."""
    inputs, outputs = W.shape
    return W.reshape(inputs // channels, channels, outputs).transpose(2, 1, 0).reshape(outputs, inputs)
