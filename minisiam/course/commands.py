"""The commands of `minisiam learn`."""

from __future__ import annotations

import argparse
import io
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from . import progress
from .exercises import EXERCISES
from .sandbox import TIME_LIMIT
from .stubs import solution
from .watching import watch
from .workspace import (
    check_and_record,
    file_of,
    next_exercise,
    print_line,
    read_progress,
    selected,
    warn,
    write_stub,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Command = Callable[[argparse.Namespace], int]

ABOUT = """\
Exercises: write the functions of this library yourself. Each file is a function of the library without its body.

    minisiam learn                work on the first open exercise: edit the file that is named; each time you save it,
                                  it is checked, until it passes or you press Ctrl-C
    minisiam learn list           list all exercises: done or open, and the hints that you have seen
    minisiam learn start 04       write the file of an exercise; a number or a name: `start contrastive`
    minisiam learn check 04       check it once
    minisiam learn hint 04        show an idea; again, an identity; again, a first line
    minisiam learn solution 04    show the library's source
    minisiam learn reset 04       start again; your file is kept as .bak

For a wrong answer you see the smallest input on which it is wrong, the correct result, and a clue.
Your files and your progress are in the folder work/; --work FOLDER selects another.

For teachers:

    minisiam learn grade FOLDER --csv marks.csv     FOLDER has one work folder for each student; --json prints JSON
    minisiam learn check 04 --json                  exit code 0 if the answer passes, otherwise 1
    minisiam learn selfcheck                        test the exercises: every stub fails, every library function
                                                    passes, and every known mistake is detected
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of `minisiam learn`."""
    parser.add_argument("--work", type=Path, default=Path("work"), metavar="FOLDER", help="your files (default: work/)")
    parser.add_argument("--limit", type=seconds, default=TIME_LIMIT, metavar="SECONDS",
                        help="time limit of your function (default: %(default)g)")  # fmt: skip
    parser.set_defaults(command=watch, exercise=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, action: Command, text: str, exercise: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, argument_default=argparse.SUPPRESS)
        added.add_argument("--work", type=Path, metavar="FOLDER", help="your files (default: work/)")
        added.add_argument("--limit", type=seconds, metavar="SECONDS", help="time limit of your function")
        if exercise:
            nargs = None if exercise == "required" else "?"
            added.add_argument("exercise", nargs=nargs, metavar="NN", help="the number or the name of the exercise")
        added.set_defaults(command=action)
        return added

    def with_json(added: argparse.ArgumentParser) -> None:
        added.add_argument("--json", action="store_true", default=False, help="print JSON")

    with_json(command("list", list_exercises, "list every exercise: done or open, hints seen"))
    command("start", start, "write the file of an exercise", "required")
    with_json(command("check", check, "check an exercise once: exit code 0 if it passes, otherwise 1", "optional"))
    command("hint", hint, "show an idea; again, an identity; again, a first line", "optional")
    added = command(
        "solution", show_solution, "show the library's source; asks first if the exercise is open", "optional"
    )
    added.add_argument("--yes", action="store_true", default=False, help="do not ask for confirmation")
    command("reset", reset, "start an exercise again; your file is kept as .bak", "required")
    with_json(command("selfcheck", selfcheck, "test the exercises themselves"))
    added = command("grade", grade, "check the files of a class: a folder with one work folder for each student")
    added.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with one folder for each student")
    added.add_argument("--csv", type=Path, nargs="?", default=None, metavar="FILE",
                       help="write the table to this new file (default: print it)")  # fmt: skip
    with_json(added)


def seconds(text: str) -> float:
    """A number of seconds > 0, from the command line."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time limit: use a number of seconds > 0")
    return value


def list_exercises(arguments: argparse.Namespace) -> int:
    """`minisiam learn list`."""
    states = read_progress(arguments)
    rows = [
        {
            "number": exercise.number,
            "name": exercise.name,
            "title": exercise.title,
            "lesson": exercise.lesson,
            "op": exercise.op,
            "file": exercise.file,
            **states[exercise.name]._asdict(),
        }
        for exercise in EXERCISES
    ]
    if arguments.json:
        print_line(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        state = "done" if row["passed"] else "open"
        seen = [f"{row['hints']} of 3 hints"] * bool(row["hints"]) + ["solution"] * row["solution"]
        print_line(f"{row['number']:02d}  {state}  {row['name']:<26}{row['title']:<50}{', '.join(seen)}".rstrip())
    print_line(f"\n{len(progress.done(states))} of {len(EXERCISES)} done. {next_exercise(arguments)}")
    return 0


def start(arguments: argparse.Namespace) -> int:
    """`minisiam learn start NN`."""
    exercise, _ = selected(arguments)
    path = file_of(arguments, exercise)
    if not write_stub(arguments, exercise):
        raise ValueError(f"{path} exists: edit it, or start again with `minisiam learn reset {exercise.number:02d}`")
    print_line(f"{path}\n\n{exercise.task}\n\nThen: minisiam learn check {exercise.number:02d}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """`minisiam learn check [NN]`."""
    exercise, _ = selected(arguments)
    report = check_and_record(arguments, exercise)
    if arguments.json:
        print_line(json.dumps(report._asdict(), indent=2))
    else:
        print_line(report.text + (f"\n\n{next_exercise(arguments)}" if report.status == "passed" else ""))
    return 0 if report.status == "passed" else 1


def hint(arguments: argparse.Namespace) -> int:
    """`minisiam learn hint [NN]`: one more hint each time."""
    exercise, states = selected(arguments)
    seen = min(states[exercise.name].hints + 1, len(exercise.hints))
    progress.update(arguments.work, exercise.name, hints=seen)
    print_line(str(exercise))
    for kind, text in zip(("idea", "identity", "first line"), exercise.hints[:seen], strict=False):
        print_line(f"    {kind:<12}{text}")
    if seen < len(exercise.hints):
        following = "an identity" if seen == 1 else "a first line"
        print_line(f"\nFor {following}: minisiam learn hint {exercise.number:02d}")
    return 0


def show_solution(arguments: argparse.Namespace) -> int:
    """`minisiam learn solution [NN]`."""
    exercise, states = selected(arguments)
    if not states[exercise.name].passed:
        if not arguments.yes and not _confirm(f"{exercise} is still open. Show the solution? [y/N] "):
            print_line(f"Not shown. For a hint: minisiam learn hint {exercise.number:02d}")
            return 1
        progress.update(arguments.work, exercise.name, solution=True)
    print_line(f"# minisiam.{exercise.op}\n\n{solution(exercise)}")
    return 0


def _confirm(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print_line("")
        return False


def reset(arguments: argparse.Namespace) -> int:
    """`minisiam learn reset NN`."""
    exercise, _ = selected(arguments)
    path = file_of(arguments, exercise)
    if path.exists():
        kept = progress.unused_path(path.with_name(path.name + ".bak"))
        path.replace(kept)
        print_line(f"your file is kept as {kept}")
    write_stub(arguments, exercise)
    progress.update(arguments.work, exercise.name, passed=False)
    print_line(f"{path} is the original file again")
    return 0


def selfcheck(arguments: argparse.Namespace) -> int:
    """`minisiam learn selfcheck`."""
    from .selfcheck import run

    return 0 if run(print_line, arguments.json) else 1


def grade(arguments: argparse.Namespace) -> int:
    """`minisiam learn grade FOLDER`."""
    from . import grading

    answers = grading.read_class(arguments.folder)
    marks: grading.Marks = {}
    with _table(arguments) as file:
        try:
            grading.grade_class(answers, file, arguments.limit, warn, marks)
        except KeyboardInterrupt:
            warn(f"\nStopped: {len(marks)} of {len(answers)} students are graded.")
    if arguments.json:
        print_line(json.dumps(grading.as_json(marks), indent=2))
    return 0 if len(marks) == len(answers) else 1


def _table(arguments: argparse.Namespace) -> AbstractContextManager[TextIO]:
    """The new file for the table, opened before the work starts; standard output, unless that is for JSON."""
    if arguments.csv:
        return arguments.csv.open("x", encoding="utf-8", newline="")
    return nullcontext(io.StringIO() if arguments.json else sys.stdout)
