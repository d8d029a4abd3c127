"""`minisiam papers`: run experiments from papers, and report their results beside the papers'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis import statistics
from .. import outputs, papers
from ..papers import page, results
from ..run import read_checkpoint
from . import train
from ._options import Formatter, log

if TYPE_CHECKING:
    import argparse

HELP = "experiments from papers: list, run NAME, report"
ABOUT = """\
Experiments from papers: run one, and report its results beside the paper's.

    python -m pip install -e '.[benchmark]'                       SciPy, for the intervals
    minisiam papers list                                          all experiments, and the data they need
    minisiam papers run drlim-object                              one that needs no download
    minisiam papers run omniglot-minimal --data omniglot:small1.zip --holdout omniglot:images_background.zip
    minisiam papers report runs/omniglot-minimal-*                the results of several seeds, as one row
    minisiam papers report runs/omniglot-minimal-* --out RESULTS.md      as a page with its figures
"""
REPORT = """\
The papers' numbers beside those of runs, with intervals, this project's targets, and verdicts (met, not met, cannot
tell) that follow from the intervals. Several seeds of an experiment make one row.
"""


def add(subparsers: Any) -> None:
    """The words of `minisiam papers` and their options."""
    parser = subparsers.add_parser("papers", description=ABOUT, formatter_class=Formatter)
    words = parser.add_subparsers(title="words", metavar="WORD", required=True)
    words.add_parser("list", help="all experiments").set_defaults(command=show_list)
    _add_run(words.add_parser("run", help="train and evaluate an experiment", description="Train an experiment."))
    _add_report(words.add_parser("report", help="the results of runs beside their papers'", description=REPORT))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an experiment of `minisiam papers list`")
    parser.add_argument("--data", help="the data, as in train (default: built-in data, if the experiment uses them)")
    parser.add_argument("--holdout", metavar="WHAT", help="the test set, as in train (default: the experiment's)")
    parser.add_argument("--seed", type=int, metavar="N", help="(default: 0)")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="fewer steps, to try it; the report lists such a run only"
    )
    parser.add_argument("--time-limit", type=float, metavar="MINUTES", help="stop early after this time")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue a run that was interrupted")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder for the run (default: runs/NAME-SEED)")
    parser.set_defaults(command=run)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders made by `minisiam papers run`")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"write the page, and copy its figures beside it; {outputs.KEPT}"
    )
    parser.add_argument(
        "--figures", default="docs/results", metavar="FOLDER", help="folder of the figures (default: %(default)s)"
    )
    parser.set_defaults(command=write_report)


def show_list(_: argparse.Namespace) -> int:
    """`minisiam papers list`."""
    for name, experiment in papers.EXPERIMENTS.items():
        log(f"{name:22}{experiment.about}\n{'':22}{experiment.paper}; --data {experiment.data}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """`minisiam papers run NAME`."""
    papers.find(arguments.name)
    statistics.load_scipy()  # metrics and intervals use it: an error now instead of after the training
    options = ("data", "holdout", "seed", "steps", "time_limit")
    given = {name: value for name in options if (value := getattr(arguments, name)) is not None}
    if arguments.resume is None:
        train.start(papers.config_of(arguments.name, **given), arguments.out)
        return 0
    stored = read_checkpoint(arguments.resume)[0].paper
    if stored != arguments.name:
        raise ValueError(f"{arguments.resume} is a run of {stored or 'no experiment'}, not of {arguments.name}")
    train.resume(arguments.resume, given, arguments.out)
    return 0


def write_report(arguments: argparse.Namespace) -> int:
    """`minisiam papers report`."""
    runs = results.gather(arguments.runs)
    if arguments.out:
        outputs.require_free(arguments.out, "--out")
    pictures = page.copy_figures(runs, arguments.out.parent, arguments.figures) if arguments.out else {}
    text = page.page(runs, pictures)
    if arguments.out is None:
        log(text, end="")
        return 0
    outputs.write(arguments.out, text.encode())
    for path in (arguments.out, *(arguments.out.parent / picture for picture in pictures.values())):
        log(path)
    return 0
