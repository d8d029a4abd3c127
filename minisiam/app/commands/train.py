"""`minisiam train`: train a network, evaluate it, and draw its figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._version import VERSION
from ...analysis import plateau
from ...analysis.registry import LOSSES, MINERS
from ...encoders import NORMS
from ...interop import safetensors
from .. import build, data_spec, figures, outputs, papers, ranks, report, starting_point, trainer
from ..config import AUGMENTS, DISTANCES, ENCODERS, OPTIMIZERS, PIXELS, SIDES, WITHOUT_DENSE, Config
from ..loss_options import OF_NETWORK
from ..run import Run, folder_of_run, is_finished, load_data, open_run, require_free, resumed_config, write_report
from ._options import DATA, Formatter, can_draw, choice, command, log, log_notes, warn_if_no_figures

if TYPE_CHECKING:
    from ..data_spec import Data
    from ..ranks import Team

HELP = "train a network and evaluate it on held-out classes"
ABOUT = """\
Train an embedding on the built-in pen glyphs, or on your data, and evaluate it on held-out alphabets or classes.

    minisiam train                                        the default method, in about a minute
    minisiam train --network siamese                      pairs: same or different? (contrastive loss)
    minisiam train --network triplet --loss ratio         triplets (Hoffer & Ailon 2015)
    minisiam train --network verification --distance weighted-l1      p(same) (Koch et al. 2015)
    minisiam train --loss hinge --miner semi-hard-facenet     FaceNet's triplets of a batch
    minisiam train --loss cosface                         a learned proxy for each class
    minisiam train --batch 4096 --cached                  a large batch in the memory of a small one
    minisiam train --augment affine                       rotate, slant, stretch and shift every image a little
    minisiam train --data folder:my_pictures              your images, as my_pictures/CLASS/NAME.jpg
    minisiam train --data folder:my_pictures --channels 3 --pixels 64 --encoder conv4      in colour, and larger
    minisiam train --data folder:my_pictures --start runs/batch-cosine-supcon     begin with the letters' encoder
    minisiam train --resume runs/batch-cosine-supcon      continue a run that was interrupted
    mpiexec -n 4 minisiam train                           four processes train one network, on one machine or several

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
    group.add_argument(
        "--pixels",
        type=int,
        metavar="N",
        help=f"scale pictures to N × N (default: {PIXELS}, or as the name of the encoder says); a larger one needs a "
        "deeper encoder, such as conv4",
    )
    group.add_argument(
        "--channels",
        type=int,
        metavar="1|3",
        help=f"3 reads the colours of folder:PATH; they are neither inverted nor centred (default: {default.channels})",
    )


def _add_method(group: Any, default: Config) -> None:
    group.add_argument("--network", help=choice("how examples are compared", OF_NETWORK, default.network))
    group.add_argument("--encoder", help=choice("", ENCODERS, default.encoder))
    group.add_argument("--distance", help=choice("", DISTANCES, "the usual one of the loss"))
    group.add_argument("--loss", help=choice("", LOSSES, "the first of the network"))
    group.add_argument(
        "--miner",
        help=choice("which pairs or triplets of a batch", MINERS, "all-pairs for pairs, batch-hard for triplets"),
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
        help=f"0 ends {', '.join(WITHOUT_DENSE)} without a dense layer (default: {default.embedding_size})",
    )


def _add_training(group: Any, default: Config) -> None:
    group.add_argument("--steps", type=int, metavar="N", help="number of batches (default: 2500 for batch, else 5000)")
    group.add_argument(
        "--batch", type=int, metavar="N", help="images per batch, at most (default: 256; pairs 128, triplets 144)"
    )
    group.add_argument(
        "--per-class",
        type=int,
        metavar="K",
        help=f"images per class in a batch of --network batch; more, if there are too few classes (default: "
        f"{default.per_class})",
    )
    group.add_argument(
        "--optimizer",
        help=choice("adam with a cosine schedule, sgd with Koch's schedule", OPTIMIZERS, default.optimizer),
    )
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="the largest of the schedule (default: found by search; a tenth with --start)",
    )
    group.add_argument("--weight-decay", type=float, metavar="RATE", help="(default: 0.05 for adam, 0.0005 for sgd)")
    group.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help=f"the same seed trains the same network on the same machine (default: {default.seed})",
    )
    group.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue a run that was interrupted, or stopped by --time-limit or --patience",
    )
    group.add_argument(
        "--start", metavar="RUN", help="begin with the encoder of an earlier run, such as one trained on the letters"
    )
    group.add_argument(
        "--freeze", action="store_true", help="with --start: train only the last dense layer of that encoder"
    )
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop when the loss has been constant for N steps, since it then gives no direction; 0 makes all steps "
        f"(default: {plateau.PATIENCE})",
    )
    group.add_argument(
        "--time-limit", type=float, metavar="MINUTES", help="stop early after this time (default: train all steps)"
    )
    group.add_argument("--readable", action="store_true", help="run the readable ops instead of the fast ones")
    group.add_argument(
        "--cached",
        action="store_true",
        help=f"for large batches: keep the activations of {build.CHUNK} images at a time instead of all, and compute "
        "each twice; the same results in less memory and more time (1.3 to 1.4 times at 4,096 images)",
    )


