"""Grade a class: a table with one row for each student and one column for each exercise, and the reasons."""

from __future__ import annotations

import csv
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from ..fast import threads
from . import confinement
from .exercises import EXERCISES, Exercise
from .sandbox import Grader, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .hand_ins import Answers

    Marks = dict[str, list[Report]]

HEADER = ("student", *(str(exercise) for exercise in EXERCISES), "passed", "of", "reasons")
FORMULA = "=+-@\t\r＝＋－＠"  # a spreadsheet reads a cell that begins so as a formula
REASON = 300  # characters


def grade_class(
    answers: Answers, table: TextIO, seconds: float, log: Callable[[str], None], marks: Marks | None = None
) -> Marks:
    """Write the table as CSV, each row as soon as the student is graded, and log the students.

    Parameters
    ----------
    answers
        From `hand_ins.read_class`.
    table
        An open text file.
    seconds
        The time limit of an answer.
    log
        Called with a line for each student.
    marks
        A dict to which the reports are added, so that the caller has them even if the work is interrupted.
    """
    marks = {} if marks is None else marks
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADER)
    table.flush()
    jobs = [(exercise, file) for files in answers.values() for exercise, file in zip(EXERCISES, files, strict=True)]
    with _reports(jobs, seconds) as reports:
        for student in answers:
            marks[student] = list(islice(reports, len(EXERCISES)))
            writer.writerow(row(student, marks[student]))
            table.flush()
            passed = sum(found.status == "passed" for found in marks[student])
            log(f"{student}: {passed} of {len(EXERCISES)}   ({len(marks)} of {len(answers)} students)")
    return marks


@contextmanager
def _reports(jobs: list[tuple[Exercise, bytes | Report]], seconds: float) -> Iterator[Iterator[Report]]:
    """The reports, in order; equal files are graded once. A process for each core grades, until the context ends."""
    confinement.hide()
    graders = [Grader() for _ in range(threads.cores())]
    idle: SimpleQueue[Grader] = SimpleQueue()
    for grader in graders:
        idle.put(grader)

    def one(job: tuple[Exercise, bytes | Report]) -> Report:
        exercise, file = job
        if isinstance(file, Report):
            return file
        grader = idle.get()
        try:
            return grader.check(exercise, file, seconds)
        finally:
            idle.put(grader)

    pool = ThreadPoolExecutor(len(graders))
    found: dict[Any, Future[Report]] = {}
    try:
        keys = [
            (exercise.name, file) if isinstance(file, bytes) else place for place, (exercise, file) in enumerate(jobs)
        ]
        for key, job in zip(keys, jobs, strict=True):
            if key not in found:
                found[key] = pool.submit(one, job)
        yield (found[key].result() for key in keys)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for grader in graders:
            grader.cancel()
        pool.shutdown()
        for grader in graders:
            grader.close()


def row(student: str, reports: list[Report]) -> list[str]:
    """The name, the status of each exercise, the number passed, and why the others failed, on one line."""
    states = [found.status for found in reports]
    numbers: dict[str, list[str]] = {}
    for found in reports:
        if found.status == "failed":
            numbers.setdefault(reason(found), []).append(f"{found.number:02d}")
    reasons = [f"{'all' if len(n) == len(reports) > 1 else ', '.join(n)}: {why}" for why, n in numbers.items()]
    return [safe_cell(student), *states, str(states.count("passed")), str(len(states)), safe_cell(" | ".join(reasons))]


def reason(found: Report) -> str:
    """Why an answer did not pass, on one line; empty if it passed."""
    text = " ".join(": ".join(filter(None, (found.what, found.clue))).split())
    return text if len(text) <= REASON else f"{text[: REASON - 3]}..."


def safe_cell(text: str) -> str:
    """A text in valid Unicode that a spreadsheet does not read as a formula."""
    valid = text.encode("utf-8", "backslashreplace").decode()
    return f"'{valid}" if valid.startswith(tuple(FORMULA)) else valid


def as_json(marks: Marks) -> list[dict[str, Any]]:
    """The students, their exercises, and for each its status, the reason and the seconds."""
    return [
        {
            "student": student,
            "exercises": [
                {"exercise": one.exercise, "status": one.status, "reason": reason(one), "seconds": one.seconds}
                for one in reports
            ],
        }
        for student, reports in marks.items()
    ]
