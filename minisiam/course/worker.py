"""Grade answers, one after another:   python -m minisiam.course.worker FOLDER

`sandbox` starts this module and sends jobs, each a line of JSON; temporary files are in FOLDER. This process computes
every verdict, and never runs a learner's code: for each job it starts another process, `answer`, whose functions it
calls through `remote`.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from . import answer, collapse, confinement  # noqa: F401  (a fork has imported what the training of `collapse` needs)
from .exercises import EXERCISES, Exercise, find
from .graders import grader_of
from .judging import judged
from .remote import DAMAGE, Peer
from .sandbox import connected
from .values import Values, unpacked
from .verdicts import Verdict, without_case
from .wire import Stub

FORKS = sys.platform == "linux"  # the matrix products of macOS may hang in a fork
CLOSING = 0.5  # seconds in which a process that has closed its connection must end
running: set[int] = set()  # the process of the present answer


class Answer:
    """The process that runs a learner's file, and the connection to it.

    On Linux it is a fork, because importing the libraries takes longer than most exercises; elsewhere a new process.
    """

    def __init__(self, home: Path, seconds: float) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        (home / "files").mkdir()
        (home / "printed").touch()
        if FORKS:
            self._fork(home, seconds)
        else:
            self._spawn(home, seconds)
        running.add(self.pid)

    def _fork(self, home: Path, seconds: float) -> None:
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            _become_answer(theirs, home, seconds)
        theirs.close()
        with ours:
            self.peer = Peer(ours.makefile("rb"), ours.makefile("wb"), trusted=True)

    def _spawn(self, home: Path, seconds: float) -> None:
        self.process, writer, reader = connected("minisiam.course.answer", str(home), str(seconds))
        self.pid = self.process.pid
        self.peer = Peer(reader, writer, trusted=True)

    def end(self) -> int | None:
        """End the process and everything that it started; the exit code if it ended itself."""
        code = self._exit_code(CLOSING if self.peer.ended else 0.0)
        for file in (self.peer.reader, self.peer.writer):
            with suppress(OSError):
                file.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        end_running()
        return code

    def _exit_code(self, seconds: float) -> int | None:
        """The exit code, negative for a signal; None if the process still runs after `seconds`."""
        deadline = time.monotonic() + seconds
        while (code := self._poll()) is None and time.monotonic() < deadline:
            time.sleep(0.002)
        return code

    def _poll(self) -> int | None:
        if self.process:
            return self.process.poll()
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None


def end_running() -> None:
    """End the process of the present answer, and everything that it started."""
    for pid in running:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        with suppress(ChildProcessError, AttributeError):
            os.waitpid(pid, 0)
    running.clear()
    confinement.end_descendants()


def _become_answer(connection: socket.socket, home: Path, seconds: float) -> None:
    """In the child of a fork: keep only the connection to the grader, and serve it."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        answer.connect_output(home)
        kept = os.dup2(connection.fileno(), 3)
        os.closerange(4, 4096)
        answer.run(os.fdopen(kept, "rb", closefd=False), os.fdopen(kept, "wb", closefd=False), home, seconds)
    finally:
        os._exit(answer.EXIT_CLOSED)


def judge(exercise: Exercise, source: str, seconds: float, folder: Path) -> Verdict:
    """The verdict on a learner's file, whose bytes are given as Latin-1 text.

    If the learner's process ends while it makes calls in advance, which may not be needed, another one makes none.
    """
    verdict, ended_ahead = _judge(exercise, source, seconds, folder, True)
    return _judge(exercise, source, seconds, folder, False)[0] if ended_ahead else verdict


