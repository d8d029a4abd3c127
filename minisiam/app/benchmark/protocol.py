"""What is run: for each loss a search on validation alphabets, then runs that differ only in their seed.

Everything but the loss is the same: the encoder conv2 with 128 outputs, Adam with one schedule, 256 images per step,
the number of steps. `search` has the constants of each trial. All trials and runs train on the training alphabets. The
scores on the validation alphabets choose the trial of each loss and the reference; the runs are tested on the test
alphabets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ... import require
from ...analysis.registry import LOSSES
from . import search

Records = dict["Task", dict[str, Any]]


class Task(NamedTuple):
    """A "trial" of the search, with its number, or a "run", whose number is the seed."""

    what: str
    loss: str
    number: int


@dataclass(frozen=True)
class Protocol:
    """What determines a comparison, as its folder stores it.

    losses : names of `analysis.registry.LOSSES`; all of them by default
    seeds : runs of each loss, with the seeds 0, 1, …
    search : trials of each loss, at least 1
    steps : of every trial and run, of whatever loss
    machine : the machine it was started on
    """

    losses: tuple[str, ...] = tuple(LOSSES)
    seeds: int = 5
    search: int = 4
    steps: int = 400
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for loss in self.losses:
            require.one_of("loss", loss, LOSSES)
        object.__setattr__(self, "losses", tuple(dict.fromkeys(self.losses)))
        if not self.losses:
            raise ValueError("there is no loss to compare: name losses, as in --losses supcon,hinge")
        require.whole("seeds", self.seeds, 1)
        require.whole("search", self.search, 1)
        require.whole("steps", self.steps, 1)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Protocol:
        """The protocol stored in a file."""
        return cls(**stored | {"losses": tuple(stored["losses"])})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def extended(self, **requested: Any) -> Protocol:
        """The protocol with more losses or seeds; another number of steps or trials is an error."""
        for name in ("search", "steps"):
            if requested.get(name) is not None and requested[name] != getattr(self, name):
                raise ValueError(
                    f"this comparison was started with --{name} {getattr(self, name)}, so --{name} {requested[name]} "
                    "needs another --out; more --seeds and --losses can be added to this one"
                )
        more = tuple(requested.get("losses") or ())
        return replace(self, losses=(*self.losses, *more), seeds=max(self.seeds, requested.get("seeds") or 1))

    def tasks(self) -> list[Task]:
        """All tasks in order: all searches, then a run of every loss for each seed."""
        trials = [task for loss in self.losses for task in self.trials(loss)]
        return trials + [Task("run", loss, seed) for seed in range(self.seeds) for loss in self.losses]

    def trials(self, loss: str) -> list[Task]:
        """The search of a loss."""
        return [Task("trial", loss, number) for number in range(self.search)]

    def seed_of(self, task: Task) -> int:
        """The number of a run; all trials have one seed, which no run has."""
        return task.number if task.what == "run" else search.SEED

    def constants(self, task: Task, records: Records) -> dict[str, Any]:
        """The constants of a trial, or for a run those of the best trial of its loss."""
        if task.what == "trial":
            return search.trial(task.loss, task.number, self.search)[1]
        return self.best_trial(task.loss, records)["constants"]

    def best_trial(self, loss: str, records: Records) -> dict[str, Any]:
        """The trial with the highest MAP@R on validation alphabets; the first if several are equal."""
        return max((records[task] for task in self.trials(loss)), key=lambda record: record["map_at_r"])

    def reference(self, records: Records) -> str | None:
        """The loss whose best trial is the best of all on validation alphabets; None while a trial is missing.

        It depends on no run and no test alphabet, so the tests against it are fixed before the runs.
        """
        if any(task not in records for loss in self.losses for task in self.trials(loss)):
            return None
        return max(self.losses, key=lambda loss: self.best_trial(loss, records)["map_at_r"])
