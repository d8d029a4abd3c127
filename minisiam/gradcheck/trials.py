"""The inputs on which an op is tested, and what is right at each of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from .inputs import Case, distance_to_corner, generic, ladder, scale_of
from .oracles import by_autograd, slope

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from ..typing import AnyOp, Array, Definition
    from .compare import Fault

    Test = Callable[[Case], Fault | None]

CLEARANCE = 1e-3  # the smallest distance from a corner at which the oracles are used, in units of the input's scale
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Truth(NamedTuple):
    """What a definition gives at an input.

    value, gradients : by autograd
    corner : the distance of the input from a point without a derivative, in units of its scale
    along : random directions, the slope along them by differences, and how far rounding may move it; None where
        differences lose too many digits
    """

    value: Any
    gradients: tuple[Any, ...]
    corner: float
    along: tuple[tuple[Array, ...], float, float] | None


def truth(definition: Definition, case: Case) -> Truth | None:
    """What a definition gives at an input; None where it has no derivative."""
    corner = distance_to_corner(definition, case)
    if corner < CLEARANCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, gradients = by_autograd(definition, case)
        if not all(np.isfinite(t).all() for t in (value, *gradients)):
            return None
        along = slope(definition, case, np.random.default_rng(0)) if 1e-2 <= scale_of(case) <= 1e2 else None
    return Truth(value, gradients, corner, along)


class Trials:
    """The inputs of a check, and what is right there. They depend on the definition and on the signature of the op."""

    def __init__(self, op: AnyOp, definition: Definition, signed: bool = False) -> None:
        self.op, self.definition, self.signed = op, definition, signed

    def truth(self, case: Case) -> Truth | None:
        """What the definition gives at an input; None where it has no derivative."""
        return truth(self.definition, case)

    def generic(self, seed: int, signed: bool = False) -> Case:
        """A generic point."""
        return generic(self.op, self.definition, seed, signed=signed)

    def simplest(self, test: Test, examples: int) -> Fault | None:
        """The fault at the simplest input on the first rung of the ladder on which a test fails.

        It tries `examples` inputs on a rung.
        """
        rungs = ladder(self.op, self.definition, self.signed)
        found = (self.first(number, rung, test, examples) for number, rung in enumerate(rungs))
        return next(filter(None, found), None)

    def first(self, number: int, rung: SearchStrategy[Case], test: Test, examples: int) -> Fault | None:
        """The fault at the simplest input of a rung of the ladder."""
        try:
            case = find(rung, lambda case: test(case) is not None, settings=settings(SETTINGS, max_examples=examples))
        except NoSuchExample:
            return None
        return test(case)
