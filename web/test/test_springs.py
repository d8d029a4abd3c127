"""What the start page computes in JavaScript is the contrastive loss of the library."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

from minisiam import distances, losses

HERE = Path(__file__).parent


def by_library(points, margin):
    """Value and forces of an anchor with a point of its class and a point of another class."""
    z = np.array(points)
    d, pull_d = distances.l2(z[[0, 0]], z[1:])
    value, pull = losses.contrastive(d, np.array([True, False]), margin=margin, reduction="sum")
    danchor, dothers = pull_d(*pull(1.0))
    return value, -np.vstack([danchor.sum(axis=0), dothers])


def test_the_springs_of_the_start_page_are_the_contrastive_loss():
    margin = 1.4
    scenes = np.random.default_rng(0).normal(size=(100, 3, 2))
    scenes[0, 2] = scenes[0, 0]  # at distance 0 there is no direction
    command = ["node", str(HERE / "springs.mjs"), json.dumps(scenes.tolist()), json.dumps(margin)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    pushed = 0
    for points, ours in zip(scenes, found, strict=True):
        value, forces = by_library(points, margin)
        assert np.isclose(ours["value"], value)
        assert np.allclose(ours["forces"], forces)
        pushed += bool(forces[2].any())
    assert 20 < pushed < 80
