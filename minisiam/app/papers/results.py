"""Runs of experiments, read from their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config import Config
from .registry import EXPERIMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

# settings in which two runs of one experiment may differ
FREE = ("data", "seed", "time_limit", "patience", "log_every", "classes", "paper")


class Result(NamedTuple):
    """A run of an experiment, and its report."""

    folder: Path
    experiment: str
    report: dict[str, Any]

    @property
    def changes(self) -> str:
        """The settings that differ from the experiment's."""
        own = Config.from_dict(self.report["config"]).as_dict()
        entry = Config(**EXPERIMENTS[self.experiment].settings).as_dict()
        if own["holdout"] not in ("images", "none"):  # any alphabets may be held out
            entry["holdout"] = own["holdout"]
        different = [name for name in entry if name not in FREE and own[name] != entry[name]]
        return ", ".join(f"{name} {own[name]}" for name in different)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole, unchanged run of its experiment."""
        return self.is_finished and not self.changes

    @property
    def is_finished(self) -> bool:
        """Whether all steps were made."""
        return self.report["steps"] >= self.report["config"]["steps"]

    @property
    def data(self) -> str:
        """The data it was trained and tested on, without their folders."""
        return "; ".join(
            f"{kind} {', '.join(Path(path).name for path in paths.split(',') if path)}".strip()
            for kind, _, paths in (self.report["config"][name].partition(":") for name in ("data", "holdout"))
        )

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.report["config"]["seed"]


def gather(folders: Iterable[Path]) -> list[Result]:
    """The runs by experiment and seed; ValueError if a folder is not a finished run of an experiment."""
    results = [_read(folder) for folder in folders]
    if not results:
        raise ValueError("there are no runs to report: name their folders")
    known: dict[tuple[str, str, int], Path] = {}
    for run in results:
        key = (run.experiment, run.data, run.seed)
        if run.is_whole and known.setdefault(key, run.folder) is not run.folder:
            raise ValueError(f"{known[key]} and {run.folder} have the same experiment, data and seed: leave one out")
    order = list(EXPERIMENTS)
    return sorted(results, key=lambda run: (order.index(run.experiment), run.seed, str(run.folder)))


def _read(folder: Path) -> Result:
    path = folder / "report.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} has no report.json: it is not a run, or its training has not ended, and "
            f"`minisiam train --resume {folder}` continues it"
        )
    report = json.loads(path.read_text(encoding="utf-8"))
    name = report.get("config", {}).get("paper")
    if name not in EXPERIMENTS:
        raise ValueError(
            f"{folder} is not a run of an experiment: use `minisiam papers run NAME`, one of {', '.join(EXPERIMENTS)}"
        )
    return Result(folder, name, report)
