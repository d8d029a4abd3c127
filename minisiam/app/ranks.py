"""The ranks of a training under mpiexec: rank 0 leads, and the others compute their part of its steps.

    with ranks.team() as team:          one rank without mpiexec; an error of any rank ends all
        team.agree(...)                 all ranks have the same code, settings and data
        state = team.begin(state)       all ranks start from the state of rank 0
        team.ends(done)                 after each step: whether rank 0 ends the training

Rank 0 logs, saves and reports. What depends on the clock is its decision, one small message at each step.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
import zlib
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from .._version import VERSION
from ..distributed import Single, broadcast, mpi
from ..distributed.ranks import equal
from ..fast import launcher
from . import guardian
from .outputs import explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..distributed import Ranks
    from ..typing import Array, Params

PACKAGE = Path(__file__).parents[1]
EXPECTED = (ValueError, OSError, FloatingPointError, ImportError)  # errors whose message is for the user
PATIENCE = 2.0  # seconds in which rank 0 may report an error that all ranks have
SAME = "Start all ranks with the same command, the same versions and the same files"


class Team:
    """What one rank of a training needs of the others."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.leads = ranks.rank == 0
        self.begun = False
        self.interrupted = False

    @property
    def size(self) -> dict[str, int]:
        """The number of ranks, for the report; nothing for one."""
        return {"ranks": self.ranks.size} if self.ranks.size > 1 else {}

    def agree(self, **facts: Any) -> None:
        """Raise ValueError on every rank if one of these facts differs between ranks."""
        for name, value in facts.items() if self.ranks.size > 1 else ():
            equal(self.ranks, f"the {name}", value, SAME)

    def begin(self, params: Params, optimizer: Params, facts: dict[str, Any]) -> tuple[Params, Params, dict[str, Any]]:
        """Return the parameters, the optimizer state and the facts (for JSON) of rank 0; no facts: no training."""
        self.begun = True
        if self.ranks.size == 1:
            return params, optimizer, facts
        facts = json.loads(str(self._of_leader(np.array(json.dumps(facts)))))
        if not facts:
            return params, optimizer, facts
        return *(tree.map(self._leaf_of_leader, one) for one in (params, optimizer)), facts

    def dismiss(self) -> None:
        """Let the other ranks end if there was nothing to train."""
        if not self.begun:
            self.begin((), (), {})

    def ends(self, done: bool = False) -> bool:
        """Whether rank 0 ends the training after this step; on rank 0, raise KeyboardInterrupt after Ctrl-C."""
        if self.ranks.size == 1:
            return done
        over, interrupted = self._of_leader(np.array([done, self.interrupted]))
        if self.leads and interrupted and not done:
            raise KeyboardInterrupt
        return bool(over or interrupted)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold back Ctrl-C until the end of a step: the other ranks would wait for the rest of it."""
        if self.ranks.size == 1 or not _is_main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, lambda *_: setattr(self, "interrupted", True))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _of_leader(self, array: Array) -> Array:
        """The array of rank 0; those of the other ranks are not sent."""
        return broadcast(array, self.ranks)[0]

    def _leaf_of_leader(self, leaf: Any) -> Any:
        found = self._of_leader(np.asarray(leaf))
        return found if isinstance(leaf, np.ndarray) else type(leaf)(found)


ALONE = Team(Single())


@contextmanager
def team() -> Iterator[Team]:
    """The ranks of mpiexec; without it, one rank. An error of any rank is reported, and ends all of them."""
    if launcher.processes() == 1:
        yield ALONE
        return
    guardian.attach()
    try:
        ranks = mpi()
        made = Team(ranks)
        made.agree(**_environment())
        yield made
        if made.leads:
            made.dismiss()
        ranks.rest()
    except BaseException as error:
        _leave(error)
    guardian.explained()


@contextmanager
def first_speaks() -> Iterator[None]:
    """Print what all processes would print, such as an error in the options, once."""
    if launcher.rank() == 0:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _environment() -> dict[str, Any]:
    return {"version of minisiam": VERSION, "source files of minisiam": _sources(), "version of NumPy": np.__version__}


def _sources() -> str:
    """A checksum of the package's source files."""
    number = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        number = zlib.crc32(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes(), number)
    return f"{number:08x}"


def _leave(error: BaseException) -> None:
    """Report an error and end this process at once: MPI would wait for the others, which wait for this rank.

    If all ranks have the error, rank 0 reports it first, and mpiexec then ends the others.
    """
    try:
        if launcher.rank():
            time.sleep(PATIENCE)
        print(f"minisiam: {_told(error)}", file=sys.stderr, flush=True)
        guardian.explained()
        sys.stdout.flush()
    finally:
        os._exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def _told(error: BaseException) -> str:
    """What the user reads about an error."""
    who = f"rank {launcher.rank()}: " if launcher.rank() else ""
    if isinstance(error, KeyboardInterrupt):
        return f"{who}interrupted"
    return who + (explained(error) if isinstance(error, EXPECTED) else "".join(traceback.format_exception(error)))


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
