"""The page of results: the papers' numbers beside ours, with intervals, and verdicts that follow from them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...analysis import _markdown
from .. import outputs
from .intervals import CANNOT_TELL, POSITIVE, Interval, differences, intervals, metric_of, verdict, widest
from .registry import COMPARISONS, DEVIATIONS, EXPERIMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .results import Result
    from .types import Claim, Comparison

NONE = "–"
NOTES = f"""\
Intervals are 95 % intervals, and *over* states what varies: alphabets (the mean on other alphabets like these, by
Student's t), seeds (the mean of other trainings, by Student's t), test images (other images of the same kind, by
Wilson's interval), or episodes (other episodes with the same letters). With one seed, an interval does not include the
randomness of training. A verdict follows from the widest interval of its row: *met* if the whole interval is on the
right side of the bound, *not met* if the whole interval is on the wrong side, otherwise *{CANNOT_TELL}*, also if there
is no interval. *Reaches the paper* compares with the paper's number as if it were exact and of the same test set, which
is rarely true: the differences are listed. *Target* is a threshold of this project
(`minisiam/app/papers/registry.py`), not a claim of a paper.

Pairs and episodes of one alphabet are not independent, so intervals are over alphabets where there are several. Two
networks that are tested on the same alphabets are compared alphabet by alphabet (paired t); accuracies on test images
are compared as independent proportions (Newcombe 1998), which is wider than necessary, since the images are the same.

`minisiam evaluate RUN --data omniglot-runs:all_runs.zip` evaluates on Omniglot's official questions. Runs that were
stopped early, or whose settings differ from their experiment, are listed under *Runs* and used in no row. *Cores* is
the average number in use: if it is below the machine's, another process was running, and steps are more informative
than minutes."""


class Row(NamedTuple):
    """A line of the page."""

    experiment: str
    what: str
    paper: str
    ours: str
    interval: str
    reached: str
    target: str
    met: str


HEAD = Row("experiment", "what", "the paper", "ours", "95 % interval", "reaches the paper", "our target", "target met")


def page(results: Sequence[Result], pictures: dict[str, str] | None = None) -> str:
    """The page in Markdown; `pictures` are paths of figures by "experiment/name"."""
    lines = ["# Results", "", f"The papers' numbers beside ours. {outputs.PAGE}", ""]
    for paper in dict.fromkeys(experiment.paper for experiment in EXPERIMENTS.values()):
        lines += _paper(paper, [run for run in results if EXPERIMENTS[run.experiment].paper == paper], pictures or {})
    return "\n".join([*lines, "## What the columns say", "", NOTES, "", *_runs(results)]).rstrip() + "\n"


def _paper(paper: str, results: Sequence[Result], pictures: dict[str, str]) -> list[str]:
    """The results of a paper's experiments, what differs from the paper, and the figures."""
    if not results:
        return []
    mine = [name for name, experiment in EXPERIMENTS.items() if experiment.paper == paper]
    rows = [row for name in mine for row in _claims(name, [run for run in results if run.experiment == name])]
    rows += [row for comparison in COMPARISONS if comparison.better in mine for row in _comparison(comparison, results)]
    table = _without_empty_columns(rows) if rows else ["No run is complete with unchanged settings."]
    lines = [f"## {paper}", "", *table, ""]
    lines += [*(f"- {deviation}" for deviation in DEVIATIONS[paper]), ""]
    for name, path in pictures.items():
        if name.partition("/")[0] in mine:
            lines += _picture(name, path)
    return lines


def _without_empty_columns(rows: Sequence[Row]) -> list[str]:
    """A table of the columns that have something in a row."""
    kept = [n for n, column in enumerate(zip(*rows, strict=True)) if set(column) != {NONE}]
    return _table([HEAD[n] for n in kept], [[row[n] for n in kept] for row in rows])


def _runs(results: Sequence[Result]) -> list[str]:
    head = ("experiment", "trained on, tested on", "seed", "steps", "minutes", "cores", "changed settings")
    versions = {
        " ".join(f"{name} {version}" for name, version in run.report.get("machine", {}).items() if name != "cores")
        for run in results
    }
    return ["## Runs", "", *_table(head, map(_run, results)), "", f"Made with: {'; '.join(sorted(versions))}.", ""]


def _run(run: Result) -> tuple[str, ...]:
    report = run.report
    steps = f"{report['steps']:,}" + ("" if run.is_finished else f" of {report['config']['steps']:,}")
    cores = f"{report['busy']:.2f}" if report.get("busy") else "?"
    minutes = f"{report['train_seconds'] / 60:.1f}"
    return f"`{run.experiment}`", run.data, str(run.seed), steps, minutes, cores, run.changes


def _picture(name: str, path: str) -> list[str]:
    experiment, _, figure = name.partition("/")
    about = f"*{EXPERIMENTS[experiment].about} ({figure.replace('_', ' ')})*"
    return [f"![{experiment}: {figure}]({path})", "", about, ""]


def copy_figures(results: Sequence[Result], beside: Path, folder: str) -> dict[str, str]:
    """Copy the figures of the first seed to a folder beside the page; return their paths by "experiment/name"."""
    paths: dict[str, str] = {}
    sources: dict[Path, Path] = {}
    for run in results:
        for name in EXPERIMENTS[run.experiment].page_figures:
            source, key = run.folder / "figures" / f"{name}.png", f"{run.experiment}/{name}"
            if source.is_file() and key not in paths:
                paths[key] = f"{folder}/{run.experiment}-{name}.png"
                sources[outputs.require_free(beside / paths[key], "--figures")] = source
    for path, source in sources.items():
        outputs.write(path, source.read_bytes())
    return paths


def _claims(name: str, runs: Sequence[Result]) -> list[Row]:
    """The claims of an experiment, each on every data set that its whole runs were trained and tested on."""
    runs = [run for run in runs if run.is_whole]
    data_sets = sorted({run.data for run in runs})
    rows = []
    for data, claim in product(data_sets, EXPERIMENTS[name].claims):
        label = f"`{name}`" + f", {data}" * (len(data_sets) > 1)
        rows.append(claim_row(label, claim, [run.report for run in runs if run.data == data]))
    return rows


def claim_row(label: str, claim: Claim, reports: Sequence[dict[str, Any]]) -> Row:
    """A claim beside the results of runs with different seeds."""
    values = [value for report in reports if (value := metric_of(report, claim.metric)) is not None]
    known = intervals(claim.metric, reports)
    decisive = widest(known)
    ours = "not measured" if any(report.get("metrics") for report in reports) else "not measured: nothing was held out"
    if values:
        ours = _number(float(np.mean(values)), claim.percent)
    numbers = [_as_printed(published.value, claim.percent) for published in claim.published]
    reached = [verdict(decisive, published.value, claim.higher) for published in claim.published]
    of = [f" ({published.of})" * bool(published.of) for published in claim.published]
    bound = f"{'≥' if claim.higher else '≤'} "
    return Row(
        label,
        claim.what,
        ", ".join(map("".join, zip(numbers, of, strict=True))) or NONE,
        ours,
        _intervals(known, claim.percent) if values else NONE,
        ", ".join(map("".join, zip(reached, of, strict=True))) or NONE,
        NONE if claim.target is None else bound + _as_printed(claim.target, claim.percent),
        NONE if claim.target is None else verdict(decisive, claim.target, claim.higher),
    )


def _comparison(comparison: Comparison, results: Sequence[Result]) -> list[Row]:
    """The difference between two experiments, if there are whole runs of both."""
    metric = comparison.metric
    both = [
        [
            run.report
            for run in results
            if run.experiment == name and run.is_whole and metric_of(run.report, metric) is not None
        ]
        for name in (comparison.worse, comparison.better)
    ]
    if not all(both):
        return []
    worse, better = (float(np.mean([metric_of(report, metric) for report in reports])) for reports in both)
    known = differences(metric, *both)
    decisive = widest(known)
    published, target = comparison.published, comparison.target
    return [
        Row(
            f"`{comparison.worse}`, `{comparison.better}`",
            comparison.what,
            " → ".join(_as_printed(value, True) for value in published) if published else NONE,
            f"{_number(worse, True)} → {_number(better, True)}",
            f"{_points(better - worse)} points: {_intervals_in_points(known)}",
            verdict(decisive, POSITIVE, True) if published else NONE,
            NONE if target is None else f"≥ {100 * target:g} points" if target else "> 0 points",
            NONE if target is None else verdict(decisive, target or POSITIVE, True),
        )
    ]


def _intervals(known: Sequence[Interval], percent: bool) -> str:
    scale, unit, digits = (100, " %", 2) if percent else (1, "", 3)
    written = [f"{scale * i.low:.{digits}f} to {scale * i.high:.{digits}f}{unit} over {i.over}" for i in known]
    return "; ".join(written) or "one seed, no interval"


def _intervals_in_points(known: Sequence[Interval]) -> str:
    written = [f"{_points(i.low)} to {_points(i.high)} over {i.over}" for i in known]
    return "; ".join(written) or "one seed, no interval"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}".replace("-", "−")


def _as_printed(value: float, percent: bool) -> str:
    """A number of a paper, without trailing zeros."""
    return f"{100 * value:.10g} %" if percent else f"{value:g}"


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.2f} %" if percent else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_markdown.heading(head), *map(_markdown.row, rows)]
