"""The inputs on which an op is tested, and what is right at each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from .inputs import Case, generic, ladder
from .oracles import Truth, truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from ..typing import AnyOp, Definition
    from .compare import Fault

    Rung = SearchStrategy[Case]
    Test = Callable[[Case], Fault | None]

SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


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

    def first(self, number: int, rung: Rung, test: Test, examples: int) -> Fault | None:
        """The fault at the simplest input of a rung of the ladder."""
        try:
            case = find(rung, lambda case: test(case) is not None, settings=settings(SETTINGS, max_examples=examples))
        except NoSuchExample:
            return None
        return test(case)
