"""The pages of exercises have every hint, hidden until a reader asks for it."""

import html
import re
from pathlib import Path

import pytest
from pages import exercises

from minisiam.course import EXERCISES, find

LESSONS = {path.name[:2]: path for path in Path(exercises.HERE).parents[1].glob("lessons/[0-9]*.py")}


@pytest.mark.parametrize("name", ["relu", "capstone"])
def test_every_hint_is_hidden_in_the_page_in_its_order(name):
    exercise = find(name)
    found = re.findall(
        r"<li hidden><strong>(.*?)</strong> (.*)</li>", exercises.page(exercise, LESSONS[exercise.lesson])
    )
    assert tuple(kind for kind, _ in found) == exercise.hint_names
    texts = [html.unescape(re.sub(r"</?code>", "`", text)).strip("`") for _, text in found]
    assert texts == [text.strip("`") for text in exercise.hints]


def test_only_the_page_of_several_functions_has_steps():
    pages = {e.name: exercises.page(e, LESSONS[e.lesson]) for e in EXERCISES if e.name in ("relu", "capstone")}
    assert 'data-steps="0"' in pages["relu"]
    assert f'data-steps="{len(find("capstone").hints)}"' in pages["capstone"]
