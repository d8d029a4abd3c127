"""Inputs at which a formula has no derivative or no value, with the exact result of each op.

The rule is PyTorch's, with which autograd does not always agree: 0 at the corner of a hinge and where two points
coincide, the subgradient of least norm; at a tie of a maximum everything to the first, a convention (least norm would
be equal shares, and any weights that sum to 1 are subgradients). The rows also say what a loss is where it is at its
end: saturated, collapsed, satisfied, or without anything to count. Every number was worked out on paper,
and the tests know no tolerance here but rounding: what should be 0 is exactly 0.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from . import (
    angular_margin,
    distances,
    histograms,
    image_text,
    lifted_structure,
    ops,
    pairs,
    proxies,
    softmax,
    triplets,
)
from .table import Kink

if TYPE_CHECKING:
    from ...typing import AnyOp

__all__ = ["TABLE", "Kink", "of"]

MODULES = (ops, distances, pairs, triplets, softmax, image_text, lifted_structure, angular_margin, histograms, proxies)
TABLE = [row for module in MODULES for row in module.ROWS]


def of(op: AnyOp) -> list[Kink]:
    """The rows of an op, by its module and name.

    A function of another package gets the rows with its name whose constants it has.
    """
    modules = {row.op.partition(".")[0] for row in TABLE}
    module = next((part for part in reversed(op.__module__.split(".")) if part in modules), None)
    if op.__module__.startswith("minisiam."):
        return [row for row in TABLE if row.op == f"{module}.{op.__name__}"]
    namesakes, known = {f"{m}.{op.__name__}" for m in modules - {"pairwise"}}, inspect.signature(op).parameters
    return [row for row in TABLE if row.op in namesakes and row.constants.keys() <= known.keys()]
