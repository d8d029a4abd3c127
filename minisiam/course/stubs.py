"""A library function with its body cut out, as a learner's file; and its source, as the solution."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from textwrap import dedent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .exercises import Exercise

TYPING = ("Array", "Bool", "Float", "Generator", "Int", "Op", "Params")
STANDARD = {"Any": "typing", "Callable": "collections.abc", "Iterator": "collections.abc"}
HOLE = 'raise NotImplementedError("your turn: write {name} in the place of this line")'


def stub(exercise: Exercise) -> str:
    """What a learner starts from: the task, the signature and the docstring of the library, and one hole."""
    function = _parsed(exercise.library)
    text = _source(exercise.library)
    lines = [_signature(function, text, exercise), _docstring(function, text, exercise), *_body(function, exercise)]
    code = "\n".join(lines)
    words = f"{exercise.number:02d}"
    end = "" if exercise.title.endswith("?") else "."
    head = (
        f'"""{exercise}: {exercise.title}{end}     lesson {exercise.lesson}\n\n{exercise.task}\n\n'
        f"    minisiam learn             checks this file each time you save it\n"
        f'    minisiam learn hint {words}     an idea; again for more\n"""\n\n'
    )
    return head + "\n\n".join(_imports(code, exercise.library)) + f"\n\n\n{code}\n"


def solution(exercise: Exercise) -> str:
    """The library's own source, and that of the functions which it calls."""
    return "\n\n\n".join(_source(function) for function in _called(exercise.library))


def _source(function: Callable[..., Any]) -> str:
    return dedent(inspect.getsource(inspect.unwrap(function))).rstrip()


def _parsed(function: Callable[..., Any]) -> ast.FunctionDef:
    (node,) = ast.parse(_source(function)).body
    if not isinstance(node, ast.FunctionDef):
        raise ValueError(f"{function.__name__} is not a plain function, so it cannot be an exercise")
    return node


def _signature(node: ast.FunctionDef, text: str, exercise: Exercise) -> str:
    """`def name(...) -> ...:` on one line or, if it is long, one line for each parameter."""
    arguments, defaults = node.args, node.args.defaults
    every = [*arguments.posonlyargs, *arguments.args]
    of = dict(zip([a.arg for a in every[len(every) - len(defaults) :]], defaults, strict=True))
    shown = []
    for place, a in enumerate(every, start=1):
        annotation = f": {ast.get_source_segment(text, a.annotation)}" if a.annotation else ""
        default = f" = {ast.get_source_segment(text, of[a.arg])}" if a.arg in of else ""
        shown += [f"{a.arg}{annotation}{default}"] if a.arg not in exercise.without else []
        shown += ["/"] if place == len(arguments.posonlyargs) else []
    returns = ast.get_source_segment(text, node.returns) if node.returns else None
    if returns and exercise.value_only:
        returns = re.fullmatch(r"Op\[(.*)\]", returns)[1]  # type: ignore[index]
    end = f" -> {returns}:" if returns else ":"
    line = f"def {node.name}({', '.join(shown)}){end}"
    return line if len(line) <= 120 else f"def {node.name}(\n    " + ",\n    ".join(shown) + f",\n){end}"


def _docstring(node: ast.FunctionDef, text: str, exercise: Exercise) -> str:
    """The library's docstring without the parameters that are left out, and without the gradient that it gives away."""
    words = "    " + (ast.get_source_segment(text, node.body[0]) or "")
    for name in exercise.without:
        words = re.sub(rf"^    {name}\n(?:        .*\n)+", "", words, flags=re.M)
    if exercise.value_only:
        words = re.sub(r";\s+`pullback\(.*?(?=\n\s*\n)", ".", words, flags=re.S)
        return words.replace("d, pullback", "d")
    return re.sub(
        r"(`pullback\(\w+\)`\s+gives\s+`\([^`]*\)`)[^\n]*?(?:[=:]|with).*?(?=\n\s*\n|\n\s*\"\"\")",
        r"\1: derive it.",
        words,
        flags=re.S,
    )


def _body(node: ast.FunctionDef, exercise: Exercise) -> list[str]:
    """The hole; or the function as it stands but for the body of an inner one; or lines to be changed."""
    name = exercise.hole or exercise.function
    hole = HOLE.format(name=name)
    if exercise.start:
        given = getattr(sys.modules[exercise.library.__module__], exercise.start)
        return ["    " + line for line in f"return {_pretty(given)}".splitlines()]
    if not exercise.hole:
        return [f"    {hole}"]
    inner = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == name)
    inner.body = ast.parse(hole).body
    rest = [ast.unparse(n).replace("'", '"') for n in node.body[1:]]
    return ["", *("    " + line if line else "" for line in "\n\n".join(rest).splitlines())]


def _pretty(given: dict[str, Any]) -> str:
    """A dict, one entry a line."""
    entries = "".join(f"    {_quoted(name)}: {_quoted(value)},\n" for name, value in given.items())
    return f"{{\n{entries}}}"


def _quoted(value: Any) -> str:
    return repr(value).replace("'", '"')


def _imports(code: str, library: Callable[..., Any]) -> Iterator[str]:
    """What the stub needs: NumPy, modules that the library's function uses, and the names of its annotations."""
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
        | dict.fromkeys(used & set(TYPING), "minisiam.typing")
    )
    if own:
        yield "\n".join(own)


def _from(homes: dict[str, str]) -> list[str]:
    """`from module import names`, a line for each module."""
    return [
        f"from {home} import {', '.join(sorted(name for name in homes if homes[name] == home))}"
        for home in sorted(set(homes.values()))
    ]


def _called(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The function, and the functions of the library that it calls, in their order; checks of arguments aside."""
    found: list[Callable[..., Any]] = []

    def visit(one: Callable[..., Any]) -> None:
        one = inspect.unwrap(one)
        if one in found:
            return
        found.append(one)
        for node in ast.walk(ast.parse(_source(one))):
            called = one.__globals__.get(node.id) if isinstance(node, ast.Name) else None
            if (
                inspect.isfunction(called)
                and called.__module__.startswith("minisiam")
                and called.__name__ not in LEFT_OUT
            ):
                visit(called)

    visit(function)
    return found


LEFT_OUT = {"op", "learned", "check_weights", "geometry", "alone"}
