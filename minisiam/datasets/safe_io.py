"""Read untrusted files in bounded memory, without unpacking anything to disk.

The size in a header is compared with the size of the file before memory is allocated. A file that is truncated, damaged
or malicious raises `DamagedFile`.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .contents import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..typing import Array

MEMBERS = 100_000  # files in a zip, or files and folders in a folder
DIRECTORY_BYTES = 1 << 24  # of a zip's list of members
MEMBER_BYTES = 1 << 22  # of one picture, unpacked
TOTAL_BYTES = 1 << 33  # of all members of a zip, unpacked, of which only one at a time is in memory
ARRAY_BYTES = 1 << 29  # of one array, unpacked
PIXELS = 1 << 29  # of all images of a data set, which is 2 GB as float32
GZIP_RATIO = 1032  # the largest number of bytes that one deflated byte can become
CHUNK = 1 << 20
SHOWN = 3  # names in a message

HIDDEN = re.compile(  # what systems and programs leave beside pictures, some of them with the names of pictures
    r"\..*|__MACOSX|Icon\r|Thumbs\.db|ehthumbs\w*\.db|desktop\.ini|@eaDir|\$RECYCLE\.BIN|System Volume Information",
    re.IGNORECASE,
)
UTF_8, ENCRYPTED = 0x800, 1  # flags of a member of a zip
NPY = re.compile(
    rb"\{'descr': '([|<](?:[ui][1248]|U[1-9][0-9]{0,2}))', 'fortran_order': False, "
    rb"'shape': \(((?:[0-9]{1,9}, ?)*(?:[0-9]{1,9})?)\), \} *\n"
)
BROKEN = (
    OSError,
    ValueError,
    EOFError,
    OverflowError,
    NotImplementedError,  # zipfile: an unknown compression
    RuntimeError,  # zipfile: an encrypted member
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


class DamagedFile(ValueError):
    """The file is truncated, damaged, in a wrong format, or larger than any real file of this kind.

    The contents of a file raise no other exception.
    """


class Members(dict[str, "Callable[[int], bytes]"]):
    """The files of a zip or a folder: a name, with / between folders, and a function that reads at most so many bytes.

    hidden : the names of hidden files and folders, which are left out
    dead : the names of links that lead nowhere or back, and of what is neither file nor folder
    folders : the names of folders, which end in /; of a zip those that it lists
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()
        self.dead: set[str] = set()
        self.folders: set[str] = set()


def listed(words: list[str], comma: str = ", ") -> str:
    """The first few words, and how many more there are."""
    more = f"{comma}and {len(words) - SHOWN:,} more" if len(words) > SHOWN else ""
    return comma.join(words[:SHOWN]) + more


@contextmanager
def reported_damage(path: str | Path) -> Iterator[None]:
    """Raise a `DamagedFile` that names the file for every error inside the `with` block."""
    try:
        yield
    except DamagedFile as error:
        known = str(error)
        raise DamagedFile(known if known.startswith(str(path)) else f"{path}: {known}") from error
    except BROKEN as error:
        if isinstance(error, OSError) and error.strerror:
            raise DamagedFile(f"{error.filename or path}: cannot be read ({error.strerror})") from error
        raise DamagedFile(f"{path}: is damaged or in a wrong format ({error or type(error).__name__})") from error


def expanded(path: str | Path) -> Path:
    """A path with ~ replaced by the home folder, unless there is a file of this name."""
    path = Path(path)
    if path.exists():
        return path
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises an error if there is no such user


def existing(path: str | Path) -> Path:
    """Require that a file or folder exists, and return its path, with ~ expanded."""
    path = expanded(path)
    if not (path.is_dir() or path.is_file()):
        raise FileNotFoundError(f"there is no file or folder {path}")
    return path


def require_size(count: int, height: int, width: int) -> None:
    """Require that a data set has at most PIXELS pixels."""
    if count * height * width > PIXELS:
        raise DamagedFile(
            f"{count:,} images of {height} × {width} pixels are more than {PIXELS:,} pixels: choose a smaller size"
        )


def is_hidden(path: Path) -> bool:
    """Whether a file or one of its folders is hidden, or made by a system beside the files of a user."""
    return any(HIDDEN.fullmatch(part) for part in path.parts)


@contextmanager
def members(path: Path) -> Iterator[Members]:
    """The files in a zip or a folder; each is read on demand. Hidden files are left out, links are followed."""
    if path.is_dir():
        found = Members()
        _scan(path, "", (), found)
        yield found
        return
    with path.open("rb") as file:
        _check_directory(file.read, file.seek, path.stat().st_size)
        with zipfile.ZipFile(file) as archive:
            yield _in_zip(archive)


