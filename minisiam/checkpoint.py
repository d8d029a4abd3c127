"""Parameters and training on disk: one .npz file without pickle, written whole or not at all, and read with distrust.

RUN/model.npz    header           format, versions, settings and progress, as JSON in bytes
                 params0, …       the leaves of the parameters, in the order of `tree.leaves`
                 optimizer0, …    the leaves of the optimizer's state; none where parameters alone were saved

Whoever is killed while writing leaves the old file or the new one. Whatever is wrong with a file is a
`CheckpointError`, which names the file and says what to do; before anything is read, its size is held against what is
expected, so that no file makes the reader use more memory than the network that it is read for.
"""

from __future__ import annotations

import ast
import json
import os
import re
import zipfile
import zlib
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from . import tree
from ._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .typing import Array, Params

FORMAT = 2
LONGEST_HEADER = 1 << 20  # bytes of JSON; a run's has about a thousand
LONGEST_NPY_HEADER = 10_000  # bytes, as in numpy
NUMBER = re.compile(r"[<>|=][fiub](1|2|4|8)")  # the types of array that are read: no objects, no text
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    SyntaxError,
    RuntimeError,  # zipfile, of what is encrypted or packed in a way it does not know; json, of depth
    MemoryError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)


class CheckpointError(ValueError):
    """A file that is no checkpoint, a damaged one, or one of another version or network; says which, and what to do."""


def save(
    path: str | Path,
    params: Params,
    settings: dict[str, Any],
    optimizer: Params = (),
    progress: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint, in the place of an older one.

    Parameters
    ----------
    path
        The file. Its folder has to exist.
    params
        A tree of arrays.
    settings
        What says which network the parameters are of; anything that JSON can hold.
    optimizer, progress
        The state of the optimizer, and what else training needs to go on: anything that JSON can hold. Without
        `progress` the parameters can be loaded, and no training resumed.
    """
    versions = {"format": FORMAT, "minisiam": VERSION, "numpy": np.__version__}
    text = json.dumps(versions | {"settings": settings, "progress": progress}).encode()
    entries = {"header": np.frombuffer(text, np.uint8)}
    for kind, leaves in (("params", tree.leaves(params)), ("optimizer", tree.leaves(optimizer))):
        entries |= {f"{kind}{number}": np.asarray(leaf, order="C") for number, leaf in enumerate(leaves)}
    with replacing(Path(path)) as file:
        np.savez(file, **entries)  # type: ignore[arg-type]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the name `path` once it is whole and on the disk.

    It is written under another name in the same folder, synchronised, and renamed, which no file system does by half;
    then the folder is synchronised, so that the new name outlives a loss of power. After an exception the old file is
    as it was; a process that is killed leaves a file whose name begins with a dot, for `sweep`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _synchronise(path.parent)


def _synchronise(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove what killed processes began to write in the place of `path`."""
    for left in path.parent.glob(f".{path.name}.*"):
        if left.suffix[1:].isdecimal():
            left.unlink(missing_ok=True)


def header(path: str | Path) -> dict[str, Any]:
    """All but the arrays: format, minisiam and numpy (versions), settings, progress (None where it was not saved)."""
    with _archive(Path(path)) as archive:
        return _header(Path(path), archive)


def settings(path: str | Path) -> dict[str, Any]:
    """What was saved beside the parameters."""
    return header(path)["settings"]


def load(path: str | Path, template: Params) -> Params:
    """The saved parameters, in the shape of `template` (a tree as `init` draws it)."""
    with _archive(Path(path)) as archive:
        _header(Path(path), archive)
        return _tree(Path(path), archive, "params", template)


def resume(path: str | Path, params: Params, optimizer: Params) -> tuple[Params, Params, dict[str, Any]]:
    """Saved parameters, optimizer state and progress; the templates are as `init` of the network and optimizer give."""
    path = Path(path)
    with _archive(path) as archive:
        progress = _header(path, archive)["progress"]
        if progress is None:
            raise CheckpointError(f"{path} holds parameters alone, so no training can be resumed: train a new run")
        return _tree(path, archive, "params", params), _tree(path, archive, "optimizer", optimizer), progress


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The file, opened; whatever goes wrong with it as a CheckpointError."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            file.seek(0)
            if file.read(4) != b"PK\x03\x04":
                raise ValueError("something stands before the archive")
            yield archive
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}: name one that `checkpoint.save` has written") from None
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint of this package: put back a copy, or train again"
        ) from error


def _header(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    names = archive.namelist()
    if "header.npy" in names and "leaf0.npy" in names:
        raise CheckpointError(f"{path} has format 1, this version reads format {FORMAT}: {_other_version()}")
    found = json.loads(_array(path, archive, "header", LONGEST_HEADER).tobytes())
    if found["format"] != FORMAT:
        what = f"has format {found['format']!r} (of minisiam {str(found.get('minisiam'))[:20]})"
        raise CheckpointError(f"{path} {what}, this version reads format {FORMAT}: {_other_version()}")
    if not isinstance(found["settings"], dict) or not isinstance(found["progress"], dict | None):
        raise TypeError("settings and progress are dictionaries")
    return found


def _other_version() -> str:
    return "use the version that wrote it, or train again"


def _tree(path: Path, archive: zipfile.ZipFile, kind: str, template: Params) -> Params:
    """The arrays of a kind, leaf by leaf where those of the template are; whole numbers as such."""
    expected = tree.leaves(template)
    stored = sum(name.startswith(kind) for name in archive.namelist())
    sizes = f"{stored} arrays of {kind} where {len(expected)} are expected"
    if stored != len(expected):
        raise CheckpointError(f"{path} holds another network: {sizes}. Use the settings it was saved with")
    numbers = iter(range(stored))

    def leaf(like: Any) -> Any:
        name = f"{kind}{next(numbers)}"
        array = _array(path, archive, name, 8 * np.size(like))
        if array.shape != np.shape(like):
            what = f"{name} has shape {array.shape} where {np.shape(like)} is expected"
            raise CheckpointError(f"{path} holds another network: {what}. Use the settings it was saved with")
        return int(array) if isinstance(like, int) else array

    return tree.map(leaf, template)


def _array(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> Array:
    """An array of at most so many bytes; it is read only after its size in the archive has been found to be no more."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError("checkpoints are not compressed")
    if entry.file_size > min(most + LONGEST_NPY_HEADER, path.stat().st_size):
        raise CheckpointError(
            f"{path} holds another network, or is damaged: {name} is larger than expected, {entry.file_size:,} bytes. "
            "Use the settings it was saved with, or put back a copy"
        )
    return _parsed(archive.read(entry))  # which compares the checksum


def _parsed(raw: bytes) -> Array:
    """The array of a .npy file of version 1.0, if its header says neither more nor less than what is there."""
    end = 10 + int.from_bytes(raw[8:10], "little")
    if raw[:8] != b"\x93NUMPY\x01\x00" or end > min(LONGEST_NPY_HEADER, len(raw)):
        raise ValueError("no .npy file of version 1.0")
    said = ast.literal_eval(raw[10:end].decode("latin1").strip())
    shape, kind = said["shape"], said["descr"]
    if said["fortran_order"] or not isinstance(kind, str) or not NUMBER.fullmatch(kind):
        raise ValueError("an array of numbers, row by row, is expected")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("a shape is a tuple of whole numbers")
    dtype = np.dtype(kind)
    if prod(shape) * dtype.itemsize != len(raw) - end:
        raise ValueError("the header tells of another size")
    return np.ndarray(shape, dtype, raw, end).copy()
