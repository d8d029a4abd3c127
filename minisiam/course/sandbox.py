"""Check learners' files in separate processes: whatever a file does, the check ends with a report.

    this process  ──job──→  worker, which grades  ──calls──→  answer, which runs the learner's file
                  ←verdict─                       ←numbers──

A learner's code runs in the last of these only. It can return any numbers, but it cannot write a verdict.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .exercises import Exercise
from .verdicts import MAX_BYTES, without_case, without_running

TIME_LIMIT = 10.0  # seconds of computing or of waiting, after the imports; elapsed time is limited to twelve times this
IMPORT_LIMIT = 120.0  # seconds for importing the libraries
STOPPING = 10.0  # seconds for a worker to end what it has started
PACKAGES = Path(__file__).parents[2]


class Report(NamedTuple):
    """The result of checking a learner's file: the exercise and the fields of `verdicts.Verdict`."""

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
    intro: str = ""

    @property
    def text(self) -> str:
        """The report as text, with at most ten lines of the output."""
        lines = [f"    {line[:200]}" for line in self.printed.splitlines()]
        shown = "\n".join([*lines[:10], *(["    ..."] if len(lines) > 10 else [])])
        return self.message + (f"\n\nYour function printed:\n{shown}" if lines else "")


def report(exercise: Exercise, status: str, what: str) -> Report:
    """A report with a message."""
    return Report(exercise.name, exercise.number, *without_case(exercise, status, what))


def read(exercise: Exercise, path: Path) -> bytes | Report:
    """The bytes of a learner's file; or the report, if it need not run."""
    number = f"{exercise.number:02d}"
    if not path.exists():
        return report(exercise, "open", f"{path} does not exist: minisiam learn start {number}.")
    if not path.is_file():
        return report(exercise, "failed", f"{path} is not a file: write the function of the exercise in a file.")
    with path.open("rb") as file:
        source = file.read(MAX_BYTES + 1)
    early = without_running(exercise, source, path)
    return source if early is None else Report(exercise.name, exercise.number, *early)


def check(exercise: Exercise, path: Path, seconds: float = TIME_LIMIT, grader: Grader | None = None) -> Report:
    """Check a learner's file, with a grader that already runs, or with a new one."""
    source = read(exercise, path)
    if isinstance(source, Report):
        return source
    if grader:
        return grader.check(exercise, source, seconds)
    with Grader() as new:
        return new.check(exercise, source, seconds)


class Grader:
    """A process that grades. It is started when it is first used, and again after it had to be stopped.

    It has imported the libraries, so an answer takes less time than in a new process. Close it, or use it in a `with`.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.closed = False

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def check(self, exercise: Exercise, source: bytes, seconds: float = TIME_LIMIT) -> Report:
        """Grade the bytes of a learner's file. A grader that something else has ended is started once more."""
        job = {"exercise": exercise.name, "source": source.decode("latin-1"), "seconds": seconds}
        for _ in range(2):
            self.start()
            self._wait_for_imports()
            with suppress(OSError):
                self.jobs.write(json.dumps(job).encode() + b"\n")
                self.jobs.flush()
            line, in_time = self._line(12 * seconds)
            if line:
                return Report(exercise.name, exercise.number, **json.loads(line))
            self._end()
            if not in_time:
                what = f"it did not finish and was stopped after {12 * seconds:g} seconds: is there an infinite loop?"
                return report(exercise, "failed", what)
        return report(exercise, "failed", "it ended the grader: write only the function of the exercise in the file")

    def start(self) -> None:
        """Start the process unless it runs. It imports the libraries meanwhile, so an early start saves time."""
        if self.closed:
            raise InterruptedError("the grader is closed: make a new one")
        if self.process:
            return
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH")))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.errors, self.ready = tempfile.TemporaryFile(), False  # noqa: SIM115
        self.folder = tempfile.TemporaryDirectory(prefix="minisiam-learn-", ignore_cleanup_errors=True)
        self.process, self.jobs, self.verdicts = connected(
            "minisiam.course.worker", self.folder.name, stderr=self.errors, env=environment
        )

    def _wait_for_imports(self) -> None:
        """Wait until the process is ready, or raise an error with the last line of its message."""
        if self.ready:
            return
        self.ready = bool(self._line(IMPORT_LIMIT)[0])
        if not self.ready:
            self._stop()
            self.errors.seek(0)
            lines = self.errors.read().decode("utf-8", "replace").splitlines()
            self._end()
            if not self.closed:
                raise ImportError(f"the grader does not start: {lines[-1] if lines else 'no message'}")

    def _line(self, seconds: float) -> tuple[bytes, bool]:
        """The next line from the process, and whether it came in time; after that the process is stopped."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._stop()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            with suppress(OSError):
                line = self.verdicts.readline()
                return (line if line.endswith(b"\n") else b""), not late.is_set()
            return b"", not late.is_set()
        finally:
            timer.cancel()
            timer.join()

    def _stop(self) -> None:
        """Let the process end everything that it started, and itself."""
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cancel(self) -> None:
        """End the process while another thread waits for its verdict; that thread gets an InterruptedError."""
        self.closed = True
        self._stop()

    def close(self) -> None:
        """End the process, for good."""
        self.cancel()
        self._end()

    def _end(self) -> None:
        """Close the connection, so that the next check starts a new process."""
        if self.process:
            self._stop()
            for file in (self.jobs, self.verdicts, self.errors):
                with suppress(OSError):
                    file.close()
            self.folder.cleanup()
            self.process = None


def connected(module: str, *arguments: str, **options: Any) -> tuple[subprocess.Popen[bytes], BinaryIO, BinaryIO]:
    """Run a module in a new process and a new session, with files to write to it and to read from it.

    The connection is a socket where possible: another process of the same user can open a pipe by its name in /proc.
    """
    command = [sys.executable, "-P", "-X", "utf8", "-m", module, *arguments]
    if not hasattr(os, "fork"):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        return process, process.stdin, process.stdout  # type: ignore[return-value]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = theirs.fileno()
        process = subprocess.Popen(command, stdin=end, stdout=end, start_new_session=True, **options)
        return process, ours.makefile("wb"), ours.makefile("rb")
