"""The function that a learner's file defines. The file runs in this process."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import types
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..gradcheck.compare import raised
from . import one_page
from .verdicts import Refused

if TYPE_CHECKING:
    from .exercises import Exercise, Function


def function_of(exercise: Exercise, source: bytes, path: Path) -> Any:
    """The learner's function, from the bytes of the file."""
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    text = source.decode("utf-8-sig", "replace")
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except SyntaxError as mistake:
        line = f", in line {mistake.lineno}: {(mistake.text or '').strip()}" if mistake.lineno else ""
        raise Refused(f"the file does not run, {type(mistake).__name__}: {mistake.msg}{line}") from mistake
    except Exception as mistake:
        raise Refused(f"the file does not run: {raised(mistake)}") from mistake
    if exercise.steps:
        return page_of(exercise, module, source)
    function = written(exercise.function, module)
    check_signature(exercise.function, exercise.model_answer, exercise.number, function)
    return function


def page_of(exercise: Exercise, module: types.ModuleType, source: bytes) -> Any:
    """The functions of a page as one, which calls the function of a name."""
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        others = [name for name in names if name.partition(".")[0] not in ("numpy", "__future__")]
        if others:
            raise Refused(f"the page needs NumPy and nothing else, and it imports {others[0]}")
    for name, function in one_page.functions().items():
        check_signature(name, function, exercise.number, written(name, module))
    return one_page.page_in(vars(module))


def written(name: str, module: types.ModuleType) -> Any:
    """A function that the learner has written."""
    function, path = vars(module).get(name), Path(str(module.__file__))
    if not inspect.isroutine(function) or isinstance(function, partial):  # in Python 3.14 a partial is a routine
        functions = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == path.stem]
        raise Refused(
            f"the file has no function {name}: define it with def {name}(…); it has {', '.join(functions) or 'none'}"
        )
    check_origin(name, function, path)
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


def check_signature(name: str, correct: Function, number: int, function: Any) -> None:
    """Raise an error if a parameter of the stub is missing, or has another position, kind or default."""
    expected = list(inspect.signature(correct).parameters.values())
    given = list(inspect.signature(function).parameters.values())
    wanted, found = ([(p.name, p.kind, p.annotation is p.empty) for p in side] for side in (expected, given))
    if wanted != found[: len(wanted)]:
        names = ", ".join(p.name for p in expected)
        raise Refused(
            f"the line `def {name}(…)` must keep the parameters {names}: restore it or start again with "
            f"`minisiam learn reset {number:02d}`"
        )
    for stub, own in zip(expected, given, strict=False):  # graders pass most constants: they see no default
        both = stub.default is not stub.empty and own.default is not own.empty
        if both and repr(own.default) != repr(stub.default):
            raise Refused(f"the default of {own.name} must be {stub.default!r}, as in the stub, not {own.default!r}")
