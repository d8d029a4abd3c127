"""The Python of the Play pages, without a browser."""

from __future__ import annotations

import base64
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from minisiam import losses, miners, pairwise
from minisiam.analysis import forces as xrays

sys.path.insert(0, str(Path(__file__).parents[2] / "web" / "python"))
from page import play

POINTS = [[-0.9, 0.5], [0.7, 0.7], [0.1, -0.2], [1.2, -0.8], [-0.8, -0.9]]
CHOICES = play.choices()


def scene(**changes):
    settings = {"points": POINTS, "labels": [0, 0, 1, 1, 2], "distance": "l2", "loss": "hinge", "miner": "batch-hard"}
    return settings | {"constants": {"margin": 0.5}} | changes


def with_loss(loss, **changes):
    """A scene with the usual distance, miner and constants of a loss."""
    known = CHOICES["losses"][loss]
    constants = {name: slider[0] for name, slider in known["constants"].items()}
    miner = CHOICES["usualMiner"].get(known["kind"])
    return scene(loss=loss, distance=known["distance"], miner=miner, constants=constants) | changes


def matrix(found):
    return np.frombuffer(base64.b64decode(found["F"]), "<f4").reshape(len(found["forces"]), -1)


def test_the_scene_is_the_xray_of_the_library():
    found = play.forces(scene())
    loss = losses.with_miner(partial(losses.triplet_hinge, margin=0.5), miners.batch_hard)
    x = xrays.xray(loss, np.array(POINTS), np.array([0, 0, 1, 1, 2]), pairwise.l2, margin=0.5)
    assert found["value"] == x.value
    assert np.allclose(found["forces"], x.net)
    assert np.array_equal(matrix(found), x.F.astype(np.float32))


@pytest.mark.parametrize("loss", CHOICES["losses"])
def test_the_copied_code_computes_the_value_on_the_page(loss):
    settings = with_loss(loss)
    names = {}
    exec(play.code(settings).replace("print(x)", ""), names)
    found = play.forces(settings)
    assert names["x"].value == pytest.approx(found["value"], abs=1e-12)
    assert np.allclose(names["x"].net, found["forces"])


@pytest.mark.parametrize("kind", CHOICES["miners"])
def test_every_miner_chooses_pairs_of_the_scene(kind):
    for miner in CHOICES["miners"][kind]:
        settings = scene(
            loss={"pairs": "contrastive", "triplets": "hinge"}[kind], miner=miner, constants={"margin": 0.5}
        )
        lines = play.forces(settings)["lines"]
        assert lines, miner
        assert all(i < j for i, j in lines), miner
        assert (
            miner in {"easy", "batch-easy-hard"} or matrix(play.forces(settings))[tuple(np.transpose(lines))].any()
        ), miner
        names = {}
        exec(play.code(settings), names)
        assert names["x"].value == pytest.approx(play.forces(settings)["value"]), miner


def test_a_batch_of_one_class_gives_the_message_of_the_library():
    assert "no negative" in play.forces(scene(labels=[0] * 5))["error"]
    assert "no positive" in play.forces(scene(labels=[0, 1, 2, 3, 4]))["error"]


def test_a_loss_on_angles_refuses_another_distance():
    assert "use --distance cosine" in play.forces(with_loss("circle", distance="l2"))["error"]
    assert "no zero" in play.forces(with_loss("contrastive", distance="dot"))["error"]


def test_the_zones_are_those_of_the_loss():
    near = np.hypot(1.6, 0.2)
    hinge = play.forces(scene())["zones"]
    assert [zone["name"] for zone in hinge] == ["hard", "semi-hard", "easy"]
    assert np.allclose([zone["level"] for zone in hinge[:2]], [near, near + 0.5])
    assert play.forces(with_loss("contrastive"))["zones"][0] == {"name": "inside the margin", "level": 1.0}
    assert play.forces(with_loss("cosine-embedding", constants={"margin": 0.3}))["zones"][0]["level"] == 0.7
    assert play.forces(with_loss("supcon"))["zones"] == []


def test_losses_with_learned_parameters_are_left_out():
    assert "margin-loss" not in CHOICES["losses"]
    assert {"contrastive", "hinge", "supcon", "circle"} <= set(CHOICES["losses"])
    assert "distance-weighted" not in CHOICES["miners"]["triplets"]
