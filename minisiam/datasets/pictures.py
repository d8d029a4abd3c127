"""Pictures in memory: PNG by matplotlib's reader, PGM by a small one of our own, and a change of size by area."""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from .safe_io import DamagedFile

if TYPE_CHECKING:
    from ..typing import Array

SIDE = 2048  # pixels, the longest side of a picture
SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # the chunks of a PNG that decide what it looks like
GAP = rb"(?:\s|#[^\n]*\n)+"
PGM = re.compile(rb"P([25])" + GAP + rb"([0-9]{1,5})" + GAP + rb"([0-9]{1,5})" + GAP + rb"([0-9]{1,5})\s")


def picture(data: bytes, name: str) -> Array:
    """(height, width) float32 in [0, 1], 1 for white, of the bytes of a PNG or PGM file."""
    try:
        return _pgm(data) if data[:2] in (b"P2", b"P5") else _png(data)
    except DamagedFile as error:
        raise DamagedFile(f"{name!r} {error}") from error


def by_area(image: Array, height: int, width: int) -> Array:
    """(height, width) pixels, each the mean of the area it covers in the image."""
    if image.shape == (height, width):
        return image
    rows, columns = _shares(image.shape[0], height), _shares(image.shape[1], width)
    return np.clip(rows @ image @ columns.T, 0, 1)


def _shares(old: int, new: int) -> Array:
    """(new, old): which share of a new pixel each old one is."""
    edges = np.arange(new + 1) * old / new
    low, high = edges[:-1, None], edges[1:, None]
    at = np.arange(old)
    shared = np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0, None)
    return (shared * new / old).astype(np.float32)


def _png(data: bytes) -> Array:
    try:
        from matplotlib.image import imread
    except ImportError as error:
        raise ImportError("PNG files are read by matplotlib: pip install 'minisiam[figures]'") from error
    chunks = _chunks(data)
    try:
        image = imread(io.BytesIO(chunks), format="png")
    except Exception as error:  # whatever the decoder says of bytes that it cannot read
        raise DamagedFile(f"is no readable PNG ({error})") from error
    return _grey(np.asarray(image, np.float32))


def _chunks(data: bytes) -> bytes:
    """The PNG without its notes, every checksum verified and its size known to be small."""
    if data[:8] != SIGNATURE:
        raise DamagedFile("is no PNG")
    kept, at, seen = [SIGNATURE], 8, 0
    while True:
        length, kind = struct.unpack(">L4s", data[at : at + 8]) if at + 12 <= len(data) else (len(data), b"")
        end = at + 12 + length
        if end > len(data):
            raise DamagedFile("is a PNG that is cut off")
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack(">L", data[end - 4 : end])[0]:
            raise DamagedFile("is a PNG with a wrong checksum")
        if (kind == b"IHDR") != (seen == 0):
            raise DamagedFile("is a PNG whose header is not at its beginning")
        if seen == 0:
            _check_side(*struct.unpack(">LL", data[at + 8 : at + 16]) if length == 13 else (0, 0))
        if kind in NEEDED:
            kept.append(data[at:end])
        seen, at = seen + 1, end
        if kind == b"IEND":
            return b"".join(kept)


def _check_side(width: int, height: int) -> None:
    if not (0 < width <= SIDE and 0 < height <= SIDE):
        raise DamagedFile(f"says that it has {width} × {height} pixels; 1 to {SIDE} a side can be read")


def _grey(image: Array) -> Array:
    """Colours by their mean, on a white page where the picture is transparent."""
    if image.ndim == 2:
        return image
    alpha = image[..., -1] if image.shape[-1] in (2, 4) else np.float32(1)
    colours = image[..., : 3 if image.shape[-1] > 2 else 1].mean(axis=2)
    return alpha * colours + (1 - alpha)


def _pgm(data: bytes) -> Array:
    header = PGM.match(data[:4096])
    if header is None:
        raise DamagedFile("is a PGM without a proper header")
    width, height, largest = (int(number) for number in header.groups()[1:])
    _check_side(width, height)
    if not 0 < largest < 65_536:
        raise DamagedFile(f"is a PGM whose white is {largest}; it must be 1 to 65535")
    read = _plain if header[1] == b"2" else _raw
    values = read(data[header.end() :], width * height, largest)
    if values.max() > largest:
        raise DamagedFile(f"is a PGM with a pixel of {values.max()}, whiter than its white, {largest}")
    return values.reshape(height, width).astype(np.float32) / np.float32(largest)


def _raw(body: bytes, count: int, largest: int) -> Array:
    dtype = np.dtype(">u2" if largest > 255 else "u1")
    expected = count * dtype.itemsize
    if len(body) < expected or body[expected:].strip():
        raise DamagedFile(f"is a PGM of {expected:,} bytes of pixels, and has {len(body):,}")
    return np.frombuffer(body, dtype, count)


def _plain(body: bytes, count: int, _: int) -> Array:
    numbers = re.sub(rb"#[^\n]*", b"", body).split()
    if len(numbers) != count or not all(number.isdigit() and len(number) < 6 for number in numbers):
        raise DamagedFile(f"is a PGM of {count:,} pixels, and has {len(numbers):,} words")
    return np.array([int(number) for number in numbers])
