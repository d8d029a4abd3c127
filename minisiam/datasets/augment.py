"""Augmentation: an image that is slightly rotated, sheared, scaled, translated or bent still shows the same letter.

Each distortion is a map that gives, for each pixel of the result, a position in the image; `warp` reads the image
there. Only the eight poses of `dihedral` turn a letter into other classes.

warp(images, maps)       bilinear sampling                  affine(images, rng)    Koch et al. 2015
random_shift, translate  whole pixels                       elastic(images, rng)   Simard et al. 2003
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import _arrays, require
from .bilinear import check_images, grid, in_chunks, position_dtype, warp
from .dataset import blurred, rotated

if TYPE_CHECKING:
    from ..typing import Array, Float, Generator, Int

__all__ = [
    "AffineParameters",
    "affine",
    "affine_matrices",
    "apply_affine",
    "dihedral",
    "draw_affine",
    "elastic",
    "grid",
    "random_shift",
    "translate",
    "warp",
]

SIMARD = 29  # the side of Simard's images, in pixels


class AffineParameters(NamedTuple):
    """The parameters of affine distortions, (n,) each: T = (θ, ρx, ρy, sx, sy, tx, ty).

    rotation : degrees, anticlockwise as in `datasets.rotated`;   shear_x, shear_y
    scale_x, scale_y : factors;   shift_x, shift_y : to the right and down, as a share of the image's width and height
    """

    rotation: Array
    shear_x: Array
    shear_y: Array
    scale_x: Array
    scale_y: Array
    shift_x: Array
    shift_y: Array


IDENTITY = AffineParameters(*map(np.asarray, (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)))


def draw_affine(
    n: int,
    rng: Generator,
    rotation: float = 10.0,
    shear: float = 0.3,
    scale: float = 0.2,
    shift: float = 2 / 105,
    probability: float = 0.5,
) -> AffineParameters:
    """Draw the parameters of n affine distortions like Koch et al.: each is uniform in its range, or has no effect.

    Parameters
    ----------
    n, rng
        The number of distortions, and the random generator.
    rotation
        θ ∈ [−rotation, rotation], in degrees, at most 180.
    shear
        ρx, ρy ∈ [−shear, shear], less than 1.
    scale
        sx, sy ∈ [1 − scale, 1 + scale], less than 1.
    shift
        tx, ty ∈ [−shift, shift], as a share of the image's width and height: two of Koch's 105 pixels, which is half a
        pixel of 28.
    probability
        The probability of each of the seven parameters to have an effect: with ½ the image is unchanged in one case of
        2⁷.

    References
    ----------
    Koch, Zemel, Salakhutdinov 2015, Siamese neural networks for one-shot image recognition, §3.2.
    """
    require.whole("n", n, 0)
    require.generator(rng)
    most = (
        require.between("rotation", rotation, 0, 180),
        *2 * [require.between("shear", shear, 0, 1, open_high=True)],
        *2 * [require.between("scale", scale, 0, 1, open_high=True)],
        *2 * [require.between("shift", shift, 0)],
    )
    probability = require.between("probability", probability, 0, 1)
    has_effect = rng.random((n, 7)) < probability
    drawn = np.where(has_effect, rng.uniform(-1, 1, (n, 7)) * most, 0)
    drawn[:, 3:5] += 1
    return AffineParameters(*drawn.T)


def affine_matrices(parameters: AffineParameters) -> Float[Array, "n 2 2"]:
    """A = rotation · shear · scale, one matrix per image, for columns (x, y) with y downwards; float64.

    ( cos θ  sin θ) (1  ρx) (sx  0)
    (−sin θ  cos θ) (ρy  1) (0  sy)
    """
    angle = np.deg2rad(parameters.rotation)
    c, s = np.cos(angle), np.sin(angle)
    rotation, shear, scale = (
        np.stack(entries, axis=-1).reshape(-1, 2, 2)
        for entries in (
            (c, s, -s, c),
            (np.ones_like(c), parameters.shear_x, parameters.shear_y, np.ones_like(c)),
            (parameters.scale_x, np.zeros_like(c), np.zeros_like(c), parameters.scale_y),
        )
    )
    return rotation @ shear @ scale


def apply_affine(images: Float[Array, "n h w c"], parameters: AffineParameters) -> Float[Array, "n h w c"]:
    """Map each image by p ↦ A (p − m) + m + t about its centre m, with given parameters.

    A pixel p of the result is therefore read at A⁻¹ (p − m − t) + m.
    """
    check_images(images)
    if any(np.shape(array) != (len(images),) for array in parameters):
        raise ValueError(
            f"parameters must have {len(images)} entries each, one per image: draw_affine({len(images)}, rng)"
        )
    height, width = images.shape[1:3]
    A = affine_matrices(parameters)
    determinant = A[:, 0, 0] * A[:, 1, 1] - A[:, 0, 1] * A[:, 1, 0]
    if not (np.abs(determinant) > 1e-6).all():
        raise ValueError("parameters: a distortion has no area: shear_x · shear_y must not be 1, and no scale 0")
    back = np.linalg.inv(A)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    from_middle = -middle - np.stack([parameters.shift_x * width, parameters.shift_y * height], axis=1)  # (n, 2)
    start = (back @ from_middle[:, :, None])[:, :, 0] + middle  # the position of the first pixel
    dtype = position_dtype(images)
    back, start = back.astype(dtype), start.astype(dtype)
    x, y = (np.arange(length, dtype=dtype) for length in (width, height))

    def positions(chunk: slice) -> tuple[Array, Array]:
        (xx, xy), (yx, yy) = back[chunk].transpose(1, 2, 0)[..., None]  # each (k, 1)
        x0, y0 = start[chunk].T[..., None]
        rows = (y0 + yy * y)[:, :, None] + (yx * x)[:, None, :]
        columns = (x0 + xy * y)[:, :, None] + (xx * x)[:, None, :]
        return rows, columns

    return in_chunks(images, (height, width), positions)


def affine(
    images: Float[Array, "n h w c"],
    rng: Generator,
    rotation: float = 10.0,
    shear: float = 0.3,
    scale: float = 0.2,
    shift: float = 2 / 105,
    probability: float = 0.5,
) -> Float[Array, "n h w c"]:
    """Koch's random affine distortions, a different one for each image: p ↦ A (p − m) + m + t about the centre m.

    Parameters as in `draw_affine`. Parts that leave the image are lost, and the area that enters is black.

    References
    ----------
    Koch, Zemel, Salakhutdinov 2015, §3.2, who use eight distortions of each training pair.
    """
    check_images(images)
    return apply_affine(images, draw_affine(len(images), rng, rotation, shear, scale, shift, probability))


def elastic(
    images: Float[Array, "n h w c"], rng: Generator, alpha: float | None = None, sigma: float | None = None
) -> Float[Array, "n h w c"]:
    """out[p] = image[p + α (G_σ * u)(p)], with u uniform in [−1, 1]² at each pixel, as if the paper were rubber.

    Parameters
    ----------
    images, rng
        (n, height, width, channels), floating-point; the random generator.
    alpha
        Strength α ≥ 0. Far from the edge, the displacement along each axis has the standard deviation α / (2σ√(3π))
        pixels (for σ ≥ 1). At the edge, beyond which u is 0, it is smaller by 1/√2, and in a corner by ½.
    sigma
        Width σ > 0 of the Gaussian in pixels: with a small σ strokes tremble, with a large one the whole image moves.

    By default both are Simard's: α = 34 and σ = 4 for his 29 pixels, and r² α and r σ for r · 29 pixels on the longer
    side, which is the same distortion on a finer grid. The weights of the Gaussian sum to 1.

    References
    ----------
    Simard, Steinkraus, Platt 2003, Best practices for convolutional neural networks applied to visual document
    analysis, §2.
    """
    check_images(images)
    require.generator(rng)
    height, width = images.shape[1:3]
    ratio = max(height, width) / SIMARD
    alpha = 34.0 * ratio**2 if alpha is None else require.between("alpha", alpha, 0)
    sigma = max(4.0 * ratio, 1e-3) if sigma is None else require.between("sigma", sigma, 0, open_low=True)
    rows, columns = grid(height, width)

    def positions(chunk: slice) -> tuple[Array, Array]:
        count = len(images[chunk])
        noise = rng.random((count, height, width, 2), dtype=np.float32)
        displacement = alpha * blurred(2 * noise - 1, sigma)
        return rows + displacement[..., 0], columns + displacement[..., 1]

    return in_chunks(images, (height, width), positions)


def translate(images: Float[Array, "n h w c"], by: Int[Array, "n 2"]) -> Float[Array, "n h w c"]:
    """out[i, y, x] = images[i, y − by[i, 0], x − by[i, 1]]: by whole pixels down and to the right, 0 outside."""
    check_images(images)
    if not np.issubdtype(getattr(by, "dtype", None), np.integer) or by.shape != (len(images), 2):
        raise ValueError(f"by must be integers with the shape ({len(images)}, 2), pixels down and to the right")
    height, width = images.shape[1:3]
    out = np.zeros_like(images)
    for down, right in np.unique(by, axis=0):
        if abs(down) < height and abs(right) < width:
            mine = np.flatnonzero((by == (down, right)).all(axis=1))
            to, source = zip(_overlap(down, height), _overlap(right, width), strict=True)
            out[mine, *to] = images[mine, *source]
    return out


def _overlap(step: int, length: int) -> tuple[slice, slice]:
    """The part that is still inside after a step, in the result and in the image."""
    return slice(max(step, 0), length + min(step, 0)), slice(max(-step, 0), length + min(-step, 0))


def random_shift(images: Float[Array, "n h w c"], rng: Generator, pixels: int = 2) -> Float[Array, "n h w c"]:
    """Translate each image by whole pixels, uniformly up to `pixels` along each axis; 0 outside."""
    check_images(images)
    require.generator(rng)
    require.whole("pixels", pixels, 0)
    return translate(images, rng.integers(-pixels, pixels + 1, (len(images), 2)))


def dihedral(
    images: Float[Array, "n h h c"], labels: Int[Array, "n"]
) -> tuple[Float[Array, "8n h h c"], Int[Array, "8n"]]:
    """Return every image in the eight poses of a square, with the labels 8 · label + pose: eight times the classes.

    The poses are those of `datasets.rotated`. A letter that is its own mirror image becomes classes that look alike.
    """
    check_images(images)
    labels = _arrays.labels("labels", labels)
    require.class_labels(labels, len(images), numbers=True)
    poses = np.tile(np.arange(8), len(images))
    return rotated(np.repeat(images, 8, axis=0), poses), 8 * np.repeat(labels, 8) + poses
