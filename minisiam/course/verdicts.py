"""The verdict on a learner's function, without the libraries that are needed to grade."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .exercises import Exercise


class Verdict(NamedTuple):
    """The result for a learner's function, for people and for programs."""

    status: str  # passed, failed or open
    message: str
    what: str = ""
    clue: str = ""
    case: dict[str, str] = {}  # noqa: RUF012
    columns: dict[str, str] = {}  # noqa: RUF012
    rows: int = 0
    seconds: float = 0.0
    printed: str = ""  # by the function on the input that is shown


def without_case(exercise: Exercise, status: str, what: str) -> Verdict:
    """A verdict that shows no input, only a message."""
    return Verdict(status, f"{exercise}: {what}", what)
