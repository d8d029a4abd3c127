"""The page of results: what the papers found and what the runs found, number beside number."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import students
from ..settings import Settings
from .table import EXPERIMENTS, ORDERS, Claim, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OWN = (
    "data",
    "unseen",
    "seed",
    "minutes",
    "log_every",
    "classes",
    "preset",
)  # what two runs of one preset may differ in


class Result(NamedTuple):
    """A run as its report tells it."""

    folder: Path
    preset: str
    report: dict[str, Any]

    @property
    def otherwise(self) -> str:
        """What it has that its preset has not, in words of the command line."""
        mine = self.report["settings"]
        usual = Settings(**EXPERIMENTS[self.preset].settings).as_dict()
        return " ".join(
            f"--{name.replace('_', '-')} {mine[name]}"
            for name in usual
            if name not in OWN and mine[name] != usual[name]
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
    order = list(EXPERIMENTS)
    return sorted(found, key=lambda r: (order.index(r.preset), r.report["settings"]["seed"], str(r.folder)))


def page(results: Sequence[Result], pictures: dict[str, str] | None = None) -> str:
    """The page, in Markdown; `pictures` are paths of figures by "preset/name"."""
    lines = ["# Results", "", "What the papers found, and what this package finds. Made by `minisiam report`.", ""]
    rows = [row for name in EXPERIMENTS for row in _rows(name, [r for r in results if r.preset == name])]
    rows += [row for order in ORDERS for row in _order(order, results)]
    lines += _table(("experiment", "claim", "paper", "ours", "same?"), rows)
    lines += ["", "An interval is that of the mean over seeds, 95 % by Student's t; with one seed there is none.", ""]
    lines += ["## Runs", ""]
    lines += _table(
        ("preset", "data", "seed", "steps", "minutes", "cores", "otherwise than the preset"), map(_run, results)
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
    for claim in EXPERIMENTS[name].claims if runs else ():
        values = [value for run in runs if (value := look(run.report, claim.found)) is not None]
        ours = _mean(values, claim.percent) if values else "not judged: nothing was left unseen"
        rows.append((f"`{name}`", claim.what, claim.published, ours, _agrees(claim, values)))
    return rows


def look(report: dict[str, Any], where: str) -> float | None:
    """A number of a report: look(report, "verification.accuracy"); None where it is not there."""
    found: Any = report
    for key in where.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _agrees(claim: Claim, values: Sequence[float]) -> str:
    if not values:
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
        mine = [v for r in results if r.preset == name and (v := look(r.report, order.found)) is not None]
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


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.2f} %" if percent else f"{value:.3f}"


def _run(run: Result) -> tuple[str, ...]:
    settings = run.report["settings"]
    data = f"{settings['data'].partition(':')[0]} {', '.join(Path(p).name for p in _paths(settings['data']))}".strip()
    steps = f"{run.report['steps']:,}" + ("" if run.finished else f" of {settings['steps']:,}")
    cores = f"{run.report['busy']:.2f}" if run.report.get("busy") else "?"
    minutes = f"{run.report['train_seconds'] / 60:.1f}"
    return f"`{run.preset}`", data, str(settings["seed"]), steps, minutes, cores, run.otherwise


def _paths(data: str) -> list[str]:
    return [path for path in data.partition(":")[2].split(",") if path]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |" for line in lines]
