"""The folder with a learner's files and progress, and the actions on it that several commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import progress
from .exercises import EXERCISES, Exercise, select
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
    """The exercise named on the command line, or the first open one, and the state of all."""
    states = read_progress(arguments)
    return select(arguments.exercise, progress.done(states)), states


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
    """A line that names the next open exercise."""
    states = read_progress(arguments)
    left = [exercise for exercise in EXERCISES if not states[exercise.name].passed]
    if not left:
        return "You have done every exercise."
    return f"Next: {left[0]}, {left[0].title} (lesson {left[0].lesson}): minisiam learn"
