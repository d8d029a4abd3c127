"""The learner's file, a library function without its body; and the solution, the source of the function."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from functools import cache
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from ..distances import check_weights
from ..distributed.collectives import require_alike
from ..miners.types import check_finite, require_both_kinds
from ..ops.convolution import geometry
from . import one_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .exercises import Exercise, Function

TYPING = dict.fromkeys(("Array", "Bool", "Encoder", "Float", "Generator", "Int", "Op", "Params"), "minisiam.typing")
TYPES = TYPING | {"Ranks": "minisiam.distributed"}
STANDARD = {"Any": "typing", "Callable": "collections.abc", "Iterator": "collections.abc"}
HOLE = 'raise NotImplementedError("your turn: replace this line by the body of {name}")'


@cache
def stub(exercise: Exercise) -> str:
    """The file of an exercise: the task, the signature and docstring of the library function, and one hole."""
    if exercise.steps:
        return one_page.stub(_head(exercise), exercise.file)
    function = _parsed(exercise.library)
    text = _source(exercise.library)
    lines = [_signature(function, text, exercise), _docstring(function, text, exercise), *_body(function, exercise)]
    code = "\n".join(lines)
    return f'"""{_head(exercise)}\n"""\n\n' + "\n\n".join(_imports(code, exercise.library)) + f"\n\n\n{code}\n"


def _head(exercise: Exercise) -> str:
    """The title, the task, and the commands."""
    end = "" if exercise.title.endswith("?") else "."
    watch, more = "minisiam learn", "an idea; again for more"
    if exercise.steps:
        watch, more = "minisiam learn capstone", "a hint for your step"
    return (
        f"{exercise}: {exercise.title}{end}     lesson {exercise.lesson}\n\n{exercise.task}\n\n"
        f"    {watch:27}checks this file each time you save it\n"
        f"    {f'minisiam learn hint {exercise.number:02d}':27}shows {more}"
    )


def solution(exercise: Exercise) -> str:
    """The source of the library function, and of the library functions that it calls."""
    if exercise.steps:
        return one_page.source().rstrip()
    return "\n\n\n".join(_source(function) for function in _called(exercise.library))


def _source(function: Function) -> str:
    return dedent(inspect.getsource(inspect.unwrap(function))).rstrip()


def _parsed(function: Function) -> ast.FunctionDef:
    (node,) = ast.parse(_source(function)).body
    if not isinstance(node, ast.FunctionDef):
        raise ValueError(f"{function.__name__} cannot be an exercise: it must be a function defined with def")
    return node


def _signature(node: ast.FunctionDef, text: str, exercise: Exercise) -> str:
    """`def name(...) -> ...:` on one line or, if that is too long, one line for each parameter."""
    arguments, defaults = node.args, node.args.defaults
    every = [*arguments.posonlyargs, *arguments.args]
    default_of = dict(zip([a.arg for a in every[len(every) - len(defaults) :]], defaults, strict=True))
    parts = []
    for place, a in enumerate(every, start=1):
        annotation = f": {ast.get_source_segment(text, a.annotation)}" if a.annotation else ""
        default = f" = {ast.get_source_segment(text, default_of[a.arg])}" if a.arg in default_of else ""
        parts += [f"{a.arg}{annotation}{default}"] if a.arg not in exercise.omit else []
        parts += ["/"] if place == len(arguments.posonlyargs) else []
    returns = ast.get_source_segment(text, node.returns) if node.returns else None
    if returns and exercise.value_only:
        returns = re.fullmatch(r"Op\[(.*)\]", returns)[1]  # type: ignore[index]
    end = f" -> {returns}:" if returns else ":"
    line = f"def {node.name}({', '.join(parts)}){end}"
    return line if len(line) <= 120 else f"def {node.name}(\n    " + ",\n    ".join(parts) + f",\n){end}"


def _docstring(node: ast.FunctionDef, text: str, exercise: Exercise) -> str:
    """The docstring of the library without the omitted parameters and without the formula of the gradient."""
    docstring = "    " + (ast.get_source_segment(text, node.body[0]) or "")
    parameter = r"^    (\w+(?:, \w+)*)\n(?:        .*\n)+"
    omit = set(exercise.omit)
    docstring = re.sub(parameter, lambda m: "" if {*m[1].split(", ")} <= omit else m[0], docstring, flags=re.M)
    if exercise.value_only:
        docstring = re.sub(r";\s+`pullback\(.*?(?=\n\s*\n)", ".", docstring, flags=re.S)
        return docstring.replace("d, pullback", "d")
    return re.sub(
        r"(`pullback\(\w+\)`\s+gives\s+`\([^`]*\)`)[^\n]*?(?:[=:]|with).*?(?=\n\s*\n|\n\s*\"\"\")",
        r"\1: derive it.",
        docstring,
        flags=re.S,
    )


def _body(node: ast.FunctionDef, exercise: Exercise) -> list[str]:
    """The hole; or the function with a hole as the body of an inner function; or the dict to change."""
    name = exercise.hole or exercise.function
    hole = HOLE.format(name=name)
    if exercise.template:
        given = getattr(sys.modules[exercise.library.__module__], exercise.template)
        return ["    " + line for line in f"return {_pretty(given)}".splitlines()]
    if not exercise.hole:
        return [f"    {hole}"]
    inner = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == name)
    inner.body = ast.parse(hole).body
    rest = [ast.unparse(n).replace("'", '"') for n in node.body[1:]]
    return ["", *("    " + line if line else "" for line in "\n\n".join(rest).splitlines())]


def _pretty(given: dict[str, Any]) -> str:
    """A dict with one entry per line."""
    entries = "".join(f"    {_quoted(name)}: {_quoted(value)},\n" for name, value in given.items())
    return f"{{\n{entries}}}"


def _quoted(value: Any) -> str:
    return repr(value).replace("'", '"')


def _imports(code: str, library: Function) -> Iterator[str]:
    """The imports of a stub: NumPy, modules that the library function uses, and the types of its annotations."""
    namespace = vars(sys.modules[library.__module__])
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    modules = {node.id for node in ast.walk(ast.parse(_source(library))) if isinstance(node, ast.Name)} - {"require"}
    yield "from __future__ import annotations"
    standard = _from({name: STANDARD[name] for name in used & STANDARD.keys()})
    if standard:
        yield "\n".join(standard)
    yield "import numpy as np"
    tools = sorted(n for n in modules if isinstance(namespace.get(n), types.ModuleType) and n != "np")
    homes = {name: getattr(namespace.get(name), "__module__", "") for name in used}
    own = _from(
        dict.fromkeys(tools, "minisiam")
        | {name: home for name, home in homes.items() if home.startswith("minisiam")}
        | {name: TYPES[name] for name in used & TYPES.keys()}
    )
    if own:
        yield "\n".join(own)


def _from(homes: dict[str, str]) -> list[str]:
    """`from module import names`, one line per module."""
    return [
        f"from {home} import {', '.join(sorted(name for name in homes if homes[name] == home))}"
        for home in sorted(set(homes.values()))
    ]


def _called(function: Function) -> list[Function]:
    """The function and the library functions that it calls, in order, without decorators and checks of arguments."""
    found: list[Function] = []

    def visit(one: Function) -> None:
        one = inspect.unwrap(one)
        if one in found:
            return
        found.append(one)
        for node in (node for statement in _parsed(one).body for node in ast.walk(statement)):
            called = one.__globals__.get(node.id) if isinstance(node, ast.Name) else None
            if inspect.isfunction(called) and called.__module__.startswith("minisiam") and called not in CHECKS:
                visit(called)

    visit(function)
    return found


CHECKS: set[Function] = {
    check_weights,
    geometry,
    check_finite,
    require_both_kinds,
    require_alike,
}  # of arguments, not part of a solution
