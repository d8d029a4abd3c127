"""The page of results: the papers' numbers beside ours with their intervals, and verdicts that follow from them."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import _markdown, evaluate
from .. import statistics
from ..config import Settings
from .registry import DIFFERENCES, EXPERIMENTS, ORDERS, Claim, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OWN = ("data", "seed", "minutes", "log_every", "classes", "preset")  # what two runs of one preset may differ in
MET, NOT_MET, CANNOT_TELL, NONE = "met", "not met", "cannot tell", "–"
NOTES = (
    "Intervals are of 95 %, and *over* says what they are about: alphabets (the mean on other alphabets like these, by",
    "Student's t), seeds (the mean of other trainings, by Student's t), test images (other images of the same kind, by",
    "Wilson's interval), episodes (other questions on the same letters). With one seed an interval leaves out the",
    "randomness of training. A verdict follows from the widest interval of its row: *met* if the whole interval is on",
    "the right side of the bound, *not met* if the whole interval is on the wrong side, otherwise *cannot tell*, also",
    "where there is no interval. *Reaches the paper* compares with the paper's number as if that were exact and of the",
    "same test set, which it rarely is: the differences are listed. *Target* is a threshold of this project",
    "(`minisiam/experiments/table.py`), not a claim of a paper.",
    "",
    "Pairs and questions of one alphabet are not independent, so intervals are over alphabets where there are any. Two",
    "networks that are tested on the same alphabets are compared alphabet by alphabet (paired t); accuracies on test",
    "images as independent proportions (Newcombe 1998), which is wider than necessary, since the images are the same.",
    "",
    "`minisiam evaluate RUN --data omniglot-runs:all_runs.zip` asks Omniglot's official questions. Runs that were",
    "stopped early, or that differ from their preset, are listed under *Runs* and used in no row. *Cores* is the",
    "average number at work: where it is below the machine's, something else was running, and minutes say less than",
    "steps.",
)
POSITIVE = float(np.nextafter(0, 1))  # a difference of 0 is none


class Interval(NamedTuple):
    """A 95 % interval, and what it is over: "5 seeds"."""

    low: float
    high: float
    over: str


class Row(NamedTuple):
    """A line of the page."""

    experiment: str
    what: str
    paper: str
    ours: str
    reached: str
    target: str
    met: str


def verdict(interval: Interval | None, bound: float, higher: bool) -> str:
    """Whether an interval lies wholly on the right side of a bound, wholly on the wrong side, or neither.

    Parameters
    ----------
    interval
        None where the uncertainty is not known, and then nothing can be told.
    bound
        What has to be reached: the bound itself is on the right side.
    higher
        Whether higher is better.
    """
    if interval is None:
        return CANNOT_TELL
    ends = [end >= bound if higher else end <= bound for end in interval[:2]]
    return MET if all(ends) else CANNOT_TELL if any(ends) else NOT_MET


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
    rows = [row for name in EXPERIMENTS for row in _rows(name, [r for r in results if r.preset == name])]
    rows += [row for order in ORDERS for row in _order(order, results)]
    lines = ["# Results", "", "The papers' numbers beside ours. Made by `minisiam report`.", ""]
    lines += _table(
        ("experiment", "what", "the paper", "ours", "reaches the paper", "our target", "target met"),
        [row for row in rows if row.paper != NONE],
    )
    own = [row._replace(paper="", reached="") for row in rows if row.paper == NONE]
    if own:
        lines += ["", "Without a number in the paper:", ""]
        lines += _table(
            ("experiment", "what", "ours", "our target", "target met"), [tuple(filter(None, r)) for r in own]
        )
    lines += ["", *NOTES, ""]
    for paper in dict.fromkeys(EXPERIMENTS[run.preset].paper for run in results):
        if paper in DIFFERENCES:
            lines += [f"**{paper}**", "", *(f"- {difference}" for difference in DIFFERENCES[paper]), ""]
    lines += ["## Runs", ""]
    lines += _table(
        ("preset", "trained on, tested on", "seed", "steps", "minutes", "cores", "otherwise than the preset"),
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


def _rows(name: str, runs: Sequence[Result]) -> list[Row]:
    """The claims of an experiment beside what its runs found."""
    runs = [run for run in runs if run.counts]
    several = sorted({run.learnt for run in runs})
    rows = []
    for learnt, claim in product(several, EXPERIMENTS[name].claims):
        label = f"`{name}` ({EXPERIMENTS[name].paper})" + f", {learnt}" * (len(several) > 1)
        rows.append(row(label, claim, [run.report for run in runs if run.learnt == learnt]))
    return rows


def row(label: str, claim: Claim, reports: Sequence[dict[str, Any]]) -> Row:
    """A claim beside what runs of different seeds found."""
    values = [value for report in reports if (value := look(report, claim.found)) is not None]
    known = intervals(claim.found, reports)
    decisive = _widest(known)
    ours = "not measured: nothing was held out"
    if values:
        ours = f"{_number(float(np.mean(values)), claim.percent)} ({_told(known, claim.percent)})"
    numbers = [_brief(paper.value, claim.percent) for paper in claim.papers]
    reached = [verdict(decisive, paper.value, claim.higher) for paper in claim.papers]
    of = [f" ({paper.of})" * bool(paper.of) for paper in claim.papers]
    bound = f"{'≥' if claim.higher else '≤'} "
    return Row(
        label,
        claim.what,
        ", ".join(map("".join, zip(numbers, of, strict=True))) or NONE,
        ours,
        ", ".join(map("".join, zip(reached, of, strict=True))) or NONE,
        NONE if claim.target is None else bound + _brief(claim.target, claim.percent),
        NONE if claim.target is None else verdict(decisive, claim.target, claim.higher),
    )


def intervals(found: str, reports: Sequence[dict[str, Any]]) -> list[Interval]:
    """The intervals that reports of different seeds give for a number: over seeds, alphabets, images or episodes.

    All but the first are of each report alone; of several reports their ends are the means.

    Parameters
    ----------
    found
        Where the number is in a report. Beside it may be the values of which it is the mean, "found_by_alphabet"; the
        number of test images of which it is a share, "found_of"; or an interval, "found_interval", and what it is
        over, "found_over".
    reports
        One for each seed.
    """
    values = [value for report in reports if (value := look(report, found)) is not None]
    known = []
    if len(values) > 1:
        mean = statistics.mean(values)
        known.append(Interval(mean.value - mean.half, mean.value + mean.half, f"{len(values)} seeds"))
    own = [interval for report in reports if (interval := _of_one(found, report)) is not None]
    if own:
        low, high = (float(np.mean(ends)) for ends in zip(*(interval[:2] for interval in own), strict=True))
        known.append(Interval(low, high, own[0].over))
    return known


def _of_one(found: str, report: dict[str, Any]) -> Interval | None:
    """The interval that one report gives."""
    by_alphabet, count, given = (look(report, f"{found}_{word}") for word in ("by_alphabet", "of", "interval"))
    if by_alphabet and len(by_alphabet) > 1:
        mean = statistics.mean(list(by_alphabet.values()))
        return Interval(mean.value - mean.half, mean.value + mean.half, f"{len(by_alphabet)} alphabets")
    if count:
        score = evaluate.wilson(look(report, found), count)
        return Interval(score.low, score.high, f"{count:,} test images")
    return Interval(given[0], given[1], look(report, f"{found}_over")) if given else None


def _widest(known: Sequence[Interval]) -> Interval | None:
    return max(known, key=lambda interval: interval.high - interval.low, default=None)


def _told(known: Sequence[Interval], percent: bool) -> str:
    """The intervals in words."""
    scale, unit = (100, " %") if percent else (1, "")
    digits = 2 if percent else 3
    told = [f"{scale * i.low:.{digits}f} to {scale * i.high:.{digits}f}{unit} over {i.over}" for i in known]
    return "; ".join(told) or "one seed, no interval"


def look(report: dict[str, Any], where: str) -> Any:
    """A number of a report, or an interval: look(report, "verification.accuracy"); None where it is not there."""
    found: Any = report
    for key in where.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _order(order: Order, results: Sequence[Result]) -> list[Row]:
    """A difference between two experiments, if both have been run."""
    both = [
        [r.report for r in results if r.preset == name and r.counts and look(r.report, order.found) is not None]
        for name in (order.worse, order.better)
    ]
    if not all(both):
        return []
    worse, better = (float(np.mean([look(report, order.found) for report in some])) for some in both)
    known = differences(order.found, *both)
    decisive = _widest(known)
    return [
        Row(
            f"`{order.worse}`, `{order.better}`",
            order.what,
            " → ".join(_brief(value, True) for value in order.papers) if order.papers else NONE,
            f"{_number(worse, True)} → {_number(better, True)}: {_points(better - worse)} points ({_spread(known)})",
            verdict(decisive, POSITIVE, True) if order.papers else NONE,
            NONE if order.target is None else f"≥ {100 * order.target:g} points" if order.target else "> 0 points",
            NONE if order.target is None else verdict(decisive, order.target or POSITIVE, True),
        )
    ]


def differences(found: str, worse: Sequence[dict[str, Any]], better: Sequence[dict[str, Any]]) -> list[Interval]:
    """The intervals of the difference of a number between two experiments: over seeds, and over what was tested.

    Over seeds that both have, and over alphabets that both were tested on, it is of the paired differences, by
    Student's t; over test images it is `evaluate.difference`. Where there are several seeds, an alphabet counts with
    its mean over them.
    """
    known = []
    seeds = [{report["settings"]["seed"]: look(report, found) for report in some} for some in (worse, better)]
    common = sorted(set(seeds[0]) & set(seeds[1]))
    if len(common) > 1:
        known.append(_paired([seeds[1][seed] - seeds[0][seed] for seed in common], "seeds"))
    alphabets = [_by_alphabet(found, some) for some in (worse, better)]
    if alphabets[0].keys() == alphabets[1].keys() and len(alphabets[0]) > 1:
        known.append(_paired([alphabets[1][name] - alphabets[0][name] for name in alphabets[0]], "alphabets"))
    count = [look(some[0], f"{found}_of") for some in (worse, better)]
    if all(count):
        means = [float(np.mean([look(report, found) for report in some])) for some in (worse, better)]
        scores = [evaluate.wilson(mean, many) for mean, many in zip(means, count, strict=True)]
        known.append(Interval(*evaluate.difference(*scores), f"{count[1]:,} test images"))
    return known


def _paired(values: Sequence[float], what: str) -> Interval:
    mean = statistics.mean(values)
    return Interval(mean.value - mean.half, mean.value + mean.half, f"{len(values)} {what}")


def _by_alphabet(found: str, reports: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The value of each alphabet, its mean over reports; nothing where they do not have the same alphabets."""
    all_values = [look(report, f"{found}_by_alphabet") or {} for report in reports]
    if any(values.keys() != all_values[0].keys() for values in all_values):
        return {}
    return {name: float(np.mean([values[name] for values in all_values])) for name in all_values[0]}


def _spread(known: Sequence[Interval]) -> str:
    """The intervals of a difference in words."""
    told = [f"{_points(i.low)} to {_points(i.high)} over {i.over}" for i in known]
    return "; ".join(told) or "one seed, no interval"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"


def _brief(value: float, percent: bool) -> str:
    """A number as a paper prints it."""
    return f"{100 * value:.10g} %" if percent else f"{value:g}"


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.2f} %" if percent else f"{value:.3f}"


def _run(run: Result) -> tuple[str, ...]:
    settings = run.report["settings"]
    steps = f"{run.report['steps']:,}" + ("" if run.finished else f" of {settings['steps']:,}")
    cores = f"{run.report['busy']:.2f}" if run.report.get("busy") else "?"
    minutes = f"{run.report['train_seconds'] / 60:.1f}"
    return f"`{run.preset}`", run.learnt, str(settings["seed"]), steps, minutes, cores, run.otherwise


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_markdown.heading(head), *map(_markdown.row, rows)]
