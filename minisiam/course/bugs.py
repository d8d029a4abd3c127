"""Five wrong gradients, and the smallest inputs on which each differs from the correct one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import distances, losses, ops, require
from ..gradcheck import Case, Fault, reference, variables
from ..gradcheck.trials import Trials
from .mistakes import common

if TYPE_CHECKING:
    from ..typing import AnyOp

CORRECT: dict[str, AnyOp] = {
    "contrastive, hinge missing": losses.contrastive,
    "triplet, sum instead of mean": losses.triplet_hinge,
    "triplet, divided by active triplets": losses.triplet_hinge,
    "l2, equal points not handled": distances.l2,
    "normalize, along columns": ops.normalize,
}
WRONG: dict[str, AnyOp] = {
    "contrastive, hinge missing": common.contrastive_without_hinge(losses.contrastive),
    "triplet, sum instead of mean": common.sum_for_mean(losses.triplet_hinge),
    "triplet, divided by active triplets": common.divided_by_active(losses.triplet_hinge),
    "l2, equal points not handled": common.equal_points_not_handled(distances.l2),
    "normalize, along columns": common.wrong_axis(ops.normalize),
}
INSUFFICIENT: dict[str, dict[str, Any]] = {
    "contrastive, hinge missing": {"d": [0.5], "same": [False], "margin": 1.0},
    "triplet, sum instead of mean": {"positive": [1.0], "negative": [1.0]},
    "triplet, divided by active triplets": {"positive": [1.0], "negative": [1.0]},
    "l2, equal points not handled": {"a": [[1.0]], "b": [[0.0]]},
    "normalize, along columns": {"x": [[2.0]]},
}


def smallest() -> dict[str, dict[str, Any]]:
    """For each wrong gradient the smallest input on which it differs from the correct one.

    Returns
    -------
    dict
        name → {argument: value}, with the names of `minisiam.course.bugs.WRONG`. Write arrays as lists. The pullback
        is called with 1 for every number of the value.
    """
    return {name: _smallest_input(name) for name in WRONG}


@cache
def _smallest_input(name: str) -> dict[str, Any]:
    """The first input of the universal check, which starts with the simplest, on which the gradients differ."""
    op = CORRECT[name]
    found = Trials(op, reference.of(op)).simplest(lambda case: _difference(name, case), 40)
    if found is None:
        raise ValueError(f"no small input shows the mistake in {name!r}")
    return found.case.variables | found.case.constants


def _difference(name: str, case: Case) -> Fault | None:
    """The wrong and the correct gradients side by side, if they differ."""
    wrong, correct = _gradients(WRONG[name], case), _gradients(CORRECT[name], case)
    if all(np.shape(a) == np.shape(b) and np.allclose(a, b) for a, b in zip(wrong, correct, strict=True)):
        return None
    return Fault(name, case, None, {"wrong": wrong, "correct": correct})


def _gradients(op: AnyOp, case: Case) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        value, pullback = case.call(op)
        return pullback(np.ones_like(value)[()])


def fault_of_input(name: str, answer: dict[str, Any]) -> Fault | None:
    """What is wrong with a learner's input: the gradients are equal on it, or a smaller input is enough."""
    case = _case(CORRECT[name], answer)
    if _difference(name, case) is None:
        (gradient, *_) = _gradients(CORRECT[name], case)
        what = f"{name}: the two gradients are equal on your input, so it does not show the mistake"
        return Fault(what, case, None, {"wrong": gradient, "correct": gradient})
    size, enough = _size(case.variables), _size(_case(CORRECT[name], _smallest_input(name)).variables)
    if size > enough:
        return Fault(f"{name}: your input of {size} numbers shows the mistake, but {_count(enough)} enough", case)
    return None


def _count(numbers: int) -> str:
    return "1 number is" if numbers == 1 else f"{numbers} numbers are"


def _size(arrays: dict[str, Any]) -> int:
    return sum(np.size(array) for array in arrays.values())


def _case(op: AnyOp, answer: dict[str, Any]) -> Case:
    """A case from arrays written as lists."""
    names = variables(op)
    for name in answer:
        require.one_of("argument", name, [*names, *CONSTANTS])
    missing = [name for name in names if name not in answer]
    if missing:
        raise ValueError(f"the argument {missing[0]!r} is missing: add it to the input")
    arrays = {name: np.asarray(answer[name], float) for name in names}
    for name, array in arrays.items():
        if not array.size or not np.isfinite(array).all():
            raise ValueError(f"{name} must have finite numbers, and at least one, not {answer[name]}")
    constants = {name: value for name, value in answer.items() if name not in names}
    if "same" in constants:
        constants["same"] = np.asarray(constants["same"], bool)
    return Case(arrays, constants, None)


CONSTANTS = ("same", "margin", "reduction")


def check_form(answers: Any) -> None:
    """Raise an error for a missing input or an unknown name."""
    if not isinstance(answers, dict):
        raise ValueError(f"smallest must return a dict, not {type(answers).__name__}")
    for name in answers:
        require.one_of("name", name, WRONG)
    missing = [name for name in WRONG if not isinstance(answers.get(name), dict)]
    if missing:
        raise ValueError(f"the input for {missing[0]!r} is missing: add a dict {{argument: value}}")
