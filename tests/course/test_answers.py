"""Wrong answers that are in no list of the course fail with a clue, and the numbers of a clue are those of the case."""

from __future__ import annotations

import re
import tomllib
from inspect import signature
from pathlib import Path
from textwrap import indent

import pytest
from clue_claims import claims

from minisiam.course import EXERCISES, find, stubs
from minisiam.course.bugs import smallest
from minisiam.course.collapse import COLLAPSING
from minisiam.course.graders import checked, grade
from minisiam.course.learner_file import function_of
from minisiam.course.verdicts import Refused

WRONG = tomllib.loads(Path(__file__).with_name("wrong_answers.toml").read_text(encoding="utf-8"))


def written(exercise, body):
    """The learner's function: the stub with this body in its hole."""
    namespace = {"__name__": exercise.file, "COLLAPSING": COLLAPSING, "smallest": smallest}
    text = stubs.stub(exercise)
    if exercise.template:
        text = f"def answer():\n{indent(body, '    ')}"
    else:
        (hole,) = (line for line in text.splitlines() if "raise NotImplementedError" in line)
        text = text.replace(hole, indent(body.strip(), hole[: -len(hole.lstrip())]))
    exec(compile(text, exercise.file, "exec"), namespace)
    return namespace["answer" if exercise.template else exercise.function]


def test_every_exercise_has_wrong_answers():
    assert set(WRONG) == {exercise.name for exercise in EXERCISES if not exercise.steps}  # test_capstone.py has those
    assert all(len(answers) >= 3 for answers in WRONG.values())


def answers(*, training):
    """The first wrong answer of each exercise is checked often, the others by the slow tests."""
    return pytest.mark.parametrize(
        ("name", "mistake"),
        [
            pytest.param(name, mistake, marks=[pytest.mark.slow] * (number > 0 or training))
            for name in WRONG
            if (name == "collapse") == training
            for number, mistake in enumerate(WRONG[name])
        ],
    )


def check(name, mistake):
    words, body = WRONG[name][mistake]
    verdict = grade(find(name), written(find(name), body))
    assert verdict.status == "failed"
    assert words in f"{verdict.what}: {verdict.clue}"
    assert all(claims(verdict.clue, verdict.case, verdict.columns).values())


@answers(training=False)
def test_a_wrong_answer_fails_with_the_right_words(name, mistake, monkeypatch):
    monkeypatch.setattr(checked, "EXAMPLES", 4)  # fewer inputs than for a learner take less time
    monkeypatch.setattr(checked, "POINTS", 8)
    check(name, mistake)


@answers(training=True)
def test_settings_that_do_not_repair_a_run_fail_with_the_right_words(name, mistake):
    check(name, mistake)


DEFAULTS = [
    (exercise.name, parameter)
    for exercise in EXERCISES
    for parameter in signature(exercise.model_answer).parameters.values()
    if parameter.default is not parameter.empty
]


@pytest.mark.parametrize(("name", "parameter"), DEFAULTS)
def test_an_answer_must_keep_the_defaults_of_the_stub(name, parameter, tmp_path):
    exercise = find(name)
    source = stubs.stub(exercise)
    start = f"{parameter.name}: {parameter.annotation} = "
    (kept,) = re.findall(re.escape(start) + r"[\d.e-]+", source)
    assert function_of(exercise, source.encode(), tmp_path / exercise.file)
    with pytest.raises(Refused, match=f"the default of {parameter.name} must be {parameter.default}, as in the stub"):
        changed = source.replace(kept, f"{start}{parameter.default + 1}")
        function_of(exercise, changed.encode(), tmp_path / exercise.file)
