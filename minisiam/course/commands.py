"""The words of `minisiam learn`, and what each does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import progress
from .exercises import EXERCISES, Exercise, numbered
from .sandbox import SECONDS, Answer, check
from .stubs import solution, stub

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = """\
Exercises: write the functions of this library yourself. Each is the library's own, with its body cut out.

    minisiam learn                the first that is open: edit the file that it names; it is checked each time you
                                  save it, until it is right or you press Ctrl-C
    minisiam learn list           all of them: done or open, and how many hints you have seen
    minisiam learn start 04       write the file of an exercise; a number or a name: `start contrastive`
    minisiam learn check 04       check it once
    minisiam learn hint 04        an idea; again, an identity; again, a first line
    minisiam learn solution 04    the library's own source
    minisiam learn reset 04       begin again; your file is kept as .bak

A wrong answer gets the smallest input on which it is wrong, what is right there, and a clue.
Your files and your progress are in the folder work/, or in another: --work FOLDER.

For teachers:

    minisiam learn grade FOLDER --csv marks.csv     FOLDER has one work folder for each student
    minisiam learn check 04 --json                  exit code 0 if it is right, else 1
    minisiam learn selfcheck                        every stub fails, every library function passes, and every
                                                    mistake that learners make is noticed
"""


def add(verb: argparse.ArgumentParser) -> None:
    """The words, as sub-commands of `minisiam learn`."""
    verb.add_argument("--work", type=Path, default=Path("work"), metavar="FOLDER", help="your files (default: work/)")
    verb.add_argument("--limit", type=float, default=SECONDS, metavar="SECONDS",
                      help="how long your function may compute (default: %(default)g)")  # fmt: skip
    verb.set_defaults(command=watch, exercise=None)
    words = verb.add_subparsers(title="words", metavar="WORD")

    def word(name: str, command: Callable[[argparse.Namespace], int], text: str, one: str = "") -> Any:
        made = words.add_parser(name, help=text, description=text, argument_default=argparse.SUPPRESS)
        made.add_argument("--work", type=Path, metavar="FOLDER", help="your files (default: work/)")
        made.add_argument("--limit", type=float, metavar="SECONDS", help="how long your function may compute")
        if one:
            made.add_argument(
                "exercise", nargs=None if one == "must" else "?", metavar="NN", help="its number or its name"
            )
        made.set_defaults(command=command)
        return made

    word("list", show_list, "every exercise: done or open, hints seen").add_argument(
        "--json", action="store_true", default=False, help="as JSON"
    )
    word("start", start, "write the file of an exercise", "must")
    word("check", check_once, "check an exercise once: exit code 0 if it is right, else 1", "may").add_argument(
        "--json", action="store_true", default=False, help="as JSON"
    )
    word("hint", hint, "an idea; again, an identity; again, a first line", "may")
    word(
        "solution", show_solution, "the library's own source; asks first while the exercise is open", "may"
    ).add_argument("--yes", action="store_true", default=False, help="do not ask")
    word("reset", reset, "begin an exercise again; your file is kept as .bak", "must")
    made = word("selfcheck", selfcheck, "check the exercises themselves")
    made.add_argument("--json", action="store_true", default=False, help="as JSON")
    made = word("grade", grade, "check the work of many: a folder with one work folder for each student")
    made.add_argument("folder", type=Path, metavar="FOLDER", help="with a folder for each student")
    made.add_argument(
        "--csv", nargs="?", const="", default="", metavar="FILE", help="where the table goes (default: here)"
    )


def say(text: object) -> None:
    """Printed at once, also into a pipe."""
    print(text, flush=True)


def _asked(words: argparse.Namespace) -> tuple[Exercise, progress.Progress]:
    states = progress.read(words.work, _warn)
    return numbered(words.exercise, progress.done(states)), states


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _file(words: argparse.Namespace, exercise: Exercise) -> Path:
    return words.work / exercise.file


def _written(words: argparse.Namespace, exercise: Exercise) -> bool:
    """Write the stub if there is no file yet; whether there was none."""
    path = _file(words, exercise)
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(stub(exercise), encoding="utf-8")
    return True


def _graded(words: argparse.Namespace, exercise: Exercise) -> Answer:
    """Check a file, and note it if it passes."""
    answer = check(exercise, _file(words, exercise), words.limit)
    if answer.status == "passed":
        progress.update(words.work, exercise.name, passed=True)
    return answer


def watch(words: argparse.Namespace) -> int:
    """`minisiam learn`: the first open exercise, checked each time its file is saved."""
    states = progress.read(words.work, _warn)
    if len(progress.done(states)) == len(EXERCISES):
        say("Every exercise is done. The rest of the library is written in the same way.")
        return 0
    exercise, states = _asked(words)
    path = _file(words, exercise)
    said = "wrote" if _written(words, exercise) else "edit"
    count = f"{len(progress.done(states))} of {len(EXERCISES)} done"
    say(f"{exercise}: {exercise.title}     lesson {exercise.lesson}, {count}")
    say(f"\n{exercise.task}\n\n{said} {path}   It is checked each time you save it. Ctrl-C stops.\n")
    seen = None
    try:
        while True:
            text = _settled(path, seen)
            if text is not None:
                seen = text
                answer = _graded(words, exercise)
                say(f"{time.strftime('%H:%M:%S')}  {answer.text}\n")
                if answer.status == "passed":
                    say(_next(words))
                    return 0
            time.sleep(0.2)
    except KeyboardInterrupt:
        say(f"\nStopped. `minisiam learn` goes on, `minisiam learn hint {exercise.number:02d}` helps.")
        return 1


def _settled(path: Path, seen: bytes | None) -> bytes | None:
    """What is in the file, if that is new and no editor is about to write more."""
    try:
        text = path.read_bytes()
        if text in (seen, b""):
            return None
        time.sleep(0.05)
        return text if path.read_bytes() == text else None
    except OSError:  # between two moments of an editor that moves a new file into its place
        return None


def _next(words: argparse.Namespace) -> str:
    states = progress.read(words.work, _warn)
    left = [exercise for exercise in EXERCISES if not states[exercise.name].passed]
    if not left:
        return "That was the last one. Every exercise is done."
    return f"Next: {left[0]}, {left[0].title} (lesson {left[0].lesson}): minisiam learn"


def show_list(words: argparse.Namespace) -> int:
    """`minisiam learn list`."""
    states = progress.read(words.work, _warn)
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
    if words.json:
        say(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        state = "done" if row["passed"] else "open"
        seen = [f"{row['hints']} of 3 hints"] * bool(row["hints"]) + ["solution"] * row["solution"]
        say(f"{row['number']:02d}  {state}  {row['name']:<26}{row['title']:<50}{', '.join(seen)}".rstrip())
    say(f"\n{len(progress.done(states))} of {len(EXERCISES)} done. {_next(words)}")
    return 0


def start(words: argparse.Namespace) -> int:
    """`minisiam learn start NN`."""
    exercise, _ = _asked(words)
    path = _file(words, exercise)
    if not _written(words, exercise):
        raise ValueError(f"{path} is there: edit it, or begin again with `minisiam learn reset {exercise.number:02d}`")
    say(f"{path}\n\n{exercise.task}\n\nThen: minisiam learn check {exercise.number:02d}")
    return 0


def check_once(words: argparse.Namespace) -> int:
    """`minisiam learn check [NN]`."""
    exercise, _ = _asked(words)
    answer = _graded(words, exercise)
    if words.json:
        say(json.dumps(answer._asdict(), indent=2))
    else:
        say(answer.text + (f"\n\n{_next(words)}" if answer.status == "passed" else ""))
    return 0 if answer.status == "passed" else 1


def hint(words: argparse.Namespace) -> int:
    """`minisiam learn hint [NN]`: one more each time."""
    exercise, states = _asked(words)
    seen = min(states[exercise.name].hints + 1, len(exercise.hints))
    progress.update(words.work, exercise.name, hints=seen)
    say(str(exercise))
    for kind, text in zip(("idea", "identity", "first line"), exercise.hints[:seen], strict=False):
        say(f"    {kind:<12}{text}")
    if seen < len(exercise.hints):
        say(f"\nAgain for {'an identity' if seen == 1 else 'a first line'}.")
    return 0


def show_solution(words: argparse.Namespace) -> int:
    """`minisiam learn solution [NN]`."""
    exercise, states = _asked(words)
    if not states[exercise.name].passed:
        if not words.yes and not _agreed(f"{exercise} is still open. Show the solution all the same? [y/N] "):
            say("Not shown. `minisiam learn hint` gives less away.")
            return 1
        progress.update(words.work, exercise.name, solution=True)
    say(f"# minisiam.{exercise.op}\n\n{solution(exercise)}")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        say("")
        return False


def reset(words: argparse.Namespace) -> int:
    """`minisiam learn reset NN`."""
    exercise, _ = _asked(words)
    path = _file(words, exercise)
    if path.exists():
        kept = progress.unused(path.with_name(path.name + ".bak"))
        path.replace(kept)
        say(f"your file is kept as {kept}")
    _written(words, exercise)
    progress.update(words.work, exercise.name, passed=False)
    say(f"{path} is as it was at the beginning")
    return 0


def selfcheck(words: argparse.Namespace) -> int:
    """`minisiam learn selfcheck`."""
    from .selfcheck import run

    return 0 if run(say, words.json) else 1


def grade(words: argparse.Namespace) -> int:
    """`minisiam learn grade FOLDER`."""
    from .grading import write

    write(words.folder, words.csv, words.limit, say, _warn)
    return 0
