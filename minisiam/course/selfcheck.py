"""Test the exercises: every stub fails, every library function passes, and every known mistake is detected."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ..analysis import _markdown
from . import one_page
from .exercises import EXERCISES, Exercise
from .graders import grade
from .mistakes.table import MISTAKES
from .stubs import stub
from .verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = ("exercise", "answer", "seconds", "message")


class Row(NamedTuple):
    """A graded answer, whether its verdict is as expected, and the message."""

    exercise: str
    answer: str
    as_expected: bool
    status: str
    seconds: float
    rows: int
    message: str
    clue: str
    case: dict[str, str]
    columns: dict[str, str]

    @property
    def description(self) -> str:
        """The message and the clue, for the table."""
        return ("" if self.as_expected else "**unexpected** ") + ": ".join(filter(None, (self.message, self.clue)))


def rows(exercise: Exercise) -> Iterator[Row]:
    """The stub, the library function, and every known mistake."""
    yield _row(exercise, "stub", _grade_stub(exercise), passes=False)
    yield _row(exercise, "library", grade(exercise, exercise.model_answer), passes=True)
    for name, make in MISTAKES[exercise.name].items():
        yield _row(exercise, name, grade(exercise, make(exercise.model_answer)), passes=False)


def _row(exercise: Exercise, answer: str, verdict: Verdict, passes: bool) -> Row:
    as_expected = verdict.status == "passed" if passes else verdict.status != "passed"
    message = verdict.what or verdict.message.partition(": ")[2]
    numbers = verdict.seconds, verdict.rows
    shown = verdict.case, verdict.columns
    return Row(exercise.name, answer, as_expected, verdict.status, *numbers, message, verdict.clue, *shown)


def _grade_stub(exercise: Exercise) -> Verdict:
    namespace: dict[str, Any] = {"__name__": exercise.file}
    exec(compile(stub(exercise), exercise.file, "exec"), namespace)
    return grade(exercise, one_page.page_in(namespace) if exercise.steps else namespace[exercise.function])


def run(log: Callable[[str], None], as_json: bool = False) -> bool:
    """Log the table row by row, or all rows as JSON; returns whether every verdict is as expected."""
    start, graded = time.perf_counter(), []
    if not as_json:
        log(_markdown.heading(HEADER))
    for exercise in EXERCISES:
        for row in rows(exercise):
            graded.append(row)
            if not as_json:
                log(_markdown.row((exercise, row.answer, f"{row.seconds:.1f}", row.description)))
    unexpected = [row for row in graded if not row.as_expected]
    if as_json:
        log(json.dumps([row._asdict() for row in graded], indent=2))
    else:
        seconds = time.perf_counter() - start
        log(f"\n{len(graded) - len(unexpected)} of {len(graded)} verdicts as expected, {seconds:.0f} s")
    return not unexpected
