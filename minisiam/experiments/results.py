"""The page of results: what the papers found and what the runs found, number beside number."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import students
from ..settings import Settings
from .table import EXPERIMENTS, ORDERS, Claim, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OWN = ("data", "seed", "minutes", "log_every", "classes", "preset")  # what two runs of one preset may differ in
NOTES = (
    "*Same?* is yes where ours lies where the claim says, at least or at most (`minisiam/experiments/table.py`),",
    "and – where nothing is claimed. Intervals are of 95 %, by Student's t: in brackets of the mean over seeds, and",
    "for *other alphabets* of the mean over those that were left out. Errors on Omniglot are estimates on alphabets",
    "of the background set that were left out of the training, by the official protocol: twenty letters of one",
    "alphabet, shown by one drawer and asked by another. `minisiam evaluate RUN --data omniglot-runs:all_runs.zip`",
    "asks the official questions. Runs that were stopped before their steps were made, or that differ from their",
    "preset, are listed below and count above for nothing. *Cores* is how many were at work, on the average: where",
    "they are fewer than the machine has, something else was running, and minutes say less than steps.",
)


class Result(NamedTuple):
    """A run as its report tells it."""

    folder: Path
    preset: str
    report: dict[str, Any]

    @property
    def otherwise(self) -> str:
        """What it has that its preset has not, in words of the command line."""
        mine = Settings.of(self.report["settings"]).as_dict()
        usual = Settings(**EXPERIMENTS[self.preset].settings).as_dict()
        if mine["unseen"] not in ("images", "none"):  # what is left out may be any alphabets
            usual["unseen"] = mine["unseen"]
        return " ".join(
            f"--{name.replace('_', '-')} {mine[name]}"
            for name in usual
            if name not in OWN and mine[name] != usual[name]
        )

    @property
    def counts(self) -> bool:
        """Whether it is a whole run of its preset."""
        return self.finished and not self.otherwise

    @property
    def learnt(self) -> str:
        """What it has learnt from, and what it is judged by, without the folders."""
        return " ".join(
            f"{kind} {', '.join(Path(path).name for path in paths.split(',') if path)}".strip()
            for kind, _, paths in (self.report["settings"][name].partition(":") for name in ("data", "unseen"))
        )

    @property
    def finished(self) -> bool:
        """Whether all steps were made."""
        return self.report["steps"] >= self.report["settings"]["steps"]


def gather(folders: Iterable[Path]) -> list[Result]:
    """The runs, by preset and seed; an error that names a folder that is no finished run of a preset."""
    found = []
    for folder in folders:
        path = folder / "report.json"
        if not path.is_file():
            raise ValueError(f"{folder} has no report.json: it is no run, or one that has not ended (train --resume)")
        report = json.loads(path.read_text())
        preset = report.get("settings", {}).get("preset")
        if preset not in EXPERIMENTS:
            raise ValueError(
                f"{folder} is not the run of a preset: train with --preset, one of {', '.join(EXPERIMENTS)}"
            )
        found.append(Result(folder, preset, report))
    if not found:
        raise ValueError("there are no runs to report: name their folders")
    known: dict[tuple[str, str, int], Path] = {}
    for run in found:
        one = (run.preset, run.learnt, run.report["settings"]["seed"])
        if run.counts and known.setdefault(one, run.folder) is not run.folder:
            raise ValueError(f"{known[one]} and {run.folder} are the same preset, data and seed: name one of them")
    order = list(EXPERIMENTS)
    return sorted(found, key=lambda r: (order.index(r.preset), r.report["settings"]["seed"], str(r.folder)))


def page(results: Sequence[Result], pictures: dict[str, str] | None = None) -> str:
    """The page, in Markdown; `pictures` are paths of figures by "preset/name"."""
    lines = ["# Results", "", "What the papers found, and what this package finds. Made by `minisiam report`.", ""]
    rows = [row for name in EXPERIMENTS for row in _rows(name, [r for r in results if r.preset == name])]
    rows += [row for order in ORDERS for row in _order(order, results)]
    lines += _table(("experiment", "claim", "paper", "ours", "same?"), rows)
    lines += ["", *NOTES, ""]
    lines += ["## Runs", ""]
    lines += _table(
        ("preset", "learnt, unseen", "seed", "steps", "minutes", "cores", "otherwise than the preset"),
        map(_run, results),
    )
    versions = {" ".join(f"{k} {v}" for k, v in r.report.get("machine", {}).items() if k != "cores") for r in results}
    lines += ["", f"Made with: {'; '.join(sorted(versions))}.", ""]
    for name, path in (pictures or {}).items():
        preset, _, figure = name.partition("/")
        lines += [
            f"![{preset}: {figure}]({path})",
            "",
            f"*{EXPERIMENTS[preset].about} ({figure.replace('_', ' ')})*",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def copy_figures(results: Sequence[Result], beside: Path, folder: str) -> dict[str, str]:
    """Copy the page's figures, of the first seed, to a folder beside it: their paths from there, by "preset/name"."""
    found: dict[str, str] = {}
    for run in results:
        for name in EXPERIMENTS[run.preset].page:
            drawn = run.folder / "figures" / f"{name}.png"
            if drawn.is_file() and f"{run.preset}/{name}" not in found:
                (beside / folder).mkdir(parents=True, exist_ok=True)
                shutil.copy(drawn, beside / folder / f"{run.preset}-{name}.png")
                found[f"{run.preset}/{name}"] = f"{folder}/{run.preset}-{name}.png"
    return found