def _scan(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], found: Members) -> None:
    """Add the files of a folder and the folders in it; `above` identifies the folders that contain it."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        found.dead.add(prefix)
        return
    found.folders.add(prefix)
    for entry in sorted(folder.iterdir()):
        name = prefix + _printable(entry.name)
        if len(found) + len(found.hidden) + len(found.dead) + len(found.folders) > MEMBERS:
            raise DamagedFile(f"holds more than {MEMBERS:,} files: name the folder of the data set itself")
        if HIDDEN.fullmatch(entry.name):
            found.hidden.add(name)
        elif entry.is_dir():
            _scan(entry, f"{name}/", (*above, here), found)
        elif entry.is_file():
            found[name] = reader(entry)
        else:
            found.dead.add(name)


def reader(file: Path) -> Callable[[int], bytes]:
    """A function that reads a file of at most so many bytes."""

    def read(limit: int) -> bytes:
        with reported_damage(file), file.open("rb") as opened:
            some = min(limit, file.stat().st_size) + 1  # Python reserves the memory for as many bytes as it is to read
            return _no_more_than(limit, opened.read(some), file.name)

    return read


def _check_directory(read: Callable[[int], bytes], seek: Callable[[int], object], size: int) -> None:
    """Require a list of members of bounded length, since zipfile would read any."""
    start = max(0, size - 65_557)
    seek(start)
    tail = read(65_557)
    at = len(tail) - 22
    if not (tail[at : at + 4] == b"PK\5\6" and tail[-2:] == b"\0\0"):
        at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        seek(0)
        raise DamagedFile(
            f"is not a zip file, or its end is missing: it is {described(read(1024))}; name a folder or a zip file"
        )
    if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise DamagedFile("is a zip file of the large kind (zip64): unpack it, and name the folder")
    count, length = struct.unpack("<HL", tail[at + 10 : at + 16])
    if count > MEMBERS or length > DIRECTORY_BYTES:
        raise DamagedFile(f"lists {count:,} members in {length:,} bytes: more than any data set here has")
    seek(0)


def _in_zip(archive: zipfile.ZipFile) -> Members:
    """The members of a zip; a malicious name or size raises an error before any member is read."""
    found = Members()
    entries = archive.infolist()
    if len(entries) > MEMBERS or sum(info.file_size for info in entries) > TOTAL_BYTES:
        raise DamagedFile(f"would unpack to more than {MEMBERS:,} files or {TOTAL_BYTES:,} bytes")
    for info in entries:
        name = _safe_name(info)
        parts = name.split("/")
        hidden = next((i for i, part in enumerate(parts) if HIDDEN.fullmatch(part)), None)
        if hidden is not None:
            found.hidden.add("/".join(parts[: hidden + 1]))
        elif name in found:
            raise DamagedFile(f"holds {name!r} twice")
        elif info.flag_bits & ENCRYPTED:
            raise DamagedFile(f"is encrypted with a password ({name!r}): unpack it, and name the folder")
        elif not parts[-1]:
            found.folders.add(name)
        else:
            found[name] = _unpacker(archive, info, name)
    return found


def _printable(name: str) -> str:
    """A name with control characters, and bytes that are not UTF-8, as escapes: it can be shown anywhere."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cs") else c for c in name)


def _safe_name(info: zipfile.ZipInfo) -> str:
    """The name of a member, whose folders Windows may have separated by backslashes."""
    name = info.filename
    if not info.flag_bits & UTF_8:  # zipfile then assumes code page 437, but many programs write UTF-8
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    slashed = name.replace("\\", "/").removeprefix("./")
    if not slashed or slashed.startswith("/") or re.match("[A-Za-z]:", slashed) or ".." in slashed.split("/"):
        raise DamagedFile(f"holds a member that would leave its folder, or has no name: {name!r}")
    return _printable(slashed)


def _unpacker(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedFile(f"{name!r} is compressed in an unusual way: unpack the zip, and name the folder")
        if info.file_size > limit:
            raise DamagedFile(f"{name!r} would unpack to {info.file_size:,} bytes, more than {limit:,}")
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise DamagedFile(f"{name!r} is truncated: {len(data):,} of {info.file_size:,} bytes")
        return data

    return read


def _no_more_than(limit: int, data: bytes, name: str) -> bytes:
    if len(data) > limit:
        raise DamagedFile(f"{name!r} is larger than {limit:,} bytes")
    return data


def npy(data: bytes) -> Array:
    """An array of integers or strings in NumPy's format; its header is compared with its length."""
    if data[:6] != b"\x93NUMPY" or data[6:7] not in (b"\1", b"\2"):
        raise DamagedFile("an array has no NumPy header")
    wide = data[6:7] == b"\2"
    start = 12 if wide else 10
    (length,) = struct.unpack("<L" if wide else "<H", data[8:start])
    header = NPY.fullmatch(data[start : start + min(length, 10_000)])
    if header is None:
        raise DamagedFile("an array must hold integers or strings, row by row")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(number) for number in header[2].replace(b" ", b"").split(b",") if number)
    expected = dtype.itemsize
    for number in shape:
        expected *= number
    if expected != len(data) - start - length:
        raise DamagedFile(f"an array of shape {shape} has {expected:,} bytes, not {len(data) - start - length:,}")
    return np.frombuffer(data, dtype, offset=start + length).reshape(shape)


def idx(path: Path, axes: int) -> Array:
    """The bytes of an idx file, plain or gzipped, with this number of axes; its header is compared with its size."""
    with reported_damage(path), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        holds = path.stat().st_size * (GZIP_RATIO if packed else 1)
        if not packed:
            return _idx(raw.read, axes, holds)
        with gzip.GzipFile(fileobj=raw) as file:
            return _idx(file.read, axes, holds)


def _idx(read: Callable[[int], bytes], axes: int, holds: int) -> Array:
    header = read(4 + 4 * axes)
    if len(header) < 4 + 4 * axes or header[:4] != bytes([0, 0, 8, axes]):
        what = described(header + read(1024))
        raise DamagedFile(f"has no idx header for bytes with {axes} axes: it is {what}")
    shape = struct.unpack(f">{axes}L", header[4:])
    expected = 1
    for number in shape:
        expected *= number
    if not 0 < expected <= min(PIXELS, holds):
        raise DamagedFile(f"has a header for {' × '.join(map(str, shape))} bytes, which it cannot hold")
    data = bytearray()
    while len(data) <= expected and (more := read(min(CHUNK, expected + 1 - len(data)))):
        data += more
    if len(data) != expected:
        what = "is truncated" if len(data) < expected else "is too long"
        raise DamagedFile(f"{what}: its header gives {expected:,} bytes, and it has {len(data):,} or more")
    return np.frombuffer(data, np.uint8).reshape(shape)
