"""`minisiam data`: list and show the classes of a data set, or download one."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import datasets, require
from ...datasets.safe_io import expanded
from .. import data_spec, outputs
from ..config import AUGMENTS, Config
from ._options import DATA, Formatter, choice, command, log, log_notes

if TYPE_CHECKING:
    import argparse

    from ...datasets import Dataset
    from ...typing import Array
    from ..data_spec import Data

HELP = "list and show the classes of a data set, or download one"
ABOUT = """\
List the classes of a data set and its split, and draw them; or download a published data set.

    minisiam data --show                              the built-in pen glyphs, as a sheet
    minisiam data --data folder:my_pictures --show    your images, as my_pictures/CLASS/NAME.jpg
    minisiam data --data emnist-letters:gzip --show   also emnist-balanced, -byclass, -bymerge, -digits, -mnist
    minisiam data --show --augment affine             some letters and their distortions
    minisiam data fetch omniglot                      into data/omniglot; also omniglot-small1, mnist, fashion-mnist
"""
COLUMNS = 20  # images in a row of a sheet
LISTED = 100  # names of classes
ROWS = 60  # at most, of a sheet


def add(subparsers: Any) -> None:
    """The options of `minisiam data`."""
    parser = subparsers.add_parser("data", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("--data", default=Config.data, help=f"{DATA} (default: %(default)s)")
    parser.add_argument("--holdout", default=Config.holdout, metavar="WHAT", help="as in train (default: %(default)s)")
    parser.add_argument(
        "--show",
        nargs="?",
        const="",
        metavar="FILE",
        help=f"draw a sheet (default: pen-glyphs.png, or the name of the data); {outputs.KEPT}",
    )
    parser.add_argument(
        "--augment", default="none", help=choice("with --show: letters and their distortions", AUGMENTS, "none")
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="with fetch: where the files go (default: data/NAME)"
    )
    parser.add_argument("fetch", nargs="*", metavar="fetch NAME", help=f"download {', '.join(datasets.SETS)}")
    parser.set_defaults(command=data)


def data(arguments: argparse.Namespace) -> int:
    """`minisiam data` and `minisiam data fetch`."""
    if arguments.fetch:
        return fetch(arguments)
    require.one_of("augment", arguments.augment, AUGMENTS)
    if arguments.augment != "none" and arguments.show is None:
        raise ValueError(f"--augment {arguments.augment} is only drawn: add --show")
    sheet = None if not arguments.show else outputs.require_free(expanded(arguments.show), "--show")
    loaded = data_spec.load(arguments.data, holdout=arguments.holdout)
    if arguments.data == Config.data:
        log("pen glyphs: 1,377 letters of 31 alphabets, each drawn by 20 simulated drawers, 28 × 28 pixels")
    log_notes(loaded)
    for role, part in loaded._asdict().items():
        log(f"\n{role}: {part}\n{fill(', '.join(_kinds(part)), 120, initial_indent='  ', subsequent_indent='  ')}")
    if arguments.show is not None:
        path = sheet or outputs.unused(_default_sheet(arguments.data))
        outputs.save_figure(_figure(arguments, loaded), path, dpi=110)
        log(f"\n{path}")
    return 0


def _default_sheet(name: str) -> Path:
    """The name of the sheet of some data."""
    return Path(f"{name.partition(':')[0]}.png")


def _kinds(part: Dataset) -> list[str]:
    """The names of the alphabets of these images, or of their classes, or else of the data."""
    if part.classes and not part.has_alphabets:
        names = part.class_names
        return names[:LISTED] + [f"and {len(names) - LISTED:,} more"] * (len(names) > LISTED)
    return [part.names[group] for group in np.unique(part.groups)]


def _figure(arguments: argparse.Namespace, loaded: Data) -> Any:
    from ... import plots

    if arguments.augment == "none":
        return plots.glyph_sheet(*_sheet(arguments.data, loaded))
    images = datasets.pen_glyphs(drawers=1) if arguments.data == Config.data else loaded.train
    return plots.distortion_sheet(*_distortions(images, arguments.augment))


def _sheet(name: str, loaded: Data) -> tuple[Array, list[str], str]:
    """Twenty images per row: of each alphabet its first letters, or of each class its first images; with names."""
    parts = [datasets.pen_glyphs(drawers=1)] if name == Config.data else loaded
    rows: dict[str, Array] = {}
    for part in parts:
        letters = np.unique(part.labels, return_index=True)[1]
        for number in np.unique(part.groups if part.has_alphabets else part.labels):
            if part.has_alphabets:
                rows[part.names[number]] = part.images[letters[part.groups[letters] == number][:COLUMNS]]
            else:
                row = part.class_name(number) if part.classes else f"{part.names[0]} {number}"
                rows[row] = part.images[part.labels == number][:COLUMNS]
    shown = dict(list(rows.items())[:ROWS])
    filled = [np.pad(images, ((0, COLUMNS - len(images)), (0, 0), (0, 0), (0, 0))) for images in shown.values()]
    first = "twenty letters of each alphabet" if parts[0].has_alphabets else "the first images of each class"
    title = f"Pen glyphs: {first}, by one drawer" if name == Config.data else f"{name.partition(':')[0]}: {first}"
    return np.stack(filled), list(shown), title


def _distortions(images: datasets.Dataset, name: str, rows: int = 10, columns: int = 12) -> tuple[Array, Array, str]:
    """A letter of each of ten alphabets, twelve distortions of each, (10, 12, h, w, 1), and a title."""
    known = np.unique(images.groups)
    groups = known[np.linspace(0, len(known) - 1, rows).astype(int)]
    letters = images.images[[np.flatnonzero(images.groups == group)[3] for group in groups]]
    distorted = AUGMENTS[name](np.repeat(letters, columns, axis=0), np.random.default_rng(0))
    title = f"Ten letters, and twelve random distortions of each by --augment {name}"
    return letters, distorted.reshape(rows, columns, *letters.shape[1:]), title


def fetch(arguments: argparse.Namespace) -> int:
    """`minisiam data fetch NAME`."""
    if arguments.fetch[0] != "fetch" or len(arguments.fetch) != 2:
        raise ValueError(f"use minisiam data fetch NAME, with one of {', '.join(datasets.SETS)}")
    name = arguments.fetch[1]
    paths = datasets.fetch(name, arguments.out or Path("data") / name, log)
    for path in paths:
        log(f"  {path}")
    kind = "omniglot" if name.startswith("omniglot") else name
    where = ",".join(str(path) for path in paths) if kind == "omniglot" else paths[0].parent
    log(f"\nnext: {command('train', '--data', f'{kind}:{where}')}")
    return 0
