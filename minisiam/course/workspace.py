"""The folder with a learner's files and progress, and the actions on it that several commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import progress
from .exercises import EXERCISES, Exercise, of_lesson, select
from .sandbox import Grader, Report, check
from .stubs import stub

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def print_line(text: object) -> None:
    """Print at once, even into a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr, flush=True)


def read_progress(arguments: argparse.Namespace) -> progress.Progress:
    """The state of every exercise."""
    return progress.read(arguments.work, warn)


def selected(arguments: argparse.Namespace) -> tuple[Exercise, progress.Progress]:
    """The exercise named on the command line, or the first open one of the lesson, and the state of all."""
    states = read_progress(arguments)
    return select(arguments.exercise, progress.done(states), arguments.lesson), states


def file_of(arguments: argparse.Namespace, exercise: Exercise) -> Path:
    """The path of the learner's file."""
    return arguments.work / exercise.file


def write_stub(arguments: argparse.Namespace, exercise: Exercise) -> bool:
    """Write the stub unless the file exists; returns whether it was written."""
    path = file_of(arguments, exercise)
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(stub(exercise), encoding="utf-8")
    return True


def check_and_record(arguments: argparse.Namespace, exercise: Exercise, grader: Grader | None = None) -> Report:
    """Check the learner's file, and record it if it passes."""
    report = check(exercise, file_of(arguments, exercise), arguments.limit, grader)
    if report.status == "passed":
        progress.update(arguments.work, exercise.name, passed=True)
    return report


def next_exercise(arguments: argparse.Namespace) -> str:
    """A line that names the next open exercise: of the lesson, or of all once that is done."""
    done, lesson = progress.done(read_progress(arguments)), arguments.lesson
    here, left = ([e for e in some if e.name not in done] for some in (of_lesson(lesson), EXERCISES))
    if not left:
        return "You have done every exercise."
    first, command = (here or left)[0], f"minisiam learn --lesson {lesson}" if lesson and here else "minisiam learn"
    finished = f"You have done every exercise of lesson {lesson}. " if lesson and not here else ""
    return f"{finished}Next: {first}, {first.title} (lesson {first.lesson}): {command}"
