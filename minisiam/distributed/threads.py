"""Ranks that are threads of one process: for lessons and tests, without MPI."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from .ranks import require_one_for_each
from .turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import Array
    from .ranks import Ranks


class _Left(RuntimeError):
    """A rank waits for another that has ended."""


class _Meeting:
    """Where the threads meet: for each exchange that is not over, what each rank has sent, and who has ended."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.changed = threading.Condition()
        self.rounds: dict[int, dict[int, list[Array]]] = {}
        self.taken: Counter[int] = Counter()
        self.ended: set[int] = set()

    def exchange(self, number: int, rank: int, arrays: list[Array]) -> list[Array]:
        """Send arrays in the exchange of this number, and return those for this rank when all ranks have sent."""
        with self.changed:
            sent = self.rounds.setdefault(number, {})
            sent[rank] = arrays
            self.changed.notify_all()
            self.changed.wait_for(lambda: len(sent) == self.size or self.ended - sent.keys())
            if len(sent) < self.size:
                raise _Left("some ranks wait for others that have ended: every rank must make the same exchanges")
            self.taken[number] += 1
            if self.taken[number] == self.size:
                del self.rounds[number], self.taken[number]
        return [sent[other][rank].copy() for other in range(self.size)]

    def end(self, rank: int) -> None:
        """Let the others know that this rank sends nothing more."""
        with self.changed:
            self.ended.add(rank)
            self.changed.notify_all()


class Thread:
    """A rank that is a thread. `sent` counts the bytes that it has sent to others."""

    def __init__(self, rank: int, meeting: _Meeting) -> None:
        self.rank, self.size, self.meeting = rank, meeting.size, meeting
        self.sent = self.calls = 0

    def gather(self, array: Array) -> list[Array]:
        """Send the array to the others, and copy theirs."""
        return self.exchange([np.asarray(array)] * self.size)

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Send the arrays to the others, and copy those that they send to this rank."""
        require_one_for_each(arrays, self.size)
        self.sent += sum(array.nbytes for rank, array in enumerate(arrays) if rank != self.rank)
        self.calls += 1
        # copies, since this rank may change its arrays before the others have read them
        return self.meeting.exchange(self.calls, self.rank, [np.array(array) for array in arrays])


def run(work: Callable[[Ranks], Any], size: int) -> list[Any]:
    """Call `work(ranks)` on `size` ranks, which are threads, and return their results.

    If one rank raises an error, the others stop waiting for it, and the error is raised here. In a web browser, where
    threads cannot start, the ranks take turns, and `work` may be called several times for each (`turns.in_turns`).
    """
    if sys.platform == "emscripten":
        return in_turns(work, size)
    size = require.whole("size", size, 1)
    meeting = _Meeting(size)

    def one(rank: int) -> Any:
        try:
            return work(Thread(rank, meeting))
        finally:
            meeting.end(rank)

    with ThreadPoolExecutor(size) as pool:
        waiting = [pool.submit(copy_context().run, one, rank) for rank in range(size)]
    errors = [error for error in (future.exception() for future in waiting) if error]
    for error in [*(one for one in errors if not isinstance(one, _Left)), *errors]:
        raise error  # the cause, and not that the others waited in vain
    return [future.result() for future in waiting]
