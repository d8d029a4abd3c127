"""The result of a grader, and what the graders share."""

from __future__ import annotations

import io
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ...gradcheck import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...gradcheck import Case
    from ..exercises import Function

    Grader = Callable[[Function], "Result"]
    Clue = Callable[[Any, Any, Case], str]  # (the learner's result, the correct one, the input) ↦ a clue


class Result(NamedTuple):
    """A fault or None, a clue, and a description of the inputs."""

    fault: Fault | None
    clue: str = ""
    inputs: str = ""
    intro: str = "The smallest case"
    printed: str = ""
    unwritten: bool = False


def in_turn(*graders: Grader) -> Grader:
    """The first fault that one of the graders finds."""

    def grader(function: Function) -> Result:
        results = (each(function) for each in graders)
        first = next(results)
        return first if first.fault else next((result for result in results if result.fault), first)

    return grader


class LimitedOutput(io.StringIO):
    """A text of limited length; writing more raises an error."""

    def write(self, text: str) -> int:  # noqa: D102
        if self.tell() > 20_000:
            raise OSError("too much output")
        return super().write(text[:20_000])


def printed(function: Function, fault: Fault | None) -> str:
    """The output of a function on the input that is shown."""
    if fault is None:
        return ""
    with redirect_stdout(LimitedOutput()) as output, suppress(Exception):
        result = fault.case.call(function)
        if fault.case.upstream is not None:
            result[1](fault.case.upstream)
    return output.getvalue()
