"""What `embed`, `enrol`, `search`, `identify` and `verify` share: options, progress, and a gallery with its run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import gallery as galleries
from ..model import load
from ..thresholds import RATES
from ._options import log

if TYPE_CHECKING:
    import argparse

    from ...datasets import Pictures
    from ...gallery import Gallery
    from ...typing import Array
    from ..model import Model

PICTURES = "files, folders or zip files of pictures, as CLASS/NAME.png or without classes"
SECONDS = 2.0  # between lines of progress
CHUNK = 256  # pictures that are embedded between two of them


class Embedded(NamedTuple):
    """Pictures with their embeddings."""

    pictures: Pictures
    z: Array


def add_pictures(parser: Any, name: str = "pictures") -> None:
    """The argument PICTURES and the options of how they are read and shown."""
    parser.add_argument(name, type=Path, nargs="+", metavar=name.upper(), help=PICTURES)
    add_output(parser)


def add_output(parser: Any) -> None:
    """The options of how pictures are read and what is printed."""
    parser.add_argument(
        "--ink",
        choices=("dark", "light"),
        help="whether the pictures are dark on a light page (default: as in training, or found by their brightness)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_run(parser: Any) -> None:
    """The option --run of commands that read a gallery."""
    parser.add_argument("--run", type=Path, metavar="RUN", help="the run of the gallery, if it has been moved")


def add_target(parser: Any) -> None:
    """The options that choose a threshold."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--false-accept",
        type=float,
        metavar="RATE",
        help=f"accept this share of different pairs of the validation set: {', '.join(f'{r:g}' for r in RATES)} "
        "(default: 0.01)",
    )
    group.add_argument("--target", help="the threshold with equal errors or the best score: equal-error, accuracy, f1")


def target_of(arguments: argparse.Namespace) -> str:
    """The name of the threshold that is chosen."""
    if arguments.target:
        return arguments.target
    return f"false-accept {0.01 if arguments.false_accept is None else arguments.false_accept:g}"


def embedded(model: Model, arguments: argparse.Namespace, paths: list[Path] | None = None) -> Embedded:
    """Read the pictures, say how, and embed them."""
    ink = None if arguments.ink is None else arguments.ink == "dark"
    pictures = model.read(arguments.pictures if paths is None else paths, ink, _Progress("read"))
    if not arguments.json:
        for note in pictures.notes:
            log(f"  {note}")
    progress, z, count = _Progress("embedded"), [], len(pictures.images)
    for start in range(0, count, CHUNK):
        z.append(model.embed(pictures.images[start : start + CHUNK]))
        progress(min(start + CHUNK, count), count)
    return Embedded(pictures, np.concatenate(z))


class _Progress:
    """A line on standard error every two seconds."""

    def __init__(self, what: str) -> None:
        self.what, self.last = what, time.perf_counter()

    def __call__(self, done: int, total: int) -> None:
        if time.perf_counter() - self.last > SECONDS:
            print(f"  {self.what} {done:,} of {total:,} pictures", file=sys.stderr, flush=True)
            self.last = time.perf_counter()


def opened(path: Path, run: Path | None) -> tuple[Gallery, Model]:
    """A gallery and its run; ValueError if the run is gone, or another one than that which made the embeddings."""
    people = galleries.load(path)
    folder = run or (Path(people.about["run"]) if "run" in people.about else None)
    if folder is None:
        raise ValueError(f"{path} does not say which run made its embeddings: name it with --run RUN")
    if not folder.exists():
        raise FileNotFoundError(f"{path} was made by {folder}, which does not exist: name the run with --run RUN")
    model = load(folder)
    return model.checked(people), model


def show(arguments: argparse.Namespace, result: Any, lines: list[str]) -> int:
    """Print JSON, or lines."""
    log(json.dumps(result, indent=2, allow_nan=False) if arguments.json else "\n".join(lines))
    return 0


def promise(model: Model, target: str) -> str:
    """What a threshold promises, in a sentence."""
    chosen = model.threshold_of(target)
    return (
        f"threshold {chosen.value:.4g} ({target}). Of validation pairs it accepts {chosen.false_accept} that are "
        f"different,\nand rejects {chosen.false_reject} that are the same; in brackets the 95 % interval for new "
        f"{model.unit}"
    )
