"""Two small sets for figures: points in the plane, and letters in known poses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .pen_glyphs import Lines, affine, ink, skeletons, splat

if TYPE_CHECKING:
    from ..typing import Array, Generator


class Points(NamedTuple):
    """points : (n, 2) float32;   labels : (n,) integers."""

    points: Array
    labels: Array


def plane(rng: Generator, classes: int = 3, per_class: int = 50, noise: float = 0.12) -> Points:
    """A spiral with one arm per class: no line separates the classes, but near neighbours have the same class."""
    require.generator(rng)
    require.whole("classes", classes, 1)
    require.whole("per_class", per_class, 1)
    noise = require.between("noise", noise, 0)
    labels = np.repeat(np.arange(classes), per_class)
    along = np.tile(np.linspace(0.15, 1, per_class), classes)
    angle = 2 * np.pi * labels / classes + 3.5 * along + noise * rng.normal(size=len(labels))
    points = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Points(points.astype(np.float32), labels)


class Posed(NamedTuple):
    """Letters in known poses, one entry per image.

    images : (n, size, size, 1) float32;   labels : (n,) the number of the letter
    angle : (n,) radians;   shift : (n, 2) pixels to the right and down
    """

    images: Array
    labels: Array
    angle: Array
    shift: Array


def posed_glyphs(letters: str = "RGK", angles: int = 12, shifts: tuple[int, ...] = (-3, 0, 3), size: int = 28) -> Posed:
    """Every letter at `angles` equally spaced angles and at every horizontal shift; nothing is random."""
    require.whole("angles", angles, 1)
    require.whole("size", size, 14)
    known = skeletons()
    missing = [letter for letter in letters if ord(letter) not in known.codes]
    if missing or not letters:
        raise ValueError(
            f"no skeleton for {''.join(missing) or 'an empty string'}: take some of "
            "''.join(map(chr, datasets.skeletons().codes))"
        )
    which, step, move = (
        axis.ravel()
        for axis in np.meshgrid(np.arange(len(letters)), np.arange(angles), np.array(shifts), indexing="ij")
    )
    rows = np.array([np.flatnonzero(known.codes == ord(letter))[0] for letter in letters])
    lines = Lines.of(known.bones[rows[which]])
    angle = (2 * np.pi * step / angles).astype(np.float32)
    zero = np.zeros_like(angle)
    shift = np.stack([move, np.zeros_like(move)], axis=1).astype(np.float32)
    log_size = np.full_like(angle, -0.25)  # smaller, so that no pose touches the edge
    pages = splat(lines.places, lines, affine(angle, zero, log_size, zero), shift, size)
    return Posed(ink(pages, np.full(len(pages), 0.4, np.float32))[..., None], which, angle, shift)
