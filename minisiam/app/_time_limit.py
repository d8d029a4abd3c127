"""A time limit for the functions of a user, in this process: an infinite loop becomes an error that names its line."""

from __future__ import annotations

import signal
import threading
import traceback
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..gradcheck.compare import WrongForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..typing import AnyOp

PACKAGE = Path(__file__).parents[1]


class OutOfTime(BaseException):
    """A function did not finish. It is no Exception, so that the `except Exception` of a function does not catch it."""


@contextmanager
def time_limit(seconds: float, name: str) -> Iterator[None]:
    """Raise `OutOfTime` after so many seconds. Systems without SIGALRM, such as Windows, have no limit."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, frame: Any) -> None:
        raise OutOfTime(
            f"{name} did not finish and was stopped after {seconds:g} seconds{_last_line(frame)}. "
            "Is there an infinite loop? --limit changes the time"
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _last_line(frame: Any) -> str:
    """The innermost line that is neither in this package nor in an installed one."""
    lines = [
        line
        for line in traceback.extract_stack(frame)
        if line.line and PACKAGE not in Path(line.filename).parents and "site-packages" not in line.filename
        and Path(traceback.__file__).parent not in Path(line.filename).parents
    ]  # fmt: skip
    return f", in line {lines[-1].lineno}: {lines[-1].line}" if lines else ""


def limited(function: Callable[..., Any], seconds: float) -> AnyOp:
    """The function with a limit for each call, and for each call of its pullback."""

    @wraps(function)
    def inner(*arguments: Any, **constants: Any) -> Any:
        try:
            with time_limit(seconds, function.__name__):
                result = function(*arguments, **constants)
        except SystemExit as mistake:
            raise WrongForm("it ends the program (sys.exit): use return instead") from mistake
        if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
            return result[0], limited(result[1], seconds)
        return result

    return inner
