"""The command line: `minisiam train | evaluate | plot | report | data | check | learn | explore | xray | compare-…`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import datasets
from .._version import VERSION
from ..course import commands as exercises
from ..encoders import NORMS
from ..losses.registry import FUNCTIONS, MATRIX, PAIRS, TRIPLETS
from ..miners import MINERS
from . import config as words
from . import report
from .benchmark import Protocol
from .commands import check, compare_losses, compare_methods, data, evaluate, explore, plot, train, write_results, xray
from .config import Settings
from .data_spec import UNSEEN
from .manual import ABOUT, CHECK, COMPARE, DATA, EVALUATE, EXPLORE, FROM, METHODS, REPORT, TRAIN, XRAY
from .papers import EXPERIMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 a mistake that the message explains."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"minisiam: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """All words of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="minisiam", description=ABOUT, formatter_class=raw)
    top.add_argument("--version", action="version", version=f"minisiam {VERSION}")
    top.set_defaults(command=partial(_help, top))
    verbs = top.add_subparsers(title="commands", metavar="COMMAND")

    verb = verbs.add_parser(
        "train",
        help="train a network and examine it",
        description=TRAIN,
        formatter_class=raw,
        argument_default=argparse.SUPPRESS,  # what is not said is not there: `Settings` fills it in, `--resume` asks
    )
    default = Settings()
    verb.add_argument("--data", help=f"{FROM} (default: {default.data})")
    verb.add_argument(
        "--unseen",
        metavar="WHAT",
        help=f"what it is judged by: {', '.join(UNSEEN)}, or NAME:PATH, other alphabets (default: {default.unseen})",
    )
    verb.add_argument("--preset", metavar="NAME", help=f"an experiment of a paper: {', '.join(EXPERIMENTS)}")
    verb.add_argument("--network", help=_choice("how images are shown", words.LOSSES, default.network))
    verb.add_argument("--encoder", help=_choice("base network", words.ENCODERS, default.encoder))
    verb.add_argument("--distance", help=_choice("", words.DISTANCES, "the one that goes with the loss"))
    verb.add_argument("--loss", help=_choice("", FUNCTIONS, "the network's first"))
    verb.add_argument(
        "--miner", help=_choice("which pairs or triplets of a batch", MINERS, "all-pairs for pairs, else batch-hard")
    )
    verb.add_argument(
        "--margin", type=float, help="of contrastive and hinge, in units of the distance (default: found by search)"
    )
    verb.add_argument(
        "--temperature", type=float, metavar="T", help="of a softmax, such as supcon (default: the loss's own)"
    )
    verb.add_argument("--norm", help=_choice("after each convolution", NORMS, default.norm))
    verb.add_argument(
        "--plain", action="store_true", help="the operations that read well, in the place of the fast ones"
    )
    verb.add_argument(
        "--augment",
        help=_choice("distortions of every training image", words.AUGMENTS, default.augment),
    )
    verb.add_argument("--normalize", action="store_true", help="put the embedding on the unit sphere")
    verb.add_argument(
        "--poses",
        type=int,
        metavar="1|8",
        help=f"turned and mirrored classes are more classes (default: {default.poses})",
    )
    verb.add_argument(
        "--batch", type=int, metavar="N", help="images in a batch (default: 256; pairs 128, triplets 144)"
    )
    verb.add_argument(
        "--per-class", type=int, metavar="K", help=f"images of one class in a batch (default: {default.per_class})"
    )
    verb.add_argument(
        "--pairs",
        type=int,
        metavar="N",
        help="train siamese or verification on N pairs, drawn once (default: always new)",
    )
    verb.add_argument(
        "--copies",
        type=int,
        metavar="N",
        help="with --pairs and --augment affine or wide: add N distorted copies of each pair, drawn once (default: 0)",
    )
    verb.add_argument(
        "--similar", help=_choice("what is the same, in pairs of siamese or of batch", words.SIMILAR, "class")
    )
    verb.add_argument(
        "--no-centre", dest="centre", action="store_false", help="leave images where they lie on the page"
    )
    verb.add_argument(
        "--views",
        type=int,
        metavar="N",
        help="also examine the mean over N distortions of an image (presets of omniglot)",
    )
    verb.add_argument("--embedding-size", type=int, metavar="N", help=f"0: none (default: {default.embedding_size})")
    verb.add_argument(
        "--optimizer",
        help=_choice("adam along a cosine, sgd with Koch's schedule", words.OPTIMIZERS, default.optimizer),
    )
    verb.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="the largest (default: found by search, for the loss)",
    )
    verb.add_argument("--weight-decay", type=float, metavar="RATE", help="(default: 0.05 for adam, 0.0005 for sgd)")
    verb.add_argument("--seed", type=int, metavar="N", help=f"same seed, same network (default: {default.seed})")
    verb.add_argument(
        "--steps", type=int, metavar="N", help="batches to train on (default: 2500 large or 5000 small ones)"
    )
    verb.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help=f"stop after this long all the same (default: {default.minutes})",
    )
    verb.add_argument(
        "--log-every",
        type=int,
        metavar="N",
        help="a record and a checkpoint every N steps, not every few seconds: the same run has the same log",
    )
    verb.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with a run that was stopped, with its own settings; --minutes M may give it another limit",
    )
    verb.add_argument(
        "--safetensors",
        type=Path,
        metavar="FILE",
        help="write the parameters for other programs, in the names and axes of PyTorch",
    )
    verb.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="a new folder for the run (default: runs/NETWORK-DISTANCE-LOSS, with a number if that is taken)",
    )
    verb.set_defaults(command=train)

    verb = verbs.add_parser("evaluate", help="examine a run again", description=EVALUATE, formatter_class=raw)
    verb.add_argument("run", type=Path, metavar="RUN", help="a folder that `minisiam train` made")
    verb.add_argument("--data", help=f"{FROM} (default: what it was trained on)")
    verb.add_argument(
        "--way",
        type=int,
        metavar="N",
        help=f"classes in an episode (default: {report.WAY}, or all where there are fewer)",
    )
    verb.add_argument(
        "--shot", type=int, default=report.SHOT, metavar="M", help="images shown of each (default: %(default)s)"
    )
    verb.add_argument("--unseen", metavar="WHAT", help="as in train, which it may differ from (default: the run's)")
    verb.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="with omniglot-runs: other runs that answer the same questions, compared by McNemar's exact test",
    )
    verb.add_argument("--save", action="store_true", help="replace RUN/report.json, for `minisiam report`")
    verb.add_argument("--json", action="store_true", help="print the report as JSON")
    verb.set_defaults(command=evaluate)

    verb = verbs.add_parser(
        "plot", help="draw a run's figures again", description="Draw all figures of a run into RUN/figures."
    )
    verb.add_argument("run", type=Path, metavar="RUN", help="a folder that `minisiam train` made")
    verb.set_defaults(command=plot)

    verb = verbs.add_parser(
        "report", help="runs of presets beside their papers", description=REPORT, formatter_class=raw
    )
    verb.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders that `minisiam train --preset` made")
    verb.add_argument("--out", type=Path, metavar="FILE", help="write the page, and copy its figures beside it")
    verb.add_argument(
        "--figures", default="docs/results", metavar="FOLDER", help="where they go, from there (default: %(default)s)"
    )
    verb.set_defaults(command=write_results)

    verb = verbs.add_parser("data", help="what the data is, and other data", description=DATA, formatter_class=raw)
    verb.add_argument("--data", default=default.data, help=f"{FROM} (default: %(default)s)")
    verb.add_argument("--unseen", default=default.unseen, metavar="WHAT", help="as in train (default: %(default)s)")
    verb.add_argument(
        "--show",
        nargs="?",
        const="",
        metavar="FILE",
        help="draw a sheet (default: pen-glyphs.png, or what the data is called)",
    )
    verb.add_argument(
        "--augment",
        default="none",
        help=_choice("with --show: some letters and their distortions", words.AUGMENTS, "none"),
    )
    verb.add_argument("--out", type=Path, metavar="FOLDER", help="of fetch: where the files go (default: data/NAME)")
    verb.add_argument("fetch", nargs="*", metavar="fetch NAME", help=f"download {', '.join(datasets.SETS)}")
    verb.set_defaults(command=data)

    verb = verbs.add_parser("xray", help="who pulls whom under a loss", description=XRAY, formatter_class=raw)
    looked = (*PAIRS, *TRIPLETS, *MATRIX)
    verb.add_argument("--loss", default="hinge", help=_choice("", looked, "hinge"))
    verb.add_argument("--distance", help=_choice("", words.DISTANCES, "the one that goes with the loss"))
    verb.add_argument("--miner", help=_choice("", MINERS, "all-pairs for pairs, else batch-hard"))
    verb.add_argument("--margin", type=float, help="of contrastive and hinge, in units of the distance")
    verb.add_argument("--run", type=Path, metavar="RUN", help="the embedding and the loss of a run in their place")
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="another batch (default: %(default)s)")
    verb.add_argument("--rows", type=int, default=12, metavar="N", help="points in the table (default: %(default)s)")
    verb.add_argument("--out", type=Path, metavar="FILE", help="draw the figure")
    verb.add_argument("--json", action="store_true", help="print everything as JSON")
    verb.set_defaults(command=xray)

    verb = verbs.add_parser("compare-losses", help="one name, many functions", description=COMPARE, formatter_class=raw)
    verb.add_argument("--data", type=Path, metavar="FILE", help="an .npz file with z (n, d) and labels (n,)")
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="another batch (default: %(default)s)")
    verb.add_argument("--json", action="store_true", help="print the rows as JSON")
    verb.set_defaults(command=compare_losses)

    verb = verbs.add_parser(
        "compare-methods", help="every loss on one protocol", description=METHODS, formatter_class=raw
    )
    agreed = Protocol()
    verb.add_argument("--losses", metavar="A,B,C", help=f"some of {', '.join(FUNCTIONS)} (default: all)")
    verb.add_argument("--steps", type=int, metavar="N", help=f"of every run, 256 images each (default: {agreed.steps})")
    verb.add_argument("--seeds", type=int, metavar="N", help=f"runs of each loss (default: {agreed.seeds})")
    verb.add_argument("--search", type=int, metavar="N", help=f"trials of each loss (default: {agreed.search})")
    verb.add_argument("--draw", action="store_true", help="run nothing: draw the figure and the page of what there is")
    verb.add_argument(
        "--out", type=Path, default=Path("comparison"), metavar="FOLDER", help="where it is kept (default: %(default)s)"
    )
    verb.set_defaults(command=compare_methods)

    verb = verbs.add_parser("explore", help="drag points under a loss", description=EXPLORE, formatter_class=raw)
    verb.add_argument("kind", metavar="KIND", help="contrastive, triplet or cosine")
    verb.add_argument("--loss", help="another loss of this kind (default: contrastive, hinge or cosine-embedding)")
    verb.add_argument("--margin", type=float, help="in units of the distance; of cosine, a cosine from -1 to 1")
    verb.add_argument("--save", type=Path, metavar="FILE", help="draw the picture, and open no window")
    verb.set_defaults(command=explore)

    verb = verbs.add_parser("check", help="is this gradient right?", description=CHECK, formatter_class=raw)
    what = verb.add_mutually_exclusive_group(required=True)
    what.add_argument("op", nargs="?", metavar="OP", help="losses.contrastive, or path/to/file.py:function")
    what.add_argument("--all", action="store_true", help="every op of the library, as a table")
    what.add_argument("--figure", metavar="NAME", help="draw a distance or a loss, its slope and its forces")
    verb.add_argument(
        "--definition", metavar="FILE:FUNCTION", help="its formula in autograd.numpy, if it is not the library's"
    )
    verb.add_argument("--out", type=Path, metavar="FILE", help="where the figure goes (default: NAME.png)")
    verb.set_defaults(command=check)

    verb = verbs.add_parser("learn", help="exercises", description=exercises.ABOUT, formatter_class=raw)
    exercises.add(verb)
    return top


def _help(top: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    top.print_help()
    return 2


def _choice(what: str, known: Iterable[str], default: str) -> str:
    words = ", ".join(known)
    return f"{what}{': ' if what else ''}{words} (default: {default})"
