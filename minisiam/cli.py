"""The command line: `minisiam train | evaluate | plot | data | check | xray | compare-losses`."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__, datasets, export, methods, report, require, runs
from . import settings as words
from .encoders import NORMS
from .miners import MINERS
from .ops import normalize
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .typing import Array

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
    return top


def _help(top: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    top.print_help()
    return 2


def _choice(what: str, known: Iterable[str], default: str) -> str:
    words = ", ".join(known)
    return f"{what}{': ' if what else ''}{words} (default: {default})"


say = partial(print, flush=True)


def train(arguments: argparse.Namespace) -> int:
    """`minisiam train`."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    resumed, out, exported = (given.pop(name, None) for name in ("resume", "out", "safetensors"))
    if exported is not None and exported.is_dir():
        raise ValueError(f"--safetensors {exported} is a folder: name a file")
    run = _begin(given, out) if resumed is None else _resume(resumed, given, out)
    if exported is not None:
        exported.parent.mkdir(parents=True, exist_ok=True)
        about = {"minisiam": __version__, "settings": json.dumps(run.settings.as_dict())}
        export.save_safetensors(exported, run.params, about)
        say(f"  {exported}")
    return 0


def _begin(given: dict[str, Any], out: Path | None) -> runs.Run:
    """A new run."""
    settings = Settings(**given)
    encoder = "" if settings.encoder == Settings.encoder else f"{settings.encoder}-"
    augment = "" if settings.augment == "none" else f"-{settings.augment}"
    name = f"{settings.network}-{encoder}{settings.distance}-{settings.loss}{augment}"
    folder = out or _fresh(Path("runs"), name)
    runs.free_folder(folder)
    _opening(settings)
    data = runs.load(settings.data, methods.pixels(settings))
    return _finish(runs.train(settings, data, folder, say), data)


def _resume(folder: Path, given: dict[str, Any], out: Path | None) -> runs.Run:
    """A run that goes on where it was; where it is finished, nothing is done."""
    if out is not None:
        raise ValueError(f"--resume goes on in {folder}: leave --out {out} out")
    settings = runs.agreed(folder, given)
    if runs.is_finished(folder, settings):
        run = runs.open_run(folder)
        more = f", and --minutes above {settings.minutes:g} would go on" if run.report["steps"] < settings.steps else ""
        say(f"{folder} is finished after {run.report['steps']:,} of {settings.steps:,} steps: nothing is done{more}")
        return run
    _opening(settings)
    data = runs.load(settings.data, methods.pixels(settings))
    return _finish(runs.resume(folder, data, say, settings.minutes), data)


def _opening(settings: Settings) -> None:
    if find_spec("matplotlib") is None:
        say("(no figures will be drawn: they need matplotlib, pip install 'minisiam[figures]')")
    say(settings.title)


def _finish(run: runs.Run, data: runs.Data) -> runs.Run:
    """The report, the figures, and what to do next."""
    say("\n" + report.table(run.report) + "\n")
    if find_spec("matplotlib") is not None:
        for path in report.draw(run, data):
            say(f"  {path}")
    what = "the same letters by other people" if run.settings.data == Settings.data else "the built-in letters"
    say(f"\nnext: minisiam evaluate {run.folder} --data pen-glyphs:7     {what}")
    other = "siamese" if run.settings.network == "triplet" else "triplet"
    say(f"      minisiam train --network {other}                another method; --help shows them all")
    return run


def _fresh(parent: Path, name: str) -> Path:
    """parent/name, or parent/name-2, -3, … if that is taken."""
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def evaluate(arguments: argparse.Namespace) -> int:
    """`minisiam evaluate`."""
    run = runs.open_run(arguments.run)
    if arguments.official:
        return _official(run, arguments)
    name = arguments.data or run.settings.data
    if arguments.way is not None:
        require.whole("way", arguments.way, 2)
    examined = runs.load(name, run.method.pixels)
    results = report.examine(run, examined, arguments.way, arguments.shot)
    results |= {"train_seconds": run.report.get("train_seconds"), "steps": run.report.get("steps")}
    results |= {"data": name, "settings": run.settings.as_dict()}
    say(json.dumps(results, indent=2, allow_nan=False) if arguments.json else report.table(results))
    return 0


