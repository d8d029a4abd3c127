"""`minisiam learn`: check the first open exercise each time its file is saved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import progress
from .exercises import EXERCISES, of_lesson
from .sandbox import Grader
from .workspace import check_and_record, file_of, next_exercise, print_line, read_progress, selected, write_stub

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from .exercises import Exercise


def watch(arguments: argparse.Namespace) -> int:
    """Write the first open exercise, and check its file each time it is saved, until it passes."""
    done = progress.done(read_progress(arguments))
    if all(exercise.name in done for exercise in of_lesson(arguments.lesson)):
        everything = len(done) == len(EXERCISES)
        rest = " The rest of the library is written in the same way." if everything else ""
        print_line(next_exercise(arguments) + rest)
        return 0
    return watch_exercise(arguments, selected(arguments)[0])


def watch_exercise(arguments: argparse.Namespace, exercise: Exercise) -> int:
    """Write the file of an exercise, and check it each time it is saved, until it passes."""
    states = read_progress(arguments)
    path = file_of(arguments, exercise)
    action = "wrote" if write_stub(arguments, exercise) else "edit"
    count = f"{len(progress.done(states))} of {len(EXERCISES)} done"
    print_line(f"{exercise}: {exercise.title}     lesson {exercise.lesson}, {count}")
    print_line(f"\n{exercise.task}\n\n{action} {path}   Each time you save it, it is checked. Ctrl-C stops.\n")
    try:
        with Grader() as grader:
            grader.start()
            check_each_save(arguments, exercise, grader)
        print_line(next_exercise(arguments))
        return 0
    except KeyboardInterrupt:
        again = "minisiam learn capstone" if exercise.steps else "minisiam learn"
        print_line(f"\nStopped. `{again}` continues; `minisiam learn hint {exercise.number:02d}` gives a hint.")
        return 1


def check_each_save(arguments: argparse.Namespace, exercise: Exercise, grader: Grader) -> None:
    """Check the file of an exercise each time it is saved, until it passes."""
    path, checked, passed = file_of(arguments, exercise), None, False
    while not passed:
        text = saved_text(path, checked)
        if text is not None:
            checked = text
            report = check_and_record(arguments, exercise, grader)
            print_line(f"{time.strftime('%H:%M:%S')}  {report.text}\n")
            passed = report.status == "passed"
        else:
            time.sleep(0.2)


def saved_text(path: Path, checked: bytes | None) -> bytes | None:
    """The contents of the file if they are new, and complete: an editor may write in several steps."""
    try:
        text = path.read_bytes()
        if text in (checked, b""):
            return None
        time.sleep(0.05)
        return text if path.read_bytes() == text else None
    except OSError:  # an editor that replaces a file removes it for a moment
        return None
