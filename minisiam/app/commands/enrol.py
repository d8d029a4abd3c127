"""`minisiam enrol`: add the pictures of names to a gallery, or remove names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import gallery as galleries
from ...datasets.safe_io import listed
from .. import outputs
from ..model import load
from . import _gallery
from ._options import Formatter, command

if TYPE_CHECKING:
    import argparse

    from ...gallery import Gallery

HELP = "add pictures of people or things to a gallery, by name"
ABOUT = """\
Enrol pictures under names in a gallery, one file. One picture of each name is enough; several are better.

    minisiam enrol people.npz pictures/ --run runs/faces      a new gallery, from pictures/NAME/1.jpg
    minisiam enrol people.npz ada.jpg --name Ada              one more name
    minisiam enrol people.npz ada2.jpg --name Ada --add       another picture of an enrolled name
    minisiam enrol people.npz --remove Ada                    remove a name

A gallery holds embeddings and names, not the pictures. It belongs to its run: after more training, enrol again.
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam enrol`."""
    parser = subparsers.add_parser("enrol", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="a file, people.npz; made if it does not exist")
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURES", help=_gallery.PICTURES)
    parser.add_argument("--run", type=Path, metavar="RUN", help="a folder made by `minisiam train`: of a new gallery")
    parser.add_argument("--name", help="the name of all these pictures (default: that of the folder of each)")
    parser.add_argument("--add", action="store_true", help="add pictures of names that are enrolled already")
    parser.add_argument("--remove", action="append", default=[], metavar="NAME", help="remove a name")
    _gallery.add_output(parser)
    parser.set_defaults(command=enrol)


def enrol(arguments: argparse.Namespace) -> int:
    """`minisiam enrol`."""
    path = arguments.gallery
    if not arguments.pictures and not arguments.remove:
        raise ValueError("name pictures to enrol, or --remove NAME")
    if arguments.name == "":
        raise ValueError("--name must not be empty")
    before = galleries.load(path) if path.exists() or arguments.remove else None
    if before is not None and arguments.remove:
        before = galleries.remove(arguments.remove, before)
    people = _extended(before, arguments) if before is None or arguments.pictures else before
    with outputs.new_folder(path.parent):
        galleries.save(path, people)
    names, count = np.unique(people.names, return_counts=True)
    enrolled = dict(zip(names.tolist(), count.tolist(), strict=True))
    result = {"gallery": str(path), "names": outputs.records("name", enrolled, "examples")}
    lines = [f"{path}: {people}"]
    if len(names):
        lines.append(f"\nnext: {command('search', path, 'PICTURES')}     whom do other pictures show?")
    return _gallery.show(arguments, result, lines)


def _extended(people: Gallery | None, arguments: argparse.Namespace) -> Gallery:
    """The gallery with the pictures added."""
    if people is None and arguments.run is None:
        raise ValueError(f"{arguments.gallery} is a new gallery: name the run that embeds its pictures, --run RUN")
    model = load(arguments.run) if people is None else _gallery.opened(arguments.gallery, arguments.run)[1]
    pictures, z = _gallery.embedded(model, arguments)
    names = [arguments.name or name for name in pictures.classes]
    if "" in names:
        raise ValueError(
            f"{pictures.files[names.index('')]} is in no folder of a name: add --name NAME, or move it to NAME/1.png"
        )
    if people is None:
        return model.enrol_embeddings(names, z)
    known = np.isin(names, people.names)
    if known.any() and not arguments.add:
        raise ValueError(
            f"{listed(sorted({name for name, own in zip(names, known, strict=True) if own}))} enrolled already in "
            f"{arguments.gallery}: --add adds pictures of an enrolled name, and --remove NAME removes it"
        )
    if known.any():
        people = galleries.add([name for name, own in zip(names, known, strict=True) if own], z[known], people)
    new = [name for name, own in zip(names, known, strict=True) if not own]
    return model.enrol_embeddings(new, z[~known], people) if new else people
