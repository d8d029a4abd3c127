"""Pictures in memory, decoded by Pillow whatever their kind; and a change of size by the mean over areas."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require
from .contents import described, picture_kind
from .safe_io import DamagedFile

if TYPE_CHECKING:
    from ..typing import Array

SIDE = 65_535  # pixels, the longest side of a picture: the most that a JPEG can have
DECODED = 1 << 26  # pixels of a decoded picture, which take up to four bytes each
STRIP = 1 << 20  # pixels that are converted to floating point at once
PICTURE_BYTES = 1 << 28  # of a file: as many as the decoded picture may have
WHITE = {"1": 1, "L": 255, "I;16": 65_535, "I;16B": 65_535, "I": 65_535}  # by Pillow's mode; the other modes have 255
BITS, WHITE_IS_ZERO = 258, (262, 0)  # of TIFF: the tag of the depth, and the tag and value of an inverted scale


class Picture(NamedTuple):
    """A picture as it was read.

    levels : (height, width) float32, 0 for black and 1 for white; in colour (height, width, 3)
    kind : the format of its contents, whatever its name says: PNG, JPEG, PPM (also PGM and PBM), GIF, BMP, WEBP or TIFF
    width, height : in the file, as it is shown
    frames : pages or frames; the first one is read
    """

    levels: Array
    kind: str
    width: int
    height: int
    frames: int


def picture(data: bytes, name: str, size: int | None = None, channels: int = 1) -> Array:
    """The grey levels of a picture, or its red, green and blue, 0 for black and 1 for white.

    Grey levels are the mean of the colours; transparent pixels are shown on white; a picture is turned as its EXIF data
    say; of several frames or pages the first one is read; colour profiles and gamma are ignored.

    Parameters
    ----------
    data
        The bytes of a PNG, JPEG, PGM, PPM, PBM, GIF, BMP, WebP or TIFF file.
    name
        The name of the file, for error messages.
    size
        Pixels a side of the result, each the mean over the area that it covers. A large JPEG is then decoded at a
        fraction of its size. None keeps the picture's own size.
    channels
        1 for grey levels, 3 for red, green and blue.

    Returns
    -------
    (height, width) float32, or (size, size); with three channels (height, width, 3)

    Raises
    ------
    DamagedFile
        If the file cannot be read, or would have more than 2²⁶ pixels or 65,535 a side in memory. Whatever the bytes
        are, there is no other exception.
    """
    return read_picture(data, name, size, channels).levels


def read_picture(data: bytes, name: str, size: int | None = None, channels: int = 1) -> Picture:
    """`picture`, with the kind and the size of the file."""
    kind = picture_kind(data)
    if kind is None:
        raise DamagedFile(f"{name!r} cannot be read: it is {described(data)}")
    UnidentifiedImageError = _pillow().UnidentifiedImageError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of its metadata, and of many pixels, about which `_check_size` is stricter
            return _read(data, kind, size, channels)
    except DamagedFile as error:
        raise DamagedFile(f"{name!r} {error}") from error
    except UnidentifiedImageError as error:
        raise DamagedFile(f"{name!r} begins like a {kind} picture, and the rest is damaged or missing") from error
    except Exception as error:  # Pillow's decoders raise many kinds
        raise DamagedFile(f"{name!r} is a {kind} picture that cannot be read ({error})") from error


def _pillow() -> Any:
    try:
        import PIL
    except ImportError as error:
        raise ImportError(f"pictures are read by Pillow: {require.how_to_install('data')}") from error
    return PIL


class Levels(NamedTuple):
    """What the numbers of a picture mean, and how many channels are wanted.

    white : the level of white
    transparent : the shade that is transparent in a picture without an alpha channel, as it is in memory; or None
    inverted : whether 0 is white
    """

    white: int
    transparent: Any
    inverted: bool
    channels: int


def _read(data: bytes, kind: str, size: int | None, channels: int) -> Picture:
    from PIL import Image

    if kind == "PNG":
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            image.verify()  # the checksums, which Pillow does not compare while it decodes
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        shape = image.size
        _reduce(image, kind, size)
        shade = _transparent_shade(image, kind, data)
        levels = Levels(_white(image, kind), shade, _is_inverted(image, kind), channels)
        image.load()
        if _turn(image):
            shape = shape[::-1]
        if size is None or image.size == (size, size):
            planes = _planes(image, levels)
        else:
            planes = _by_area_in_strips(image, levels, size)
        found = planes[0] if channels == 1 else np.ascontiguousarray(np.moveaxis(planes, 0, 2))
        return Picture(found, kind, *shape, getattr(image, "n_frames", 1))


def _reduce(image: Any, kind: str, size: int | None) -> None:
    """Choose a fraction of a large JPEG; refuse what would take much memory, before it is decoded."""
    if "progressive" in image.info:  # decoded at full size even for a draft
        _check_size(image)
    if kind == "JPEG" and size is not None:
        image.draft(None, (4 * size, 4 * size))
    _check_size(image)


def _turn(image: Any) -> bool:
    """Turn a picture as its EXIF data say; whether its width and height have changed places."""
    from PIL import ImageOps

    stored = image.size
    with suppress(SyntaxError):  # damaged EXIF data, which Pillow itself ignores in a JPEG
        ImageOps.exif_transpose(image, in_place=True)
    return image.size != stored


def _check_size(image: Any) -> None:
    """Refuse a picture that would take much memory, before it is decoded."""
    width, height = image.size
    if max(width, height) > SIDE or width * height > DECODED:
        raise DamagedFile(
            f"has {width} × {height} pixels: at most {DECODED:,} in all and {SIDE:,} a side can be read: reduce it"
        )


def _white(image: Any, kind: str) -> int:
    """The level of white; a picture whose levels have no known range is refused."""
    if image.mode == "F" or (image.mode == "I" and kind == "TIFF"):
        raise DamagedFile(
            "has levels of 32 bits or with a sign, whose white level is unknown: save it with 8 or 16 bits"
        )
    if kind == "TIFF" and image.mode.startswith("I;16"):
        return 2 ** image.tag_v2[BITS][0] - 1  # also 12 bits
    return WHITE.get(image.mode, 255)


def _is_inverted(image: Any, kind: str) -> bool:
    """Whether 0 is white in a TIFF of 16 bits; Pillow itself inverts those of 8 bits."""
    return kind == "TIFF" and image.mode.startswith("I;16") and WHITE_IS_ZERO in image.tag_v2.items()


def _transparent_shade(image: Any, kind: str, data: bytes) -> Any:
    """The transparent shade of a grey or RGB picture, as its pixels are in memory; None without one."""
    shade = image.info.get("transparency")
    if shade is None or image.mode not in ("L", "I;16", "RGB", "1"):
        return None
    depth = data[24] if kind == "PNG" else 8
    if image.mode == "RGB":
        return np.array(shade) >> (8 if depth == 16 else 0)
    if image.mode == "1":
        return bool(shade)
    return shade * 255 // (2**depth - 1) if depth < 8 else shade


def _planes(image: Any, levels: Levels) -> Array:
    """(channels, height, width) float32: grey or three colours, on white where the picture is transparent."""
    shown = _on_white(image, levels)
    if shown.ndim == 2:
        return np.repeat(shown[None], levels.channels, axis=0)
    if levels.channels == shown.shape[2]:
        return np.moveaxis(shown, 2, 0)
    return np.repeat(_mean(shown)[None], levels.channels, axis=0)


def _on_white(image: Any, levels: Levels) -> Array:
    """(height, width) or (height, width, colours): the numbers of the picture as shares of white."""
    if image.mode not in (*WHITE, "LA", "RGB", "RGBA"):  # a palette, or the colours of printing
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    values = np.asarray(image)
    shown = values.astype(np.float32) / np.float32(levels.white)
    if image.mode in ("LA", "RGBA"):
        alpha = shown[..., -1:]
        return alpha * shown[..., :-1] + (1 - alpha)
    if levels.inverted:
        return 1 - shown
    if levels.transparent is None:
        return shown
    hidden = values == levels.transparent
    return np.where(hidden.all(axis=2, keepdims=True) if image.mode == "RGB" else hidden, np.float32(1), shown)


def _mean(colours: Array) -> Array:
    """The mean of one or three colours: as a product, twenty times as fast as `colours.mean(axis=2)`."""
    count = colours.shape[2]
    return colours @ np.ones(count, np.float32) / np.float32(count)


def _by_area_in_strips(image: Any, levels: Levels, size: int) -> Array:
    """`by_area` of a picture of which only a strip at a time is converted to floating point."""
    width, height = image.size
    rows, columns, step = _shares(height, size), _shares(width, size), max(1, STRIP // width)
    total = np.zeros((levels.channels, size, width), np.float32)
    for start in range(0, height, step):
        stop = min(start + step, height)
        total += rows[:, start:stop] @ _planes(image.crop((0, start, width, stop)), levels)
    return np.clip(total @ columns.T, 0, 1)


def by_area(image: Array, height: int, width: int) -> Array:
    """(…, height, width) pixels, each the mean of the area it covers in the (…, h, w) image."""
    if image.shape[-2:] == (height, width):
        return image
    rows, columns = _shares(image.shape[-2], height), _shares(image.shape[-1], width)
    return np.clip(rows @ image @ columns.T, 0, 1)


def _shares(old: int, new: int) -> Array:
    """(new, old): which share of a new pixel each old one is."""
    edges = np.arange(new + 1) * old / new
    low, high = edges[:-1, None], edges[1:, None]
    at = np.arange(old)
    shared = np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0, None)
    return (shared * new / old).astype(np.float32)
