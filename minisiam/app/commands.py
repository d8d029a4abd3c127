"""What each command of the command line does, once its words are understood (`cli.parser`)."""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import datasets, require
from .._version import VERSION
from ..interop import safetensors
from ..losses.registry import MATRIX, PAIRS, TRIPLETS
from ..ops import normalize
from . import benchmark, build, data_spec, papers, report, statistics, trainer
from . import config as words
from .config import Settings
from .papers import results

if TYPE_CHECKING:
    from ..typing import Array

say = partial(print, flush=True)
OFFICIAL = "omniglot-runs:"


def train(arguments: argparse.Namespace) -> int:
    """`minisiam train`."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    resumed, out, exported = (given.pop(name, None) for name in ("resume", "out", "safetensors"))
    if exported is not None and exported.is_dir():
        raise ValueError(f"--safetensors {exported} is a folder: name a file")
    if exported is not None:
        safetensors.require_package()
    run = _begin(given, out) if resumed is None else _resume(resumed, given, out)
    if exported is not None:
        exported.parent.mkdir(parents=True, exist_ok=True)
        about = {"minisiam": VERSION, "settings": json.dumps(run.settings.as_dict())}
        safetensors.save_safetensors(exported, run.params, about)
        say(f"  {exported}")
    return 0


def _begin(given: dict[str, Any], out: Path | None) -> trainer.Run:
    """A new run."""
    preset = given.get("preset", "")
    settings = Settings(**((papers.asked(preset, given) if preset else {}) | given))
    encoder = "" if settings.encoder == Settings.encoder else f"{settings.encoder}-"
    augment = "" if settings.augment == "none" else f"-{settings.augment}"
    name = f"{settings.network}-{encoder}{settings.distance}-{settings.loss}{augment}"
    folder = out or _fresh(Path("runs"), f"{preset}-{settings.seed}" if preset else name)
    trainer.free_folder(folder)
    _opening(settings)
    data = data_spec.load(settings.data, build.pixels(settings), settings.unseen)
    return _finish(trainer.train(settings, data, folder, say), data)


def _resume(folder: Path, given: dict[str, Any], out: Path | None) -> trainer.Run:
    """A run that goes on where it was; where it is finished, nothing is done."""
    if out is not None:
        raise ValueError(f"--resume goes on in {folder}: leave --out {out} out")
    settings = trainer.agreed(folder, given)
    if trainer.is_finished(folder, settings):
        run = trainer.open_run(folder)
        more = f", and --minutes above {settings.minutes:g} would go on" if run.report["steps"] < settings.steps else ""
        say(f"{folder} is finished after {run.report['steps']:,} of {settings.steps:,} steps: nothing is done{more}")
        return run
    _opening(settings)
    data = data_spec.load(settings.data, build.pixels(settings), settings.unseen)
    return _finish(trainer.resume(folder, data, say, settings.minutes), data)


def _opening(settings: Settings) -> None:
    if find_spec("matplotlib") is None:
        say("(no figures will be drawn: they need matplotlib, pip install 'minisiam[figures]')")
    say(settings.title)


def _finish(run: trainer.Run, data: data_spec.Data) -> trainer.Run:
    """The report, the figures, and what to do next."""
    say("\n" + report.table(run.report) + "\n")
    if find_spec("matplotlib") is not None:
        for path in report.draw(run, data, papers.figures(run, data)):
            say(f"  {path}")
    what = "the same letters by other simulated hands" if run.settings.data == Settings.data else "the built-in letters"
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
    run = trainer.open_run(arguments.run)
    name = arguments.data or run.settings.data
    if name.startswith(OFFICIAL):
        return _official(run, name.removeprefix(OFFICIAL), arguments)
    if arguments.against:
        raise ValueError(f"--against compares the answers to the official questions: add --data {OFFICIAL}PATH")
    if arguments.way is not None:
        require.whole("way", arguments.way, 2)
    examined, theirs = _not_learnt(run, name, arguments.unseen)
    examine = papers.examine if theirs else report.examine
    results = examine(run, examined, arguments.way, arguments.shot)
    results |= {"data": name, "settings": run.settings.as_dict()}
    results |= {key: run.report[key] for key in trainer.OF_TRAINING if key in run.report}
    if arguments.save:
        _save(run, results, arguments)
    say(json.dumps(results, indent=2, allow_nan=False) if arguments.json else report.table(results))
    return 0


def _save(run: trainer.Run, results: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Replace the run's report.json, if it is the usual evaluation."""
    if not run.report:
        raise ValueError(
            f"{run.folder} has no report.json: its training has not ended, use train --resume {run.folder}"
        )
    usual = {"data": None, "unseen": None, "way": None, "shot": report.SHOT}
    for word, value in usual.items():
        if getattr(arguments, word) != value:
            raise ValueError(f"--save replaces {run.folder}/report.json by the usual evaluation: leave --{word} out")
    report.write(run.folder / "report.json", results)


