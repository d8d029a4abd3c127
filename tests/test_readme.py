"""What the README says, runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from minisiam import distances

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
