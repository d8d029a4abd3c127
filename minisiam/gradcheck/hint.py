"""A clue to a fault: the op on the reported case and on other inputs, beside its definition."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .clues import Sample, clue, clue_at_kink
from .inputs import Case, generic, shapes
from .oracles import by_autograd

if TYPE_CHECKING:
    from ..typing import AnyOp, Definition
    from .compare import Fault


def hint(op: AnyOp, definition: Definition, found: Fault) -> str:
    """A clue from the reported case and from others with three rows, at which "twice" and "sum for mean" differ."""
    truth = found.columns.get("convention", found.columns.get("autograd", found.columns.get("definition")))
    if truth is None or np.shape(truth) != np.shape(found.columns["yours"]):
        return ""
    try:
        others = [_sample(op, definition, generic(op, definition, seed, rows=3), found.variable) for seed in range(8)]
        shown = _sample(op, definition, found.case, found.variable)._replace(truth=np.asarray(truth))
    except Exception:  # an op that fails elsewhere is wrong in more than one way: no clue
        return ""
    return (clue_at_kink if "convention" in found.columns else clue)(shown, others)


def _sample(op: AnyOp, definition: Definition, case: Case, name: str | None) -> Sample:
    """The value, or the gradient of a variable, beside the right one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, truths = by_autograd(definition, case)
        value, pullback = case.call(op)
        rows, constants = _rows(op, case), _constants(op, case)
        if name is None:
            return Sample(np.asarray(value), np.asarray(expected), None, rows, constants)
        place = list(case.variables).index(name)
        ours, doubled = (np.asarray(pullback(factor * case.upstream)[place]) for factor in (1, 2))
        return Sample(ours, np.asarray(truths[place]), doubled, rows, constants)


def _rows(op: AnyOp, case: Case) -> int:
    """The size of the axis n."""
    arrays = case.variables | case.constants
    axes = {name: hint.dim_str.split() for name, hint in shapes(op).items()}
    return next((np.shape(arrays[name])[names.index("n")] for name, names in axes.items() if "n" in names), 0)


def _constants(op: AnyOp, case: Case) -> dict[str, Any]:
    """The constants of a case, and the defaults of the others."""
    parameters = inspect.signature(op).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty} | case.constants
