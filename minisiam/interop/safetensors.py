"""Parameters for other programs: the safetensors format, which is a length, a header in JSON, and the numbers.

    8 bytes                  N, little-endian
    N bytes                  {"encoder.0.weight": {"dtype": "F32", "shape": [64, 1, 3, 3], "data_offsets": [0, 2304]}}
    to the end               the arrays one after the other, little-endian float32, row by row

Names and axes are those of PyTorch: of an `nn.Sequential` of the same layers in the same order, whose `state_dict` this
is, once the prefix "encoder." is taken off.

    here                     in the file
    convolution (k, k, c, o) N.weight (o, c, k, k), N.bias
    dense (in, out)          N.weight (out, in), N.bias; after a convolution its inputs are in the order of (c, h, w),
                             as `nn.Flatten` has them for images (n, c, h, w), and here (h, w, c)
    norms, PReLU             N.weight and N.bias; batch norm also N.running_mean and N.running_var
    what is not the encoder  "distance.0", "loss.0", "proxies": as they are here
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import replacing

if TYPE_CHECKING:
    from ..typing import Array, Params


def save_safetensors(path: str | Path, params: Params, metadata: dict[str, str] | None = None) -> None:
    """Write the parameters of a network, {"encoder": …, "distance": …, "loss": …}, in the names and axes of PyTorch.

    Parameters
    ----------
    path
        The file; an older one is replaced once the new one is whole.
    params
        A network's, whose encoder is a `layers.serial`.
    metadata
        Texts by name, for whoever opens the file.
    """
    arrays = named(params)
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [end, end + 4 * array.size]}
        end += 4 * array.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of eight
    with replacing(Path(path)) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.astype("<f4").tobytes())


def named(params: Params) -> dict[str, Array]:
    """Every array of a network under its name in PyTorch, and with its axes in PyTorch's order."""
    if not isinstance(params, dict) or not isinstance(params.get("encoder"), list):
        raise ValueError("params must be those of a network, {'encoder': [one entry a layer], …}: see networks.py")
    found: dict[str, Array] = {}
    channels = 1  # of the convolution before, whose images are flattened
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
    if len(arrays) == 1 and arrays[0].ndim == 0:  # PReLU, whose slope has an axis there
        return {"weight": arrays[0][None]}
    return dict(zip(("weight", "bias"), arrays, strict=False))


def _dense(W: Array, channels: int) -> Array:
    """(h·w·c, out) → (out, c·h·w)."""
    inputs, outputs = W.shape
    return W.reshape(inputs // channels, channels, outputs).transpose(2, 1, 0).reshape(outputs, inputs)
