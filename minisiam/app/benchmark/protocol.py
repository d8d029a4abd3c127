"""What is run: for each loss a search on validation alphabets, then runs that differ in their seed alone.

Everything but the loss is alike: the encoder conv2 with 128 outputs, Adam with one schedule, 256 images a step, and the
number of steps. `search` says which constants a trial tries. All trials and runs train on the training alphabets; the
validation alphabets choose the trial of each loss, and name the reference; the test alphabets judge the runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ... import require
from ...losses.registry import FUNCTIONS
from . import search

Records = dict["Task", dict[str, Any]]


class Task(NamedTuple):
    """One thing to do: a "trial" of the search, or a "run"; its number is the trial's, or the seed."""

    what: str
    loss: str
    number: int


@dataclass(frozen=True)
class Protocol:
    """What decides a comparison, as its folder keeps it.

    losses : names of `losses.registry`; by default all of them
    seeds : runs of each loss, with the seeds 0, 1, …
    search : trials of each loss, at least 1
    steps : of every trial and run, of whatever loss
    machine : where it was begun
    """

    losses: tuple[str, ...] = tuple(FUNCTIONS)
    seeds: int = 5
    search: int = 4
    steps: int = 400
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for loss in self.losses:
            require.one_of("loss", loss, FUNCTIONS)
        object.__setattr__(self, "losses", tuple(dict.fromkeys(self.losses)))
        if not self.losses:
            raise ValueError("there is no loss to compare: name some, as in --losses supcon,hinge")
        require.whole("seeds", self.seeds, 1)
        require.whole("search", self.search, 1)
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
        for name in ("search", "steps"):
            if asked.get(name) is not None and asked[name] != getattr(self, name):
                raise ValueError(
                    f"this comparison was begun with --{name} {getattr(self, name)}, so --{name} {asked[name]} would "
                    "be another one: leave it out, or choose another --out; --seeds and --losses may become more"
                )
        more = tuple(asked.get("losses") or ())
        return replace(self, losses=(*self.losses, *more), seeds=max(self.seeds, asked.get("seeds") or 1))

    def tasks(self) -> list[Task]:
        """In the order in which they are done: all searches, then a run of every loss, then another of every loss."""
        trials = [task for loss in self.losses for task in self.trials(loss)]
        return trials + [Task("run", loss, seed) for seed in range(self.seeds) for loss in self.losses]

    def trials(self, loss: str) -> list[Task]:
        """The search of a loss."""
        return [Task("trial", loss, number) for number in range(self.search)]

    def seed_of(self, task: Task) -> int:
        """A run's number; all trials have one seed, which is no run's."""
        return task.number if task.what == "run" else search.SEED

    def constants(self, task: Task, records: Records) -> dict[str, Any]:
        """What is trained: a trial's own constants, and for a run those of the best trial of its loss."""
        if task.what == "trial":
            return search.trial(task.loss, task.number, self.search)[1]
        return self.best_trial(task.loss, records)["constants"]

    def best_trial(self, loss: str, records: Records) -> dict[str, Any]:
        """The trial with the highest MAP@R on validation alphabets; the first of equals."""
        return max((records[task] for task in self.trials(loss)), key=lambda record: record["map_at_r"])

    def reference(self, records: Records) -> str | None:
        """The loss whose best trial is the best of all on validation alphabets; None while a trial is missing.

        No run and no test alphabet has a part in it, so a test against it is one that was fixed beforehand.
        """
        if any(task not in records for loss in self.losses for task in self.trials(loss)):
            return None
        return max(self.losses, key=lambda loss: self.best_trial(loss, records)["map_at_r"])
