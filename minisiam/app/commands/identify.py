"""`minisiam identify`: the name of each picture, or unknown beyond a threshold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import gallery as galleries
from . import _gallery
from ._options import Formatter

if TYPE_CHECKING:
    import argparse

HELP = "name each picture by a gallery, or answer unknown"
ABOUT = """\
Identify pictures by a gallery: the name of the nearest entry, or unknown if it is further than the threshold.

    minisiam identify people.npz pictures/                          1 % false accepts on the validation set
    minisiam identify people.npz pictures/ --false-accept 0.001     stricter: more people are unknown
    minisiam identify people.npz new.jpg --target equal-error       as many false accepts as false rejects

A rate is that of one comparison. A stranger is compared with every entry, so more entries mean more false names.
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam identify`."""
    parser = subparsers.add_parser("identify", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="a file made by `minisiam enrol`")
    _gallery.add_pictures(parser)
    _gallery.add_target(parser)
    _gallery.add_run(parser)
    parser.set_defaults(command=identify)


def identify(arguments: argparse.Namespace) -> int:
    """`minisiam identify`."""
    people, model = _gallery.opened(arguments.gallery, arguments.run)
    target = _gallery.target_of(arguments)
    threshold = model.threshold_of(target).value
    pictures, z = _gallery.embedded(model, arguments)
    names = galleries.identify(people, z, threshold, model.matrix)
    nearest = galleries.search(people, z, 1, model.matrix)
    result, lines = [], []
    for file, name, other, d in zip(
        pictures.files, names, nearest.names[:, 0].tolist(), nearest.distances[:, 0].tolist(), strict=True
    ):
        result.append({"file": file, "name": name, "nearest": other, "distance": d, "threshold": threshold})
        lines.append(f"{file}   {'unknown' if name is None else name}   (nearest {other}, d = {d:.4g})")
    return _gallery.show(arguments, result, [*lines, "", _gallery.promise(model, target)])
