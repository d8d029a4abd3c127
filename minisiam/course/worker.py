"""A learner's file in a process of its own:   python -m minisiam.course.worker EXERCISE FILE ANSWER SECONDS

The verdict goes to the file ANSWER as JSON. What the file may use of time and memory is limited, and an error of any
kind becomes a sentence. `isolation` starts it, and answers for what happens when it does not come back.
"""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

from ..checkpoint import replacing
from ..gradcheck.compare import raised
from .exercises import Exercise, find
from .graders import Verdict, judge
from .sandbox import WAITING

MEMORY = 1 << 30  # bytes beyond what the libraries have taken
OUTPUT = 1 << 22  # bytes that may be printed


class Refused(Exception):
    """There is no function to be graded; the message says why."""


def main(name: str, path: str, answer: str, seconds: str) -> None:
    """Grade a file, and write down the verdict."""
    exercise, out = find(name), Path(answer)
    out.with_suffix(".ready").touch()
    with out.with_suffix(".where").open("w") as where:
        limit(float(seconds), where)
        try:
            verdict = judge(exercise, load(exercise, Path(path)))
        except Refused as refusal:
            verdict = Verdict("failed", f"{exercise}: {refusal}", str(refusal))
        except SystemExit:
            verdict = said(exercise, "it ends the program (sys.exit): a function returns")
        except BaseException as mistake:
            verdict = said(exercise, raised(mistake))
    with replacing(out) as written:
        written.write(json.dumps(verdict._asdict()).encode())
    with contextlib.suppress(OSError, ValueError):  # the output may be full, or closed
        sys.stdout.flush()
    os._exit(0)  # whatever threads there are


def said(exercise: Exercise, what: str) -> Verdict:
    """A verdict of one sentence."""
    return Verdict("failed", f"{exercise}: {what}", what)


def limit(seconds: float, where: Any) -> None:
    """How long it may compute or wait, how much it may hold and print; where it is in the end goes to a file."""
    threading.Thread(target=_watch, args=(seconds, where), daemon=True).start()
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        faulthandler.register(signal.SIGXCPU, file=where, chain=True)
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


def _watch(seconds: float, where: Any) -> None:
    """End the process once it has waited so long. By the clock nothing can be said: the machine may be busy."""
    while True:
        before = time.process_time()
        time.sleep(seconds)
        if time.process_time() - before < 0.002 * seconds:
            faulthandler.dump_traceback(file=where)
            os._exit(WAITING)


def load(exercise: Exercise, path: Path) -> Any:
    """The learner's own function; the file is read anew and leaves nothing behind."""
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    try:
        source = path.read_text(encoding="utf-8")
        exec(compile(source, str(path), "exec"), vars(module))
    except SyntaxError as mistake:
        line = f", in line {mistake.lineno}: {(mistake.text or '').strip()}" if mistake.lineno else ""
        raise Refused(f"the file does not run, {type(mistake).__name__}: {mistake.msg}{line}") from mistake
    except Exception as mistake:
        raise Refused(f"the file does not run: {raised(mistake)}") from mistake
    name = exercise.function
    function = vars(module).get(name)
    if not inspect.isroutine(function):
        known = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == path.stem]
        raise Refused(f"there is no function {name} in the file; it has {', '.join(known) or 'none'}")
    own(name, function, path)
    same_signature(exercise, function)
    return function


def own(name: str, function: Any, path: Path) -> None:
    """An error where the function was not written in the learner's file."""
    plain = inspect.unwrap(function)
    home = plain.__code__.co_filename if inspect.isfunction(plain) else ""
    if home != str(path):
        whose = (
            "the library's function" if plain.__module__.startswith("minisiam") else f"a function of {plain.__module__}"
        )
        raise Refused(f"{name} is {whose}, and not written in this file: write your own")


def same_signature(exercise: Exercise, function: Any) -> None:
    """An error where a parameter of the stub is gone, or has changed its place or its kind."""
    asked = list(inspect.signature(exercise.answer).parameters.values())
    given = list(inspect.signature(function).parameters.values())
    wanted, found = ([(p.name, p.kind, p.annotation is p.empty) for p in side] for side in (asked, given))
    if wanted != found[: len(wanted)]:
        names = ", ".join(p.name for p in asked)
        raise Refused(
            f"the line `def {exercise.function}(…)` must stay as it was, with {names}: `minisiam learn reset`"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
