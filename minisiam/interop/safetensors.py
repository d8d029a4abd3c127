"""Parameters for other programs, in the safetensors format, with the names and axes of PyTorch (`interop.state_dict`).

Without the prefix "encoder." the file of a network is the `state_dict` of an `nn.Sequential` of the same layers in the
same order. All arrays are float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import replacing
from . import require_package as require
from .state_dict import from_state_dict, to_state_dict

if TYPE_CHECKING:
    from ..layers import Layer
    from ..networks import Network
    from ..typing import Array, Params, Shape


def save_safetensors(
    path: str | Path, params: Params, metadata: dict[str, str] | None = None, channels: int = 1
) -> None:
    """Write the parameters of a network, {"encoder": …, "distance": …, "loss": …}, with PyTorch's names and axes.

    Parameters
    ----------
    path
        The file. An older one is replaced when the new one is complete.
    params
        The parameters of a network whose encoder is a `layers.serial`, or of such an encoder.
    metadata
        Texts by name that describe the file.
    channels
        Of the images. Needed only for an encoder that flattens colour images without a convolution.

    Raises
    ------
    ImportError
        If the package `safetensors` is not installed.
    """
    require_package()
    from safetensors.numpy import save

    arrays = {name: np.asarray(a, np.float32, order="C") for name, a in to_state_dict(params, channels).items()}
    data = save(arrays, metadata)
    with replacing(Path(path)) as file:
        file.write(data)


def load_safetensors(path: str | Path, network: Layer | Network, shape: Shape) -> Params:
    """Return the parameters of an encoder or a network from a file of `save_safetensors` or of PyTorch.

    Parameters
    ----------
    path
        The file.
    network, shape
        As in `state_dict.from_state_dict`. The file does not keep the order of its layers, so they must have numbers,
        as those of an `nn.Sequential` have.

    Raises
    ------
    ValueError
        If the file is damaged, or of another architecture; the message has the key and both shapes.
    """
    require_package()
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}: name a file that `save_safetensors` or PyTorch wrote")
    try:
        with safe_open(path, framework="np") as file:
            state = {name: _read(file, name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file ({error}): restore a copy") from error
    return from_state_dict(state, network, shape)


def _read(file: Any, name: str) -> Array:
    if file.get_slice(name).get_dtype() == "BF16":
        raise TypeError(f"{name} is bfloat16, which NumPy does not have: save model.float() instead")
    return file.get_tensor(name)


def require_package() -> None:
    """Raise an ImportError with the pip command if the package `safetensors` is not installed."""
    require("safetensors files", "safetensors", "safetensors")