def _judge(exercise: Exercise, source: str, seconds: float, folder: Path, in_advance: bool) -> tuple[Verdict, bool]:
    """The verdict, and whether the learner's process ended while it made calls in advance."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
        home = Path(name)
        process = Answer(home, seconds)
        ahead = Ahead(process.peer)
        try:
            verdict = _verdict(exercise, source.encode("latin-1"), process.peer, ahead if in_advance else None)
        finally:
            code = process.end()
        if process.peer.ended:
            verdict = without_case(exercise, "failed", _why_no_result(code, seconds, home, source))
        return verdict._replace(printed=verdict.printed or _output(home)), ahead.waits


def _verdict(exercise: Exercise, source: bytes, peer: Peer, ahead: Ahead | None) -> Verdict:
    """Grade a function of the other process."""
    load = peer.function(0)

    def opened(exercise: Exercise, source: bytes) -> Any:
        function = load(exercise.name, source.decode("latin-1"))
        if isinstance(function, Stub) and ahead:
            function.ahead = partial(ahead.results, function)
        return function

    return judged(exercise, source, opened, lambda: peer.exit)


class Ahead:
    """Has the process of an answer make calls in advance: see `in_advance`."""

    def __init__(self, peer: Peer) -> None:
        self.peer, self.each = peer, peer.function(1)
        self.waits = False

    def results(self, function: Stub, adapt: Any, arguments: list[Any], text: str, data: Any) -> Any:
        """The results of calls of a function; none if they cannot be sent."""
        self.waits = True
        try:
            reply = self.each(adapt, arguments, function, text, data)
        except Exception:
            reply = Values().packed()
        try:
            text, data = reply
            results = unpacked(text, data, [])
            valid = all(isinstance(both, tuple) and len(both) == 2 for section in results for both in section)
        except DAMAGE:
            valid = False
        if not valid:
            self.peer.end()
        self.waits = False
        return results


def _why_no_result(code: int | None, seconds: float, home: Path, source: str) -> str:
    """Why the learner's process did not finish."""
    where = _last_line(home / "where", source)
    if code in (answer.EXIT_WAITING, -getattr(signal, "SIGXCPU", 0)):
        return f"it did not finish and was stopped after {seconds:g} seconds{where}: is there an infinite loop?"
    if code in (None, answer.EXIT_CLOSED):
        return "it closed the connection to the grader, or wrote to it: write only the function of the exercise"
    if code and code < 0:
        return f"it crashed Python ({signal.Signals(-code).name}){where}"
    return "it ended the program (os._exit): use return instead"


def _last_line(trace: Path, source: str) -> str:
    """The line of the learner's file in the traceback that was written at the time limit."""
    text = trace.read_text(errors="replace") if trace.is_file() else ""
    found = re.search(r'File ".*[/\\]files[/\\][^/\\"]*", line (\d+)', text)
    lines = source.encode("latin-1").decode("utf-8", "replace").splitlines()
    number = int(found[1]) if found else 0
    return f", in line {number}: {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""


def _output(home: Path) -> str:
    """The first 20,000 bytes of the output."""
    with suppress(OSError), (home / "printed").open("rb") as stream:
        return stream.read(20_000).decode("utf-8", "replace")
    return ""


def serve(jobs: BinaryIO, verdicts: BinaryIO, folder: Path) -> None:
    """Grade each job, until there are no more."""
    for line in jobs:
        job = json.loads(line)
        verdict = judge(find(job["exercise"]), job["source"], job["seconds"], folder)
        verdicts.write(json.dumps(verdict._asdict(), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        verdicts.flush()


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """End everything that this process started, and the process."""
    end_running()
    os._exit(1)


def main(folder: str) -> None:
    """Serve on the standard input and output of this process, which nothing else sees."""
    jobs, verdicts = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    signal.signal(signal.SIGTERM, _stop)
    confinement.leave_network()  # first, since it resets what the next line sets
    confinement.protect_grader()
    for exercise in EXERCISES:
        grader_of(exercise)  # imports what it needs, so that a fork need not
    gc.freeze()  # a fork then copies less memory
    verdicts.write(b"ready\n")
    verdicts.flush()
    serve(jobs, verdicts, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
