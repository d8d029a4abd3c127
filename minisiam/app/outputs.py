"""The files that commands write: each is complete or absent, and none takes the place of a file that is not minisiam's.

A figure and the page of results carry a mark of minisiam, so the same command can write them again. Any other file that
exists is left alone, and the command says so before it starts.
"""

from __future__ import annotations

import errno
import io
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .. import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "Made by `minisiam papers report`."  # in the page of results
MARKS = (b"Software\0minisiam", PAGE.encode())  # in the first bytes of a PNG, and of a page
FULL = "free some space, or write to another disk"
REMEDIES = {  # of an error of the operating system
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: f"{FULL}; `ulimit -f` shows the largest file that is allowed",
    errno.EACCES: "choose a path that you are allowed to use, or change its permissions",
    errno.EROFS: "choose a path on a disk that can be written",
    errno.ENOTDIR: "a folder of this path is a file, so choose another path",
    errno.EEXIST: "a file has this name already, so choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}
KEPT = "a file that minisiam did not make is never replaced"


def records(kind: str, named: dict[str, Any], value: str = "value") -> list[dict[str, Any]]:
    """For JSON: a record for each name, since names of classes, runs and pictures are no keys for a program."""
    return [{kind: name} | (one if isinstance(one, dict) else {value: one}) for name, one in named.items()]


def require_free(path: Path, option: str) -> Path:
    """The path, if a file can be written there: it is no folder, and no file that minisiam did not make."""
    if path.is_dir():
        raise ValueError(f"{option} {path} is a folder: name a file")
    if path.exists() and not _is_ours(path):
        raise FileExistsError(f"{path} exists, and it has no mark of minisiam: choose another {option}, or remove it")
    return path


def unused(path: Path) -> Path:
    """The path, or path-2, path-3, … if it is taken by a file that minisiam did not make."""
    number, free = 1, path
    while free.exists() and not _is_ours(free):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _is_ours(path: Path) -> bool:
    if not path.is_file():  # to open a pipe would wait
        return False
    with path.open("rb") as file:
        start = file.read(4096)
    return any(mark in start for mark in MARKS)


def save_figure(figure: Any, path: Path, dpi: int) -> None:
    """Write a figure in the format of the path's suffix; a PNG gets the mark of minisiam."""
    buffer, kind = io.BytesIO(), path.suffix[1:].lower() or "png"
    figure.savefig(buffer, format=kind, dpi=dpi, metadata={"Software": "minisiam"} if kind == "png" else None)
    write(path, buffer.getvalue())


def write(path: Path, data: bytes) -> None:
    """Write a file and the folders above it; after an error there is neither the file nor a new folder."""
    with new_folder(path.parent), checkpoint.replacing(path) as file:
        file.write(data)


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; after an error, remove those that were made and are empty."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for part in missing:
            with suppress(OSError):  # it has files
                part.rmdir()
        raise


def explained(error: Exception) -> str:
    """The message of an error; one of the system names its file, and the remedy."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    remedy = REMEDIES.get(error.errno)
    return f"{where}{error.strerror}" + (f": {remedy}" if remedy else "")
