"""The work of many: one row for each student, one column for each exercise."""

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

HEAD = ("student", *(str(exercise) for exercise in EXERCISES), "passed", "of")


def students(folder: Path) -> list[Path]:
    """The work folders, in the order of their names."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ValueError(f"{folder} has no folder in it: it must have one for each student, with their files")
    return found


def row(student: Path, seconds: float) -> list[str]:
    """The name, passed, failed or open for each exercise, and how many were passed. Each file has its own process."""
    work = student / "work" if (student / "work").is_dir() else student
    states = [_status(exercise, work / exercise.file, seconds) for exercise in EXERCISES]
    return [_plain(student.name), *states, str(states.count("passed")), str(len(EXERCISES))]


def _status(exercise: Exercise, path: Path, seconds: float) -> str:
    try:
        return check(exercise, path, seconds).status
    except OSError:  # a file that may not be read is this student's matter, and nobody else's
        return "failed"


def _plain(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[0] in "=+-@\t\r" else name


def write(
    folder: Path, file: str, seconds: float, say: Callable[[str], None], tell: Callable[[str], None]
) -> list[list[str]]:
    """The table as CSV, into a file or to where everything is said; several students at a time."""
    every = students(folder)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        table = []
        for found in pool.map(lambda student: row(student, seconds), every):
            table.append(found)
            tell(f"{found[0]}: {found[-2]} of {found[-1]}")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *table])
    if file:
        Path(file).write_text(text.getvalue(), encoding="utf-8")
    else:
        say(text.getvalue().rstrip())
    return table
