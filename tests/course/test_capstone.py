"""The capstone is cut from `lessons/siam.py`, and every known mistake is found at its step."""

import ast
import json
import tomllib
from pathlib import Path

import pytest

from minisiam.app import cli
from minisiam.course import EXERCISES, commands, find, one_page, progress, sandbox
from minisiam.course.graders import capstone, checked, grade
from minisiam.course.learner_file import function_of
from minisiam.course.mistakes.capstone import ON_PAGE, on_page
from minisiam.course.stubs import solution, stub
from minisiam.course.verdicts import Refused

CAPSTONE = find("capstone")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "lessons" / "siam.py").read_text(encoding="utf-8")
FIRST = {mistake.step: name for name, mistake in reversed(ON_PAGE.items())}  # of each step


def changed(*replacements):
    text = PAGE
    for right, other in replacements:
        assert text.count(right) == 1
        text = text.replace(right, other)
    namespace = {"__name__": "siam"}
    exec(text, namespace)
    return one_page.page_in(namespace)


def test_it_is_the_last_exercise_and_has_a_hint_for_each_step():
    assert EXERCISES[-1] is CAPSTONE
    assert len(CAPSTONE.hints) == len(one_page.STEPS) == len(capstone.GRADERS) == 12
    assert CAPSTONE.hint_names == tuple(f"step {n}" for n in range(1, 13))
    assert all(len(hint) > 20 for hint in CAPSTONE.hints)


def test_its_solution_is_the_page():
    assert solution(CAPSTONE) == PAGE.rstrip()


def test_its_file_is_the_page_with_a_hole_for_each_function():
    text = stub(CAPSTONE)
    functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    of_page = {node.name: node for node in ast.parse(PAGE).body if isinstance(node, ast.FunctionDef)}
    assert functions.keys() == of_page.keys()
    holes = [name for name, node in functions.items() if "NotImplementedError" in ast.unparse(node)]
    assert holes == list(one_page.functions())
    for name, node in functions.items():
        if name in holes:
            assert ast.unparse(node.args) == ast.unparse(of_page[name].args)
            assert ast.get_docstring(node) == ast.get_docstring(of_page[name])
            assert len(node.body) == 2
        else:
            assert ast.unparse(node) == ast.unparse(of_page[name])
    assert all(f"step {number}, {step.title}" in text for number, step in enumerate(one_page.STEPS[:-1], start=1))
    assert max(map(len, text.splitlines())) <= 120


def test_the_wheel_has_the_page_where_the_course_looks_for_it():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    ((source, target),) = wheel["force-include"].items()
    assert ROOT / source == one_page.path()
    assert ROOT / target == one_page.PLACES[0]


def test_a_new_file_is_open_at_the_first_step():
    namespace = {"__name__": CAPSTONE.file}
    exec(stub(CAPSTONE), namespace)
    verdict = grade(CAPSTONE, one_page.page_in(namespace))
    assert verdict.status == "open"
    assert verdict.what == "Next is step 1 of 12, the distance"


def test_after_the_value_the_pullback_is_next(monkeypatch):
    monkeypatch.setattr(checked, "EXAMPLES", 4)
    monkeypatch.setattr(checked, "POINTS", 8)
    verdict = grade(CAPSTONE, on_page(ON_PAGE["no pullback yet"])(None))
    assert verdict.status == "open"
    assert verdict.what == "step 1 is right. Next is step 2 of 12, the gradient of the distance"


def test_every_step_has_a_known_mistake_whose_text_is_on_the_page_once():
    assert {mistake.step for mistake in ON_PAGE.values()} == set(range(1, 13))
    assert len(ON_PAGE) >= 24
    assert all(PAGE.count(mistake.right) == 1 for mistake in ON_PAGE.values())


@pytest.mark.parametrize("step", [*range(1, 8), pytest.param(8, marks=pytest.mark.slow), *range(9, 12)])
def test_the_grader_of_a_step_finds_its_first_mistake(step, monkeypatch):
    monkeypatch.setattr(checked, "EXAMPLES", 4)  # fewer inputs than for a learner take less time
    monkeypatch.setattr(checked, "POINTS", 8)
    page = on_page(ON_PAGE[FIRST[step]])(None)
    assert capstone.GRADERS[step - 1](page).fault


