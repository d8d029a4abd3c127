"""`minisiam compare`: what libraries and papers mean by the name of a loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..conventions import compare as conventions
from ._options import Formatter, log

if TYPE_CHECKING:
    import argparse

HELP = "compare what libraries and papers mean by the name of a loss"
ABOUT = """\
One name, many functions: "the triplet loss" and "the contrastive loss" of well-known libraries on one batch.

    minisiam compare                                  twelve points of four classes
    minisiam compare --data batch.npz                 your batch: arrays embeddings (n, d) and labels (n,)
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam compare`."""
    parser = subparsers.add_parser("compare", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("--data", type=Path, metavar="FILE", help="an .npz file with embeddings (n, d) and labels (n,)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another batch (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.set_defaults(command=compare)


def compare(arguments: argparse.Namespace) -> int:
    """`minisiam compare`."""
    if arguments.data:
        z, labels = conventions.load(arguments.data)
    else:
        z, labels = conventions.example(np.random.default_rng(arguments.seed))
    conventions.run(z, labels, log, arguments.json)
    return 0
