"""Check an answer to an exercise with the library's grader. The page shows the parts of the verdict."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import warnings
from typing import Any

import numpy as np

from minisiam.course.exercises import find
from minisiam.course.judging import judged

SHARED = ("autograd", "builtins", "math", "minisiam", "numpy")  # modules that an answer might change
KEPT = 20_000  # characters of the output, as in the terminal


class Copied(io.TextIOBase):
    """A stream that writes to another one, and keeps the beginning."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.text = stream, ""

    def writable(self) -> bool:  # noqa: D102
        return True

    def write(self, text: str) -> int:  # noqa: D102
        self.text += text[: KEPT - len(self.text)]
        return self.stream.write(text)

    def flush(self) -> None:  # noqa: D102
        self.stream.flush()


def check(name: str, text: str) -> dict[str, Any]:
    """The verdict on an answer, and whether it has changed what the next check would meet."""
    output, before = Copied(sys.stdout), state()
    streams = contextlib.redirect_stdout(output), contextlib.redirect_stderr(output)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), streams[0], streams[1]:
        verdict = judged(find(name), text)
    printed = verdict.printed or output.text
    return verdict._asdict() | {"printed": printed, "changed": differ(before, state())}


def state() -> tuple[dict[Any, Any], tuple[Any, ...]]:
    """What an answer might change: the contents of modules, and settings."""
    names = {
        (name, key): value
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in SHARED
        for key, value in vars(module).items()
    }
    settings = (
        np.geterr(),
        np.get_printoptions(),
        list(warnings.filters),
        sys.getrecursionlimit(),
        sys.stdin,
        sys.stdout,
    )
    return names, settings


def differ(before: tuple[dict[Any, Any], Any], after: tuple[dict[Any, Any], Any]) -> bool:
    """Whether a name that existed before has another value, or a setting has changed."""
    names, settings = after
    return before[1] != settings or any(names.get(name) is not value for name, value in before[0].items())
