"""Lessons are tests of what they say: each runs without a screen, with warnings as errors, and leaves its figures."""

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
LESSONS = sorted((ROOT / "lessons").glob("[0-9]*.py"))
CODE = ("# %%", '# %% tags=["convnet"]')  # the web site keeps the output of cells that train a convolutional network
OPENING = ("*You will see:*", "*Time:*", "*Needs:*")

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def cells(path):
    """(kind, text) of each py:percent cell: markdown without its comment signs, code as it is."""
    marker, *rest = re.split(r"^(# %%.*)\n", path.read_text(), flags=re.MULTILINE)
    assert marker == "", "a lesson begins with a cell"
    for head, body in zip(rest[::2], rest[1::2], strict=True):
        assert head in (*CODE, "# %% [markdown]"), head
        if head in CODE:
            yield "code", body
        else:
            lines = body.strip().splitlines()
            assert all(line == "#" or line.startswith("# ") for line in lines), "prose is all comments"
            yield "markdown", "\n".join(line[2:] for line in lines)


def promised(path):
    """The names of its figures: the second argument of every call of `show`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {call.args[1].value for call in calls if isinstance(call.func, ast.Name) and call.func.id == "show"}


LONG = ("01", "04", "05", "06", "09", "11", "13", "15", "16", "17", "18")  # three seconds or more


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * path.stem.startswith(LONG)) for path in LESSONS],
)
def test_it_runs_without_a_screen_and_leaves_the_figures_it_promises(path, tmp_path):
    command = [sys.executable, "-W", "error", str(path), "--save", str(tmp_path / "figures")]
    env = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    written = {file.stem: file for file in (tmp_path / "figures").iterdir()}
    assert written.keys() == promised(path)
    assert all(np.ptp(plt.imread(file)[..., :3]) == 1 for file in written.values()), "a figure has white and black"
    assert [file.name for file in tmp_path.iterdir()] == ["figures"], "it leaves nothing else behind"


@each_lesson
def test_it_opens_with_what_it_gives_and_asks_for_and_ends_with_your_turn(path):
    (kind, first), *_, (last_kind, last) = cells(path)
    assert (kind, last_kind) == ("markdown", "markdown")
    assert first.startswith(f"# {path.stem[:2]} · ")
    places = [first.find(word) for word in OPENING]
    assert -1 < places[0] < places[1] < places[2]
    assert last.startswith("## Your turn\n")


@each_lesson
def test_every_code_cell_stands_on_its_own_and_claims_are_asserted(path):
    code = [ast.parse(text) for kind, text in cells(path) if kind == "code"]
    assert sum(isinstance(node, ast.Assert) for cell in code for node in ast.walk(cell)) >= 5


@each_lesson
def test_it_is_short_and_its_figures_are_one_or_two_and_bear_its_name(path):
    assert len(path.read_text().splitlines()) <= 200
    assert 1 <= len(promised(path)) <= 2
    assert all(name.startswith(path.stem[:2] + "_") for name in promised(path))


@each_lesson
def test_exercises_are_started_by_name(path):
    lines = [line for line in path.read_text().splitlines() if "minisiam learn start" in line]
    assert all(re.fullmatch(r"#     minisiam learn start [a-z0-9-]+( +#.*)?", line) for line in lines)


@each_lesson
def test_its_exercises_are_those_that_belong_to_it(path):
    exercises = pytest.importorskip("minisiam.course.exercises").EXERCISES
    started = re.findall(r"minisiam learn start ([a-z0-9-]+)", path.read_text())
    assert started == [exercise.name for exercise in exercises if exercise.lesson == path.stem[:2]]


def test_lessons_are_numbered_without_gaps_and_all_are_in_the_readme():
    numbers = [path.stem[:2] for path in LESSONS]
    kept = re.findall(r"^Number (\d\d) is kept for", (ROOT / "lessons" / "README.md").read_text(), flags=re.M)
    assert sorted(numbers + kept) == [f"{number:02}" for number in range(len(numbers + kept))]
    listed = re.findall(r"\]\((\d\d_\w+\.py)\)", (ROOT / "lessons" / "README.md").read_text())
    assert {path.name for path in LESSONS} <= set(listed)
    assert listed == sorted(listed)


@pytest.mark.slow
def test_a_lesson_without_its_asserts_does_not_start():
    for path in (LESSONS[0], ROOT / "lessons" / "museum" / "1_labels.py"):
        done = subprocess.run([sys.executable, "-O", path], capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout == ""
        assert "run it without -O" in done.stderr and "Traceback" not in done.stderr


def test_nothing_tells_people_to_install_the_package_from_an_index():
    files = [path for folder in ("lessons", "docs", "minisiam") for path in (ROOT / folder).rglob("*.[pm][yd]")]
    for path in (*files, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        assert not re.search(r"install\s+(-U\s+)?['\"]?minisiam", path.read_text(encoding="utf-8")), path
