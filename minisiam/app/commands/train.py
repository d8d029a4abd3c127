"""`minisiam train`: train a network, evaluate it, and draw its figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._version import VERSION
from ...encoders import NORMS
from ...interop import safetensors
from ...losses.registry import LOSSES
from ...miners import MINERS
from .. import build, data_spec, figures, papers, report, trainer
from ..config import AUGMENTS, DISTANCES, ENCODERS, OPTIMIZERS, Config
from ..loss_options import OF_NETWORK
from ..run import Run, is_finished, open_run, require_free, resumed_config, write_report
from ._options import DATA, Formatter, can_draw, choice, log, log_notes, warn_if_no_figures

if TYPE_CHECKING:
    from ..data_spec import Data

HELP = "train a network and evaluate it on held-out classes"
ABOUT = """\
Train an embedding on the built-in pen glyphs, or on your data, and evaluate it on held-out alphabets.

    minisiam train                                        the default method, in about a minute
    minisiam train --network siamese                      pairs: same or different? (contrastive loss)
    minisiam train --network triplet --loss ratio         triplets (Hoffer & Ailon 2015)
    minisiam train --network verification --distance weighted-l1      p(same) (Koch et al. 2015)
    minisiam train --loss hinge --miner semi-hard-facenet     FaceNet's triplets of a batch
    minisiam train --loss cosface                         a learned proxy for each class
    minisiam train --augment affine                       rotate, slant, stretch and shift every image a little
    minisiam train --data folder:my_pictures              your images, as my_pictures/CLASS/NAME.jpg
    minisiam train --resume runs/batch-cosine-supcon      continue a run that was interrupted

