"""What the docstrings of the ops promise of their values, read from the docstrings themselves."""

import inspect
import re
from math import inf
from typing import Any

import numpy as np

from minisiam import fast
from minisiam.gradcheck import registry

NUMBER = r"[−-]?\d+"
RANGES = (
    re.compile(rf"in \[(?P<low>{NUMBER}), (?P<high>{NUMBER})\]"),
    re.compile(rf"from (?P<low>{NUMBER})(?: \(.*?\))? to (?P<high>{NUMBER})\b"),
    re.compile(rf"≥ (?P<low>{NUMBER})"),
)
# where an op promises nothing, by its constants: the docstring names both
EXCEPT = {"losses.softmax_cross_entropy": {"others_only": True}}
DISTANCES = {"losses.cosine_embedding"}  # what promises something of distances ≥ 0 alone


def returned(op: Any) -> str:
    """The section Returns of an op's docstring, on one line; empty where it refers to another op."""
    found = re.search(r"^Returns\n-+\n(.*?)(?=\n\n\w+\n-|\Z)", inspect.getdoc(op) or "", re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def promised(op: Any) -> tuple[float, float] | None:
    """The range that the docstring gives for the value, before it speaks of the pullback."""
    said = returned(op).split("`pullback(")[0]
    for pattern in RANGES:
        found = pattern.search(said)
        if found:
            ends = found["low"], found.groupdict().get("high")
            low, high = (float(end.replace("−", "-")) if end else inf for end in ends)
            return low, high
    return None


def separated(labels: Any, seed: int, inside_out: bool = False) -> np.ndarray:
    """A distance matrix in which every positive is nearer than every negative, or farther: the end of a range."""
    near, far = 0.6 * np.random.default_rng(seed).random((2, len(labels), len(labels))) + [[[0]], [[1.3]]]
    return np.where((labels[:, None] == labels) != inside_out, near, far)


PROMISES = {name: promised(op) for name, op in registry.ops_of(*registry.CORE, fast).items() if promised(op)}


def kept(name: str, value: Any, variables: dict[str, Any], constants: dict[str, Any]) -> bool:
    """Whether every entry of a value lies in the range that is promised for this op, to the last digit."""
    low, high = PROMISES.get(name, (-inf, inf))
    if constants.get("reduction") == "sum":  # bounds are those of a term
        high = inf
    if any(constants.get(word) == choice for word, choice in EXCEPT.get(name, {}).items()):
        return True
    if name in DISTANCES and (variables["d"] < 0).any():
        return True
    return bool(((low <= np.asarray(value)) & (np.asarray(value) <= high)).all())
