"""Grade a class: a table with one row for each student and one column for each exercise."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING

from .exercises import EXERCISES, Exercise
from .sandbox import check

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = ("student", *(str(exercise) for exercise in EXERCISES), "passed", "of")


def students(folder: Path) -> list[Path]:
    """The folders of the students, in alphabetical order."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: pass the folder with one folder for each student")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ValueError(f"{folder} contains no folder: it must have one for each student, with their files")
    return found


def row(student: Path, seconds: float) -> list[str]:
    """The name, the status of each exercise, and the number passed. Each file runs in its own process."""
    work = student / "work" if (student / "work").is_dir() else student
    states = [_status(exercise, work / exercise.file, seconds) for exercise in EXERCISES]
    return [_plain(student.name), *states, str(states.count("passed")), str(len(EXERCISES))]


def _status(exercise: Exercise, path: Path, seconds: float) -> str:
    try:
        return check(exercise, path, seconds).status
    except OSError:  # an unreadable file of one student does not stop the others
        return "failed"


def _plain(name: str) -> str:
    """A name that a spreadsheet does not read as a formula."""
    return f"'{name}" if name[0] in "=+-@\t\r" else name


def grade_class(
    folder: Path, file: str, seconds: float, output: Callable[[str], None], log: Callable[[str], None]
) -> list[list[str]]:
    """Write the table as CSV to a file, or to `output` if its name is empty; several students run at a time."""
    every = students(folder)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        table = []
        for result in pool.map(lambda student: row(student, seconds), every):
            table.append(result)
            log(f"{result[0]}: {result[-2]} of {result[-1]}")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *table])
    if file:
        Path(file).write_text(text.getvalue(), encoding="utf-8")
    else:
        output(text.getvalue().rstrip())
    return table
