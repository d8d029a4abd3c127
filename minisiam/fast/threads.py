"""Several threads for one training step. NumPy releases the interpreter lock while it computes, so threads suffice.

A matrix product already uses all cores, but the additions and copies between products use only one. If several threads
share the work and each keeps its products on one core, all cores are busy all the time.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import require
from . import launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
QUOTA_FILES = ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")  # version 2 has the first, version 1 the others
Item = TypeVar("Item")
Result = TypeVar("Result")


def count(threads: int | None) -> int:
    """Return the number of threads: `threads`, or by default one per core if products can be kept on one thread."""
    able = find_spec("threadpoolctl") is not None
    if threads is None:
        return cores() if able else 1
    require.whole("threads", threads, 1)
    if threads > 1 and not able:
        raise ModuleNotFoundError(f"more than one thread needs threadpoolctl: {require.how_to_install('threads')}")
    return threads


def cores() -> int:
    """Return the number of cores that this process may use: by its affinity, and by the quota of its container.

    The processes of `mpiexec` on this machine divide them.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas())]) // launcher.on_this_machine())


def _quotas() -> Iterator[float]:
    """The CPU quota of each control group that this process is in, in cores; a group without a limit has none."""
    for line in _lines(PROC / "self/cgroup"):  # "0::/a/b", or for version 1 "4:cpu,cpuacct:/a/b"
        _, kinds, path = line.split(":", 2)
        if kinds and "cpu" not in kinds.split(","):
            continue
        root = CGROUP / kinds if kinds and (CGROUP / kinds).is_dir() else CGROUP / ("cpu" if kinds else "")
        inside = PurePosixPath(path.lstrip("/"))
        for group in (inside, *inside.parents):  # a container often sees its own group as the root
            words = [word for name in QUOTA_FILES for word in _lines(root / group / name)]
            limit, period = [*" ".join(words).split(), "max", "max"][:2]
            if limit.isdecimal() and period.isdecimal() and int(period) > 0:
                yield int(limit) / int(period)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:  # not on this system
        return []


def run(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """Return [work(item) for item in items], in this order, computed on several threads.

    A thread that finishes an item takes the next, so a slow item does not block the others. A nested call of `run` uses
    one thread. The threads use the caller's `np.errstate`.
    """
    if threads == 1 or len(items) == 1 or getattr(_inside, "run", False):
        return [work(item) for item in items]
    waiting, done = deque(enumerate(items)), {}

    def lane() -> None:
        _inside.run = True
        try:
            while waiting:
                try:
                    number, item = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                done[number] = work(item)
        except BaseException:
            waiting.clear()  # the other threads can stop
            raise
        finally:
            _inside.run = False

    others = [_pool(threads - 1).submit(copy_context().run, lane) for _ in range(min(threads, len(items)) - 1)]
    try:
        lane()
    finally:
        waiting.clear()
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
        other.result()
    return [done[number] for number in range(len(items))]


_inside = threading.local()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "minisiam")


class _OneBlasThread:
    """A reentrant limit of BLAS to one thread: the first thread to enter sets it, and the last to leave removes it."""

    def __init__(self) -> None:
        self.lock, self.holders, self.limit = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self.lock:
            if self.holders == 0 and find_spec("threadpoolctl"):
                self.limit = _controller().limit(limits=1, user_api="blas")
            self.holders += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.holders -= 1
            if self.holders == 0 and self.limit:
                _release_control()
                self.limit.restore_original_limits()
                _release_control()
                self.limit = None

    def forget(self) -> None:
        """Release the limit in the child of a fork, which has no other threads."""
        self.lock = threading.Lock()
        self.holders = min(self.holders, 1)
        if self.holders:
            self.__exit__()


one_blas_thread = _OneBlasThread()  # with one_blas_thread: a matrix product uses one thread


def _release_control() -> None:
    """Allow any thread to change the limit; newer threadpoolctl allows only the thread that set it."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


if hasattr(os, "register_at_fork"):  # the child of a fork has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=one_blas_thread.forget)


@cache
def keep_memory() -> None:
    """Make glibc reuse the memory of freed arrays up to 31 MB.

    By default glibc returns the memory of large arrays to the system at once, and the next array causes page faults,
    which cost as much as computing its contents. glibc raises its limit to the largest array that was freed, so we
    allocate one and free it untouched. With other C libraries this does nothing.
    """
    np.empty(31 << 20, np.uint8)
