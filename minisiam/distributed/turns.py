"""Ranks that take turns in one thread, where no other thread can start: in a web browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from .ranks import require_one_for_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import Array
    from .ranks import Ranks

    Rounds = list[dict[int, list[Array]]]  # for each exchange, what each rank has sent


class Waits(BaseException):
    """A rank needs what another has not sent yet."""


class Turn:
    """A rank that ends its turn, with the error `Waits`, where it would wait."""

    def __init__(self, rank: int, size: int, rounds: Rounds) -> None:
        self.rank, self.size, self.rounds = rank, size, rounds
        self.calls, self.waits = 0, False

    def gather(self, array: Array) -> list[Array]:
        """Send the array to the others, and copy theirs."""
        return self.exchange([np.asarray(array)] * self.size)

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Keep the arrays for the others, and copy those of the others if they are there."""
        require_one_for_each(arrays, self.size)
        if self.calls == len(self.rounds):
            self.rounds.append({})
        sent = self.rounds[self.calls]
        self.calls += 1
        sent.setdefault(self.rank, [np.array(array) for array in arrays])
        if len(sent) < self.size:
            self.waits = True
            raise Waits
        return [sent[rank][self.rank].copy() for rank in range(self.size)]


def in_turns(work: Callable[[Ranks], Any], size: int) -> list[Any]:
    """Call `work(ranks)` on `size` ranks in turn, and return their results: those of `run`.

    In its next turn a rank that had to wait calls `work` again from the beginning and receives again what it received
    before. So `work` must be a function of the ranks alone, and the k-th exchange costs k calls.
    """
    size = require.whole("size", size, 1)
    rounds: Rounds = []
    results: dict[int, Any] = {}
    while len(results) < size:
        before = len(results) + sum(map(len, rounds))
        for rank in sorted(set(range(size)) - results.keys()):
            ranks = Turn(rank, size, rounds)
            try:
                results[rank] = work(ranks)
            except BaseException:
                if not ranks.waits:
                    raise
        if before == len(results) + sum(map(len, rounds)):
            raise RuntimeError("some ranks wait for others that have ended: every rank must make the same exchanges")
    return [results[rank] for rank in range(size)]
