"""Save parameters and training state in one .npz file, without pickle, and load them.

RUN/model.npz    header           format, versions, settings, progress and the structure of both trees, as JSON in bytes
                 params0, …       the leaves of the parameters, in the order of `tree.leaves`
                 optimizer0, …    the leaves of the optimizer's state; none if only parameters were saved

A write is atomic: a process that is killed while it writes leaves the old file or the new file. A damaged file raises
`CheckpointError`, which names the file and the remedy. Before it reads an array, the reader compares its size with the
size of the file, and with that of a template if there is one, so it never uses more memory than the file has bytes.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import zipfile
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from . import tree
from ._arrays import plain
from ._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .typing import Array, Params

FORMAT = 4
LONGEST_HEADER = 1 << 20  # bytes of JSON; a run has about a thousand
LONGEST_NPY_HEADER = 10_000  # bytes, as in NumPy
NUMBER = re.compile(r"[<>|=][fiub](1|2|4|8)")  # the permitted dtypes: no objects, no text
# some file systems (vboxsf, CIFS, FUSE) cannot synchronise a folder; the file itself is on the disk by then
CANNOT_SYNCHRONISE = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


class CheckpointError(ValueError):
    """The file is damaged, not a checkpoint, or one of another version or network; the message gives the remedy."""


def save(
    path: str | Path,
    params: Params,
    settings: dict[str, Any],
    optimizer: Params = (),
    progress: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint; it replaces an older file.

    Parameters
    ----------
    path
        The file. Its folder must exist.
    params
        A tree of arrays.
    settings
        The description of the network that the parameters belong to: anything that JSON can hold.
    optimizer, progress
        The state of the optimizer, and whatever else resuming needs: anything that JSON can hold. Without `progress`
        the parameters can be loaded, but training cannot be resumed.
    """
    versions = {"format": FORMAT, "minisiam": VERSION, "numpy": np.__version__}
    trees = {"params": _structure(params), "optimizer": _structure(optimizer)}
    text = json.dumps(versions | {"settings": settings, "progress": progress, "trees": trees}).encode()
    entries = {"header": np.frombuffer(text, np.uint8)}
    for kind, leaves in (("params", tree.leaves(params)), ("optimizer", tree.leaves(optimizer))):
        names = [f"{kind}{number}" for number in range(len(leaves))]
        entries |= {name: np.asarray(plain(name, leaf), order="C") for name, leaf in zip(names, leaves, strict=True)}
    with replacing(Path(path)) as file:
        np.savez(file, **entries)  # type: ignore[arg-type]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when it is complete and on the disk.

    The file is written under another name in the same folder, synchronised and renamed, and a rename is atomic. Then
    the folder is synchronised, so that the new name survives a loss of power. After an exception the old file is
    unchanged. A killed process leaves a file whose name begins with a dot, which `sweep` removes.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path), temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    with naming(path):
        _synchronise(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError of the body the name of the file: the error of a write on a full disk has none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise OSError(f"{path} cannot be written: {error}") from error
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _synchronise(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot synchronise a folder
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in CANNOT_SYNCHRONISE:
            raise
    finally:
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove the incomplete files that killed processes left beside `path`."""
    for incomplete in path.parent.glob(f".{path.name}.*"):
        if incomplete.suffix[1:].isdecimal():
            incomplete.unlink(missing_ok=True)


def header(path: str | Path) -> dict[str, Any]:
    """Return everything but the arrays: format, versions (minisiam, numpy), settings, progress (None if not saved)."""
    with _archive(Path(path)) as archive:
        return _header(Path(path), archive)


def load(path: str | Path, template: Params | None = None) -> Params:
    """Return the saved parameters.

    Parameters
    ----------
    path
        The file.
    template
        A tree as `init` draws it: parameters of other shapes then raise an error that names the first of them.
    """
    with _archive(Path(path)) as archive:
        return _tree(Path(path), archive, "params", template)


def resume(
    path: str | Path, params: Params | None = None, optimizer: Params | None = None
) -> tuple[Params, Params, dict[str, Any]]:
    """Return parameters, optimizer state and progress; templates as in `load`, from `init` of network and optimizer."""
    path = Path(path)
    with _archive(path) as archive:
        progress = _header(path, archive)["progress"]
        if progress is None:
            raise CheckpointError(f"{path} holds only parameters, so training cannot be resumed: train a new run")
        return _tree(path, archive, "params", params), _tree(path, archive, "optimizer", optimizer), progress


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the file, and raise a `CheckpointError` for everything that goes wrong with it."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            file.seek(0)
            if file.read(4) != b"PK\x03\x04":
                raise ValueError("there are bytes before the archive")
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("the arrays are larger than the file")
            yield archive
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}: name a file that `checkpoint.save` wrote") from None
    except Exception as error:  # whatever zipfile, json and NumPy raise on damaged bytes
        raise CheckpointError(
            f"{path} is damaged or not a checkpoint of minisiam: restore a copy, or train again"
        ) from error


def _header(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    found = json.loads(_array(path, archive, "header", LONGEST_HEADER).tobytes())
    if found["format"] != FORMAT:
        what = f"has format {found['format']!r} (of minisiam {str(found.get('minisiam'))[:20]})"
        remedy = "use the version that wrote it, or train again"
        raise CheckpointError(f"{path} {what}, this version reads format {FORMAT}: {remedy}")
    if not isinstance(found["settings"], dict) or not isinstance(found["progress"], dict | None):
        raise TypeError("settings and progress are dictionaries")
    return found


def _structure(tree: Params) -> Any:
    """The tree without its arrays, for JSON: {"W": …}, ["list", …] or ["tuple", …], with "array" or "int" as leaves."""
    if isinstance(tree, dict):
        return {key: _structure(branch) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        return ["list" if isinstance(tree, list) else "tuple", *map(_structure, tree)]
    return "int" if isinstance(tree, int) else "array"


def _skeleton(structure: Any) -> Params:
    """The tree of a structure, with None for each array, whose shape is unknown, and 0 for each int."""
    if isinstance(structure, dict):
        return {key: _skeleton(branch) for key, branch in structure.items()}
    if isinstance(structure, list):
        return {"list": list, "tuple": tuple}[structure[0]](map(_skeleton, structure[1:]))
    return {"int": 0, "array": None}[structure]


def _tree(path: Path, archive: zipfile.ZipFile, kind: str, template: Params | None) -> Params:
    """The stored arrays of one kind as a tree: like the template, or as they were saved. An int is an int again."""
    skeleton = _skeleton(_header(path, archive)["trees"][kind])
    stored = sum(name.startswith(kind) for name in archive.namelist())
    expected = len(tree.leaves(skeleton if template is None else template))
    if stored != expected:
        what = f"{stored} arrays of {kind} instead of {expected}"
        raise CheckpointError(f"{path} holds another network: {what}. Use the settings it was saved with")
    numbers = iter(range(stored))

    def leaf(like: Any) -> Any:
        name = f"{kind}{next(numbers)}"
        array = _array(path, archive, name, path.stat().st_size if like is None else 8 * np.size(like))
        if like is not None and array.shape != np.shape(like):
            what = f"{name} has the shape {array.shape} instead of {np.shape(like)}"
            raise CheckpointError(f"{path} holds another network: {what}. Use the settings it was saved with")
        return int(array) if isinstance(like, int) else array

    return tree.map(leaf, skeleton if template is None else template)


def _array(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> Array:
    """An array of at most this many bytes; its size in the archive is checked before it is read."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError("checkpoints are not compressed")
    if entry.file_size > min(most + LONGEST_NPY_HEADER, path.stat().st_size):
        raise CheckpointError(
            f"{path} holds another network, or is damaged: {name} is larger than expected, {entry.file_size:,} bytes. "
            "Use the settings it was saved with, or restore a copy"
        )
    return _parsed(archive.read(entry))  # `read` verifies the checksum


def _parsed(raw: bytes) -> Array:
    """The array in a .npy file of version 1.0, if the size in its header is the size of the data."""
    file = io.BytesIO(raw)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("not a .npy file of version 1.0")
    shape, by_columns, dtype = npy.read_array_header_1_0(file, max_header_size=LONGEST_NPY_HEADER)
    if by_columns or not NUMBER.fullmatch(dtype.str):
        raise ValueError("the array must hold numbers, row by row")
    if prod(shape) * dtype.itemsize != len(raw) - file.tell():
        raise ValueError("the header gives another size")
    return np.ndarray(shape, dtype, raw, file.tell()).copy()
