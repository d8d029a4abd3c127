"""Five wrong gradients, and what tells each from the right one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import distances, losses, ops, require
from ..gradcheck import Case, Fault, reference, variables
from ..gradcheck.check import simplest
from . import mistakes

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT: dict[str, Callable[..., Any]] = {
    "contrastive without its hinge": losses.contrastive,
    "triplet, a sum for a mean": losses.triplet_hinge,
    "triplet, divided by the active ones": losses.triplet_hinge,
    "l2, equal points forgotten": distances.l2,
    "normalize, by columns": ops.normalize,
}
WRONG: dict[str, Callable[..., Any]] = {
    "contrastive without its hinge": mistakes.no_hinge(losses.contrastive),
    "triplet, a sum for a mean": mistakes.sum_for_mean(losses.triplet_hinge),
    "triplet, divided by the active ones": mistakes.active_for_valid(losses.triplet_hinge),
    "l2, equal points forgotten": mistakes.equal_points_forgotten(distances.l2),
    "normalize, by columns": mistakes.wrong_axis(ops.normalize),
}
TOO_LITTLE: dict[str, dict[str, Any]] = {
    "contrastive without its hinge": {"d": [0.5], "same": [False], "margin": 1.0},
    "triplet, a sum for a mean": {"positive": [1.0], "negative": [1.0]},
    "triplet, divided by the active ones": {"positive": [1.0], "negative": [1.0]},
    "l2, equal points forgotten": {"a": [[1.0]], "b": [[0.0]]},
    "normalize, by columns": {"x": [[2.0]]},
}


def smallest() -> dict[str, dict[str, Any]]:
    """For each wrong gradient the smallest input on which it differs from the right one.

    Returns
    -------
    dict
        name → {argument: value}, the names being those of `minisiam.course.bugs.WRONG`. Variables are written as lists.
        The gradient that is pulled back is 1 for every number of the value.
    """
    return {name: _found(name) for name in WRONG}


@cache
def _found(name: str) -> dict[str, Any]:
    """The simplest input of the ladder of the universal check that shows it."""
    right = RIGHT[name]
    found = simplest(right, reference.of(right), (lambda case: _shown(name, case), 40))
    if found is None:
        raise ValueError(f"no small input shows {name}")
    return found.case.variables | found.case.constants


def _shown(name: str, case: Case) -> Fault | None:
    """The two gradients as columns, if they differ."""
    ours, truth = _gradients(WRONG[name], case), _gradients(RIGHT[name], case)
    if all(np.shape(a) == np.shape(b) and np.allclose(a, b) for a, b in zip(ours, truth, strict=True)):
        return None
    return Fault(name, case, None, {"wrong": ours, "right": truth})


def _gradients(op: Callable[..., Any], case: Case) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        value, pullback = case.call(op)
        return pullback(np.ones_like(value)[()])


def unseen(name: str, answer: dict[str, Any]) -> Fault | None:
    """What is wrong with a learner's input: it shows nothing, or a smaller one shows it as well."""
    case = _case(RIGHT[name], answer)
    if _shown(name, case) is None:
        (gradient, *_) = _gradients(RIGHT[name], case)
        what = f"{name}: the two gradients are equal on your input, so it shows nothing"
        return Fault(what, case, None, {"wrong": gradient, "right": gradient})
    size, enough = _size(case.variables), _size(_case(RIGHT[name], _found(name)).variables)
    if size > enough:
        return Fault(f"{name}: your input of {size} numbers shows it, and {enough} would do", case)
    return None


def _size(arrays: dict[str, Any]) -> int:
    return sum(np.size(array) for array in arrays.values())


def _case(op: Callable[..., Any], answer: dict[str, Any]) -> Case:
    """An input that was written down as lists."""
    names = variables(op)
    for name in answer:
        require.one_of("argument", name, [*names, *CONSTANTS])
    missing = [name for name in names if name not in answer]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    constants = {name: value for name, value in answer.items() if name not in names}
    if "same" in constants:
        constants["same"] = np.asarray(constants["same"], bool)
    return Case({name: np.asarray(answer[name], float) for name in names}, constants, None)


CONSTANTS = ("same", "margin", "reduction")


def check_form(answers: Any) -> None:
    """An error where an answer is missing or there is one to nothing."""
    if not isinstance(answers, dict):
        raise ValueError(f"smallest must return a dict, not {type(answers).__name__}")
    for name in answers:
        require.one_of("name", name, WRONG)
    missing = [name for name in WRONG if not isinstance(answers.get(name), dict)]
    if missing:
        raise ValueError(f"there is no input for {missing[0]!r}: a dict, from the name of an argument to its value")
