"""Pen glyphs: an alphabet you have never seen, drawn by twenty simulated hands. Ships with the package.

`penglyphs.npz` holds 1,377 letter skeletons of 31 scripts, one pixel wide, thinned from the fonts DejaVu and STIX.
Each is drawn again once per simulated drawer: every drawer has a hand (turn, slant, size, proportion, pen) for each
alphabet, and every single drawing bends, shifts and trembles in its own way, all at random. The protocol is Omniglot's
(Lake et al. 2015).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import Dataset

if TYPE_CHECKING:
    from ..typing import Array, Generator

# standard deviations of a hand at strength 1: turn and slant in radians, size and proportion as logarithms
HAND = np.array([0.10, 0.18, 0.10, 0.11], np.float32)
# how a line bends: waves across the glyph as (pitch, amplitude) in half-widths; three slow ones and a tremor
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
    """The shipped letters."""
    with Path(__file__).with_name("penglyphs.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        bones = np.unpackbits(stored["bones"], axis=1).reshape(-1, 64, 64).astype(bool)
        return Skeletons(bones, stored["alphabet"].astype(int), tuple(stored["alphabets"].tolist()), stored["codes"])


def pen_glyphs(
    drawers: int = 20, size: int = 28, rng: Generator | None = None, hand: float = 0.75, warp: float = 0.75
) -> Dataset:
    """Every letter drawn once by every drawer.

    Parameters
    ----------
    drawers
        How many. The first drawers are the same ones however many there are.
    size
        Pixels a side, 14 to 56; `datasets.resized` makes larger ones.
    rng
        Where chance comes from; without it the data set that everybody means, `np.random.default_rng(0)`.
    hand, warp
        How much the hands differ and how much a line bends: 0 for print, 0.75 for the standard set.

    Returns
    -------
    Dataset
        1,377 classes × `drawers` images in 31 alphabets, class by class.
    """
    require.whole("drawers", drawers, 1)
    require.whole("size", size, 14)
    if size > 56:
        raise ValueError(f"size must be between 14 and 56 pixels, not {size}: datasets.resized makes larger images")
    hand, warp = require.between("hand", hand, 0), require.between("warp", warp, 0)
    rng = np.random.default_rng(0) if rng is None else rng
    require.generator(rng)
    letters = skeletons()
    lines = Lines.of(letters.bones)
    drawn = [_one_drawer(lines, letters.groups, size, rng, hand, warp) for _ in range(drawers)]
    classes = np.arange(len(letters.bones))
    return Dataset(
        images=np.stack(drawn, axis=1).reshape(-1, size, size, 1),
        labels=np.repeat(classes, drawers),
        groups=np.repeat(letters.groups, drawers),
        drawers=np.tile(np.arange(drawers), len(classes)),
        names=letters.names,
    )


class Lines(NamedTuple):
    """Skeletons as points: where each lies in [−1, 1]², whose it is, how much ink it leaves.

    places : (points, 2) as (x, y);   owner : (points,) number of the glyph;   ink : (points,);   glyphs : how many
    """

    places: Array
    owner: Array
    ink: Array
    glyphs: int

    @classmethod
    def of(cls, bones: Array) -> Lines:
        """The set pixels of (n, 64, 64) skeletons. A lonely point gets more ink, so that dots stay visible."""
        owner, row, column = np.nonzero(bones)
        places = np.stack([column, row], axis=1).astype(np.float32) * (2 / (bones.shape[1] - 1)) - 1
        around = np.pad(bones.astype(np.float32), ((0, 0), (3, 3), (3, 3)))
        for _ in range(3):
            around = smooth(around, np.full(len(bones), 0.24, np.float32))
        crowd = around[owner, row + 3, column + 3]
        return cls(places, owner, np.clip(0.3 / crowd, 0.9, 4.0), len(bones))


def _one_drawer(lines: Lines, groups: Array, size: int, rng: Generator, hand: float, warp: float) -> Array:
    """One drawing of every glyph, (n, size, size)."""
    n = lines.glyphs
    style = _normal(rng, int(groups.max()) + 1, 5)[groups]  # of this drawer in this alphabet
    own = _normal(rng, n, 5)  # of this one drawing
    turn, slant, grow, ratio = hand * HAND[:, None] * (0.75 * style + 0.65 * own)[:, :4].T
    bent = lines.places + warp * _bend(lines, rng)
    shift = hand * 0.7 * _normal(rng, n, 2)
    pages = splat(bent, lines, affine(turn, slant, grow, ratio), shift, size)
    return ink(pages, 1 / (1 + np.exp(0.8 - style[:, 4] - 0.3 * own[:, 4])))


def affine(turn: Array, slant: Array, grow: Array, ratio: Array) -> Array:
    """(n, 2, 2) matrices: stretch by exp(grow ± ratio), slant, then turn."""
    c, s, sx, sy = np.cos(turn), np.sin(turn), np.exp(grow + ratio), np.exp(grow - ratio)
    return np.stack([c * sx, (c * slant - s) * sy, s * sx, (s * slant + c) * sy], axis=1).reshape(-1, 2, 2)


def _bend(lines: Lines, rng: Generator) -> Array:
    """How far each point is displaced, (points, 2): a sum of plane waves, different for every glyph."""
    displacement = np.zeros_like(lines.places)
    for pitch, amplitude in WAVES:
        direction = pitch * _normal(rng, lines.glyphs, 2)
        phase = 2 * np.pi * rng.random(lines.glyphs, dtype=np.float32)
        angle = (direction[lines.owner] * lines.places).sum(axis=1) + phase[lines.owner]
        displacement += (amplitude * _normal(rng, lines.glyphs, 2))[lines.owner] * np.sin(angle)[:, None]
    return displacement


def splat(places: Array, lines: Lines, matrices: Array, shift: Array, size: int) -> Array:
    """Points onto pages (n, size, size): turned and moved, each shared by the four pixels around it."""
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
    """Pages as a pen would have left them, values in [0, 1] in steps of 1/255; `pen` is 0 for fine and 1 for felt."""
    scale = (pages.shape[1] / 28) ** 2  # a line on a larger page is wider, and its points lie farther apart
    passes = int(np.ceil(scale))
    for _ in range(passes):
        pages = smooth(pages, (0.1 + 0.22 * pen) * scale / passes)
    grey = (0.85 + 1.0 * pen)[:, None, None] * scale * pages - 0.15
    return np.rint(255 * np.clip(grey, 0, 1)).astype(np.float32) / 255


def smooth(pages: Array, weight: Array) -> Array:
    """Each pixel shares `weight` with its neighbour on either side, along rows and along columns: variance 2·weight."""
    w = weight.astype(np.float32)[:, None, None]
    for axis in (1, 2):
        before, after = np.roll(pages, 1, axis), np.roll(pages, -1, axis)
        pages = pages + w * (before + after - 2 * pages)
    return pages


def _normal(rng: Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)
