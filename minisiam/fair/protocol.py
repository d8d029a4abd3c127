"""What is run: for each loss a search on training alphabets, then runs that differ in their seed alone.

Everything is alike but the loss: the encoder conv2 with 128 numbers, Adam with one schedule, P×K batches of 256 images
(64 letters × 4, of views 128 × 2; verification's cross-entropy has a network and batches of its own, 64 pairs), one
budget. A budget in seconds is turned into steps by timing a step of each loss once, so that a machine that is busy
later takes nothing from a loss; on one that is busy then, a budget in steps is the fairer.

The search is over the learning rate, and over the margin where `Settings` has one; other constants of a loss, its
temperature among them, are those of `settings.FUNCTIONS`. The first trial is what `minisiam train` takes. The others
draw log-uniformly, one from each of as many equal parts of the range, the same learning rates for every loss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require
from ..settings import FUNCTIONS, MARGINS, Settings, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array

RATES = (3e-4, 3e-2)  # the learning rates of the search
MARGIN_FACTOR = 4.0  # the margins of the search: from a quarter of the usual one to four times it
SHORTER = 4  # a trial has a quarter of the steps of a run


class Task(NamedTuple):
    """One thing to be done: a "trial" of the search, or a "run"; its number is the trial's, or the seed."""

    what: str
    loss: str
    number: int


@dataclass(frozen=True)
class Protocol:
    """What decides a comparison, as its folder keeps it.

    losses : names of `settings.FUNCTIONS`; by default all of them
    seeds : runs of each loss, with the seeds 0, 1, …
    search : trials of each loss; with 0 it takes what `minisiam train` takes
    seconds, steps : the budget of a run; where `steps` is given it is that for every loss
    pace : what a step of each loss takes, in seconds, as it was timed
    machine : where it was timed
    """

    losses: tuple[str, ...] = tuple(FUNCTIONS)
    seeds: int = 5
    search: int = 4
    seconds: float = 60.0
    steps: int | None = None
    pace: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for loss in self.losses:
            require.one_of("loss", loss, FUNCTIONS)
        object.__setattr__(self, "losses", tuple(dict.fromkeys(self.losses)))
        if not self.losses:
            raise ValueError("there is no loss to compare: name some, as in --losses supcon,hinge")
        require.whole("seeds", self.seeds, 1)
        require.whole("search", self.search, 0)
        require.between("seconds", self.seconds, 0, open_low=True)
        if self.steps is not None:
            require.whole("steps", self.steps, 1)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Protocol:
        """The protocol of a file."""
        return cls(**stored | {"losses": tuple(stored["losses"])})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def extended(self, **asked: Any) -> Protocol:
        """With what is asked for now. Losses and seeds may become more; anything else would be another comparison."""
        for name in ("search", "seconds", "steps"):
            if asked.get(name) is not None and asked[name] != getattr(self, name):
                has = f"--{name} {getattr(self, name)}" if getattr(self, name) is not None else f"no --{name}"
                raise ValueError(
                    f"this comparison was begun with {has}, so --{name} {asked[name]} would be another one: leave it "
                    "out, or choose another --out; --seeds and --losses may become more"
                )
        more = tuple(asked.get("losses") or ())
        return replace(self, losses=(*self.losses, *more), seeds=max(self.seeds, asked.get("seeds") or 1))

    def tasks(self) -> list[Task]:
        """In the order in which they are done: all searches, then a run of every loss, then another of every loss."""
        trials = [Task("trial", loss, number) for loss in self.losses for number in range(self.search)]
        return trials + [Task("run", loss, seed) for seed in range(self.seeds) for loss in self.losses]

    def steps_of(self, task: Task) -> int:
        """The budget of a task in steps."""
        whole = self.steps if self.steps is not None else max(1, round(self.seconds / self.pace[task.loss]))
        return whole if task.what == "run" else max(1, whole // SHORTER)

    def settings(self, task: Task, trials: dict[Task, dict[str, Any]]) -> Settings:
        """What is trained: of a trial what it tries, of a run what did best in the trials of its loss."""
        steps = self.steps_of(task)
        if task.what == "trial":
            return settings_of(task.loss, steps=steps, **self._tried(task))
        own = [trials[Task("trial", task.loss, number)] for number in range(self.search)]
        best = max(own, key=lambda record: record["map_at_r"], default={})  # of equals the first
        found = {name: best.get(name) for name in ("learning_rate", "margin")}
        return settings_of(task.loss, steps=steps, seed=task.number, **found)

    def _tried(self, task: Task) -> dict[str, float]:
        """The hyper-parameters of a trial."""
        if task.number == 0:
            return {}
        rates, margins = spread(self.search - 1)
        low, high = RATES
        tried = {"learning_rate": float(low * (high / low) ** rates[task.number - 1])}
        if task.loss in MARGINS:
            usual = settings_of(task.loss).margin
            tried["margin"] = float(usual * MARGIN_FACTOR ** (2 * margins[task.number - 1] - 1))
        return tried


def settings_of(loss: str, **more: Any) -> Settings:
    """The settings of a loss: a whole batch wherever the loss can read one."""
    return Settings(network="verification" if kind_of(loss) == "cross-entropy" else "batch", loss=loss, **more)


def spread(count: int) -> Iterator[Array]:
    """Twice `count` numbers in (0, 1), one in each of `count` equal parts, in an order by chance (Latin hypercube)."""
    rng = np.random.default_rng(0)
    return ((rng.permutation(count) + rng.random(count)) / count for _ in range(2))