CLUES = {
    "same sign for both": "the right size, but the wrong sign",
    "sum instead of mean": "2 times too large, and there are 2 rows: a sum instead of a mean?",
    "transposed": "transposed",
    "ReLU not pulled back": capstone.LAYERS,
    "one branch only": capstone.BRANCHES,
    "own partner": "its distance to itself is 0, which teaches nothing",
    "another generator": "do you draw all random numbers from rng?",
    "uphill": "the loss grows: the gradient points uphill, so subtract it",
    "no rate": "this is the result of the rate 1: multiply the gradient by rate",
    "one step only": "this is the result of 1 step, not 3",
    "in place": "make new arrays: p - rate * dp",
    "the same pairs": "are new pairs drawn in each step?",
    "ties count for the encoder": "a tie, two examples equally near, counts as an error",
    "the share of errors": "this is the share of errors",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_PAGE)
def test_a_mistake_is_found_at_its_step_and_not_before(name):
    verdict = grade(CAPSTONE, on_page(ON_PAGE[name])(None))
    assert verdict.status == ("open" if name == "no pullback yet" else "failed")
    assert f"step {ON_PAGE[name].step} of 12, {one_page.STEPS[ON_PAGE[name].step - 1].title}" in verdict.what
    assert verdict.clue == CLUES.get(name, verdict.clue)
    assert json.dumps(verdict._asdict())


@pytest.mark.slow
def test_the_page_passes_and_its_output_is_shown():
    verdict = grade(CAPSTONE, one_page.page)
    assert verdict.status == "passed"
    assert "recognised from one example" in verdict.printed


@pytest.mark.slow
def test_a_correct_page_may_differ_from_ours():
    page = changed(
        ("d = np.sqrt((u * u).sum(axis=1))", "d = np.linalg.norm(u, axis=1)"),
        ("(dl * np.where(same, d, -slack) / len(d),)", "(dl * (same * d - (1 - same) * slack) / d.size,)"),
        ("dy.sum(axis=0))", "np.ones(len(dy)) @ dy)"),
        ("np.where(same, d, slack) ** 2) / 2", "np.where(same, d * d / 2, slack * slack / 2))"),
        (
            "return i, (rng.random(fits.shape) * fits).argmax(axis=1), same",
            "return i, np.array([rng.choice(np.flatnonzero(row)) for row in fits]), same",
        ),
        ("np.mean(own < D.min(axis=1))", "sum(a < b for a, b in zip(own, D.min(axis=1))) / len(own)"),
    )
    verdict = grade(CAPSTONE, page)
    assert verdict.status == "passed", verdict.message


@pytest.mark.parametrize(
    ("right", "other", "message"),
    [
        ("import numpy as np", "import numpy as np\nfrom minisiam import distances", "NumPy and nothing else"),
        ("import numpy as np", "import numpy as np, torch", "the file does not run|imports torch"),
        ("def relu(x)", "def rectified(x)", r"no function relu: define it with def relu"),
        ("rate=0.6", "rate=0.1", "the default of rate must be 0.6, as in the stub, not 0.1"),
        ("def dense(x, W, b)", "def dense(x, b, W)", "must keep the parameters x, W, b"),
    ],
)
def test_a_page_of_another_form_is_refused(right, other, message, tmp_path):
    with pytest.raises(Refused, match=message):
        function_of(CAPSTONE, PAGE.replace(right, other).encode(), tmp_path / CAPSTONE.file)


def test_the_numbers_of_training_that_are_shown_differ():
    found = capstone.GRADERS[9](on_page(ON_PAGE["uphill"])(None)).fault
    assert found.what == "params[1] after three steps is wrong"
    assert abs(found.columns["yours"] - found.columns["correct"]).max() > 1e-4


def test_a_page_is_one_function_that_calls_the_function_of_a_name(tmp_path):
    page = function_of(CAPSTONE, PAGE.encode(), tmp_path / CAPSTONE.file)
    assert page("relu", 2.0)[0] == 2


def test_a_hint_is_that_of_the_step_at_which_the_file_is(tmp_path, capsys, monkeypatch):
    what = "step 7 of 12, two layers: the gradient of W1 is wrong"
    monkeypatch.setattr(commands, "check_and_record", lambda *_: sandbox.report(CAPSTONE, "failed", what))
    assert cli.main(["learn", "hint", "capstone", "--work", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert CAPSTONE.hints[6] in output
    assert not any(hint in output for hint in CAPSTONE.hints[7:])
    assert progress.read(tmp_path)["capstone"].hints == 7


def test_learn_capstone_works_on_the_last_exercise(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "watch_exercise", lambda arguments, exercise: seen.append(exercise) or 0)
    assert cli.main(["learn", "capstone", "--work", str(tmp_path)]) == 0
    assert seen == [CAPSTONE]
