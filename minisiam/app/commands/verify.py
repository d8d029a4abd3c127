"""`minisiam verify`: do two pictures show the same class? Or does a picture show an enrolled name?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import gallery as galleries
from ...evaluate import probability
from ..model import load
from . import _gallery
from ._options import Formatter

if TYPE_CHECKING:
    import argparse

    from ..model import Model

HELP = "do two pictures show the same person or thing?"
ABOUT = """\
Verify that two pictures show the same class, or that pictures show an enrolled name.

    minisiam verify runs/faces one.jpg other.jpg                          same or different, d and p(same)
    minisiam verify runs/faces one.jpg other.jpg --false-accept 0.001     stricter
    minisiam verify runs/faces one.jpg other.jpg --target equal-error     as many false accepts as false rejects
    minisiam verify people.npz new.jpg --name Ada                         does new.jpg show Ada?

The threshold comes from pairs of the run's validation set. p(same) assumes that half of the pairs are of one class.
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam verify`."""
    parser = subparsers.add_parser("verify", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("run", type=Path, metavar="RUN|GALLERY", help="a run, or with --name a gallery")
    _gallery.add_pictures(parser)
    parser.add_argument("--name", help="with a gallery: the name that the pictures are said to show")
    _gallery.add_target(parser)
    parser.set_defaults(command=verify)


def verify(arguments: argparse.Namespace) -> int:
    """`minisiam verify`."""
    target = _gallery.target_of(arguments)
    if arguments.run.is_file():
        model, files, d = _with_name(arguments)
    else:
        model, files, d = _pair(arguments)
    threshold = model.threshold_of(target).value
    result, lines = [], []
    chances = probability(model.calibration, d)  # type: ignore[arg-type]  # a run with thresholds has one
    for file, length, p in zip(files, d.tolist(), chances.tolist(), strict=True):
        same = length <= threshold
        result.append({"files": file, "same": same, "distance": length, "probability": p, "threshold": threshold})
        lines.append(f"{'same' if same else 'different'}: d = {length:.4g}, p(same) = {p:.3f}   ({', '.join(file)})")
    return _gallery.show(arguments, result, [*lines, _gallery.promise(model, target)])


def _pair(arguments: argparse.Namespace) -> tuple[Model, list[list[str]], Any]:
    """The distance of two pictures."""
    if arguments.name is not None:
        raise ValueError(
            f"--name compares with a gallery, and {arguments.run} is none: name a file of `minisiam enrol`"
        )
    model = load(arguments.run)
    pictures, z = _gallery.embedded(model, arguments)
    if len(z) != 2:
        raise ValueError(f"two pictures are compared, and there are {len(z)}: name two files")
    return model, [pictures.files], model.distance(z[:1], z[1:])[0]


def _with_name(arguments: argparse.Namespace) -> tuple[Model, list[list[str]], Any]:
    """The distance of each picture to the nearest entry of a name."""
    people, model = _gallery.opened(arguments.run, None)
    if arguments.name is None:
        raise ValueError(f"{arguments.run} is a gallery: add --name NAME, or use `minisiam identify` to find the name")
    own = galleries.remove(set(people.names.tolist()) - {arguments.name}, people)
    if not len(own.names):
        raise ValueError(f"{arguments.name!r} is not enrolled in {arguments.run}")
    pictures, z = _gallery.embedded(model, arguments)
    d = np.ravel(galleries.search(own, z, 1, model.matrix).distances)
    return model, [[file, arguments.name] for file in pictures.files], d
