"""`minisiam search`: the nearest entries of a gallery for each picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import gallery as galleries
from . import _gallery
from ._options import Formatter, command

if TYPE_CHECKING:
    import argparse

HELP = "find the nearest entries of a gallery for each picture"
ABOUT = """\
Search a gallery for pictures: the nearest enrolled entries, with names and distances.

    minisiam search people.npz new.jpg              the five nearest
    minisiam search people.npz pictures/ -k 1       of each picture in a folder, the nearest
    minisiam search people.npz new.jpg --json       for a program

The nearest entry may be far: `minisiam identify` answers unknown beyond a threshold.
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam search`."""
    parser = subparsers.add_parser("search", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="a file made by `minisiam enrol`")
    _gallery.add_pictures(parser)
    parser.add_argument("-k", type=int, default=5, metavar="K", help="entries (default: %(default)s, or all if fewer)")
    _gallery.add_run(parser)
    parser.set_defaults(command=search)


def search(arguments: argparse.Namespace) -> int:
    """`minisiam search`."""
    people, model = _gallery.opened(arguments.gallery, arguments.run)
    pictures, z = _gallery.embedded(model, arguments)
    found = galleries.search(
        people, z, max(1, min(arguments.k, len(people.names))) if arguments.k > 0 else arguments.k, model.matrix
    )
    result, lines = [], []
    for file, names, d in zip(pictures.files, found.names.tolist(), found.distances.tolist(), strict=True):
        result.append({"file": file, "names": names, "distances": d})
        near = "   ".join(f"{name} {length:.4g}" for name, length in zip(names, d, strict=True))
        lines.append(f"{file}   {near}")
    lines.append(f"\nnext: {command('identify', arguments.gallery, *arguments.pictures)}     the name, or unknown")
    return _gallery.show(arguments, result, lines)
