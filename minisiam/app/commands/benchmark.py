"""`minisiam benchmark`: every loss and every miner on one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis import statistics
from .. import benchmark as benchmarks
from .. import data_spec
from ..benchmark import METHODS
from ._options import DATA, Formatter, log, log_notes, warn_if_no_figures

if TYPE_CHECKING:
    import argparse

HELP = "compare losses and miners on one protocol, with a search and several seeds"
ABOUT = """\
Every loss and every miner on one protocol: the same encoder, images and steps, a search for each method, several
seeds, paired tests. A method is a loss, or a loss over a miner.

    minisiam benchmark                                all methods, 400 steps per run
    minisiam benchmark --methods "supcon,cosface,hinge over hard" --steps 2500 --out mine
    minisiam benchmark --data omniglot:images_background.zip --out omniglot
    minisiam benchmark --out mine                     continue where it was interrupted; nothing is run twice
    minisiam benchmark --out mine --seeds 10          more seeds of the same methods
    minisiam benchmark --out mine --draw              the figure and the page of the results so far

Every method has 256 images per step. Its learning rate and its constants are chosen by a search on the validation set,
which also selects the reference; runs with other seeds are then tested against the reference on the test set. Needs
the extra "benchmark" (SciPy).
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam benchmark`."""
    parser = subparsers.add_parser("benchmark", description=ABOUT, formatter_class=Formatter)
    default = benchmarks.Protocol()
    parser.add_argument("--methods", metavar="A,B,C", help=f"some of {', '.join(METHODS)} (default: all)")
    parser.add_argument("--data", help=f"{DATA} (default: {default.data})")
    parser.add_argument(
        "--steps", type=int, metavar="N", help=f"of every run, 256 images each (default: {default.steps})"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"runs of each method (default: {default.seeds})")
    parser.add_argument("--search", type=int, metavar="N", help=f"trials of each method (default: {default.search})")
    parser.add_argument("--draw", action="store_true", help="run nothing: draw the figure and the page of the results")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/benchmark"), metavar="FOLDER", help="its folder (default: %(default)s)"
    )
    parser.set_defaults(command=benchmark)


def benchmark(arguments: argparse.Namespace) -> int:
    """`minisiam benchmark`: 0 if all is done, 130 if it was interrupted."""
    if arguments.draw:
        _refuse_with_draw(arguments)
    statistics.load_scipy()  # an error now instead of after the last run
    finished = True if arguments.draw else _run(arguments)
    warn_if_no_figures()
    for path in benchmarks.draw(arguments.out):
        log(path)
    return 0 if finished else 130


def _refuse_with_draw(arguments: argparse.Namespace) -> None:
    for option in ("methods", "data", "steps", "seeds", "search"):
        if getattr(arguments, option) is not None:
            raise ValueError(f"--draw runs nothing, so it has no --{option}: leave one of them out")


def _run(arguments: argparse.Namespace) -> bool:
    requested = {name: getattr(arguments, name) for name in ("data", "steps", "seeds", "search")}
    if arguments.methods is not None:
        requested["methods"] = tuple(" ".join(words) for one in arguments.methods.split(",") if (words := one.split()))
    requested = {name: value for name, value in requested.items() if value is not None}
    before = benchmarks.started(arguments.out)
    protocol = benchmarks.Protocol(**requested) if before is None else before.extended(**requested)
    data = data_spec.load(protocol.data)
    log_notes(data)
    data_spec.require_pairs(data)
    return benchmarks.compare(arguments.out, protocol, data, log)
