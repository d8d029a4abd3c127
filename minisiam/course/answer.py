"""The process that runs a learner's file: it calls the learner's function for the grader, and gives no verdict.

    python -m minisiam.course.answer FOLDER SECONDS      if `worker` does not fork

FOLDER has an empty folder `files`, which is the working directory. The output is written to FOLDER/printed and, at a
time limit, the traceback to FOLDER/where.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from . import confinement, in_advance
from .exercises import find
from .learner_file import function_of
from .remote import Peer

MEMORY = 1 << 30  # bytes in addition to those of the libraries
OUTPUT = 1 << 22  # bytes of each file that is written
EXIT_WAITING, EXIT_CLOSED = 75, 76  # the exit codes of a process that waited too long, or lost the connection


def run(reader: BinaryIO, writer: BinaryIO, folder: Path, seconds: float) -> None:
    """Serve the calls of the grader. The first function, `load`, opens a learner's file."""
    confinement.give_up_rights()
    printed, where = (folder / "printed").open("rb"), (folder / "where").open("w", encoding="utf-8")
    os.chdir(folder / "files")
    sys.stdin, sys.stdout, sys.stderr = open(0), _output(1), _output(2)  # noqa: SIM115
    tempfile.tempdir = str(Path.cwd())
    peer = Peer(reader, writer, trusted=False, output=printed)
    peer.export(load, [])
    peer.export(in_advance.each, [])
    set_limits(seconds, where, peer)
    confinement.forbid_changes_outside(Path.cwd())
    peer.serve()
    os._exit(EXIT_CLOSED)  # even if other threads run


def _output(file: int) -> Any:
    return open(file, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def set_limits(seconds: float, where: Any, peer: Peer) -> None:
    """Limit computing time, waiting time, memory and output; at the limit the traceback is written to `where`."""
    threading.Thread(target=_end_when_idle, args=(seconds, where, peer), daemon=True).start()
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        faulthandler.register(signal.SIGXCPU, file=where, chain=True)
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # root is exempt
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


def _end_when_idle(seconds: float, where: Any, peer: Peer) -> None:
    """End the process once a call has waited for `seconds`. Elapsed time alone does not show this on a busy machine."""
    while True:
        before, calls = time.process_time(), peer.calls
        time.sleep(seconds)
        in_one_call = peer.depth and peer.calls == calls
        if in_one_call and time.process_time() - before < 0.002 * seconds:
            faulthandler.dump_traceback(file=where)
            os._exit(EXIT_WAITING)


def load(name: str, source: str) -> Any:
    """The learner's function, from the bytes of the file as Latin-1 text."""
    exercise, data = find(name), source.encode("latin-1")
    path = Path.cwd() / exercise.file
    path.write_bytes(data)
    return function_of(exercise, data, path)


def main(folder: str, seconds: str) -> None:
    """Serve on the standard input and output of this process, which the learner's code does not see."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    connect_output(Path(folder))
    run(reader, writer, Path(folder), float(seconds))


def connect_output(folder: Path) -> None:
    """Let the standard input be empty, and write standard output and standard error to FOLDER/printed."""
    empty = os.open(os.devnull, os.O_RDONLY)
    printed = os.open(folder / "printed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for file, number in ((empty, 0), (printed, 1), (printed, 2)):
        os.dup2(file, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
