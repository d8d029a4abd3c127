"""Grade a learner's file in this process:   python -m minisiam.course.worker EXERCISE FILE ANSWER SECONDS

The verdict is written to the file ANSWER as JSON. Time and memory are limited, and any error becomes a message.
`sandbox` starts this module, and reports why if it ends without a verdict.
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
from .graders import Verdict, grade
from .sandbox import EXIT_WAITING

MEMORY = 1 << 30  # bytes in addition to those of the libraries
OUTPUT = 1 << 22  # bytes of output


class Refused(Exception):
    """The file has no function to grade; the message says why."""


def main(name: str, path: str, answer: str, seconds: str) -> None:
    """Grade a file and write the verdict."""
    exercise, out = find(name), Path(answer)
    out.with_suffix(".ready").touch()
    with out.with_suffix(".where").open("w") as where:
        set_limits(float(seconds), where)
        try:
            verdict = grade(exercise, load(exercise, Path(path)))
        except Refused as refusal:
            verdict = Verdict("failed", f"{exercise}: {refusal}", str(refusal))
        except SystemExit:
            verdict = failed(exercise, "it ends the program (sys.exit): use return instead")
        except BaseException as mistake:
            verdict = failed(exercise, raised(mistake))
    with replacing(out) as file:
        file.write(json.dumps(verdict._asdict()).encode())
    with contextlib.suppress(OSError, ValueError):  # the output may be full or closed
        sys.stdout.flush()
    os._exit(0)  # even if other threads run


def failed(exercise: Exercise, what: str) -> Verdict:
    """A failed verdict with a message."""
    return Verdict("failed", f"{exercise}: {what}", what)


def set_limits(seconds: float, where: Any) -> None:
    """Limit computing time, waiting time, memory and output; at the limit the traceback is written to `where`."""
    threading.Thread(target=_end_when_idle, args=(seconds, where), daemon=True).start()
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


def _end_when_idle(seconds: float, where: Any) -> None:
    """End the process once it has waited for `seconds`. Elapsed time alone does not show this on a busy machine."""
    while True:
        before = time.process_time()
        time.sleep(seconds)
        if time.process_time() - before < 0.002 * seconds:
            faulthandler.dump_traceback(file=where)
            os._exit(EXIT_WAITING)


def load(exercise: Exercise, path: Path) -> Any:
    """The learner's function, from the present text of the file, without a compiled copy."""
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
        functions = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == path.stem]
        raise Refused(
            f"the file has no function {name}: define it with def {name}(…); it has {', '.join(functions) or 'none'}"
        )
    check_origin(name, function, path)
    check_signature(exercise, function)
    return function


def check_origin(name: str, function: Any, path: Path) -> None:
    """Raise an error if the function was not written in the learner's file."""
    written = inspect.unwrap(function)
    origin = written.__code__.co_filename if inspect.isfunction(written) else ""
    if origin != str(path):
        whose = (
            "the library's function"
            if written.__module__.startswith("minisiam")
            else f"a function of {written.__module__}"
        )
        raise Refused(f"{name} is {whose}: define your own in this file")


def check_signature(exercise: Exercise, function: Any) -> None:
    """Raise an error if a parameter of the stub is missing, or has another position or kind."""
    expected = list(inspect.signature(exercise.model_answer).parameters.values())
    given = list(inspect.signature(function).parameters.values())
    wanted, found = ([(p.name, p.kind, p.annotation is p.empty) for p in side] for side in (expected, given))
    if wanted != found[: len(wanted)]:
        names = ", ".join(p.name for p in expected)
        raise Refused(
            f"the line `def {exercise.function}(…)` must keep the parameters {names}: restore it or start again with "
            f"`minisiam learn reset {exercise.number:02d}`"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
