"""What is run: for each method a search on the validation set, then runs that differ only in their seed.

A method is a loss, or a loss over a miner (`methods`). Everything else is the same: the encoder conv2 with 128 outputs,
Adam with one schedule, 256 images per step, the number of steps. `search` has the constants of each trial. All trials
and runs train on the training set. The scores on the validation set choose the trial of each method and the reference;
the runs are tested on the test set.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ... import require
from ..config import Config
from . import search
from .methods import METHODS, check

Records = dict["Task", dict[str, Any]]


class Task(NamedTuple):
    """A "trial" of the search, with its number, or a "run", whose number is the seed."""

    what: str
    method: str
    number: int


@dataclass(frozen=True)
class Protocol:
    """What determines a comparison, as its folder stores it.

    methods : names as in `methods.METHODS`; all of them by default
    data : as in `minisiam train --data`
    seeds : runs of each method, with the seeds 0, 1, …
    search : trials of each method, at least 1
    steps : of every trial and run, of whatever method
    machine : the machine it was started on
    sizes : images and classes of the training, validation and test set; `compare` fills them in
    """

    methods: tuple[str, ...] = METHODS
    data: str = Config.data
    seeds: int = 5
    search: int = 4
    steps: int = 400
    machine: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for method in self.methods:
            check(method)
        object.__setattr__(self, "methods", tuple(dict.fromkeys(self.methods)))
        if not self.methods:
            raise ValueError("there is no method to compare: name methods, as in --methods supcon,hinge")
        require.whole("seeds", self.seeds, 1)
        require.whole("search", self.search, 1)
        require.whole("steps", self.steps, 1)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Protocol:
        """The protocol stored in a file."""
        return cls(**stored | {"methods": tuple(stored["methods"])})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def extended(self, **requested: Any) -> Protocol:
        """The protocol with more methods or seeds; other data, or another number of steps or trials, is an error."""
        for name in ("data", "search", "steps"):
            if requested.get(name) is not None and requested[name] != getattr(self, name):
                raise ValueError(
                    f"this comparison was started with --{name} {getattr(self, name)}, so --{name} {requested[name]} "
                    "needs another --out; more --seeds and --methods can be added to this one"
                )
        more = tuple(requested.get("methods") or ())
        return replace(self, methods=(*self.methods, *more), seeds=max(self.seeds, requested.get("seeds") or 1))

    def tasks(self) -> list[Task]:
        """All tasks in order: all searches, then a run of every method for each seed."""
        trials = [task for method in self.methods for task in self.trials(method)]
        return trials + [Task("run", method, seed) for seed in range(self.seeds) for method in self.methods]

    def trials(self, method: str) -> list[Task]:
        """The search of a method."""
        return [Task("trial", method, number) for number in range(self.search)]

    def seed_of(self, task: Task) -> int:
        """The number of a run; all trials have one seed, which no run has."""
        return task.number if task.what == "run" else search.SEED

    def constants(self, task: Task, records: Records) -> dict[str, Any]:
        """The constants of a trial, or for a run those of the best trial of its method."""
        if task.what == "trial":
            return search.trial(task.method, task.number, self.search)[1]
        return self.best_trial(task.method, records)["constants"]

    def best_trial(self, method: str, records: Records) -> dict[str, Any]:
        """The trial with the highest MAP@R on the validation set; the first if several are equal."""
        return max((records[task] for task in self.trials(method)), key=lambda record: record["map_at_r"])

    def reference(self, records: Records) -> str | None:
        """The method whose best trial is the best of all on the validation set; None while a trial is missing.

        It depends on no run and no test image, so the tests against it are fixed before the runs.
        """
        if any(task not in records for method in self.methods for task in self.trials(method)):
            return None
        return max(self.methods, key=lambda method: self.best_trial(method, records)["map_at_r"])
