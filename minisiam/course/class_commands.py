"""The commands of `minisiam learn` for a class: `hand-in` for students, `grade` for teachers."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from . import hand_ins
from .workspace import print_line, warn

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager


def add_hand_in(parser: argparse.ArgumentParser) -> None:
    """Add the options of `hand-in`."""
    parser.add_argument("file", type=Path, nargs="?", default=Path(hand_ins.NAME), metavar="FILE",
                        help=f"the zip to write (default: {hand_ins.NAME})")  # fmt: skip


def hand_in(arguments: argparse.Namespace) -> int:
    """`minisiam learn hand-in [FILE]`."""
    answers = hand_ins.write(arguments.work, arguments.file)
    files = f"{len(answers)} file{'' if len(answers) == 1 else 's'}"
    print_line(f"wrote {arguments.file}: {files} of {len(hand_ins.EXERCISES)} exercises, and your progress")
    return 0


def add_grade(parser: argparse.ArgumentParser) -> None:
    """Add the options of `grade`, without `--json`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER",
                        help="the folder with one folder, or one zip, for each student")  # fmt: skip
    parser.add_argument("--csv", type=Path, nargs="?", default=None, metavar="FILE",
                        help="write the table to this new file (default: print it)")  # fmt: skip
    parser.add_argument("--html", type=Path, default=None, metavar="FILE",
                        help="write a page to this new file: the table, common mistakes, smallest cases")  # fmt: skip


def grade(arguments: argparse.Namespace) -> int:
    """`minisiam learn grade FOLDER`."""
    from . import class_page, confinement, grading

    for path in (arguments.csv, arguments.html):
        if path and path.exists():  # before the other one is made
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    answers = hand_ins.read_class(arguments.folder)
    marks: grading.Marks = {}
    warning = "" if confinement.allows_leaving_network() else confinement.WITH_NETWORK
    with _new(arguments.html) as html, _table(arguments) as file:
        if warning:
            warn(warning)
        try:
            grading.grade_class(answers, file, arguments.limit, warn, marks)
        except KeyboardInterrupt:
            warn(f"\nStopped: {len(marks)} of {len(answers)} students are graded.")
        if arguments.html:
            html.write(class_page.page(marks, len(answers), warning))
    if arguments.json:
        print_line(json.dumps(grading.as_json(marks), indent=2))
    return 0 if len(marks) == len(answers) else 1


def _table(arguments: argparse.Namespace) -> AbstractContextManager[TextIO]:
    """The new file for the table, opened before the work starts; standard output, unless that is for JSON."""
    if arguments.csv:
        return _new(arguments.csv)
    return nullcontext(io.StringIO() if arguments.json else sys.stdout)


def _new(path: Path | None) -> AbstractContextManager[TextIO]:
    """A new file; for None a text that is thrown away."""
    return path.open("x", encoding="utf-8", newline="") if path else nullcontext(io.StringIO())
