"""Under mpiexec, the process that mpiexec has started runs the command in a child, and says how the child ended.

When a process dies, mpiexec kills all others at once, often before one of them could say which rank has died. Only the
parent of the dead process knows for certain, and mpiexec waits for it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..fast import launcher
from ..fast.threads import cores

if TYPE_CHECKING:
    from collections.abc import Sequence

LINK = "MINISIAM_GUARDIAN"  # the number of the child's end of the connection to its guardian
BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
EXPLAINED = b"explained"  # the child has ended as it should, or has said why not


def is_needed() -> bool:
    """Whether mpiexec has started this process together with others, and it is not yet the child."""
    return launcher.processes() > 1 and os.name == "posix" and LINK not in os.environ


def run(words: Sequence[str]) -> int:
    """Run `minisiam` with these words in a child process, return its exit code, and report a sudden death."""
    own, link = socket.socketpair()
    link.set_inheritable(True)
    threads = {name: os.environ.get(name, str(cores())) for name in BLAS}
    child = subprocess.Popen(
        [sys.executable, "-m", "minisiam", *words],
        env={**os.environ, **threads, LINK: str(link.fileno())},
        close_fds=False,  # MPI has connections to mpiexec
        start_new_session=True,  # signals reach the child through its guardian, once
    )
    link.close()
    stopped = _forward_signals(child)
    code = child.wait()
    with own:
        told = _received(own)
    if not stopped and not told:
        _say(f"rank {launcher.rank()} {_how(code)}: all ranks end. minisiam train --resume RUN continues from the last "
             "checkpoint")  # fmt: skip
        return code if code > 0 else 1
    return code if code >= 0 else 128 - code


def end(code: int) -> int:
    """Return an exit code of 0; end this process by a signal for any other.

    mpiexec must then end all ranks. That of MPICH 5.0 overlooks an exit code now and then, if MPI was not finalized,
    and waits for ever; a signal it does not overlook.
    """
    if code:
        os.kill(os.getpid(), signal.SIGKILL)
    return code


def attach() -> None:
    """End this process, the child, as soon as its guardian is gone."""
    if LINK not in os.environ:
        return
    link = socket.socket(fileno=int(os.environ[LINK]))

    def watch() -> None:
        link.recv(1)  # returns when the other end is closed
        os._exit(1)

    threading.Thread(target=watch, name="guardian", daemon=True).start()
    _links.append(link)


def explained() -> None:
    """Tell the guardian that the end of this process needs no explanation."""
    for link in _links:
        link.send(EXPLAINED)


_links: list[socket.socket] = []


def _forward_signals(child: subprocess.Popen[bytes]) -> list[int]:
    """Pass signals on to the child; return a list that will hold those that are meant to stop it."""
    stopped: list[int] = []

    def forward(number: int, _: Any) -> None:
        if number == signal.SIGTERM:
            stopped.append(number)
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    return stopped


def _received(own: socket.socket) -> bool:
    own.setblocking(False)
    try:
        return own.recv(len(EXPLAINED)) == EXPLAINED
    except BlockingIOError:  # a process that the child has started still has the connection
        return False


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended suddenly with exit code {code}"


def _say(text: str) -> None:
    os.write(2, f"minisiam: {text}\n".encode())
