"""A page of the site gives the terminal's verdict: `web/python/page/check.py` and the sandbox agree in every field."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from minisiam.course import find, sandbox, stubs

sys.path.append(str(Path(__file__).parents[2] / "web" / "python"))
from page.check import check


def filled(name, *lines):
    """The stub with these lines as the body."""
    text = stubs.stub(find(name))
    (hole,) = (line for line in text.splitlines() if "raise NotImplementedError" in line)
    return text.replace(hole, "\n".join(f"    {line}" for line in lines))


SLACK = ("n = len(d)", "slack = np.maximum(margin - d, 0)", "value = np.mean(np.where(same, d**2, slack**2)) / 2")
RIGHT = filled("squared-distance", "return np.sum((a - b) ** 2, axis=1)")
SIGNATURE = 'b: Float[Array, "n d"]'
ANSWERS = {
    "correct": ("squared-distance", RIGHT),
    "a wrong gradient": (
        "contrastive",
        filled("contrastive", *SLACK, "return value, lambda dl: (dl * np.where(same, d, slack) / n,)"),
    ),
    "a wrong miner": ("all-pairs", filled("all-pairs", "return miners.ordered_pairs(D, labels)")),
    "output": ("squared-distance", filled("squared-distance", "print('seen', a)", "return a")),
    "a syntax error": ("squared-distance", RIGHT.replace("axis=1)", "axis=1")),
    "an error in the file": ("squared-distance", f"1 / 0\n{RIGHT}"),
    "an error in the function": ("squared-distance", filled("squared-distance", "return 1 / 0")),
    "not started": ("squared-distance", stubs.stub(find("squared-distance"))),
    "sys.exit in the function": ("squared-distance", filled("squared-distance", "import sys; sys.exit(0)")),
    "sys.exit in the file": ("squared-distance", f"import sys\nsys.exit(0)\n{RIGHT}"),
    "another signature": ("squared-distance", RIGHT.replace(f", {SIGNATURE}", "")),
    "another name": ("squared-distance", RIGHT.replace("squared_l2", "squared")),
    "the library's function": ("squared-distance", "from minisiam.distances import squared_l2\n"),
    "zeros": ("squared-distance", "\0"),
}


@pytest.fixture(scope="module")
def grader():
    with sandbox.Grader() as one:
        yield one


@pytest.mark.parametrize("what", ANSWERS)
def test_a_page_gives_the_verdict_of_the_terminal(what, grader, tmp_path):
    name, text = ANSWERS[what]
    path = tmp_path / find(name).file
    path.write_text(text)
    terminal = sandbox.check(find(name), path, grader=grader)._asdict()
    page = check(name, text)
    assert page.pop("changed") is False
    shown = {field: value for field, value in terminal.items() if field in page and field != "seconds"}
    shown |= {field: shown[field].replace(f"{tmp_path}/", "") for field in ("message", "what")}
    assert {field: value for field, value in page.items() if field != "seconds"} == shown


def test_a_check_notices_what_an_answer_changes():
    text = filled("squared-distance", "np.sum = np.max", "return a")
    import numpy

    kept = numpy.sum
    try:
        assert check("squared-distance", text)["changed"] is True
    finally:
        numpy.sum = kept
