"""Bilinear sampling: read images at given positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float

PIXELS = 1 << 15  # in a chunk of images, so that it stays in the cache


def warp(images: Float[Array, "n h w c"], maps: Float[Array, "n 2 p q"]) -> Float[Array, "n p q c"]:
    """out[i, y, x] = images[i, maps[i, 0, y, x], maps[i, 1, y, x]], bilinear between pixels, 0 outside.

    Parameters
    ----------
    images
        (n, height, width, channels), floating-point. Pixel centres are at whole numbers, and the outside is black: half
        a pixel beyond the last centre the image has half of its last value.
    maps
        (n, 2, p, q), floating-point and finite: for each pixel of the result, the row and the column in the image.
        `grid(p, q)` is the identity.

    Returns
    -------
    out
        (n, p, q, channels), dtype of the images. With t = ⌊row⌋, l = ⌊column⌋ and the fractional parts f, g, it is
        (1−f)(1−g) I[t, l] + (1−f) g I[t, l+1] + f (1−g) I[t+1, l] + f g I[t+1, l+1].
    """
    check_images(images)
    require.dimensions(4, "(n, 2, p, q), a row and a column for each pixel of the result", maps=maps)
    if maps.shape[:2] != (len(images), 2):
        raise ValueError(
            f"maps must have the shape ({len(images)}, 2, p, q), one map per image, not {maps.shape}: "
            "np.broadcast_to(maps, (len(images), *maps.shape[-3:])) gives all images the same map"
        )
    require.finite(maps=maps)
    maps = maps.astype(position_dtype(images), copy=False)
    return in_chunks(images, maps.shape[2:], lambda chunk: (maps[chunk, 0], maps[chunk, 1]))


def grid(height: int, width: int) -> Float[Array, "2 h w"]:
    """The position of each pixel, (row, column), float32: the identity map."""
    return np.indices((height, width), dtype=np.float32)


def in_chunks(images: Array, shape: tuple[int, ...], positions: Callable[[slice], tuple[Array, Array]]) -> Array:
    """Bilinear samples at `positions(chunk)`, two arrays (k, p, q), for chunks of images, in order."""
    n, height, width, channels = images.shape
    out = np.empty((n, *shape, channels), images.dtype)
    step = max(1, PIXELS // max(1, height * width, shape[0] * shape[1]))
    for start in range(0, n, step):
        chunk = slice(start, start + step)
        _bilinear(images[chunk], *positions(chunk), out[chunk])
    return out


def _bilinear(images: Array, rows: Array, columns: Array, out: Array) -> None:
    """Write samples of (k, h, w, c) images at `rows` and `columns`, (k, p, q), into `out`.

    Images are padded with one zero in front and two at the end, so that every position has four neighbours; positions
    farther outside are moved onto the padding. The positions are computed once for all channels.
    """
    k, h, w, c = images.shape
    stride = w + 3
    framed = np.zeros((c, k, h + 3, stride), images.dtype)
    framed[:, :, 1 : h + 1, 1 : w + 1] = images.transpose(3, 0, 1, 2)
    top, down = _whole_and_fraction(rows, h)
    left, right = _whole_and_fraction(columns, w)
    top *= stride
    top += left
    corner = top.astype(np.intp)
    corner += (h + 3) * stride * np.arange(k)[:, None, None]

    def along_row(pixels: Array, first: int) -> Array:
        """(1 − g) a + g b of two neighbours, as a + g (b − a), which is exactly a if g is 0."""
        a, b = (pixels[first + step :].take(corner, mode="clip") for step in (0, 1))
        b -= a
        b *= right
        b += a
        return b

    for channel, pixels in enumerate(framed.reshape(c, -1)):
        upper, lower = along_row(pixels, 0), along_row(pixels, stride)
        lower -= upper
        lower *= down
        np.add(upper, lower, out=out[..., channel])


def _whole_and_fraction(at: Array, length: int) -> tuple[Array, Array]:
    """The integer parts of positions, in the padded image, and their fractional parts in [0, 1)."""
    at = np.clip(at, -1, length)
    at += 1
    whole = np.floor(at)
    at -= whole
    return whole.astype(np.int32), at


def position_dtype(images: Array) -> np.dtype:
    """The dtype of positions: that of the images, but at least float32, since positions need more digits than greys."""
    return np.result_type(images.dtype, np.float32)


def check_images(images: Array) -> None:
    """Require floating-point images."""
    require.dimensions(4, "(n, height, width, channels)", images=images)