def _add_output(group: Any) -> None:
    group.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="a new folder for the run (default: runs/NETWORK-DISTANCE-LOSS, with the encoder and --augment if they "
        "are not the default, and a number if it exists)",
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
        help=f"also write the parameters for PyTorch, with its names and axes; {outputs.KEPT}",
    )


def train(arguments: argparse.Namespace) -> int:
    """`minisiam train`; under mpiexec, rank 0 does what one process would do, and the others compute their part."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    resumed, out, exported = (given.pop(name, None) for name in ("resume", "out", "safetensors"))
    with ranks.team() as team:
        team.agree(options=", ".join(f"{name} {value}" for name, value in vars(arguments).items() if name != "command"))
        if resumed is not None and "start" in given:
            raise ValueError(f"--start begins a new run, and --resume continues {resumed}: use one of them")
        if "start" in given:
            given = starting_point.settings(Path(given["start"]), given)
        if team.leads:
            _lead(given, resumed, out, exported, team)
        else:
            config = Config(**given) if resumed is None else resumed_config(resumed, given)
            trainer.follow(config, load_data(config), team)
    return 0


def _lead(given: dict[str, Any], resumed: Path | None, out: Path | None, exported: Path | None, team: Team) -> None:
    if exported is not None:
        _check_export(exported)
    run = start(Config(**given), out, team) if resumed is None else resume(resumed, given, out, team)
    if exported is not None:
        _export(run, exported)


def start(config: Config, out: Path | None, team: Team = ranks.ALONE) -> Run:
    """Train, evaluate and draw a new run."""
    if out is not None:
        require_free(out)
    earlier = open_run(Path(config.start)) if config.start else None
    data = _open(config)
    if earlier is not None:
        starting_point.refuse_known_classes(earlier.config, config, data, log)
    with folder_of_run(out, Path("runs"), _name(config)) as folder:
        run = trainer.train(config, data, folder, log, earlier, team)
    return _complete(run, data)


def resume(folder: Path, given: dict[str, Any], out: Path | None, team: Team = ranks.ALONE) -> Run:
    """Continue a run that was interrupted; a finished run is only opened."""
    if out is not None:
        raise ValueError(f"--resume continues in {folder}: leave --out {out} out")
    config = resumed_config(folder, given)
    if is_finished(folder, config):
        run = open_run(folder)
        steps = run.training["steps"]
        more = "; a larger --time-limit, or --patience 0 if its loss was constant, continues it"
        log(
            f"{folder} is finished after {steps:,} of {config.steps:,} steps: nothing to do"
            + more * (steps < config.steps)
        )
        return run
    data = _open(config)
    ends = {"time_limit": config.time_limit, "patience": config.patience}
    return _complete(trainer.resume(folder, data, log, team, **ends), data)


def _open(config: Config) -> Data:
    """Show the method, and load its data."""
    warn_if_no_figures()
    log(config.title)
    if sentence := report.about_distance(config.distance, config.network):
        log(f"  {sentence}")
    data = load_data(config)
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
        figures.draw(run, data, log)
    log("\nnext: " + "\n      ".join(suggestions(run, data)))
    return run


def suggestions(run: Run, data: Data) -> list[str]:
    """Commands that fit the run, with what they do."""
    config, classes = run.config, len(np.unique(data.test.labels))
    found = []
    if config.data == Config.data:
        words = command("evaluate", run.folder, "--data", f"{config.data}:7")
        found.append(f"{words}     the same letters, drawn with another seed")
    elif report.default_way(data.test) > 5:
        found.append(f"{command('evaluate', run.folder, '--way', 5)}     an easier task, 5 of {classes} classes")
    if not can_draw():
        found.append(f"{command('plot', run.folder)}     the figures, once matplotlib is installed")
    elif run.method.matrix_loss is not None and config.network == "batch":
        found.append(f"{command('xray', '--run', run.folder)}     which images pull and push each other")
    if config.paper:
        return [*found, f"{command('papers', 'report', run.folder)}     this run beside the paper"]
    other = "siamese" if config.network == "triplet" else "triplet"
    kept = ("data", "holdout", "dihedral", "channels", *(["pixels"] if SIDES[config.encoder][1] is None else []))
    chosen = {name: getattr(config, name) for name in kept}
    default = Config(data=config.data).as_dict() | {"data": Config.data}
    same = [word for name, value in chosen.items() if value != default[name] for word in (f"--{name}", value)]
    return [
        *found,
        f"{command('train', *same, '--network', other)}     another method; --help lists them",
        f"{command('enrol', 'people.npz', 'PICTURES', '--run', run.folder)}     use it: enrol, search, verify",
    ]


def _name(config: Config) -> str:
    """The name of a run's folder, from its settings."""
    if config.paper:
        return f"{config.paper}-{config.seed}"
    encoder = "" if config.encoder == Config.encoder else f"{config.encoder}-"
    augment = "" if config.augment == "none" else f"-{config.augment}"
    return f"{config.network}-{encoder}{config.distance}-{config.loss}{augment}"


def _check_export(path: Path) -> None:
    """Find mistakes before training instead of after it."""
    outputs.require_free(path, "--safetensors")
    safetensors.require_package()


def _export(run: Run, path: Path) -> None:
    about = {"minisiam": VERSION, "settings": json.dumps(run.config.as_dict())}
    with outputs.new_folder(path.parent):
        safetensors.save_safetensors(path, run.params, about)
    log(f"  {path}")
