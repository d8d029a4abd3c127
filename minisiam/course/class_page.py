"""The page of a class: who passed what, which mistakes are common, and who is stuck on which smallest case.

One HTML file without a script, to be opened in any browser. What a student wrote is shown as text only.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .exercises import EXERCISES, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .grading import Marks
    from .sandbox import Report

SIGNS = {"passed": "✓", "failed": "✗", "open": "·"}
LONGEST = 1_000  # characters of a text that a student's code may have made
NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"


class Mistake(NamedTuple):
    """A mistake, and the students whose answers have it."""

    number: int
    reason: str
    clue: str
    students: list[str]


def page(marks: Marks, expected: int, warning: str = "") -> str:
    """The HTML of a class.

    Parameters
    ----------
    marks
        student → a report for each exercise.
    expected
        The number of students in the class, of whom some may not be graded.
    warning
        A sentence about how the class was graded.
    """
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{NO_SCRIPT}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>The class: {len(marks)} students</title><style>\n{style}</style></head><body><main>",
        f"<h1>The class: {len(marks)} students</h1>",
        f"<p>{_summary(marks, expected)}</p>",
        f"<p><strong>{escape(warning)}</strong></p>" if warning else "",
        '<p><a href="#marks">Marks</a> · <a href="#mistakes">Common mistakes</a> · '
        '<a href="#stuck">Who is stuck</a></p>',
        '<h2 id="marks">Marks</h2>',
        *_table(marks),
        '<h2 id="mistakes">Common mistakes</h2>',
        *_mistakes(marks),
        '<h2 id="stuck">Who is stuck on which case</h2>',
        *_stuck(marks),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _summary(marks: Marks, expected: int) -> str:
    states = [found.status for reports in marks.values() for found in reports]
    counts = ", ".join(f"{states.count(status)} {status}" for status in SIGNS)
    missing = "" if len(marks) == expected else f" Grading was stopped: {expected - len(marks)} students are missing."
    return f"{len(EXERCISES)} exercises for each student: {counts}.{missing}"


def _table(marks: Marks) -> Iterable[str]:
    """Students and exercises; a wide table that scrolls on a small screen."""
    heads = "".join(f'<th scope="col"><abbr title="{escape(e.name)}">{e.number:02d}</abbr></th>' for e in EXERCISES)
    yield '<div class="wide" role="region" aria-label="Marks" tabindex="0"><table class="marks">'
    yield f'<thead><tr><th scope="col">student</th>{heads}<th scope="col">passed</th></tr></thead><tbody>'
    for place, (student, reports) in enumerate(marks.items()):
        cells = "".join(_cell(place, found) for found in reports)
        yield f'<tr><th scope="row">{_text(student)}</th>{cells}<td>{_passed(reports)}</td></tr>'
    sums = [_passed(column) for column in zip(*marks.values(), strict=True)] or [0] * len(EXERCISES)
    cells = "".join(f"<td>{passed}</td>" for passed in (*sums, sum(sums)))
    yield f'</tbody><tfoot><tr><th scope="row">passed</th>{cells}</tr></tfoot></table></div>'
    names = ", ".join(f"{e.number:02d} {escape(e.name)}" for e in EXERCISES)
    yield f'<p class="soft">✓ passed, ✗ failed, · open. {names}.</p>'


def _passed(reports: Iterable[Report]) -> int:
    return sum(found.status == "passed" for found in reports)


def _cell(place: int, found: Report) -> str:
    """The state as a sign, and as a word for who does not see it; the case is a link away."""
    shown = f'{SIGNS[found.status]}<span class="read"> {found.status}</span>'
    if found.status == "failed":
        shown = f'<a href="#{_anchor(place, found)}">{shown}</a>'
    return f'<td class="{found.status}">{shown}</td>'


def _anchor(place: int, found: Report) -> str:
    return f"student-{place + 1}-{found.number:02d}"


def mistakes(marks: Marks) -> list[Mistake]:
    """The mistakes by exercise, reason and clue, the most frequent first; lines of code do not count."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for student, reports in marks.items():
        for each in reports:
            if each.status == "failed":
                reason = re.sub(r", in line \d+: .*", "", each.what, flags=re.S)
                found.setdefault((each.number, reason, each.clue), []).append(student)
    every = [Mistake(*key, names) for key, names in found.items()]
    return sorted(every, key=lambda mistake: (-len(mistake.students), mistake.number))


def _mistakes(marks: Marks) -> Iterable[str]:
    every = mistakes(marks)
    yield "<ol>" if every else "<p>No answer failed.</p><ol>"
    for number, reason, clue, students in every:
        exercise = escape(str(find(str(number))))
        names = ", ".join(map(_text, students))
        yield f'<li><span class="count">{len(students)} ×</span><strong>{exercise}</strong>: {_reason(reason, clue)}'
        yield f'<br><span class="soft">{names}</span></li>'
    yield "</ol>"


def _stuck(marks: Marks) -> Iterable[str]:
    """For each student the exercises that failed, each with its smallest case."""
    for place, (student, reports) in enumerate(marks.items()):
        failed = [found for found in reports if found.status == "failed"]
        if failed:
            yield f"<h3>{_text(student)}</h3><ul>"
            yield from (_case(place, found) for found in failed)
            yield "</ul>"


def _case(place: int, found: Report) -> str:
    lines = [f"{name} = {value}" for name, value in found.case.items()]
    width = max((len(name) for name in found.columns), default=0)
    results = [f"{name:<{width}}   {value}" for name, value in found.columns.items()]
    intro = f"{_text(found.intro)}:" if lines else ""
    shown = "\n\n".join("\n".join(map(_text, part)) for part in (lines, results) if part)
    code = f"<br>{intro}<pre>{shown}</pre>" if shown else ""
    exercise = f"{found.number:02d} {escape(found.exercise)}"
    head = f'<li id="{_anchor(place, found)}"><strong>{exercise}</strong>: {_reason(found.what, found.clue)}'
    return f"{head}{code}</li>"


def _reason(reason: str, clue: str) -> str:
    return _text(reason) + (f"<br><em>{_text(clue)}</em>" if clue else "")


def _text(text: str) -> str:
    """A text that cannot be read as HTML, and whose direction of writing ends with it."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    printable = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in short)
    return f"<bdi>{escape(printable)}</bdi>"
