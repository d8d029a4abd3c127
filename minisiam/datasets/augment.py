"""Distortions: an image that is a little turned, slanted, stretched, moved or bent still shows the same letter.

Every one of them is a map that says, for each pixel of the result, where in the image it comes from; `warp` reads the
image there. Only the eight poses of `dihedral` make other letters of a letter.

warp(images, maps)     bilinear sampling                    affine(images, rng)    Koch et al. 2015
shifted, moved         whole pixels                         elastic(images, rng)   Simard et al. 2003
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from . import blurred, turned

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Generator, Int

PIXELS = 1 << 15  # in a piece of work: what it needs stays in the cache
SIMARD = 29  # the side of Simard's images, in pixels


def warp(images: Float[Array, "n h w c"], maps: Float[Array, "n 2 p q"]) -> Float[Array, "n p q c"]:
    """out[i, y, x] = images[i, maps[i, 0, y, x], maps[i, 1, y, x]], between pixels bilinear, outside 0.

    Parameters
    ----------
    images
        (n, height, width, channels), floating. Pixel centres lie at whole numbers, and black goes on outside: half a
        pixel beyond the last centre the image has half of its last value.
    maps
        (n, 2, p, q), floating and finite: the row and the column, in pixels of the image, that each pixel of the result
        is taken from. `grid(p, q)` is the identity.

    Returns
    -------
    out
        (n, p, q, channels), dtype of the images. With t = ⌊row⌋, l = ⌊column⌋ and f, g what is left of them,
        (1−f)(1−g) I[t, l] + (1−f) g I[t, l+1] + f (1−g) I[t+1, l] + f g I[t+1, l+1].
    """
    _check(images)
    require.dimensions(4, "(n, 2, p, q), a row and a column for each pixel of the result", maps=maps)
    if maps.shape[:2] != (len(images), 2):
        raise ValueError(
            f"maps must have the shape ({len(images)}, 2, p, q), one map for each image, not {maps.shape}: "
            "np.broadcast_to(maps, (len(images), *maps.shape[-3:])) gives all the same"
        )
    require.finite(maps=maps)
    maps = maps.astype(_exactness(images), copy=False)
    return _in_pieces(images, maps.shape[2:], lambda piece: (maps[piece, 0], maps[piece, 1]))


def grid(height: int, width: int) -> Float[Array, "2 h w"]:
    """Where each pixel is, (row, column), float32: the map that changes nothing."""
    return np.indices((height, width), dtype=np.float32)


class Parts(NamedTuple):
    """What an affine distortion is made of, each (n,): T = (θ, ρx, ρy, sx, sy, tx, ty).

    turn : degrees, anticlockwise as `datasets.turned`;   slant_x, slant_y : shear;   scale_x, scale_y : 1 is as it was
    shift_x, shift_y : to the right and down, as a share of the image's width and height
    """

    turn: Array
    slant_x: Array
    slant_y: Array
    scale_x: Array
    scale_y: Array
    shift_x: Array
    shift_y: Array


IDENTITY = Parts(*map(np.asarray, (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)))


def affine_parts(
    n: int,
    rng: Generator,
    turn: float = 10.0,
    slant: float = 0.3,
    scale: float = 0.2,
    shift: float = 2 / 105,
    each: float = 0.5,
) -> Parts:
    """The parts of n affine distortions, as Koch et al. draw them: each uniform in its range, or not there at all.

    Parameters
    ----------
    n, rng
        How many, and where chance comes from.
    turn
        θ ∈ [−turn, turn], degrees, at most 180.
    slant
        ρx, ρy ∈ [−slant, slant], less than 1.
    scale
        sx, sy ∈ [1 − scale, 1 + scale], less than 1.
    shift
        tx, ty ∈ [−shift, shift], as a share of the image's width and height: two pixels of Koch's 105, and so half a
        pixel of 28.
    each
        Probability of each of the seven, on its own: a distortion of probability ½⁷ leaves the image as it is.

    References
    ----------
    Koch, Zemel, Salakhutdinov 2015, Siamese neural networks for one-shot image recognition, §3.2.
    """
    require.whole("n", n, 0)
    require.generator(rng)
    most = (
        require.between("turn", turn, 0, 180),
        *2 * [require.between("slant", slant, 0, 1, open_high=True)],
        *2 * [require.between("scale", scale, 0, 1, open_high=True)],
        *2 * [require.between("shift", shift, 0)],
    )
    each = require.between("each", each, 0, 1)
    there = rng.random((n, 7)) < each
    parts = np.where(there, rng.uniform(-1, 1, (n, 7)) * most, 0)
    parts[:, 3:5] += 1
    return Parts(*parts.T)


def affine_matrices(parts: Parts) -> Float[Array, "n 2 2"]:
    """A = turn · slant · scale, one matrix an image, on columns (x, y) with y downwards; float64.

    ( cos θ  sin θ) (1  ρx) (sx  0)
    (−sin θ  cos θ) (ρy  1) (0  sy)
    """
    angle = np.deg2rad(parts.turn)
    c, s = np.cos(angle), np.sin(angle)
    turn, slant, scale = (
        np.stack(entries, axis=-1).reshape(-1, 2, 2)
        for entries in (
            (c, s, -s, c),
            (np.ones_like(c), parts.slant_x, parts.slant_y, np.ones_like(c)),
            (parts.scale_x, np.zeros_like(c), np.zeros_like(c), parts.scale_y),
        )
    )
    return turn @ slant @ scale


def distorted(images: Float[Array, "n h w c"], parts: Parts) -> Float[Array, "n h w c"]:
    """Each image under p ↦ A (p − m) + m + t about its middle m: `affine` where the parts are known.

    A pixel p of the result is therefore read at A⁻¹ (p − m − t) + m.
    """
    _check(images)
    if any(np.shape(part) != (len(images),) for part in parts):
        raise ValueError(f"parts must have {len(images)} entries each, one an image: affine_parts({len(images)}, rng)")
    height, width = images.shape[1:3]
    A = affine_matrices(parts)
    determinant = A[:, 0, 0] * A[:, 1, 1] - A[:, 0, 1] * A[:, 1, 0]
    if not (np.abs(determinant) > 1e-6).all():
        raise ValueError("parts: some distortion leaves no area: slant_x · slant_y must not be 1, nor a scale 0")
    back = np.linalg.inv(A)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    from_middle = -middle - np.stack([parts.shift_x * width, parts.shift_y * height], axis=1)  # (n, 2)
    start = (back @ from_middle[:, :, None])[:, :, 0] + middle  # where the first pixel comes from
    exact = _exactness(images)
    back, start = back.astype(exact), start.astype(exact)
    x, y = (np.arange(length, dtype=exact) for length in (width, height))

    def places(piece: slice) -> tuple[Array, Array]:
        (xx, xy), (yx, yy) = back[piece].transpose(1, 2, 0)[..., None]  # each (k, 1)
        x0, y0 = start[piece].T[..., None]
        rows = (y0 + yy * y)[:, :, None] + (yx * x)[:, None, :]
        columns = (x0 + xy * y)[:, :, None] + (xx * x)[:, None, :]
        return rows, columns

    return _in_pieces(images, (height, width), places)


def affine(
    images: Float[Array, "n h w c"],
    rng: Generator,
    turn: float = 10.0,
    slant: float = 0.3,
    scale: float = 0.2,
    shift: float = 2 / 105,
    each: float = 0.5,
) -> Float[Array, "n h w c"]:
    """Koch's affine distortions, another for each image: p ↦ A (p − m) + m + t about the middle m.

    Parameters as in `affine_parts`; what leaves the image is lost, and black comes in.

    References
    ----------
    Koch, Zemel, Salakhutdinov 2015, §3.2, who make eight of each training pair.
    """
    _check(images)
    return distorted(images, affine_parts(len(images), rng, turn, slant, scale, shift, each))


def elastic(
    images: Float[Array, "n h w c"], rng: Generator, alpha: float | None = None, sigma: float | None = None
) -> Float[Array, "n h w c"]:
    """out[p] = image[p + α (G_σ * u)(p)], u uniform in [−1, 1]² at each pixel: the paper is rubber.

    Parameters
    ----------
    images, rng
        (n, height, width, channels), floating; where chance comes from.
    alpha
        Strength α ≥ 0. Far from the edge a pixel moves along each axis by α / (2σ√(3π)) pixels, as a standard deviation
        (for σ ≥ 1); at the edge, beyond which u is 0, by 1/√2 of that, and in a corner by half.
    sigma
        Width σ > 0 of the Gaussian in pixels: small is a tremor, large moves the image as a whole.

    Both are Simard's where they are None: α = 34 and σ = 4 for his 29 pixels, and for a longer side of r · 29 pixels
    r² α and r σ, which is the same distortion on a finer grid. The weights of the Gaussian sum to 1.

    References
    ----------
    Simard, Steinkraus, Platt 2003, Best practices for convolutional neural networks applied to visual document
    analysis, §2.
    """
    _check(images)
    require.generator(rng)
    height, width = images.shape[1:3]
    ratio = max(height, width) / SIMARD
    alpha = 34.0 * ratio**2 if alpha is None else require.between("alpha", alpha, 0)
    sigma = max(4.0 * ratio, 1e-3) if sigma is None else require.between("sigma", sigma, 0, open_low=True)
    rows, columns = grid(height, width)

    def places(piece: slice) -> tuple[Array, Array]:
        count = len(images[piece])
        noise = rng.random((count, height, width, 2), dtype=np.float32)
        along = alpha * blurred(2 * noise - 1, sigma)
        return rows + along[..., 0], columns + along[..., 1]

    return _in_pieces(images, (height, width), places)


def moved(images: Float[Array, "n h w c"], by: Int[Array, "n 2"]) -> Float[Array, "n h w c"]:
    """out[i, y, x] = images[i, y − by[i, 0], x − by[i, 1]]: whole pixels down and to the right, outside 0."""
    _check(images)
    if not np.issubdtype(getattr(by, "dtype", None), np.integer) or by.shape != (len(images), 2):
        raise ValueError(f"by must be whole numbers of the shape ({len(images)}, 2), pixels down and to the right")
    height, width = images.shape[1:3]
    out = np.zeros_like(images)
    for down, right in np.unique(by, axis=0):
        if abs(down) < height and abs(right) < width:
            mine = np.flatnonzero((by == (down, right)).all(axis=1))
            to, source = zip(_overlap(down, height), _overlap(right, width), strict=True)
            out[mine, *to] = images[mine, *source]
    return out


def _overlap(step: int, length: int) -> tuple[slice, slice]:
    """What is still inside after a step, in the result and in the image."""
    return slice(max(step, 0), length + min(step, 0)), slice(max(-step, 0), length + min(-step, 0))


def shifted(images: Float[Array, "n h w c"], rng: Generator, pixels: int = 2) -> Float[Array, "n h w c"]:
    """Each image moved by whole pixels, at most `pixels` along each axis, all moves alike likely; outside 0."""
    _check(images)
    require.generator(rng)
    require.whole("pixels", pixels, 0)
    return moved(images, rng.integers(-pixels, pixels + 1, (len(images), 2)))


def dihedral(
    images: Float[Array, "n h h c"], labels: Int[Array, "n"]
) -> tuple[Float[Array, "8n h h c"], Int[Array, "8n"]]:
    """Every image in the eight poses of a square, one after the other, and 8 · label + pose: eight times the classes.

    Pose by pose as in `datasets.turned`; a letter that is its own mirror image becomes two classes that look alike.
    """
    _check(images)
    require.class_labels(labels, len(images))
    poses = np.tile(np.arange(8), len(images))
    return turned(np.repeat(images, 8, axis=0), poses), 8 * np.repeat(labels, 8) + poses


def _in_pieces(images: Array, shape: tuple[int, ...], places: Callable[[slice], tuple[Array, Array]]) -> Array:
    """Bilinear samples at `places(piece)`, two arrays (k, p, q), a few images at a time, in their order."""
    n, height, width, channels = images.shape
    out = np.empty((n, *shape, channels), images.dtype)
    step = max(1, PIXELS // max(1, height * width, shape[0] * shape[1]))
    for start in range(0, n, step):
        piece = slice(start, start + step)
        _bilinear(images[piece], *places(piece), out[piece])
    return out


def _bilinear(images: Array, rows: Array, columns: Array, out: Array) -> None:
    """Write samples of (k, h, w, c) images at `rows` and `columns`, (k, p, q), into `out`.

    A frame of zeros, one wide before and two behind, makes all four neighbours of a place exist: places are moved onto
    the frame, where everything is 0, if they are farther out. Where a place lies is computed once for all channels.
    """
    k, h, w, c = images.shape
    stride = w + 3
    framed = np.zeros((c, k, h + 3, stride), images.dtype)
    framed[:, :, 1 : h + 1, 1 : w + 1] = images.transpose(3, 0, 1, 2)
    top, down = _whole_and_rest(rows, h)
    left, right = _whole_and_rest(columns, w)
    top *= stride
    top += left
    corner = top.astype(np.intp)
    corner += (h + 3) * stride * np.arange(k)[:, None, None]

    def along_row(pixels: Array, first: int) -> Array:
        """(1 − g) a + g b of two neighbours, as a + g (b − a): where g is 0 it is a, to the bit."""
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


def _whole_and_rest(at: Array, length: int) -> tuple[Array, Array]:
    """Places as whole numbers, counted from the frame, and what is left of them, in [0, 1)."""
    at = np.clip(at, -1, length)
    at += 1
    whole = np.floor(at)
    at -= whole
    return whole.astype(np.int32), at


def _exactness(images: Array) -> np.dtype:
    """The dtype of places: the images', but at least float32, since a place has more digits than a grey."""
    return np.result_type(images.dtype, np.float32)


def _check(images: Array) -> None:
    require.dimensions(4, "(n, height, width, channels)", images=images)
