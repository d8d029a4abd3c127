"""The definitions: the printed formula of every op, once, in autograd.numpy, so that autograd can differentiate it.

This is the specification of the library, and it shares no line with the ops. A definition is found by the name of its
op, `reference.contrastive`, so that a learner's function of the same name is compared with it as well. `specify` adds
what a formula does not say.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np

from . import (
    angular_margin,
    distances,
    histograms,
    image_text,
    lifted_structure,
    ops,
    pairs,
    penalties,
    proxies,
    softmax,
    terms,
    triplets,
)
from .distances import matrix
from .specification import DefinitionError, specified, specify
from .terms import each_way, reduce

__all__ = ["DEFINITIONS", "DefinitionError", "each_way", "matrix", "np", "of", "reduce", "specified", "specify"]

MODULES = (
    ops,
    distances,
    pairs,
    triplets,
    softmax,
    image_text,
    lifted_structure,
    angular_margin,
    histograms,
    proxies,
    penalties,
    terms,
)
DEFINITIONS = {name: f for module in MODULES for name, f in vars(module).items() if hasattr(f, "corner")}


def of(op: Any) -> Any:
    """Return the definition of an op, found by its name; a pairwise distance is the row distance of every pair."""
    if op.__name__ not in DEFINITIONS:
        raise ValueError(
            f"no formula of the library is called {op.__name__}: give its own, with `minisiam check FILE:{op.__name__} "
            "--definition FILE:FORMULA`, or with definition=FORMULA in Python"
        )
    definition = DEFINITIONS[op.__name__]
    return matrix(definition) if op.__module__.endswith(".pairwise") else definition


def __getattr__(name: str) -> Any:
    """Return a definition by its name: `reference.contrastive`."""
    if name in DEFINITIONS:
        return DEFINITIONS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
