"""`minisiam xray`: the forces of a loss between the points of a batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import require
from ...analysis.registry import MATRIX, MINERS, PAIRS, TRIPLETS
from ...ops import normalize
from .. import build, outputs
from ..config import DISTANCES, Config
from ..run import load_data, open_run
from ..run_xray import xray_of_embeddings, xray_of_run
from ._options import Formatter, choice, log

if TYPE_CHECKING:
    import argparse

    from ...analysis.forces import XRay

HELP = "show the forces of a loss between the points of a batch"
ABOUT = """\
The forces of a loss on each point of a batch: which points pull and push it, how strongly, and whether the forces obey
their conservation laws.

    minisiam xray                                     a small batch in the plane: batch-hard triplets, L2 distance
    minisiam xray --loss contrastive --distance cosine
    minisiam xray --loss supcon --out supcon.png      the figure
    minisiam xray --run runs/batch-cosine-supcon      32 test images of a run, under its own loss
"""
WITH_FORCES = (*PAIRS, *TRIPLETS, *MATRIX)
EXAMPLE_MARGINS = {"hinge": 0.5, "contrastive": 1.0}  # of the L2 distance, for the small batch in the plane


def add(subparsers: Any) -> None:
    """The options of `minisiam xray`."""
    parser = subparsers.add_parser("xray", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("--loss", default="hinge", help=choice("", WITH_FORCES, "hinge"))
    parser.add_argument("--distance", help=choice("", DISTANCES, "the usual one of the loss"))
    parser.add_argument("--miner", help=choice("", MINERS, "all-pairs for pairs, else batch-hard"))
    parser.add_argument("--margin", type=float, help="of contrastive and hinge, in units of the distance")
    parser.add_argument("--run", type=Path, metavar="RUN", help="use the embedding and the loss of a run instead")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another batch (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=12, metavar="N", help="points in the table (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"draw the figure; {outputs.KEPT}")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(command=xray)


def xray(arguments: argparse.Namespace) -> int:
    """`minisiam xray`."""
    if arguments.out:
        outputs.require_free(arguments.out, "--out")
    result, title = _of_run(arguments) if arguments.run else _of_example(arguments)
    if arguments.out:
        from ... import plots

        outputs.save_figure(plots.xray(result, title), arguments.out, dpi=110)
    if arguments.json:
        log(json.dumps(result.as_dict(), indent=2, allow_nan=False))
    else:
        log(f"{title}\n\n{result.table(arguments.rows)}" + (f"\n\n{arguments.out}" if arguments.out else ""))
    return 0


def _of_run(arguments: argparse.Namespace) -> tuple[XRay, str]:
    run = open_run(arguments.run)
    data = load_data(run.config)
    return xray_of_run(run, data.test, arguments.seed), run.config.title


def _of_example(arguments: argparse.Namespace) -> tuple[XRay, str]:
    """The X-ray of a small batch in the plane."""
    from ...analysis import forces

    require.one_of("loss", arguments.loss, WITH_FORCES)
    margin = arguments.margin
    if margin is None and arguments.distance in (None, "l2"):
        margin = EXAMPLE_MARGINS.get(arguments.loss)
    config = Config(
        loss=arguments.loss,
        distance=arguments.distance,
        miner=arguments.miner,
        margin=margin,
        seed=arguments.seed,
        embedding_size=2,
        normalize=arguments.miner == "distance-weighted",
    )
    z, labels = forces.example(np.random.default_rng(arguments.seed))
    if config.normalize:
        z = normalize(z)[0]
    result = xray_of_embeddings(build.build(config), z, labels, margin=config.margin or 0.5)
    return result, config.title.partition(" × ")[2]  # without the encoder, which is not used
