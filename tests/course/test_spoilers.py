"""Nobody finds a solution by accident: not in the working folder, the hints or the page of an exercise."""

from __future__ import annotations

import ast
import base64
import html
import re

import pytest

from minisiam.app import cli
from minisiam.course import EXERCISES, find, one_page
from minisiam.course.stubs import solution, stub

WHOLE = [exercise for exercise in EXERCISES if not exercise.template]  # the others ask for settings or for inputs
each = pytest.mark.parametrize("exercise", WHOLE, ids=lambda exercise: exercise.name)


def statements(tree):
    """The statements of a program without inner ones, docstrings and definitions."""
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and not hasattr(node, "body")
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    }


def pullbacks(tree):
    """The statements of the functions that carry a gradient back."""
    inner = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "pullback"]
    return {statement for node in inner for statement in statements(node)}


def written(exercise):
    """What the learner writes of the solution: of the page of the capstone, the functions of its steps."""
    tree = ast.parse(solution(exercise))
    if exercise.steps:
        tree.body = [node for node in tree.body if getattr(node, "name", "") in one_page.functions()]
    return tree


def mentioned(code, text):
    """The statements that a text contains, if they are long enough to say something."""
    plain = text.replace('"', "'")
    return {statement for statement in code if len(statement) > 12 and statement in plain}


@each
def test_a_stub_has_no_statement_of_the_solution(exercise):
    frame = {"return Network(_init(encoder, distance, loss), apply)", "return apply"} if exercise.hole else set()
    assert statements(ast.parse(stub(exercise))) & statements(written(exercise)) <= frame


@each
def test_a_hint_has_no_statement_of_the_gradient_and_only_the_first_line_has_one_of_the_rest(exercise):
    tree = written(exercise)
    ideas, first_lines = ((), exercise.hints) if exercise.steps else (exercise.hints[:2], exercise.hints[2:])
    assert not mentioned(statements(tree), " ".join([exercise.task, *ideas]))
    for line in first_lines:  # one, or one for each step of the capstone
        assert not mentioned(pullbacks(tree), line)
        assert len(mentioned(statements(tree), line)) <= 1


@pytest.mark.slow
def test_the_working_folder_has_the_stubs_and_the_progress_alone(tmp_path, capsys):
    for exercise in WHOLE:
        assert cli.main(["learn", "start", exercise.name, "--work", str(tmp_path)]) == 0
        for _ in exercise.hints:
            assert cli.main(["learn", "hint", exercise.name, "--work", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.rglob("*")} == {"progress.json", *(exercise.file for exercise in WHOLE)}
    for exercise in WHOLE:
        assert (tmp_path / exercise.file).read_text(encoding="utf-8") == stub(exercise)
        assert not mentioned(statements(written(exercise)), (tmp_path / "progress.json").read_text())


@each
def test_a_page_has_its_solution_only_in_base64(exercise):
    exercises = pytest.importorskip("pages.exercises")
    page = exercises.page(exercise, next(exercises.HERE.parents[1].glob(f"lessons/{exercise.lesson}_*.py")))
    encoded = re.search(r'class="solution-base64">([\w+/=]+)</script>', page)[1]
    shown = html.unescape(re.sub(r"<[^<]+?>", "", page.replace(encoded, "")))
    hidden = html.unescape(re.sub(r"<[^<]+?>", "", base64.b64decode(encoded).decode()))
    assert hidden.strip() == solution(exercise).strip()
    tree = written(exercise)
    assert not mentioned(pullbacks(tree), shown)
    first_lines = mentioned(statements(tree), " ".join(exercise.hints if exercise.steps else exercise.hints[2:]))
    frame = {"return Network(_init(encoder, distance, loss), apply)"} if exercise.hole else set()
    assert mentioned(statements(tree), shown) <= first_lines | frame


def test_these_tests_find_what_they_look_for():
    tree = written(find("contrastive"))
    assert len(pullbacks(tree)) >= 1
    assert mentioned(pullbacks(tree), solution(find("contrastive")))
