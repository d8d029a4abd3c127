"""The README is short, its code runs, and what it counts is counted."""

import re
from pathlib import Path

import numpy as np
import pytest

from minisiam import distances
from minisiam.course import EXERCISES

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)


def test_the_readme_is_at_most_7_kb():
    assert len(README.read_bytes()) <= 7000


def test_the_printed_op_equals_the_library_op(rng):
    printed = {}
    exec(BLOCKS[0], printed)
    a, b, dd = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
    a[0] = b[0]  # the kink
    for ours, theirs in zip(distances.l2(a, b)[1](dd), printed["l2"](a, b)[1](dd), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_trained_network_reaches_the_printed_accuracy():
    namespace = {}
    for block in BLOCKS:
        exec(block, namespace)
    printed = re.search(r"prints `([\d.]+) % \(([\d.]+) to ([\d.]+)\)`", README.read_text())
    accuracy, low, high = (float(number) / 100 for number in printed.groups())
    assert low <= namespace["score"].accuracy <= high
    assert namespace["score"].accuracy == pytest.approx(accuracy, abs=0.005)


COUNTS = {
    r"(\w+) exercises": len(EXERCISES),
    r"(\w+) lessons in which": len(list((ROOT / "lessons").glob("[0-9]*.py"))),
    r"of (\w+) famous mistakes": len(list((ROOT / "lessons" / "museum").glob("*.py"))),
}
WORDS = {"ten": 10, "nineteen": 19}


@pytest.mark.parametrize("phrase", COUNTS)
def test_a_count_in_the_readme_is_correct(phrase):
    found = re.findall(phrase, README.read_text())
    assert found, "the sentence is gone: remove its phrase here"
    assert {WORDS.get(word) or int(word) for word in found} == {COUNTS[phrase]}
