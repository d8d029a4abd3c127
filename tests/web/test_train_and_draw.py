"""The Python of the pages that train a network and name drawn letters, without a browser."""

from __future__ import annotations

import base64
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minisiam import encoders, evaluate, gallery, losses, networks, optimizers, pairwise, samplers, train
from minisiam.datasets.pen_glyphs import skeletons

sys.path.insert(0, str(Path(__file__).parents[2] / "web" / "python"))
from page import draw
from page import train as page

rng = np.random.default_rng(0)
LABELS = np.tile(np.arange(3), 20)
HELD_OUT = np.arange(60) >= 48
IMAGES = rng.integers(0, 256, (60, 5, 5, 1), np.uint8)
SETTINGS = {"method": "contrastive, all pairs", "margin": 1.0, "rate": 0.01, "width": 8, "normalize": False, "seed": 0}


@pytest.fixture(autouse=True)
def loaded():
    page.load(base64.b64encode(IMAGES.tobytes()).decode(), LABELS.tolist(), HELD_OUT.tolist())


def test_the_page_trains_as_the_library_does():
    page.begin(SETTINGS)
    found = page.advance(3)
    rng, encoder, images = np.random.default_rng(0), encoders.mlp(8, 2), IMAGES.astype(np.float32) / 255
    network = networks.batch(encoder, pairwise.l2, losses.all_pairs(partial(losses.contrastive, margin=1.0)))
    params = network.init(rng, (5, 5, 1))
    batches = samplers.pk(images[~HELD_OUT], LABELS[~HELD_OUT], rng, classes=3, per_class=page.PER_CLASS)
    steps = [next(fit) for fit in [train.fit(network, params, optimizers.adam(0.01), batches)] for _ in range(3)]
    z = evaluate.embed(encoder, steps[-1][2]["encoder"], images)
    assert found["step"] == 3
    assert found["losses"] == [value for _, value, _ in steps]
    assert np.allclose(found["z"], z, atol=1e-5)
    assert found["recall"] == evaluate.recall_at_k(z[HELD_OUT], LABELS[HELD_OUT])


@pytest.mark.parametrize("method", page.METHODS)
def test_every_method_makes_a_step(method):
    first = page.begin(SETTINGS | {"method": method, "normalize": True})
    assert np.allclose(np.linalg.norm(first["z"], axis=1), 1, atol=1e-4)
    second = page.advance(1)
    assert np.isfinite(second["losses"]).all()
    assert not np.allclose(first["z"], second["z"])


def test_a_collapsed_network_gets_the_message_of_the_library():
    page.begin(SETTINGS | {"method": "triplet hinge, batch-hard", "margin": 0.5})
    page.run.params["encoder"] = [tuple(np.zeros_like(part) for part in layer) for layer in page.run.params["encoder"]]
    found = page.state([0.5])
    assert found["spread"] == 0
    assert "the loss is the margin" in found["problems"][0]


def test_a_run_that_diverges_gets_the_message_of_the_library():
    page.begin(SETTINGS | {"rate": 1e30})
    with np.errstate(all="ignore"):
        assert "smaller learning rate" in page.advance(20)["error"]


def test_strokes_become_the_skeleton_whatever_their_size_and_place():
    square = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    cells = draw.skeleton([square])
    rows, columns = np.nonzero(cells)
    assert (np.ptp(rows), np.ptp(columns)) == (draw.EXTENT - 1, draw.EXTENT - 1)
    assert cells.sum() == 4 * (draw.EXTENT - 1)
    moved = [[300 * x + 20, 300 * y + 70] for x, y in square]
    assert np.array_equal(draw.skeleton([moved]), cells)
    assert draw.skeleton([[[3, 4]]]).sum() == 1  # a single dot


def test_a_drawing_has_as_much_ink_as_the_training_images():
    rows, columns = np.nonzero(skeletons().bones[12])
    dots = [[[int(x), int(y)]] for x, y in zip(columns, rows, strict=True)]
    image = draw.image_of(dots)
    assert image.shape == (28, 28)
    assert 0.02 < image.mean() < 0.3
    assert 0.5 < image.max() <= 1


def test_a_drawing_is_named_by_its_nearest_example_or_is_unknown():
    lines = {"bar": [[[0, 0], [0, 1]]], "dash": [[[0, 0], [1, 0]]], "cross": [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]}
    embed = lambda image: np.asarray(image, np.float32).reshape(1, -1)
    draw.model = SimpleNamespace(embed=embed, matrix=pairwise.l2)
    rows = np.concatenate([embed(draw.image_of(strokes)) for strokes in lines.values()])
    draw.galleries["signs"] = gallery.enrol(list(lines), rows)
    for name, strokes in lines.items():
        found = draw.name_strokes("signs", 0.1, strokes)
        assert found["name"] == found["nearest"][0][0] == name
        assert len(found["nearest"]) == 3
        assert found["nearest"] == sorted(found["nearest"], key=lambda item: item[1])
        assert draw.name_pixels("signs", 0.1, found["image"])["name"] == name
    assert draw.name_strokes("signs", 0.1, [[[0, 0], [1, 0], [0.5, 1], [0, 0]]])["name"] is None
