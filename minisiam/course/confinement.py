"""Keep a learner's code away from other files and processes. This is a fence, not a wall: see `docs/teaching.md`.

An audit hook of Python prevents accidents on every system. On Linux, processes of the same user cannot read or change
the process of the grader, processes that detach themselves become its children, so it can end them, and the grader and
its children have no network.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

CHANGES = {
    "os.chflags", "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.removexattr", "os.rename", "os.rmdir",
    "os.setxattr", "os.symlink", "os.truncate", "os.utime", "shutil.move", "shutil.rmtree",
}  # fmt: skip
PROCESSES = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn",
             "subprocess.Popen"}  # fmt: skip
FILES_IN_C = {"socket.bind", "sqlite3.connect"}  # functions that make a file without the event "open"
NETWORK = {
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo",
    "socket.sendmsg", "socket.sendto",
}  # fmt: skip
KILLS = {"os.kill", "os.killpg"}
PATHS = (str, bytes, os.PathLike)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DUMPABLE, DEATH_SIGNAL, NO_NEW_RIGHTS, ADOPT = 4, 1, 38, 36  # numbers of prctl in Linux
NEW_USERS, NEW_NETWORK = 0x10000000, 0x40000000  # flags of unshare in Linux
CAPABILITIES = 0x20080522  # the version of capset in Linux
WITH_NETWORK = (
    "This system refuses to run the students' code without a network: code that evades Python's audit events can use "
    "yours. See `Marks for thirty` in docs/teaching.md."
)


def forbid_changes_outside(folder: Path) -> None:
    """From now on, this process cannot change files outside a folder, use the network, start processes or end others.

    Python's audit events enforce this; code that calls C functions, or one without an audit event, can evade it. The
    events do not tell to which folder `dir_fd` refers, so it must be one inside, and a relative path must have no "..".
    """
    inside, own = os.path.realpath(folder), os.getpid()

    def outside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        name = Path(os.fsdecode(path))
        found = os.path.realpath(name)
        climbs = os.pardir in name.parts and not name.is_absolute()
        return climbs or (found not in (inside, os.devnull) and not found.startswith(inside + os.sep))

    def outside_folder(path: Any) -> bool:
        return outside(path) and Path(os.fsdecode(path)).is_dir()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[2] & WRITING and outside(arguments[0]):
            raise PermissionError(f"an answer must not write to {arguments[0]}: it may write in its working directory")
        if event == "open" and arguments[1] is None and outside_folder(arguments[0]):
            raise PermissionError(f"an answer must not open the folder {arguments[0]}: open a file by its path")
        paths = [path for path in arguments if isinstance(path, PATHS)]
        if event in CHANGES and (not isinstance(arguments[0], PATHS) or any(map(outside, paths))):
            raise PermissionError(f"an answer must not change {arguments[0]}")
        if event in FILES_IN_C:
            raise PermissionError(f"an answer must not use a database or a socket ({event})")
        if event in NETWORK:
            raise PermissionError(f"an answer must not use the network ({event})")
        if event in PROCESSES or (event in KILLS and arguments[0] != own):
            raise PermissionError(f"an answer must not start or end other processes ({event})")

    sys.addaudithook(hook)


def hide() -> None:
    """Hide the memory and the files of this process from others of the same user."""
    _prctl(DUMPABLE, 0)


def protect_grader() -> None:
    """Hide this process, and adopt detached processes."""
    hide()
    _prctl(ADOPT, 1)


def leave_network() -> bool:
    """Move this process, and those that it will start, into a network that has nothing in it; whether that is done.

    Linux allows it without rights in a new user namespace, unless the system forbids these, as some containers do. The
    process must have one thread.
    """
    return sys.platform == "linux" and ctypes.CDLL(None).unshare(NEW_USERS | NEW_NETWORK) == 0


def allows_leaving_network() -> bool:
    """Whether this system lets a process leave the network, as tried in a new process."""
    return subprocess.run([sys.executable, "-I", __file__]).returncode == 0


def give_up_rights() -> None:
    """Give up the rights of root to read other processes, and end with the parent process."""
    _prctl(DEATH_SIGNAL, signal.SIGKILL)
    _prctl(NO_NEW_RIGHTS, 1)
    if sys.platform == "linux":
        head, rights = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
        ctypes.CDLL(None).capset(head, rights)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_descendants(seconds: float = 5.0) -> None:
    """Kill every process that descends from this one, and those that they start meanwhile."""
    deadline = time.monotonic() + seconds
    while (found := _children()) and time.monotonic() < deadline:
        for child in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        for child in found:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    """The children of this process, on Linux."""
    try:
        return [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    raise SystemExit(not leave_network())
