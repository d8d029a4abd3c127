"""`minisiam plot`: draw the figures of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import figures
from ..run import load_data, open_run
from ._options import log

if TYPE_CHECKING:
    import argparse

HELP = "draw the figures of a run again"


def add(subparsers: Any) -> None:
    """The options of `minisiam plot`."""
    parser = subparsers.add_parser("plot", description="Draw all figures of a run into RUN/figures.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder made by `minisiam train`")
    parser.set_defaults(command=plot)


def plot(arguments: argparse.Namespace) -> int:
    """`minisiam plot`: 1 if a figure could not be drawn."""
    run = open_run(arguments.run)
    data = load_data(run.config)
    return 1 if figures.draw(run, data, log) else 0
