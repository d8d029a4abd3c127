"""Check a learner's file in a separate process: whatever the file does, the check ends with a report."""

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

TIME_LIMIT = 10.0  # seconds of computing or of waiting, after the imports; elapsed time is limited to twelve times this
IMPORT_LIMIT = 120.0  # seconds for importing the libraries
PACKAGES = Path(__file__).parents[2]
EXIT_WAITING = 75  # the exit code of a process that waited longer than the limit
MAX_BYTES = 1_000_000  # of a learner's file
STATUSES = ("passed", "failed", "open")


class Report(NamedTuple):
    """The result of checking a learner's file: the exercise and the fields of `graders.Verdict`."""

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
        """The report as text, with at most ten lines of the output."""
        lines = [f"    {line[:200]}" for line in self.printed.splitlines()]
        shown = "\n".join([*lines[:10], *(["    ..."] if len(lines) > 10 else [])])
        return self.message + (f"\n\nYour function printed:\n{shown}" if lines else "")


def check(exercise: Exercise, path: Path, seconds: float = TIME_LIMIT) -> Report:
    """Check a learner's file."""
    if not path.is_file():
        return _report(exercise, "open", f"{path} does not exist: minisiam learn start {exercise.number:02d}")
    if path.stat().st_size > MAX_BYTES:
        return _report(
            exercise, "failed", f"{path} is larger than one megabyte: write only the function of the exercise in it"
        )
    if path.read_bytes() == stub(exercise).encode():
        return _report(exercise, "open", f"not started. Edit {path}")
    with tempfile.TemporaryDirectory(prefix="minisiam-learn-", ignore_cleanup_errors=True) as home:
        return _run(exercise, path.resolve(), Path(home), seconds)


def _report(exercise: Exercise, status: str, what: str, printed: str = "") -> Report:
    return Report(exercise.name, exercise.number, status, f"{exercise}: {what}.", what, printed=printed)


def _run(exercise: Exercise, path: Path, home: Path, seconds: float) -> Report:
    """Run the worker in a temporary folder, wait for it, and end every process that it started."""
    folder, answer = home / "folder", home / "answer.json"
    folder.mkdir()
    arguments = [exercise.name, str(path), str(answer), str(seconds)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH")))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (home / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-m", "minisiam.course.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        try:
            in_time = _wait(process, answer.with_suffix(".ready"), 12 * seconds)
        finally:
            _end(process)
    output = _read_output(home / "printed")
    if answer.is_file():
        return _read(exercise, answer, output)
    if not answer.with_suffix(".ready").is_file():  # the learner's file has not run
        raise ImportError(f"the grader does not start: {output.splitlines()[-1] if output else process.returncode}")
    where = _last_line(answer.with_suffix(".where"), path)
    return _report(exercise, "failed", _why_no_verdict(process.returncode, in_time, seconds, where), output)


def _wait(process: subprocess.Popen[bytes], ready: Path, seconds: float) -> bool:
    """Wait until the process ends; False if it still runs `seconds` after its imports."""
    start = time.monotonic()
    imported: float | None = None
    while True:
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            imported = imported or (now if ready.exists() else None)
            if now - (imported or start) > (seconds if imported else IMPORT_LIMIT):
                return False
        else:
            return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _why_no_verdict(code: int | None, in_time: bool, seconds: float, where: str) -> str:
    """Why the worker wrote no verdict."""
    if not in_time or code in (EXIT_WAITING, -getattr(signal, "SIGXCPU", 0)):
        return f"it did not finish and was stopped after {seconds:g} seconds{where}: is there an infinite loop?"
    if code is not None and code < 0:
        return f"it crashed Python ({signal.Signals(-code).name}){where}"
    return "it ended the program (os._exit): use return instead"


def _last_line(trace: Path, path: Path) -> str:
    """The line of the learner's file in the traceback that was written at the time limit."""
    text = trace.read_text(errors="replace") if trace.is_file() else ""
    found = re.search(rf'File "{re.escape(str(path))}", line (\d+)', text)
    if not found:
        return ""
    number = int(found[1])
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return f", in line {number}: {lines[number - 1].strip()}" if number <= len(lines) else ""


def _read_output(file: Path) -> str:
    """The first 20,000 bytes of the output."""
    with file.open("rb") as stream:
        return stream.read(20_000).decode("utf-8", "replace")


def _read(exercise: Exercise, answer: Path, printed: str) -> Report:
    """The verdict, if it has the correct form: a learner's code could have changed the file."""
    try:
        verdict: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        verdict["printed"] = verdict.get("printed") or printed
        report = Report(exercise.name, exercise.number, **verdict)
    except (ValueError, TypeError, AttributeError):
        return _report(
            exercise,
            "failed",
            "your file changed the result of the grader: write only the function of the exercise in it",
            printed,
        )
    if report.status not in STATUSES:
        return _report(
            exercise,
            "failed",
            "your file changed the result of the grader: write only the function of the exercise in it",
            printed,
        )
    return report