def _rows(name: str, runs: Sequence[Result]) -> list[tuple[str, ...]]:
    """The claims of an experiment beside what its runs found."""
    rows: list[tuple[str, ...]] = []
    runs = [run for run in runs if run.counts]
    several = sorted({run.learnt for run in runs})
    for learnt, claim in product(several, EXPERIMENTS[name].claims):
        mine = [run for run in runs if run.learnt == learnt]
        values = [value for run in mine if (value := look(run.report, claim.found)) is not None]
        ours = _mean(values, claim.percent) if values else "not judged: nothing was left unseen"
        ours += _over_alphabets([look(run.report, f"{claim.found}_interval") for run in mine])
        rows.append(
            (
                f"`{name}` ({EXPERIMENTS[name].paper})" + f", {learnt}" * (len(several) > 1),
                claim.what,
                claim.published,
                ours,
                _agrees(claim, values),
            )
        )
    return rows


def look(report: dict[str, Any], where: str) -> Any:
    """A number of a report, or an interval: look(report, "verification.accuracy"); None where it is not there."""
    found: Any = report
    for key in where.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _agrees(claim: Claim, values: Sequence[float]) -> str:
    if not values or (claim.least, claim.most) == (-np.inf, np.inf):
        return "–"
    mean = float(np.mean(values))
    if claim.least <= mean <= claim.most:
        return "yes"
    wanted = claim.least if mean < claim.least else claim.most
    return f"**no**: {'at least' if mean < claim.least else 'at most'} {_number(wanted, claim.percent)}"


def _order(order: Order, results: Sequence[Result]) -> Sequence[tuple[str, ...]]:
    """A claim about several experiments, if each has been run."""
    values = []
    for name in order.names:
        mine = [v for r in results if r.preset == name and r.counts and (v := look(r.report, order.found)) is not None]
        if not mine:
            return []
        values.append(float(np.mean(mine)))
    ours = " < ".join(_number(value, order.percent) for value in values)
    holds = all(after - before > order.gap for before, after in pairwise(values))
    names = ", ".join(f"`{name}`" for name in order.names)
    return [
        (names, order.what, order.published, ours.replace("<", "<" if holds else "→"), "yes" if holds else "**no**")
    ]


def _mean(values: Sequence[float], percent: bool) -> str:
    mean = students.mean(values)
    if len(values) == 1:
        return _number(mean.value, percent)
    low, high = (_number(mean.value + side * mean.half, percent) for side in (-1, 1))
    return f"{_number(mean.value, percent)} ({low} to {high}; {len(values)} seeds)"


def _over_alphabets(intervals: Sequence[Any]) -> str:
    """The interval over alphabets, its ends the means over seeds; nothing where there is none."""
    known = [interval for interval in intervals if interval]
    if not known:
        return ""
    low, high = np.mean(known, axis=0)
    return f"; other alphabets: {100 * low:.1f} to {100 * high:.1f} %"


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.2f} %" if percent else f"{value:.3f}"


def _run(run: Result) -> tuple[str, ...]:
    settings = run.report["settings"]
    steps = f"{run.report['steps']:,}" + ("" if run.finished else f" of {settings['steps']:,}")
    cores = f"{run.report['busy']:.2f}" if run.report.get("busy") else "?"
    minutes = f"{run.report['train_seconds'] / 60:.1f}"
    return f"`{run.preset}`", run.learnt, str(settings["seed"]), steps, minutes, cores, run.otherwise


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |" for line in lines]
