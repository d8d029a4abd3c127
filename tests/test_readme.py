"""What the README says, runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from minisiam import distances, losses, miners
from minisiam.app import loss_registry
from minisiam.course import EXERCISES
from minisiam.gradcheck import kinks

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_code_of_the_readme_runs(number):
    exec(compile(BLOCKS[number], f"README block {number + 1}", "exec"), {"np": np})


def test_the_op_that_the_readme_prints_is_the_library_s(rng):
    found = {"np": np}
    exec(BLOCKS[0], found)
    a, b, dd = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
    for ours, printed in zip(distances.l2(a, b)[1](dd), found["l2"](a, b)[1](dd), strict=True):
        np.testing.assert_array_equal(ours, printed)


def test_every_picture_is_there():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / path).is_file()


FUNCTIONS = [name for name in losses.__all__ if getattr(getattr(losses, name), "is_op", False)]
ROOT = README.parent
COUNTS = {
    r"(\w+) loss functions": len(FUNCTIONS),
    r"\b(?:[Aa]ll|lists) (\w+) losses": len(loss_registry.LOSSES),
    r"any of (\w+) miners": len(miners.MINERS),
    r"sees: (\w+) rules": len(miners.MINERS),
    r"has (\w+) exercises": len(EXERCISES),
    r"to the number, (\w+) times": len(kinks.TABLE),
    r"are (\w+) scripts in cells": len(list((ROOT / "lessons").glob("*.py"))),
    r"has (\w+)\s+famous mistakes": len(list((ROOT / "lessons" / "museum").glob("*.py"))),
}
WORDS = {"eight": 8, "fifteen": 15, "sixteen": 16}


@pytest.mark.parametrize("phrase", COUNTS)
def test_a_count_in_the_prose_is_the_registry_s(phrase):
    found = re.findall(phrase, README.read_text())
    assert found, "the sentence has gone: change its phrase here"
    assert {WORDS.get(word) or int(word) for word in found} == {COUNTS[phrase]}


@pytest.mark.parametrize("path", ["README.md", "docs/teaching.md", "lessons/README.md", "CHANGELOG.md"])
def test_no_page_counts_losses_in_words(path):
    assert not re.search(r"\b(thirty|twenty-\w+|thirty-\w+) losses", (ROOT / path).read_text(), flags=re.I)


PROSE = ("*.md", "docs/*.md", "lessons/**/*.md", "lessons/**/*.py", "minisiam/**/*.py")


def test_pen_glyphs_are_said_to_be_simulated_wherever_their_hands_are_counted():
    """Their letters are font skeletons, redrawn by a random model; Omniglot's were drawn by people."""
    prose = [path for pattern in PROSE for path in ROOT.glob(pattern)]
    for path in prose:
        for sentence in re.split(r"(?<=[.])\s|\n\n", path.read_text()):
            if re.search(r"pen.?glyphs", sentence, flags=re.I) and re.search(r"\b(twenty|20) (people|hands)", sentence):
                assert "simulated" in sentence, (path, sentence)
