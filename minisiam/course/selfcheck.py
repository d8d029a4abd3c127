"""Are the exercises themselves right? Every stub fails, every library function passes, every mistake is noticed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from .. import _markdown
from .exercises import EXERCISES, Exercise
from .graders import Verdict, judge
from .known_mistakes import OF
from .stubs import stub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = ("exercise", "what is graded", "seconds", "what is said of it")


class Row(NamedTuple):
    """Something that was graded, whether the verdict is what it should be, and how it was put."""

    exercise: str
    what: str
    right: bool
    status: str
    seconds: float
    rows: int
    said: str
    clue: str

    @property
    def told(self) -> str:
        """What is said, for the table."""
        return ("" if self.right else "**not as it should be** ") + ": ".join(filter(None, (self.said, self.clue)))


def rows(exercise: Exercise) -> Iterator[Row]:
    """The stub, the library's function, and every mistake."""
    yield _row(exercise, "stub", _of_stub(exercise), passes=False)
    yield _row(exercise, "library", judge(exercise, exercise.answer), passes=True)
    for name, make in OF[exercise.name].items():
        yield _row(exercise, name, judge(exercise, make(exercise.answer)), passes=False)


def _row(exercise: Exercise, what: str, verdict: Verdict, passes: bool) -> Row:
    right = verdict.status == "passed" if passes else verdict.status != "passed"
    said = verdict.what or verdict.message.partition(": ")[2]
    return Row(exercise.name, what, right, verdict.status, verdict.seconds, verdict.rows, said, verdict.clue)


def _of_stub(exercise: Exercise) -> Verdict:
    namespace: dict[str, object] = {"__name__": exercise.file}
    exec(compile(stub(exercise), exercise.file, "exec"), namespace)
    return judge(exercise, namespace[exercise.function])  # type: ignore[arg-type]


def run(say: Callable[[str], None], as_json: bool = False) -> bool:
    """The table, a row as soon as it is known, or all of it as JSON; whether everything is as it should be."""
    start, every = time.perf_counter(), []
    if not as_json:
        say(_markdown.heading(HEAD))
    for exercise in EXERCISES:
        for row in rows(exercise):
            every.append(row)
            if not as_json:
                say(_markdown.row((exercise, row.what, f"{row.seconds:.1f}", row.told)))
    wrong = [row for row in every if not row.right]
    if as_json:
        say(json.dumps([row._asdict() for row in every], indent=2))
    else:
        took = time.perf_counter() - start
        say(f"\n{len(every) - len(wrong)} of {len(every)} verdicts as they should be, {took:.0f} s")
    return not wrong