What a loss reads determines which network can have it:

    network        reads              losses
    siamese        two images         contrastive, double-margin, pair-hinge, margin-loss, cosine-embedding
    triplet        three images       soft-margin, hinge, ratio
    verification   two images         cross-entropy
    batch          64 classes × 4     all losses of siamese and triplet, with a miner, and
                                      supcon, nt-xent, nca, n-pair, lifted, generalised-lifted, multi-similarity,
                                      circle, tuplet-margin, angular, histogram, fast-ap         (all pairs at once)
                                      proxy-nca, proxy-nca++, proxy-anchor, normalised-softmax, cosface, arcface,
                                      soft-triple                                                (proxies)
                                      prototypical, matching                                     (episodes)
                                      info-nce, vicreg                                           (two views)
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam train`."""
    parser = subparsers.add_parser(
        "train",
        description=ABOUT,
        usage="minisiam train [options]",
        formatter_class=Formatter,
        argument_default=argparse.SUPPRESS,  # an option that is not given is absent, and `Config` has its default
    )
    default = Config()
    _add_data(parser.add_argument_group("data"), default)
    _add_method(parser.add_argument_group("method: encoder × distance × loss"), default)
    _add_training(parser.add_argument_group("training"), default)
    _add_output(parser.add_argument_group("output"))
    parser.set_defaults(command=train)


def _add_data(group: Any, default: Config) -> None:
    group.add_argument("--data", help=f"{DATA} (default: {default.data})")
    group.add_argument(
        "--holdout",
        metavar="WHAT",
        help=f"the test set: {', '.join(data_spec.HOLDOUT)}, or NAME:PATH, the new alphabets or classes of other data "
        f"(default: {default.holdout})",
    )
    group.add_argument("--augment", help=choice("distort every training image", AUGMENTS, default.augment))
    group.add_argument(
        "--dihedral",
        type=int,
        metavar="1|8",
        help="8 treats each rotation and reflection of a class as its own class, except with proxies "
        "(default: 8 for pen-glyphs and omniglot, else 1)",
    )


def _add_method(group: Any, default: Config) -> None:
    group.add_argument("--network", help=choice("how examples are compared", OF_NETWORK, default.network))
    group.add_argument("--encoder", help=choice("", ENCODERS, default.encoder))
    group.add_argument("--distance", help=choice("", DISTANCES, "the usual one of the loss"))
    group.add_argument("--loss", help=choice("", LOSSES, "the first of the network"))
    group.add_argument(
        "--miner", help=choice("which pairs or triplets of a batch", MINERS, "all-pairs for pairs, else batch-hard")
    )
    group.add_argument(
        "--margin", type=float, help="of contrastive and hinge, in units of the distance (default: found by search)"
    )
    group.add_argument("--temperature", type=float, metavar="T", help="of a softmax loss (default: the loss's own)")
    group.add_argument("--norm", help=choice("normalization after each convolution", NORMS, default.norm))
    group.add_argument("--normalize", action="store_true", help="put the embedding on the unit sphere")
    group.add_argument(
        "--embedding-size",
        type=int,
        metavar="N",
        help=f"0 ends the encoder without a dense layer (default: {default.embedding_size})",
    )


def _add_training(group: Any, default: Config) -> None:
    group.add_argument("--steps", type=int, metavar="N", help="number of batches (default: 2500 for batch, else 5000)")
    group.add_argument(
        "--batch", type=int, metavar="N", help="images per batch (default: 256; pairs 128, triplets 144)"
    )
    group.add_argument(
        "--per-class", type=int, metavar="K", help=f"images per class in a batch (default: {default.per_class})"
    )
    group.add_argument(
        "--optimizer",
        help=choice("adam with a cosine schedule, sgd with Koch's schedule", OPTIMIZERS, default.optimizer),
    )
    group.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="the largest of the schedule (default: found by search)"
    )
    group.add_argument("--weight-decay", type=float, metavar="RATE", help="(default: 0.05 for adam, 0.0005 for sgd)")
    group.add_argument(
        "--seed", type=int, metavar="N", help=f"the same seed trains the same network (default: {default.seed})"
    )
    group.add_argument(
        "--resume", type=Path, metavar="RUN", help="continue a run that was interrupted, with its settings"
    )
    group.add_argument(
        "--time-limit", type=float, metavar="MINUTES", help="stop early after this time (default: train all steps)"
    )
    group.add_argument("--readable", action="store_true", help="run the readable ops instead of the fast ones")


def _add_output(group: Any) -> None:
    group.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="a new folder for the run (default: runs/NETWORK-DISTANCE-LOSS, with a number if it exists)",
    )
    group.add_argument(
        "--log-every",
        type=int,
        metavar="N",
        help="a record and a checkpoint every N steps (default: every few seconds)",
    )
    group.add_argument(
        "--safetensors",
        type=Path,
        metavar="FILE",
        help="also write the parameters for PyTorch, with its names and axes",
    )


def train(arguments: argparse.Namespace) -> int:
    """`minisiam train`."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    resumed, out, exported = (given.pop(name, None) for name in ("resume", "out", "safetensors"))
    if exported is not None:
        _check_export(exported)
    run = start(Config(**given), out) if resumed is None else resume(resumed, given, out)
    if exported is not None:
        _export(run, exported)
    return 0


def start(config: Config, out: Path | None) -> Run:
    """Train, evaluate and draw a new run."""
    folder = out or unused(Path("runs"), _name(config))
    require_free(folder)
    data = _open(config)
    return _complete(trainer.train(config, data, folder, log), data)


def resume(folder: Path, given: dict[str, Any], out: Path | None) -> Run:
    """Continue a run that was interrupted; a finished run is only opened."""
    if out is not None:
        raise ValueError(f"--resume continues in {folder}: leave --out {out} out")
    config = resumed_config(folder, given)
    if is_finished(folder, config):
        run = open_run(folder)
        steps = run.training["steps"]
        more = f"; a --time-limit above {config.time_limit:g} continues it" if steps < config.steps else ""
        log(f"{folder} is finished after {steps:,} of {config.steps:,} steps: nothing to do{more}")
        return run
    data = _open(config)
    return _complete(trainer.resume(folder, data, log, config.time_limit), data)


def _open(config: Config) -> Data:
    """Show the method, and load its data."""
    warn_if_no_figures()
    log(config.title)
    data = data_spec.load(config.data, build.pixels(config), config.holdout)
    log_notes(data)
    for line in build.preparation(config):
        log(f"  {line}")
    data_spec.require_pairs(data)
    return data


def _complete(run: Run, data: Data) -> Run:
    """Evaluate a trained run, write its report, draw its figures, and suggest what to do next."""
    log(f"evaluating on {report.TESTED_ON[data.new][0]} ...")
    run = write_report(run, papers.evaluate(run, data))
    log("\n" + report.table(run.report) + "\n")
    if can_draw():
        for path in figures.draw(run, data, papers.figures(run, data)):
            log(f"  {path}")
    letters = "the same letters" if run.config.data == Config.data else "the built-in letters"
    log(f"\nnext: minisiam evaluate {run.folder} --data pen-glyphs:7     {letters}, drawn with another seed")
    other = "siamese" if run.config.network == "triplet" else "triplet"
    log(f"      minisiam train --network {other}                another method; --help lists them")
    return run


def _name(config: Config) -> str:
    """The name of a run's folder, from its settings."""
    if config.paper:
        return f"{config.paper}-{config.seed}"
    encoder = "" if config.encoder == Config.encoder else f"{config.encoder}-"
    augment = "" if config.augment == "none" else f"-{config.augment}"
    return f"{config.network}-{encoder}{config.distance}-{config.loss}{augment}"


def unused(parent: Path, name: str) -> Path:
    """parent/name, or parent/name-2, -3, … if it exists."""
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def _check_export(path: Path) -> None:
    """Find mistakes before training instead of after it."""
    if path.is_dir():
        raise ValueError(f"--safetensors {path} is a folder: name a file")
    safetensors.require_package()


def _export(run: Run, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"minisiam": VERSION, "settings": json.dumps(run.config.as_dict())}
    safetensors.save_safetensors(path, run.params, about)
    log(f"  {path}")
