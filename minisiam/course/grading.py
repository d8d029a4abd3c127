"""Grade a class: a table with one row for each student and one column for each exercise, and the reasons."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from ..fast import threads
from . import confinement
from .exercises import EXERCISES, Exercise
from .sandbox import Grader, Report, read, report, same_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Answers = dict[str, list[bytes | Report]]  # student → for each exercise the file, or the report if it need not run
    Marks = dict[str, list[Report]]

HEADER = ("student", *(str(exercise) for exercise in EXERCISES), "passed", "of", "reasons")
FORMULA = "=+-@\t\r＝＋－＠"  # a spreadsheet reads a cell that begins so as a formula
REASON = 300  # characters


def students(folder: Path) -> list[Path]:
    """The folders of the students, in alphabetical order."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: pass the folder with one folder for each student")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    if not found:
        raise ValueError(f"{folder} contains no folder: it must have one for each student, with their files")
    return found


def read_class(folder: Path) -> Answers:
    """Every file of every student. They are read before the first one runs, so none can change another."""
    return {name_of(student): [_read(exercise, student) for exercise in EXERCISES] for student in students(folder)}


def name_of(student: Path) -> str:
    """The name of the folder; bytes that are not UTF-8 are written as numbers."""
    return os.fsencode(student.name).decode("utf-8", "backslashreplace")


def _read(exercise: Exercise, student: Path) -> bytes | Report:
    """A student's file, or the reason why it cannot be graded; one bad file does not stop the others."""
    try:
        work = same_name(student / "work")
        path = (work if work and work.is_dir() else student) / exercise.file
        path = path if path.exists() else same_name(path) or path
        if not os.path.lexists(path):
            return report(exercise, "open", f"there is no file {exercise.file}")
        if not path.resolve().is_relative_to(student.resolve()):
            return report(exercise, "failed", f"{path} is a link to a file outside the student's folder")
        return read(exercise, path)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        return report(exercise, "failed", f"{exercise.file} cannot be read: {error}")


def grade_class(
    answers: Answers, table: TextIO, seconds: float, log: Callable[[str], None], marks: Marks | None = None
) -> Marks:
    """Write the table as CSV, each row as soon as the student is graded, and log the students.

    Parameters
    ----------
    answers
        From `read_class`.
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
def _reports(jobs: Iterable[tuple[Exercise, bytes | Report]], seconds: float) -> Iterator[Iterator[Report]]:
    """The reports, in order. One process for each core grades; all end with this context."""
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
    try:
        yield pool.map(one, jobs)
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
    reasons = [f"{found.number:02d}: {reason(found)}" for found in reports if found.status == "failed"]
    return [safe_cell(student), *states, str(states.count("passed")), str(len(states)), safe_cell(" | ".join(reasons))]


def reason(found: Report) -> str:
    """Why an answer did not pass, on one line; empty if it passed."""
    text = " ".join(": ".join(filter(None, (found.what, found.clue))).split())
    return text if len(text) <= REASON else f"{text[: REASON - 3]}..."


def safe_cell(text: str) -> str:
    """A text in valid Unicode that a spreadsheet does not read as a formula."""
    valid = text.encode("utf-8", "backslashreplace").decode()
    return f"'{valid}" if valid.startswith(tuple(FORMULA)) else valid


def as_json(marks: Marks) -> dict[str, Any]:
    """The students, their exercises, and for each its status, the reason and the seconds."""
    return {
        student: {
            found.exercise: {"status": found.status, "reason": reason(found), "seconds": found.seconds}
            for found in reports
        }
        for student, reports in marks.items()
    }
