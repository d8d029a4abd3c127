"""The verdict on the text of a learner's file, for the terminal and for a page.

A page opens the file in its own process. The terminal opens it in another one, and grades a stand-in for its function.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..gradcheck.compare import raised
from .graders import grade
from .learner_file import function_of
from .verdicts import Refused, Verdict, without_case, without_running
from .wire import Stub

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exercises import Exercise, Function

    Open = Callable[[Exercise, bytes], Function]


def judged(
    exercise: Exercise,
    text: str | bytes,
    opened: Open | None = None,
    ended: Callable[[], BaseException | None] = lambda: None,
) -> Verdict:
    """The verdict on the text of a learner's file.

    Parameters
    ----------
    exercise, text
        The exercise, and the file.
    opened
        Runs the file and returns the learner's function; by default in this process, as a file of the working folder.
    ended
        The error that has ended the program of the function, if that is another one.
    """
    source = text.encode() if isinstance(text, str) else text
    early = without_running(exercise, source, Path(exercise.file))
    if early:
        return early
    try:
        return grade(exercise, stand_in(exercise, (opened or here)(exercise, source)))
    except Refused as refusal:
        return without_case(exercise, "failed", str(refusal))
    except BaseException as mistake:
        cause = ended() or mistake
        if isinstance(cause, SystemExit):
            return without_case(exercise, "failed", "it ends the program (sys.exit): use return instead")
        return without_case(exercise, "failed", raised(cause))


def here(exercise: Exercise, source: bytes) -> Function:
    """The learner's function, from a file in the working folder of this process."""
    path = Path.cwd() / exercise.file
    path.write_bytes(source)
    return function_of(exercise, source, path)


def stand_in(exercise: Exercise, function: Function) -> Function:
    """The learner's function with the signature of the library's, so that an answer cannot choose its inputs."""

    @wraps(exercise.model_answer)
    def stand_in(*arguments: Any, **constants: Any) -> Any:
        return function(*arguments, **constants)

    if isinstance(function, Stub) and hasattr(function, "ahead"):  # a learner cannot set it on a stub
        stand_in.ahead = function.ahead  # type: ignore[attr-defined]
    return stand_in
