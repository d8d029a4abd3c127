"""Exhibits are tests of what they say: wrong code, on which a property fails, and the library, for which it holds."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
HALL = ROOT / "lessons" / "museum"
EXHIBITS = sorted(HALL.glob("*.py"), key=lambda path: int(path.stem.split("_")[0]))

each_exhibit = pytest.mark.parametrize("path", EXHIBITS, ids=lambda path: path.stem)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXHIBITS, ids=lambda path: path.stem)
def test_it_runs_without_a_screen_and_leaves_its_figure(path, tmp_path):
    command = [sys.executable, "-W", "error", str(path), "--save", str(tmp_path / "figures")]
    env = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (figure,) = (tmp_path / "figures").iterdir()
    assert figure.name == f"museum_{path.stem}.png"
    assert np.ptp(plt.imread(figure)[..., :3]) == 1, "it has white and black"


@each_exhibit
def test_it_shows_code_and_curve_and_ends_with_a_property_that_tells_wrong_from_right(path):
    text = path.read_text()
    places = [
        text.find(f"# ## {head}\n")
        for head in ("The code", "What it looks like", "The property that would have caught it")
    ]
    assert -1 < places[0] < places[1] < places[2]
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    of_property = functions[-1]
    assert f"\nassert not {of_property}(wrong)\n" in text
    assert re.search(rf"\nassert {of_property}\((?!wrong)", text)


@each_exhibit
def test_it_names_a_public_thread_and_is_short(path):
    text = path.read_text()
    assert re.search(r"\b[\w-]+/[\w-]+#\d+", text)
    assert len(text.splitlines()) <= 100


def test_all_exhibits_hang_in_the_hall():
    listed = re.findall(r"\]\((\d+_\w+\.py)\)", (HALL / "README.md").read_text())
    assert listed == [path.name for path in EXHIBITS]
    assert [path.stem.split("_")[0] for path in EXHIBITS] == [str(number) for number in range(1, 11)]
