"""The command line: `minisiam train | evaluate | plot | data | check | learn | xray | compare-losses`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__, datasets, report
from . import settings as words
from .commands import check, compare_losses, data, evaluate, plot, train, xray
from .encoders import NORMS
from .learn import words as exercises
from .miners import MINERS
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


ABOUT = """\
Siamese and triplet networks from first principles, in NumPy.

A method is an encoder × a distance × a loss. The encoder turns an image into a few numbers,
the distance says how far apart two images are, and the loss says how far they should be.
"""
TRAIN = """\
Train an embedding on the built-in pen glyphs, or on your data, and examine it on alphabets it has never seen.

    minisiam train                                        the best method, in about a minute
    minisiam train --network siamese                      pairs: same or different? (contrastive loss)
    minisiam train --network triplet --loss ratio         triplets (Hoffer & Ailon 2015)
    minisiam train --network verification --distance weighted-l1      p(same) (Koch et al. 2015)
    minisiam train --loss hinge --miner semi-hard-facenet     FaceNet's triplets of a batch
    minisiam train --loss cosface                         a learned proxy for each class
    minisiam train --augment affine                       every image a little turned, slanted, stretched and moved
    minisiam train --resume runs/batch-cosine-supcon      go on with a run that was stopped or killed
    minisiam train --data omniglot:images_background.zip  other data: mnist:FOLDER, fashion-mnist:FOLDER, and
    minisiam train --data folder:my_pictures              yours, as my_pictures/CLASS/NAME.png or .pgm

What a loss reads, and so which network can have it:

    siamese        two images         contrastive, double-margin, pair-hinge, margin-loss, cosine-embedding
    triplet        three images       soft-margin, hinge, ratio
    verification   two images         cross-entropy
    batch          64 letters × 4     all of these but the last, with --miner, and
                                      supcon, nt-xent, nca, n-pair, lifted, generalised-lifted, multi-similarity,
                                      circle, tuplet-margin, angular, histogram, fast-ap         (every pair at once)
                                      proxy-nca, proxy-nca++, proxy-anchor, normalised-softmax, cosface, arcface,
                                      soft-triple                                                (a point a class)
                                      prototypical, matching                                     (episodes)
                                      info-nce, vicreg                                           (two views)
"""
XRAY = """\
What a loss does to each point of a batch: who pulls whom, how hard, and whether the forces obey their laws.

    minisiam xray                                     a small batch in the plane, batch-hard triplets on L2
    minisiam xray --loss contrastive --distance cosine
    minisiam xray --loss supcon --out supcon.png      the figure
    minisiam xray --run runs/batch-cosine-supcon      32 images of a run's unseen letters, under the run's own loss
"""
COMPARE = """\
One name, many functions: "the triplet loss" and "the contrastive loss" of well-known libraries on one batch.

    minisiam compare-losses                           twelve points of four classes
    minisiam compare-losses --data batch.npz          your own: arrays z (n, d) and labels (n,)
"""
EVALUATE = """\
Examine a run again: 20-way one-shot on unseen alphabets, beside pixels and the untrained network.

    minisiam evaluate runs/batch-l2-soft-margin                       the letters it was examined on
    minisiam evaluate runs/batch-l2-soft-margin --data pen-glyphs:7   the same letters by other people
    minisiam evaluate runs/batch-l2-soft-margin --way 5 --shot 5      an easier examination
    minisiam evaluate runs/batch-l2-soft-margin --official all_runs.zip      Omniglot's own questions
"""
DATA = """\
List the classes of a data set, how they are divided, and show them; or download a published set.

    minisiam data --show                              the built-in pen glyphs, as a sheet
    minisiam data --data folder:my_pictures --show    yours, as my_pictures/CLASS/NAME.png or .pgm
    minisiam data fetch omniglot                      into data/omniglot; also omniglot-small1, mnist, fashion-mnist
"""
FROM = "pen-glyphs, pen-glyphs:SEED drawn by others, omniglot:PATH, mnist:FOLDER, fashion-mnist:FOLDER, folder:PATH"
CHECK = """\
Compare an op's value and gradients with two oracles, autograd and differences, and its kinks with their
documented values. Says "correct", or shows the smallest input on which it is wrong, with a clue.

    minisiam check losses.contrastive              an op of the library
    minisiam check my_losses.py:contrastive        a function of yours with the name of one of the library's
    minisiam check my_losses.py:mine --definition my_losses.py:formula
    minisiam check --all                           a table of every op
    minisiam check --figure contrastive            the loss, its slope and its forces in the plane

A file to be checked looks like this:

    from __future__ import annotations
    import numpy as np
    from minisiam.typing import Array, Bool, Float

    def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
        value = ...
        def pullback(dl):
            return (dd,)                # a tuple, one gradient for each variable left of the slash
        return value, pullback
"""


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
    top.add_argument("--version", action="version", version=f"minisiam {__version__}")
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
    verb.add_argument("--network", help=_choice("how images are shown", words.LOSSES, default.network))
    verb.add_argument("--encoder", help=_choice("base network", words.ENCODERS, default.encoder))
    verb.add_argument("--distance", help=_choice("", words.DISTANCES, "the one that goes with the loss"))
    verb.add_argument("--loss", help=_choice("", words.FUNCTIONS, "the network's first"))
    verb.add_argument(
        "--miner", help=_choice("which pairs or triplets of a batch", MINERS, "all-pairs for pairs, else batch-hard")
    )
    verb.add_argument(
        "--margin", type=float, help="of contrastive and hinge, in units of the distance (default: found by search)"
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
    verb.add_argument("--embedding-size", type=int, metavar="N", help=f"(default: {default.embedding_size})")
    verb.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="Adam's (default: found by search, for the loss)",
    )
    verb.add_argument("--weight-decay", type=float, metavar="RATE", help=f"(default: {default.weight_decay})")
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
    verb.add_argument(
        "--official", metavar="PATH", help="Omniglot's 400 official questions: all_runs.zip, or its folder"
    )
    verb.add_argument("--json", action="store_true", help="print the report as JSON")
    verb.set_defaults(command=evaluate)

    verb = verbs.add_parser(
        "plot", help="draw a run's figures again", description="Draw all figures of a run into RUN/figures."
    )
    verb.add_argument("run", type=Path, metavar="RUN", help="a folder that `minisiam train` made")
    verb.set_defaults(command=plot)

    verb = verbs.add_parser("data", help="what the data is, and other data", description=DATA, formatter_class=raw)
    verb.add_argument("--data", default=default.data, help=f"{FROM} (default: %(default)s)")
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
    looked = (*words.PAIRS, *words.TRIPLETS, *words.MATRIX)
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
