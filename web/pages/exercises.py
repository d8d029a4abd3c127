"""The exercises: an index with the reader's progress, and one page each. All texts come from the package.

A solution is in its page in base64, so that neither the search of the site nor a look at the source shows it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from itertools import groupby
from pathlib import Path
from string import Template

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from minisiam.course import EXERCISES, Exercise
from minisiam.course.stubs import solution, stub
from minisiam.course.texts import HINTS

HERE = Path(__file__).parent
PAGE = Template((HERE / "exercise.md").read_text(encoding="utf-8"))
BODY = "Replace the body of the function; *Check* tests it with the grader of `minisiam learn`."
PAGE_OF_STEPS = """\
Write one function after the other; *Check* says at which step you are, and what is wrong there, and *Hint* gives the
hint for that step. *Download* gives you the file, which runs with Python and NumPy alone."""
INDEX = Template((HERE / "exercises.md").read_text(encoding="utf-8"))


def write(folder: Path) -> None:
    """Write the index, and a page for each exercise."""
    lessons = {path.name[:2]: path for path in (HERE.parents[1] / "lessons").glob("[0-9]*.py")}
    out = folder / "exercises"
    out.mkdir()
    (out / "index.md").write_text(index(lessons), encoding="utf-8")
    for exercise in EXERCISES:
        (out / f"{exercise.name}.md").write_text(page(exercise, lessons[exercise.lesson]), encoding="utf-8")


def index(lessons: dict[str, Path]) -> str:
    """The exercises of each lesson. A script adds the reader's progress."""
    rows = "\n".join(group(lessons[lesson], list(some)) for lesson, some in groupby(EXERCISES, lambda e: e.lesson))
    names = "\n".join(exercise.name for exercise in EXERCISES)
    return INDEX.substitute(count=len(EXERCISES), rows=rows, names=names, course=data())


def group(lesson: Path, exercises: list[Exercise]) -> str:
    """The exercises of one lesson, below its name."""
    rows = "\n".join(
        f'<li data-exercise="{exercise.name}"><a href="{exercise.name}.html">{heading(exercise)}</a> '
        f'<span class="state" data-state="open">open</span></li>'
        for exercise in exercises
    )
    name = f'<a href="../lessons/{lesson.stem}.html">{html.escape(lesson_title(lesson))}</a>'
    return f'<h2>{name}</h2>\n<ol class="exercises-list">\n{rows}\n</ol>'


def page(exercise: Exercise, lesson: Path) -> str:
    """The page of one exercise."""
    return PAGE.substitute(
        heading=heading(exercise),
        name=exercise.name,
        exercise=str(exercise),
        number=f"{exercise.number:02d}",
        lesson_name=html.escape(lesson_title(lesson)),
        lesson_page=f"../lessons/{lesson.stem}.html",
        file=exercise.file,
        steps=len(exercise.hints) if exercise.steps else 0,
        task=escaped(exercise.task),
        origin=exercise.origin,
        instruction=PAGE_OF_STEPS if exercise.steps else BODY,
        stub=coloured(stub(exercise)),
        hints="\n".join(hint(kind, text) for kind, text in zip(exercise.hint_names, exercise.hints, strict=True)),
        solution=base64.b64encode(coloured(solution(exercise)).encode()).decode(),
        course=data(),
    )


def data() -> str:
    """The names and files of all exercises, for the scripts."""
    return json.dumps([{"name": exercise.name, "file": exercise.file} for exercise in EXERCISES])


def heading(exercise: Exercise) -> str:
    """The number and the title, which starts with a capital if it starts with a word."""
    title = exercise.title
    return f"{exercise.number:02d} {title[0].upper() + title[1:] if re.match(r'[a-z0-9]+[ ,?]', title) else title}"


def lesson_title(lesson: Path) -> str:
    """The title in a lesson's script."""
    found = re.search(r"^# # (.*)$", lesson.read_text(encoding="utf-8"), flags=re.M)
    if not found:
        raise ValueError(f"{lesson} has no title")
    return found[1]


def hint(kind: str, text: str) -> str:
    """One hint. The last one is a line of code."""
    shown = f"<code>{html.escape(text)}</code>" if kind == HINTS[-1] else code(html.escape(text))
    return f"<li hidden><strong>{kind}</strong> {shown}</li>"


def code(text: str) -> str:
    """HTML in which text between backticks is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text)


def escaped(text: str) -> str:
    """Markdown that shows a text as it is, except that text between backticks is code."""
    parts = text.replace("\n", " ").split("`")
    return "`".join(
        re.sub(r"([\\*_\[\]<>$#{}|~^])", r"\\\1", part) if i % 2 == 0 else part for i, part in enumerate(parts)
    )


def coloured(text: str) -> str:
    """Python as HTML, on one line of a Markdown page: an empty line would end the HTML."""
    return highlight(text, PythonLexer(stripnl=False), HtmlFormatter()).replace("\n", "&#10;")
