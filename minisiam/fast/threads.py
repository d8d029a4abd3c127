"""Several threads for one step: NumPy lets go of the interpreter while it computes, so threads of Python suffice.

A matrix product already runs on all cores, the additions and copies between products on one. Threads that each take a
part of the work keep all cores busy all the time, if each of their products stays on one.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def count(threads: int | None) -> int:
    """How many threads to use: `threads`, or as many as there are cores where products can be kept on one thread."""
    able = find_spec("threadpoolctl") is not None
    if threads is None:
        return _cores() if able else 1
    require.whole("threads", threads, 1)
    if threads > 1 and not able:
        raise ModuleNotFoundError("more than one thread needs threadpoolctl: pip install 'minisiam[threads]'")
    return threads


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """[work(item) for item in items], in this order, on several threads.

    Each thread takes the next item when it is done with one, so a thread that is held up holds up nobody. Work that
    itself calls `run` does its part alone. NumPy's `errstate` goes with the work.
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
            waiting.clear()  # nobody need go on
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
    """A limit that several threads may hold at once: the first sets it, the last takes it away."""

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
                _let_go()
                self.limit.restore_original_limits()
                _let_go()
                self.limit = None

    def forget(self) -> None:
        """In the child of a fork nobody holds anything."""
        self.lock = threading.Lock()
        self.holders = min(self.holders, 1)
        if self.holders:
            self.__exit__()


one_blas_thread = _OneBlasThread()  # with one_blas_thread: a matrix product is one thread's work


def _let_go() -> None:
    """Newer threadpoolctl lets only the thread that set a limit change it: here whoever leaves last may."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


if hasattr(os, "register_at_fork"):  # a fork has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=one_blas_thread.forget)


@cache
def keep_memory() -> None:
    """Let glibc keep the memory of arrays up to 31 MB when they are freed, and hand it out again.

    By default it returns the larger ones to the system at once, and the next would begin by faulting its pages in
    anew, which costs as much as computing what goes into it. glibc raises that limit by itself to the largest array
    that was freed: so one is made, never touched, and freed. Elsewhere this does nothing.
    """
    np.empty(31 << 20, np.uint8)
