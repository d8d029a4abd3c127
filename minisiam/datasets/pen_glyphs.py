"""Pen glyphs: letters of many alphabets in twenty simulated hands. They ship with the package.

`penglyphs.npz` holds 1,377 letter skeletons of 31 scripts, one pixel wide, thinned from the fonts DejaVu and STIX.
Each simulated drawer draws each letter once. A drawer has a style (rotation, slant, size, proportion, pen) for each
alphabet, and each drawing has its own random bend, shift and tremor. The protocol is Omniglot's (Lake et al. 2015).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import Dataset

if TYPE_CHECKING:
    from ..typing import Array, Generator

# standard deviations of a style of strength 1: rotation and slant in radians, size and proportion as logarithms
STYLE = np.array([0.10, 0.18, 0.10, 0.11], np.float32)
# waves that bend the lines, as (wave number, amplitude) in half-widths of the glyph: three slow ones and a tremor
WAVES = ((1.6, 0.09), (1.6, 0.09), (1.6, 0.09), (6.0, 0.02))


class Skeletons(NamedTuple):
    """Letters as one-pixel-wide lines.

    bones : (n, 64, 64) bool
    groups : (n,) the alphabet's number
    names : the alphabets' names
    codes : (n,) Unicode code points
    """

    bones: Array
    groups: Array
    names: tuple[str, ...]
    codes: Array


def skeletons() -> Skeletons:
    """Load the letters that ship with the package."""
    with Path(__file__).with_name("penglyphs.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        bones = np.unpackbits(stored["bones"], axis=1).reshape(-1, 64, 64).astype(bool)
        return Skeletons(bones, stored["alphabet"].astype(int), tuple(stored["alphabets"].tolist()), stored["codes"])


def pen_glyphs(
    drawers: int = 20, size: int = 28, rng: Generator | None = None, style: float = 0.75, warp: float = 0.75
) -> Dataset:
    """Draw every letter once per drawer.

    Parameters
    ----------
    drawers
        The number of simulated drawers. The first drawers do not depend on this number.
    size
        Pixels per side, 14 to 56; `datasets.resized` makes larger images.
    rng
        The random generator. The default, `np.random.default_rng(0)`, gives the standard set.
    style, warp
        The strength of the differences between drawers, and of the bending of lines: 0 for print, 0.75 for the standard
        set.

    Returns
    -------
    Dataset
        1,377 classes × `drawers` images in 31 alphabets, class by class.
    """
    require.whole("drawers", drawers, 1)
    require.whole("size", size, 14)
    if size > 56:
        raise ValueError(f"size must be between 14 and 56 pixels, not {size}: datasets.resized makes larger images")
    style, warp = require.between("style", style, 0), require.between("warp", warp, 0)
    rng = np.random.default_rng(0) if rng is None else rng
    require.generator(rng)
    letters = skeletons()
    lines = Lines.of(letters.bones)
    drawn = [_one_drawer(lines, letters.groups, size, rng, style, warp) for _ in range(drawers)]
    classes = np.arange(len(letters.bones))
    return Dataset(
        images=np.stack(drawn, axis=1).reshape(-1, size, size, 1),
        labels=np.repeat(classes, drawers),
        groups=np.repeat(letters.groups, drawers),
        drawers=np.tile(np.arange(drawers), len(classes)),
        names=letters.names,
    )


class Lines(NamedTuple):
    """Skeletons as points, with position in [−1, 1]², glyph, and amount of ink.

    places : (points, 2) as (x, y);   owner : (points,) number of the glyph;   ink : (points,);   glyphs : their number
    """

    places: Array
    owner: Array
    ink: Array
    glyphs: int

    @classmethod
    def of(cls, bones: Array) -> Lines:
        """The set pixels of (n, 64, 64) skeletons. Isolated points get more ink, so that dots are visible."""
        owner, row, column = np.nonzero(bones)
        places = np.stack([column, row], axis=1).astype(np.float32) * (2 / (bones.shape[1] - 1)) - 1
        around = np.pad(bones.astype(np.float32), ((0, 0), (3, 3), (3, 3)))
        for _ in range(3):
            around = smooth(around, np.full(len(bones), 0.24, np.float32))
        density = around[owner, row + 3, column + 3]
        return cls(places, owner, np.clip(0.3 / density, 0.9, 4.0), len(bones))


def _one_drawer(lines: Lines, groups: Array, size: int, rng: Generator, style: float, warp: float) -> Array:
    """One drawing of every glyph, (n, size, size)."""
    n = lines.glyphs
    of_drawer = _normal(rng, int(groups.max()) + 1, 5)[groups]  # one style per alphabet
    of_drawing = _normal(rng, n, 5)
    angle, slant, log_size, log_ratio = style * STYLE[:, None] * (0.75 * of_drawer + 0.65 * of_drawing)[:, :4].T
    bent = lines.places + warp * _bend(lines, rng)
    shift = style * 0.7 * _normal(rng, n, 2)
    pages = splat(bent, lines, affine(angle, slant, log_size, log_ratio), shift, size)
    return ink(pages, 1 / (1 + np.exp(0.8 - of_drawer[:, 4] - 0.3 * of_drawing[:, 4])))


def affine(angle: Array, slant: Array, log_size: Array, log_ratio: Array) -> Array:
    """(n, 2, 2) matrices: scale by exp(log_size ± log_ratio), slant, then rotate by the angle."""
    c, s, sx, sy = np.cos(angle), np.sin(angle), np.exp(log_size + log_ratio), np.exp(log_size - log_ratio)
    return np.stack([c * sx, (c * slant - s) * sy, s * sx, (s * slant + c) * sy], axis=1).reshape(-1, 2, 2)


def _bend(lines: Lines, rng: Generator) -> Array:
    """The displacement of each point, (points, 2): a sum of plane waves, different for every glyph."""
    displacement = np.zeros_like(lines.places)
    for pitch, amplitude in WAVES:
        direction = pitch * _normal(rng, lines.glyphs, 2)
        phase = 2 * np.pi * rng.random(lines.glyphs, dtype=np.float32)
        angle = (direction[lines.owner] * lines.places).sum(axis=1) + phase[lines.owner]
        displacement += (amplitude * _normal(rng, lines.glyphs, 2))[lines.owner] * np.sin(angle)[:, None]
    return displacement


def splat(places: Array, lines: Lines, matrices: Array, shift: Array, size: int) -> Array:
    """Transform points and draw them onto pages (n, size, size); each is divided among the four nearest pixels."""
    scale = size / 2 - 1.5
    at = scale * (matrices[lines.owner] @ places[:, :, None])[:, :, 0] + ((size - 1) / 2 + shift)[lines.owner]
    x, y = np.clip(at, 1, size - 2.01).T
    left, top = x.astype(int), y.astype(int)
    right_share, low_share = x - left, y - top
    corner = (lines.owner * size + top) * size + left
    pages = np.zeros(lines.glyphs * size * size)
    for step, share in (
        (0, (1 - right_share) * (1 - low_share)),
        (1, right_share * (1 - low_share)),
        (size, (1 - right_share) * low_share),
        (size + 1, right_share * low_share),
    ):
        pages += np.bincount(corner + step, share * lines.ink, len(pages))
    return pages.reshape(lines.glyphs, size, size).astype(np.float32)


def ink(pages: Array, pen: Array) -> Array:
    """Turn points into pen strokes, with values in [0, 1] in steps of 1/255; `pen` is 0 for a fine pen, 1 for felt."""
    scale = (pages.shape[1] / 28) ** 2  # on a larger page lines are wider, and their points are farther apart
    passes = int(np.ceil(scale))
    for _ in range(passes):
        pages = smooth(pages, (0.1 + 0.22 * pen) * scale / passes)
    grey = (0.85 + 1.0 * pen)[:, None, None] * scale * pages - 0.15
    return np.rint(255 * np.clip(grey, 0, 1)).astype(np.float32) / 255


def smooth(pages: Array, weight: Array) -> Array:
    """Blur rows and columns: each pixel gives `weight` to each of its two neighbours, a variance of 2·weight."""
    w = weight.astype(np.float32)[:, None, None]
    for axis in (1, 2):
        before, after = np.roll(pages, 1, axis), np.roll(pages, -1, axis)
        pages = pages + w * (before + after - 2 * pages)
    return pages


def _normal(rng: Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)
