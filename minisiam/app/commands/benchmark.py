"""`minisiam benchmark`: every loss on one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis import statistics
from ...analysis.registry import LOSSES
from .. import benchmark as benchmarks
from .. import data_spec
from ..config import Config
from ._options import Formatter, log, warn_if_no_figures

if TYPE_CHECKING:
    import argparse

HELP = "compare losses on one protocol, with a search and several seeds"
ABOUT = """\
Every loss on one protocol: the same encoder, images and steps, a search for each loss, several seeds, paired tests.

    minisiam benchmark                                all losses, 400 steps per run
    minisiam benchmark --losses supcon,hinge,cosface --steps 2500 --out mine
    minisiam benchmark --out mine                     continue where it was interrupted; nothing is run twice
    minisiam benchmark --out mine --seeds 10          more seeds of the same losses
    minisiam benchmark --out mine --draw              the figure and the page of the results so far

Every loss has 256 images per step. Its learning rate and its constants are chosen by a search on validation alphabets,
which also selects the reference; runs with other seeds are then tested against the reference on test alphabets. Needs
the extra "benchmark" (SciPy).
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam benchmark`."""
    parser = subparsers.add_parser("benchmark", description=ABOUT, formatter_class=Formatter)
    default = benchmarks.Protocol()
    parser.add_argument("--losses", metavar="A,B,C", help=f"some of {', '.join(LOSSES)} (default: all)")
    parser.add_argument(
        "--steps", type=int, metavar="N", help=f"of every run, 256 images each (default: {default.steps})"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"runs of each loss (default: {default.seeds})")
    parser.add_argument("--search", type=int, metavar="N", help=f"trials of each loss (default: {default.search})")
    parser.add_argument("--draw", action="store_true", help="run nothing: draw the figure and the page of the results")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/benchmark"), metavar="FOLDER", help="its folder (default: %(default)s)"
    )
    parser.set_defaults(command=benchmark)


def benchmark(arguments: argparse.Namespace) -> int:
    """`minisiam benchmark`: 0 if all is done, 130 if it was interrupted."""
    if arguments.draw:
        _refuse_with_draw(arguments)
    statistics.scipy_stats()  # an error now instead of after the last run
    finished = True if arguments.draw else _run(arguments)
    warn_if_no_figures()
    for path in benchmarks.draw(arguments.out):
        log(path)
    return 0 if finished else 130


def _refuse_with_draw(arguments: argparse.Namespace) -> None:
    for option in ("losses", "steps", "seeds", "search"):
        if getattr(arguments, option) is not None:
            raise ValueError(f"--draw runs nothing, so it has no --{option}: leave one of them out")


def _run(arguments: argparse.Namespace) -> bool:
    requested = {name: getattr(arguments, name) for name in ("steps", "seeds", "search")}
    if arguments.losses is not None:
        requested["losses"] = tuple(loss.strip() for loss in arguments.losses.split(",") if loss.strip())
    requested = {name: value for name, value in requested.items() if value is not None}
    before = benchmarks.started(arguments.out)
    protocol = benchmarks.Protocol(**requested) if before is None else before.extended(**requested)
    return benchmarks.compare(arguments.out, protocol, data_spec.load(Config.data), log)
