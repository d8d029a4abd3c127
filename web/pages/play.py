"""The first state of each Play page, which it shows before Python is started; the Python of the page computes it."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

WEB = Path(__file__).parents[1]
sys.path[:0] = [str(WEB), str(WEB / "python")]
import encoder  # noqa: E402
from page import play, train  # noqa: E402

from minisiam import datasets  # noqa: E402
from minisiam.datasets.pen_glyphs import skeletons  # noqa: E402

FIRST = {
    "points": [[-0.5, 0.25], [0.75, 0.85], [0.35, -0.6], [1.5, -0.35], [-1.45, -0.5], [-1.0, 1.35]],
    "labels": [0, 0, 1, 1, 2, 2],
    "distance": "l2",
    "loss": "hinge",
    "miner": "batch-hard",
    "constants": {"margin": 0.5},
    "anchor": 0,
}
LETTERS = "ЖЗФЪЮЯ"
SIDE, DRAWERS, TRAINED_ON = 14, 40, 26
TRAINING = {"method": "contrastive, all pairs", "margin": 1.0, "rate": 0.01, "width": 64, "normalize": False, "seed": 0}


def write(folder: Path) -> None:
    """Write the first state of each page beside the page."""
    (folder / "play").mkdir(exist_ok=True)
    scene = {"choices": play.choices(), "scene": FIRST, "answer": play.forces(FIRST)}
    embed(folder / "play" / "scene.html", "scene", scene)
    embed(folder / "play" / "training.html", "training", training())
    embed(folder / "play" / "drawing.html", "drawing", encoder.ensure())


def training() -> dict[str, Any]:
    """Drawings of six letters, what can be selected, and a run of the first settings."""
    data = datasets.pen_glyphs(DRAWERS, SIDE)
    numbers = [int(np.flatnonzero(skeletons().codes == ord(letter))[0]) for letter in LETTERS]
    some = data.where(np.isin(data.labels, numbers))
    images = base64.b64encode(np.rint(255 * some.images).astype(np.uint8).tobytes()).decode()
    labels, held_out = np.searchsorted(numbers, some.labels).tolist(), (some.drawers >= TRAINED_ON).tolist()
    return {
        "drawings": {"images": images, "labels": labels, "heldOut": held_out},
        "letters": list(LETTERS),
        "methods": {name: {"margin": method.has_margin, "kind": method.kind} for name, method in train.METHODS.items()},
        "settings": TRAINING,
        "pixels": train.load(images, labels, held_out)["pixels"],
        "states": [train.begin(TRAINING), train.advance(150)],
    }


def embed(path: Path, name: str, data: dict[str, Any]) -> None:
    """Write data as JSON inside an element that a script of the page reads."""
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    path.write_text(f'<script type="application/json" id="{name}">{text}</script>\n', encoding="utf-8")