def _not_learnt(run: trainer.Run, name: str, unseen: str | None) -> tuple[data_spec.Data, bool]:
    """The data to examine a run on, and whether its experiment's judge knows such data; nothing of it was learnt."""
    own, pixels = run.settings, run.method.pixels
    unseen = unseen or (own.unseen if name == own.data or own.unseen in ("third", "fifth", "images") else "third")
    examined = data_spec.load(name, pixels, unseen)
    if (name, unseen) == (own.data, own.unseen):
        return examined, True
    alike = name.partition(":")[0] == own.data.partition(":")[0]
    if alike and own.unseen != "images":
        learnt = data_spec.load(own.data, pixels, own.unseen).train
        data_spec.refuse_learnt(learnt, examined.test, f"--data {name} --unseen {unseen}")
    return examined, alike and ":" in unseen


def _official(run: trainer.Run, path: str, arguments: argparse.Namespace) -> int:
    """`minisiam evaluate RUN --data omniglot-runs:PATH`: the questions are given; --unseen and --way have no say."""
    shot = None if arguments.shot == report.SHOT else arguments.shot
    for word, given in (("unseen", arguments.unseen), ("way", arguments.way), ("shot", shot)):
        if given is not None:
            raise ValueError(f"{OFFICIAL}{path} asks its own questions, 20-way one-shot: leave --{word} out")
    asked = datasets.omniglot_runs(path, run.method.pixels)
    found = report.official(run, asked, [_like(run, other) for other in arguments.against])
    if arguments.json:
        told = {
            name: row.score._asdict()
            | {"error": 1 - row.score.accuracy, "mcnemar": row.questions._asdict(), "p_by_runs": row.runs}
            for name, row in found.items()
        }
        say(json.dumps(told, indent=2, allow_nan=False))
    else:
        say(report.official_table(found))
    return 0


def _like(run: trainer.Run, folder: Path) -> trainer.Run:
    """Another run that reads images of the same size, so that both can be asked the same questions."""
    other = trainer.open_run(folder)
    if other.method.pixels != run.method.pixels:
        raise ValueError(
            f"--against {folder} reads {other.method.pixels} pixels, and {run.folder} {run.method.pixels}: "
            "name a run of the same image size"
        )
    return other


def plot(arguments: argparse.Namespace) -> int:
    """`minisiam plot`."""
    run = trainer.open_run(arguments.run)
    data = data_spec.load(run.settings.data, run.method.pixels, run.settings.unseen)
    for path in report.draw(run, data, papers.figures(run, data)):
        say(path)
    return 0


def write_results(arguments: argparse.Namespace) -> int:
    """`minisiam report`."""
    found = results.gather(arguments.runs)
    pictures = results.copy_figures(found, arguments.out.parent, arguments.figures) if arguments.out else {}
    text = results.page(found, pictures)
    if arguments.out is None:
        say(text, end="")
        return 0
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text)
    for path in (arguments.out, *(arguments.out.parent / picture for picture in pictures.values())):
        say(path)
    return 0


def data(arguments: argparse.Namespace) -> int:
    """`minisiam data` and `minisiam data fetch`."""
    if arguments.fetch:
        return fetch(arguments)
    require.one_of("augment", arguments.augment, words.AUGMENTS)
    if arguments.augment != "none" and arguments.show is None:
        raise ValueError(f"--augment {arguments.augment} is something to look at: add --show")
    loaded = data_spec.load(arguments.data, unseen=arguments.unseen)
    if arguments.data == Settings.data:
        say("pen glyphs: 1,377 letters of 31 alphabets, each drawn by 20 simulated hands, 28 × 28 pixels")
    for role, part in loaded._asdict().items():
        names = [part.names[g] for g in np.unique(part.groups)]
        say(f"\n{role}: {part}\n  {', '.join(names)}")
    if arguments.show is not None:
        from .. import plots

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


def _sheet(name: str, loaded: data_spec.Data) -> tuple[np.ndarray, list[str], str]:
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
    known = np.unique(whole.groups)
    groups = known[np.linspace(0, len(known) - 1, rows).astype(int)]
    letters = whole.images[[np.flatnonzero(whole.groups == g)[3] for g in groups]]
    shown = words.AUGMENTS[name](np.repeat(letters, columns, axis=0), np.random.default_rng(0))
    title = f"Ten letters, and how --augment {name} shows them: each time another way"
    return letters, shown.reshape(rows, columns, *letters.shape[1:]), title