def _official(run: runs.Run, arguments: argparse.Namespace) -> int:
    """`minisiam evaluate RUN --official PATH`: the questions are given, so --data, --way and --shot have no say."""
    for word, given in (("data", arguments.data), ("way", arguments.way)):
        if given is not None:
            raise ValueError(f"--official asks its own questions, 20-way one-shot: leave --{word} out")
    found = report.official(run, datasets.omniglot_runs(arguments.official, run.method.pixels))
    if arguments.json:
        say(json.dumps({name: score._asdict() for name, score in found.items()}, indent=2, allow_nan=False))
    else:
        say("Omniglot's official one-shot classification, 20-way, 400 questions")
        for name, score in found.items():
            say(f"  {name:40}{score}")
    return 0


def plot(arguments: argparse.Namespace) -> int:
    """`minisiam plot`."""
    run = runs.open_run(arguments.run)
    for path in report.draw(run, runs.load(run.settings.data, run.method.pixels)):
        say(path)
    return 0


def data(arguments: argparse.Namespace) -> int:
    """`minisiam data` and `minisiam data fetch`."""
    if arguments.fetch:
        return fetch(arguments)
    require.one_of("augment", arguments.augment, words.AUGMENTS)
    if arguments.augment != "none" and arguments.show is None:
        raise ValueError(f"--augment {arguments.augment} is something to look at: add --show")
    loaded = runs.load(arguments.data)
    if arguments.data == Settings.data:
        say("pen glyphs: 1,377 letters of 31 alphabets, each drawn by 20 people, 28 × 28 pixels")
    for role, part in loaded._asdict().items():
        names = [part.names[g] for g in np.unique(part.groups)]
        say(f"\n{role}: {part}\n  {', '.join(names)}")
    if arguments.show is not None:
        from . import plots

        path = Path(arguments.show or f"{arguments.data.partition(':')[0]}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        if arguments.augment == "none":
            figure = plots.glyph_sheet(*_sheet(arguments.data, loaded))
        else:
            whole = datasets.pen_glyphs(drawers=1) if arguments.data == Settings.data else loaded.train
            figure = plots.distortion_sheet(*_distortions(whole, arguments.augment))
        figure.savefig(path, dpi=110)
        say(f"\n{path}")
    return 0


def _sheet(name: str, loaded: runs.Data) -> tuple[np.ndarray, list[str], str]:
    """Twenty images a row: of each alphabet the first of its letters, or of each class the first images."""
    whole = [datasets.pen_glyphs(drawers=1)] if name == Settings.data else loaded
    rows: dict[str, np.ndarray] = {}
    for part in whole:
        letters = np.unique(part.labels, return_index=True)[1]
        for number in np.unique(part.groups if part.has_alphabets else part.labels):
            if part.has_alphabets:
                rows[part.names[number]] = part.images[letters[part.groups[letters] == number][:20]]
            else:
                rows[f"{part.names[0]} {number}"] = part.images[part.labels == number][:20]
    some = dict(list(rows.items())[:60])
    filled = [np.pad(images, ((0, 20 - len(images)), (0, 0), (0, 0), (0, 0))) for images in some.values()]
    first = "twenty letters of each alphabet" if whole[0].has_alphabets else "the first of each class"
    title = f"Pen glyphs: {first}, by one drawer" if name == Settings.data else f"{name.partition(':')[0]}: {first}"
    return np.stack(filled), list(some), title


def fetch(arguments: argparse.Namespace) -> int:
    """`minisiam data fetch NAME`."""
    if arguments.fetch[0] != "fetch" or len(arguments.fetch) != 2:
        raise ValueError(f"say minisiam data fetch NAME, one of {', '.join(datasets.SETS)}")
    name = arguments.fetch[1]
    paths = datasets.fetch(name, arguments.out or Path("data") / name, say)
    for path in paths:
        say(f"  {path}")
    kind = "omniglot" if name.startswith("omniglot") else name
    where = ",".join(str(path) for path in paths) if kind == "omniglot" else paths[0].parent
    say(f"\nnext: minisiam train --data {kind}:{where}")
    return 0


def _distortions(whole: datasets.Dataset, name: str, rows: int = 10, columns: int = 12) -> tuple[Array, Array, str]:
    """A letter of each of ten alphabets, twelve distortions of each, (10, 12, h, w, 1), and a title."""
    groups = np.linspace(0, len(whole.names) - 1, rows).astype(int)
    letters = whole.images[[np.flatnonzero(whole.groups == g)[3] for g in groups]]
    shown = words.AUGMENTS[name](np.repeat(letters, columns, axis=0), np.random.default_rng(0))
    title = f"Ten letters, and how --augment {name} shows them: each time another way"
    return letters, shown.reshape(rows, columns, *letters.shape[1:]), title


def xray(arguments: argparse.Namespace) -> int:
    """`minisiam xray`."""
    from . import xray

    if arguments.run:
        run = runs.open_run(arguments.run)
        found = report.xray_of(run, runs.load(run.settings.data, run.method.pixels).test, arguments.seed)
        title = run.settings.title
    else:
        require.one_of("loss", arguments.loss, (*words.PAIRS, *words.TRIPLETS, *words.MATRIX))
        chosen = {name: getattr(arguments, name) for name in ("loss", "distance", "miner", "margin", "seed")}
        margin = {"hinge": 0.5, "contrastive": 1.0}.get(arguments.loss) if arguments.distance in (None, "l2") else None
        chosen["margin"] = chosen["margin"] or margin
        settings = Settings(
            network="batch", embedding_size=2, normalize=arguments.miner == "distance-weighted", **chosen
        )
        z, labels = xray.example(np.random.default_rng(arguments.seed))
        if settings.normalize:
            z = normalize(z)[0]
        found = report.xray_in(methods.build(settings), z, labels, margin=settings.margin or 0.5)
        title = settings.title.partition(" × ")[2]  # there is no encoder here
    if arguments.out:
        from . import plots

        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        plots.xray(found, title).savefig(arguments.out, dpi=110)
    if arguments.json:
        say(json.dumps(found.as_dict(), indent=2, allow_nan=False))
    else:
        say(f"{title}\n\n{found.table(arguments.rows)}" + (f"\n\n{arguments.out}" if arguments.out else ""))
    return 0


def compare_losses(arguments: argparse.Namespace) -> int:
    """`minisiam compare-losses`."""
    from . import compare

    if arguments.data:
        z, labels = compare.load(arguments.data)
    else:
        z, labels = compare.example(np.random.default_rng(arguments.seed))
    if arguments.json:
        say(json.dumps([row._asdict() for row in compare.table(z, labels)], indent=2, allow_nan=False))
    else:
        compare.run(z, labels, say)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """`minisiam check`: 0 if everything that was checked is correct."""
    if arguments.figure:
        from .plots import gradient_page

        path = arguments.out or Path(f"{arguments.figure}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        gradient_page(arguments.figure).savefig(path, dpi=110)
        say(path)
        return 0
    from . import testing
    from .testing import catalogue

    if arguments.all:
        return 0 if catalogue.table(say) else 1
    definition = catalogue.find(arguments.definition) if arguments.definition else None
    op = catalogue.find(arguments.op)
    try:
        return 0 if testing.check(op, definition) else 1
    except TypeError as error:  # of a learner's definition: the op's own are part of the answer
        raise ValueError(str(error)) from error
