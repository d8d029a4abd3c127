"""The verdict on a learner's function, without the libraries that are needed to grade."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .stubs import stub

if TYPE_CHECKING:
    from pathlib import Path

    from .exercises import Exercise

MAX_BYTES = 1_000_000  # of a learner's file
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Refused(Exception):
    """A file has no function to grade; the message says why."""


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
    intro: str = ""  # what the case is: "The smallest case"


def without_case(exercise: Exercise, status: str, what: str) -> Verdict:
    """A verdict that shows no input, only a message."""
    return Verdict(status, f"{exercise}: {what}", what)


def without_running(exercise: Exercise, source: bytes, path: Path) -> Verdict | None:
    """The verdict on a file that need not run: too large, not started, or not a text; None for any other."""
    if len(source) > MAX_BYTES:
        what = f"{path} is larger than one megabyte: write only the function of the exercise in it."
        return without_case(exercise, "failed", what)
    if _plain(source) == _plain(stub(exercise).encode()):
        return without_case(exercise, "open", f"not started. Edit {path}.")
    if b"\0" in source or source.startswith(UTF_16):
        return without_case(exercise, "failed", f"{path} is not a text in UTF-8: save it as UTF-8.")
    return None


def _plain(source: bytes) -> bytes:
    """The text without the marks that an editor adds: other line ends, a byte-order mark, spaces at the end."""
    return b"\n".join(line.rstrip() for line in source.removeprefix(b"\xef\xbb\xbf").splitlines()).rstrip()