def xray(arguments: argparse.Namespace) -> int:
    """`minisiam xray`."""
    from ..analysis import forces

    if arguments.run:
        run = trainer.open_run(arguments.run)
        found = report.xray_of(
            run, data_spec.load(run.settings.data, run.method.pixels, run.settings.unseen).test, arguments.seed
        )
        title = run.settings.title
    else:
        require.one_of("loss", arguments.loss, (*PAIRS, *TRIPLETS, *MATRIX))
        chosen = {name: getattr(arguments, name) for name in ("loss", "distance", "miner", "margin", "seed")}
        margin = {"hinge": 0.5, "contrastive": 1.0}.get(arguments.loss) if arguments.distance in (None, "l2") else None
        chosen["margin"] = chosen["margin"] or margin
        settings = Settings(
            network="batch", embedding_size=2, normalize=arguments.miner == "distance-weighted", **chosen
        )
        z, labels = forces.example(np.random.default_rng(arguments.seed))
        if settings.normalize:
            z = normalize(z)[0]
        found = report.xray_in(build.build(settings), z, labels, margin=settings.margin or 0.5)
        title = settings.title.partition(" × ")[2]  # there is no encoder here
    if arguments.out:
        from .. import plots

        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        plots.xray(found, title).savefig(arguments.out, dpi=110)
    if arguments.json:
        say(json.dumps(found.as_dict(), indent=2, allow_nan=False))
    else:
        say(f"{title}\n\n{found.table(arguments.rows)}" + (f"\n\n{arguments.out}" if arguments.out else ""))
    return 0


def explore(arguments: argparse.Namespace) -> int:
    """`minisiam explore`."""
    from ..plots import explorer_state, explorer_window, scene

    start = explorer_state.state(arguments.kind, None, arguments.margin, arguments.loss)
    if arguments.save is None:
        explorer_window.window(start)
        return 0
    arguments.save.parent.mkdir(parents=True, exist_ok=True)
    scene(start.kind, None, start.margin, start.loss).savefig(arguments.save, dpi=130)
    say(arguments.save)
    return 0


def compare_losses(arguments: argparse.Namespace) -> int:
    """`minisiam compare-losses`."""
    from .conventions import compare

    if arguments.data:
        z, labels = compare.load(arguments.data)
    else:
        z, labels = compare.example(np.random.default_rng(arguments.seed))
    if arguments.json:
        say(json.dumps([row._asdict() for row in compare.table(z, labels)], indent=2, allow_nan=False))
    else:
        compare.run(z, labels, say)
    return 0


def compare_methods(arguments: argparse.Namespace) -> int:
    """`minisiam compare-methods`: 0 if all is done, 130 if it was stopped by hand."""
    statistics.scipy_stats()  # an error now rather than after the last run
    asked = {name: getattr(arguments, name) for name in ("steps", "seeds", "search")}
    if arguments.losses is not None:
        asked["losses"] = tuple(loss.strip() for loss in arguments.losses.split(",") if loss.strip())
    asked = {name: value for name, value in asked.items() if value is not None}
    done = True
    if not arguments.draw:
        before = benchmark.begun(arguments.out)
        protocol = benchmark.Protocol(**asked) if before is None else before.extended(**asked)
        done = benchmark.compare(arguments.out, protocol, data_spec.load(Settings.data), say)
    if find_spec("matplotlib") is None:
        say("(no figure will be drawn: it needs matplotlib, pip install 'minisiam[figures]')")
    for path in benchmark.draw(arguments.out):
        say(path)
    return 0 if done else 130


def check(arguments: argparse.Namespace) -> int:
    """`minisiam check`: 0 if everything that was checked is correct."""
    if arguments.figure:
        from ..plots import gradient_page

        path = arguments.out or Path(f"{arguments.figure}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        gradient_page(arguments.figure).savefig(path, dpi=110)
        say(path)
        return 0
    from .. import fast, gradcheck
    from ..gradcheck import registry

    known = registry.ops_of(*registry.CORE, fast)
    if arguments.all:
        return 0 if registry.table(known, say) else 1
    definition = registry.find(arguments.definition, known) if arguments.definition else None
    op = registry.find(arguments.op, known)
    try:
        return 0 if gradcheck.check(op, definition) else 1
    except TypeError as error:  # of a learner's definition: the op's own are part of the answer
        raise ValueError(str(error)) from error
