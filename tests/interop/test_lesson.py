"""The cells of lesson 14 that need PyTorch run, and their assertions hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.interop


def test_our_weights_give_the_same_loss_in_pytorch(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, str(ROOT / "lessons" / "14_tape.py"), "--save", str(tmp_path)]
    env = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    here, there = done.stdout.split("loss here ")[1].split(", there ")
    assert abs(float(here) - float(there)) < 1e-12
