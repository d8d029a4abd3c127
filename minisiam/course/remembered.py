"""Inputs and what is right there, kept: a process that grades a class checks many answers against one definition.

They take most of the time of a check. Nothing that an answer returns is kept.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from ..gradcheck.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..gradcheck import Case, Fault
    from ..gradcheck.oracles import Truth
    from ..gradcheck.trials import Rung, Test
    from ..typing import AnyOp, Definition

MOST = 5_000  # inputs at which what is right is kept; those of a check in which no input fails are a few hundred


class Remembered(Trials):
    """The inputs of a check, and what is right there, each made once."""

    def __init__(self, op: AnyOp, definition: Definition, signed: bool = False) -> None:
        super().__init__(op, definition, signed)
        self.truths: dict[Any, Truth | None] = {}
        self.points: dict[tuple[int, bool], Case] = {}
        self.rungs: dict[tuple[int, int], list[Case]] = {}

    def truth(self, case: Case) -> Truth | None:
        """What the definition gives at an input; None where it has no derivative."""
        key = tuple(map(identity, (*case.variables.values(), *case.constants.values(), case.upstream)))
        if key not in self.truths:
            if len(self.truths) >= MOST:
                return super().truth(case)
            self.truths[key] = super().truth(case)
        return self.truths[key]

    def generic(self, seed: int, signed: bool = False) -> Case:
        """A copy of a generic point."""
        if (seed, signed) not in self.points:
            self.points[seed, signed] = super().generic(seed, signed)
        return copy.deepcopy(self.points[seed, signed])

    def first(self, number: int, rung: Rung, test: Test, examples: int) -> Fault | None:
        """The fault at the simplest input of a rung of the ladder.

        The inputs that Hypothesis draws if none fails are kept, and tested first: a draw takes longer than a test.
        """
        kept = self.rungs.get((number, examples), [])
        found = next(filter(None, map(test, kept)), None)
        if kept and not found:
            return None
        drawn: list[Case] = []

        def noted(case: Case) -> Fault | None:
            drawn.append(copy.deepcopy(case))
            return test(case)

        simplest = super().first(number, rung, noted, examples)
        if simplest is None:
            self.rungs[number, examples] = drawn
        return simplest or found


def remembering() -> Callable[[AnyOp, Definition, bool], Trials]:
    """A function that makes trials once for each signature of an op; for one definition."""
    made: dict[tuple[str, bool], Remembered] = {}

    def trials_of(op: AnyOp, definition: Definition, signed: bool) -> Trials:
        key = str(inspect.signature(op)), signed
        if key not in made:
            made[key] = Remembered(op, definition, signed)
        return made[key]

    return trials_of


def identity(x: Any) -> Any:
    """A key that is equal for inputs that are equal to the last bit, and of one type."""
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.str, x.shape, x.tobytes()
    return type(x), repr(x)
