"""Name a drawn letter: the strokes become an image like those of the training, and a gallery is searched for it."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import minisiam as ms
from minisiam import gallery
from minisiam.datasets.pen_glyphs import Lines, ink, splat

if TYPE_CHECKING:
    from minisiam.app.model import Model
    from minisiam.gallery import Gallery
    from minisiam.typing import Array

CELLS = 64  # a side of a skeleton, as in `datasets.pen_glyphs`
EXTENT = 46  # cells of the longer side of a letter, the median of the skeletons
SIZE = 28  # pixels a side of the image
PEN = 0.31  # the width of the pen: that of the average drawer, 1 / (1 + exp(0.8))

model: Model
galleries: dict[str, Gallery] = {}


def load(files: dict[str, str]) -> str:
    """Load the run from its files, each base64; returns how the model describes itself."""
    global model
    folder = Path(tempfile.mkdtemp())
    for name, text in files.items():
        (folder / name).write_bytes(base64.b64decode(text))
    model = ms.load(folder)
    return repr(model)


def enrol(name: str, file: str) -> int:
    """Load the gallery of an alphabet, base64; returns how many names it has."""
    path = Path(tempfile.mkdtemp()) / "gallery.npz"
    path.write_bytes(base64.b64decode(file))
    galleries[name] = gallery.load(path)
    return len(np.unique(galleries[name].names))


def name_strokes(alphabet: str, threshold: float, strokes: list[list[list[float]]]) -> dict[str, Any]:
    """What the drawing shows; strokes are lists of [x, y], with y downwards, in any unit."""
    return named(alphabet, threshold, image_of(strokes))


def name_pixels(alphabet: str, threshold: float, pixels: list[int]) -> dict[str, Any]:
    """What an image of 28 × 28 pixels shows; from 0 to 255, white ink on black."""
    return named(alphabet, threshold, np.array(pixels, np.float32).reshape(SIZE, SIZE) / 255)


def named(alphabet: str, threshold: float, image: Array) -> dict[str, Any]:
    """The name, or None for an unknown letter; all names with the distance of their nearest example; the image."""
    people = galleries[alphabet]
    z = model.embed(image)
    (name,) = gallery.identify(people, z, threshold, model.matrix)
    found = gallery.search(people, z, len(people.names), model.matrix)
    nearest = dict(zip(found.names[0][::-1].tolist(), found.distances[0][::-1].tolist(), strict=True))
    return {
        "name": name,
        "nearest": sorted(nearest.items(), key=lambda item: item[1]),
        "image": np.rint(255 * image).astype(int).ravel().tolist(),
    }


def image_of(strokes: list[list[list[float]]]) -> Array:
    """(28, 28): the drawing as a one-pixel skeleton, drawn with the pen of `datasets.pen_glyphs` in an average hand."""
    page = splat((lines := Lines.of(skeleton(strokes)[None])).places, lines, np.eye(2)[None], np.zeros((1, 2)), SIZE)
    return ink(page, np.array([PEN]))[0]


def skeleton(strokes: list[list[list[float]]]) -> Array:
    """(64, 64) bool: the strokes as lines one cell wide, centred, as long on their longer side as most letters."""
    ends = [np.array(stroke, float) for stroke in strokes]
    low, high = (function(np.concatenate(ends), axis=0) for function in (np.min, np.max))
    scale = (EXTENT - 1) / max(*(high - low), 1e-9)
    cells = np.zeros((CELLS, CELLS), bool)
    for stroke in ends:
        x, y = np.rint((along(stroke) - (low + high) / 2) * scale + (CELLS - 1) / 2).astype(int).T
        cells[y, x] = True
    return cells


def along(stroke: Array, parts: int = 64) -> Array:
    """Many points on the lines between the points of a stroke."""
    share = np.linspace(0, 1, parts)[:, None, None]
    return ((1 - share) * stroke[:-1] + share * stroke[1:]).reshape(-1, 2) if len(stroke) > 1 else stroke
