"""`minisiam embed`: the embeddings of pictures, as a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import outputs
from ..model import load
from . import _gallery
from ._options import Formatter, command

if TYPE_CHECKING:
    import argparse

HELP = "write the embeddings of pictures to a file"
ABOUT = """\
Embed pictures with a trained network, and keep their names.

    minisiam embed runs/batch-cosine-supcon letters/ --out letters.npz       embeddings, names, files
    minisiam embed runs/batch-cosine-supcon a.png b.png --out letters.csv    a row for each picture
    minisiam embed runs/batch-cosine-supcon a.png --json                     on the screen

In Python: np.load("letters.npz")["embeddings"]. The name of a picture is that of its folder, as in NAME/1.png.
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam embed`."""
    parser = subparsers.add_parser("embed", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder made by `minisiam train`")
    _gallery.add_pictures(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="a new file that ends in .npz or .csv")
    parser.set_defaults(command=embed)


def embed(arguments: argparse.Namespace) -> int:
    """`minisiam embed`."""
    out = arguments.out
    _check(out, arguments.json)
    pictures, z = _gallery.embedded(load(arguments.run), arguments)
    if out is not None:
        outputs.write(out, FORMATS[out.suffix.lower()](z, pictures.classes, pictures.files))
    rows = zip(pictures.files, pictures.classes, z.tolist() if arguments.json else z, strict=True)
    result = [dict(zip(("file", "name", "embedding"), row, strict=True)) for row in rows]
    words = command("enrol", "gallery.npz", *arguments.pictures, "--run", arguments.run)
    lines = [f"{out}: {len(z):,} embeddings of {z.shape[1]} numbers", f"\nnext: {words}     to search among them"]
    return _gallery.show(arguments, result, lines)


def _check(out: Path | None, json: bool) -> None:
    if out is None:
        if not json:
            raise ValueError("name a file for the embeddings with --out FILE.npz or --out FILE.csv, or print --json")
        return
    if out.suffix.lower() not in FORMATS:
        raise ValueError(f"--out {out} must end in {' or '.join(FORMATS)}")
    outputs.require_free(out, "--out")


def _npz(z: Any, names: list[str], files: list[str]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, embeddings=z, names=np.array(names, np.str_), files=np.array(files, np.str_))
    return buffer.getvalue()


def _csv(z: Any, names: list[str], files: list[str]) -> bytes:
    buffer = io.StringIO(newline="")
    rows = csv.writer(buffer)
    rows.writerow(["file", "name", *(f"z{number}" for number in range(z.shape[1]))])
    rows.writerows([file, name, *row] for file, name, row in zip(files, names, z, strict=True))
    return buffer.getvalue().encode()


FORMATS = {".npz": _npz, ".csv": _csv}
