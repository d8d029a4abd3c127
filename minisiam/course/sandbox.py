"""A learner's file, judged in a process of its own: whatever it does, this one goes on and says what happened."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from .exercises import Exercise
from .stubs import stub

SECONDS = 10.0  # of computing, beyond imports, or of waiting; twelve times as long by the clock, if all else fails
STARTING = 120.0  # by the clock, until the libraries are imported
PACKAGES = Path(__file__).parents[2]
WAITING = 75  # the exit code of a child that waited for something that did not come
LARGEST = 1_000_000  # bytes of a learner's file
STATUSES = ("passed", "failed", "open")


class Answer(NamedTuple):
    """What is known of a learner's file: the fields of `graders.Verdict`, and the exercise."""

    exercise: str
    number: int
    status: str
    message: str
    what: str = ""
    clue: str = ""
    case: dict[str, str] = {}  # noqa: RUF012
    columns: dict[str, str] = {}  # noqa: RUF012
    rows: int = 0
    seconds: float = 0.0
    printed: str = ""

    @property
    def text(self) -> str:
        """All of it, for a person; of what was printed the first lines."""
        lines = [f"    {line[:200]}" for line in self.printed.splitlines()]
        shown = "\n".join([*lines[:10], *(["    ..."] if len(lines) > 10 else [])])
        return self.message + (f"\n\nYour function printed:\n{shown}" if lines else "")


def check(exercise: Exercise, path: Path, seconds: float = SECONDS) -> Answer:
    """Judge a file."""
    if not path.is_file():
        return _short(exercise, "open", f"there is no {path} yet: minisiam learn start {exercise.number:02d}")
    if path.stat().st_size > LARGEST:
        return _short(exercise, "failed", f"{path} is too large to be an answer: a megabyte at most")
    if path.read_bytes() == stub(exercise).encode():
        return _short(exercise, "open", f"not begun. Edit {path}")
    with tempfile.TemporaryDirectory(prefix="minisiam-learn-", ignore_cleanup_errors=True) as home:
        return _run(exercise, path.resolve(), Path(home), seconds)


def _short(exercise: Exercise, status: str, what: str, printed: str = "") -> Answer:
    return Answer(exercise.name, exercise.number, status, f"{exercise}: {what}.", what, printed=printed)


def _run(exercise: Exercise, path: Path, home: Path, seconds: float) -> Answer:
    """Start the child in a folder of its own, wait, and put away whatever is left of it."""
    room, answer = home / "room", home / "answer.json"
    room.mkdir()
    words = [exercise.name, str(path), str(answer), str(seconds)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH")))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (home / "printed").open("wb") as printed:
        child = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-m", "minisiam.course.worker", *words],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=room,
            env=environment,
            start_new_session=True,
        )
        try:
            in_time = _wait(child, answer.with_suffix(".ready"), 12 * seconds)
        finally:
            _end(child)
    said = _printed(home / "printed")
    if answer.is_file():
        return _read(exercise, answer, said)
    if not answer.with_suffix(".ready").is_file():  # nothing of the learner's has run
        raise ImportError(f"the grader does not start: {said.splitlines()[-1] if said else child.returncode}")
    where = _where(answer.with_suffix(".where"), path)
    return _short(exercise, "failed", _lost(child.returncode, in_time, seconds, where), said)


def _wait(child: subprocess.Popen[bytes], ready: Path, seconds: float) -> bool:
    """Until it ends; False where it was still running so long after its imports."""
    start = time.monotonic()
    since: float | None = None
    while True:
        try:
            child.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            since = since or (now if ready.exists() else None)
            if now - (since or start) > (seconds if since else STARTING):
                return False
        else:
            return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """The child and everything that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def _lost(code: int | None, in_time: bool, seconds: float, where: str) -> str:
    """Why there is no answer."""
    if not in_time or code in (WAITING, -getattr(signal, "SIGXCPU", 0)):
        return f"it did not come to an end, and was stopped after {seconds:g} seconds{where}: an endless loop?"
    if code is not None and code < 0:
        return f"it brought Python down ({signal.Signals(-code).name}){where}"
    return "it ended the program (os._exit): a function returns"


def _where(trace: Path, path: Path) -> str:
    """The learner's line in the trace that was written when the time was over."""
    text = trace.read_text(errors="replace") if trace.is_file() else ""
    found = re.search(rf'File "{re.escape(str(path))}", line (\d+)', text)
    if not found:
        return ""
    number = int(found[1])
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return f", in line {number}: {lines[number - 1].strip()}" if number <= len(lines) else ""


def _printed(file: Path) -> str:
    """What was printed, up to a screenful or two."""
    with file.open("rb") as stream:
        return stream.read(20_000).decode("utf-8", "replace")


def _read(exercise: Exercise, answer: Path, printed: str) -> Answer:
    """The verdict, if it has the form of one: a learner's code could have written anything."""
    try:
        verdict: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        verdict["printed"] = verdict.get("printed") or printed
        whole = Answer(exercise.name, exercise.number, **verdict)
    except (ValueError, TypeError, AttributeError):
        return _short(exercise, "failed", "the answer of the grader was damaged by your file", printed)
    if whole.status not in STATUSES:
        return _short(exercise, "failed", "the answer of the grader was damaged by your file", printed)
    return whole
