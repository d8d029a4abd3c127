"""Pictures in memory: PNG, JPEG, PGM and PPM, decoded by Pillow; and a change of size by the mean over areas."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from .safe_io import DamagedFile

if TYPE_CHECKING:
    from ..typing import Array

SIDE = 65_535  # pixels, the longest side of a picture: the most that a JPEG can have
DECODED = 1 << 26  # pixels of a decoded picture, which take up to four bytes each
STRIP = 1 << 20  # pixels that are converted to floating point at once
PICTURE_BYTES = 1 << 25  # of a file
FORMATS = {  # how a file begins, and which of Pillow's decoders reads it
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    **{b"P%d" % number: "PPM" for number in range(1, 7)},
}
WHITE = {"1": 1, "L": 255, "I;16": 65_535, "I": 65_535}  # by Pillow's mode; the other modes have 255


def picture(data: bytes, name: str, size: int | None = None) -> Array:
    """The grey levels of a picture, 0 for black and 1 for white.

    Colours are reduced to their mean; transparent pixels are shown on white; a JPEG is turned as its EXIF data say.

    Parameters
    ----------
    data
        The bytes of a PNG, JPEG, PGM or PPM file.
    name
        The name of the file, for error messages.
    size
        Pixels a side of the result, each the mean over the area that it covers. A large JPEG is then decoded at a
        fraction of its size. None keeps the picture's own size.

    Returns
    -------
    (height, width) float32, or (size, size)

    Raises
    ------
    DamagedFile
        If the file cannot be read, or would have more than 2²⁶ pixels or 65,535 a side in memory. Whatever the bytes
        are, there is no other exception.
    """
    kind = next((kind for beginning, kind in FORMATS.items() if data.startswith(beginning)), None)
    if kind is None:
        raise DamagedFile(f"{name!r} is no PNG, JPEG, PGM or PPM picture")
    Image = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_check_size` is stricter
            return _read(data, kind, size)
    except DamagedFile as error:
        raise DamagedFile(f"{name!r} {error}") from error
    except Exception as error:  # Pillow's decoders raise many kinds
        raise DamagedFile(f"{name!r} is a {kind} picture that cannot be read ({error})") from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"pictures are read by Pillow: {require.how_to_install('data')}") from error
    return Image


def _read(data: bytes, kind: str, size: int | None) -> Array:
    from PIL import Image, ImageOps

    if kind == "PNG":
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            image.verify()  # the checksums, which Pillow does not compare while it decodes
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        if "progressive" in image.info:  # decoded at full size even for a draft
            _check_size(image)
        if kind == "JPEG" and size is not None:
            image.draft(None, (4 * size, 4 * size))
        _check_size(image)
        transparent = _transparent_shade(image, data[24]) if kind == "PNG" else None
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if size is None or image.size == (size, size):
            return _grey(image, transparent)
        return _by_area_in_strips(image, transparent, size)


def _check_size(image: Any) -> None:
    """Refuse a picture that would take much memory, before it is decoded."""
    width, height = image.size
    if max(width, height) > SIDE or width * height > DECODED:
        raise DamagedFile(f"has {width} × {height} pixels: at most {DECODED:,} in all and {SIDE:,} a side can be read")


def _transparent_shade(image: Any, depth: int) -> Any:
    """The transparent shade of a grey or RGB PNG of so many bits, as its pixels are in memory; None without one."""
    shade = image.info.get("transparency")
    if shade is None or image.mode not in ("L", "I;16", "RGB", "1"):
        return None
    if image.mode == "RGB":
        return np.array(shade) >> (8 if depth == 16 else 0)
    if image.mode == "1":
        return bool(shade)
    return shade * 255 // (2**depth - 1) if depth < 8 else shade


def _grey(image: Any, transparent: Any = None) -> Array:
    """(height, width) float32: the mean of the colours, on white where the picture is transparent."""
    if image.mode not in (*WHITE, "LA", "RGB", "RGBA"):  # a palette, or the colours of printing
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    values = np.asarray(image)
    grey = values.astype(np.float32) / np.float32(WHITE.get(image.mode, 255))
    if image.mode in ("LA", "RGBA"):
        alpha = grey[..., -1]
        return alpha * grey[..., :-1].mean(axis=2) + (1 - alpha)
    seen = None if transparent is None else values != transparent
    if image.mode == "RGB":
        grey, seen = grey.mean(axis=2), None if seen is None else seen.any(axis=2)
    return grey if seen is None else np.where(seen, grey, np.float32(1))


def _by_area_in_strips(image: Any, transparent: Any, size: int) -> Array:
    """`by_area` of a picture of which only a strip at a time is converted to floating point."""
    width, height = image.size
    rows, columns, step = _shares(height, size), _shares(width, size), max(1, STRIP // width)
    total = np.zeros((size, width), np.float32)
    for start in range(0, height, step):
        stop = min(start + step, height)
        total += rows[:, start:stop] @ _grey(image.crop((0, start, width, stop)), transparent)
    return np.clip(total @ columns.T, 0, 1)


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
