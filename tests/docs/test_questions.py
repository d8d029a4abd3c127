"""The page of questions: every lesson has some, every question an answer, and what can be computed is computed."""

import re
from pathlib import Path

import numpy as np
import pytest

import minisiam as ms

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
LESSONS = sorted(script.name[:2] for script in (ROOT / "lessons").glob("[0-9][0-9]_*.py"))
QUESTIONS = re.findall(r"^\*\*(\d\d)\.(\d)\*\* [^\n]*\n\n(<details>.*?</details>)", PAGE, flags=re.M | re.S)
CHECKS = re.findall(r"^\*Check\* `(.*)`$", PAGE, flags=re.M)


def test_every_lesson_has_at_least_three_questions_with_answers():
    assert PAGE.count("\n**") == PAGE.count("\n</details>") == len(QUESTIONS)
    numbers = [(lesson, int(number)) for lesson, number, _ in QUESTIONS]
    counts = {lesson: sum(one == lesson for one, _ in numbers) for lesson in LESSONS}
    assert numbers == [(lesson, k) for lesson in LESSONS for k in range(1, 1 + counts[lesson])]
    assert all((lesson, 3) in numbers for lesson in LESSONS)


@pytest.mark.parametrize("expression", CHECKS)
def test_a_computed_answer_is_right(expression):
    assert eval(expression, {"np": np, "ms": ms, "abs": abs, "round": round})


def test_every_line_with_a_check_is_run():
    assert len(CHECKS) == len(re.findall(r"^\*Check", PAGE, flags=re.M)) > 30
