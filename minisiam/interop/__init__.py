"""Bridges to other tools, one module each. A module needs the package of the same name, which is an extra.

    torch         a loss as an nn.Module; a state_dict becomes parameters, and parameters a state_dict
    jax           a loss under jit and grad
    sklearn       an estimator for pipelines and searches
    onnx          an encoder as a file for onnxruntime
    safetensors   parameters as a file that PyTorch reads, and back

    state_dict    the names and axes of PyTorch, which torch and safetensors share
    embeddings    a loss as a function of embeddings, which torch and jax share

The modules load on first use: `import minisiam as ms; ms.interop.torch.Loss(...)`.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from ..require import how_to_install

MODULES = ("embeddings", "jax", "onnx", "safetensors", "sklearn", "state_dict", "torch")
__all__ = ["require_package"]


def __getattr__(name: str) -> Any:
    """Import a bridge on first use."""
    if name in MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})


def require_package(what: str, package: str, extra: str) -> None:
    """Raise an ImportError with the pip command if a package is not installed."""
    if find_spec(package) is None:
        raise ImportError(f"{what} needs the package {package}: {how_to_install(extra)}")
