"""Grade a class: a table with one row for each student and one column for each exercise, and the reasons."""

from __future__ import annotations

import csv
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

from ..fast import threads
from . import confinement
from .exercises import EXERCISES, Exercise, find
from .sandbox import Grader, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .hand_ins import Answers

    Marks = dict[str, list[Report]]
    Job = tuple[Exercise, bytes | Report]
    File = tuple[str, bytes]  # the name of an exercise, and an answer

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
def _reports(jobs: list[Job], seconds: float) -> Iterator[Iterator[Report]]:
    """The reports, in order; equal files are graded once. A process for each core grades, until the context ends."""
    confinement.hide()
    found: dict[File, Future[Report]] = {
        (exercise.name, file): Future() for exercise, file in jobs if isinstance(file, bytes)
    }
    waiting = Waiting(found)
    graders = [Grader() for _ in range(threads.cores())]
    pool = ThreadPoolExecutor(len(graders))
    try:
        for grader in graders:
            pool.submit(_grade, grader, waiting, found, seconds)
        yield (file if isinstance(file, Report) else found[exercise.name, file].result() for exercise, file in jobs)
    finally:
        waiting.cancel()
        for grader in graders:
            grader.cancel()
        pool.shutdown()
        for grader in graders:
            grader.close()


def _grade(grader: Grader, waiting: Waiting, found: dict[File, Future[Report]], seconds: float) -> None:
    """Grade one file after the other."""
    while file := waiting.take(grader):
        try:
            found[file].set_result(grader.check(find(file[0]), file[1], seconds))
        except BaseException as error:
            found[file].set_exception(error)


class Waiting:
    """Files that wait for one of several graders.

    A grader gets the next file, but if it can one of an exercise that no other grader knows: the first answers to an
    exercise take longer, since what is right is not known yet.
    """

    def __init__(self, files: Iterable[File]) -> None:
        self.files, self.lock = dict.fromkeys(files), Lock()
        self.known: dict[str, Grader] = {}  # the grader that has had an exercise first

    def take(self, grader: Grader) -> File | None:
        """The next file of a grader; None if there are no more."""
        with self.lock:
            near = list(islice(self.files, 2 * len(EXERCISES)))
            own = (file for file in near if self.known.get(file[0], grader) is grader)
            file = next(own, next(iter(near), None))
            if file:
                del self.files[file]
                self.known.setdefault(file[0], grader)
            return file

    def cancel(self) -> None:
        """Forget the files."""
        with self.lock:
            self.files.clear()


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
