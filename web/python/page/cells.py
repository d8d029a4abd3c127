"""The code cells of a page. They share one namespace, and show what the cells of a notebook show."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import reprlib
import symtable
import sys
import traceback
import types
from typing import Any

from . import display

module = types.ModuleType("__main__")  # what cells define belongs to it, as to a script
sys.modules["__main__"] = module
sys.argv = [""]


def run(number: int, text: str) -> dict[str, Any] | None:
    """Run the text of a cell and show the value of its last expression.

    Parameters
    ----------
    number
        The cell's place on the page, from 1.
    text
        Its code.

    Returns
    -------
    dict or None
        None if it ran to its end. Otherwise `text`, a short traceback, and `missing`, the name that a NameError names.
    """
    file = f"<cell {number}>"
    try:
        statements = ast.parse(text, file).body
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks and inspect
        last = statements.pop() if statements and isinstance(statements[-1], ast.Expr) else None
        _execute(ast.Module(statements, []), file)
        if last:
            _show(_execute(ast.Expression(last.value), file), silent=text.rstrip().endswith(";"))
        _show_open_figures()
    except BaseException as error:  # SystemExit as well: a cell ends, not the worker
        return {"text": _explained(error), "missing": error.name if type(error) is NameError else None}
    finally:
        sys.stdout.flush()
    return None


def definer(name: str, texts: list[str]) -> int | None:
    """Return the number of the last of these cells, from 1, that defines `name` at its top level; None if none does."""
    return max((number for number, text in enumerate(texts, 1) if name in _defined(text)), default=None)


def _execute(tree: ast.Module | ast.Expression, file: str) -> Any:
    mode = "eval" if isinstance(tree, ast.Expression) else "exec"
    return eval(compile(tree, file, mode, dont_inherit=True), vars(module))


def _defined(text: str) -> set[str]:
    try:
        symbols = symtable.symtable(text, "", "exec").get_symbols()
    except SyntaxError:  # a cell that the reader edits; it defines nothing
        return set()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def _show(value: Any, silent: bool) -> None:
    if value is None or silent:
        return
    if "matplotlib.figure" in sys.modules and isinstance(value, sys.modules["matplotlib.figure"].Figure):
        display(value)
    else:
        print(repr(value))


def _show_open_figures() -> None:
    """Show what pyplot has drawn, as a notebook does at the end of a cell."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        for number in pyplot.get_fignums():
            display(pyplot.figure(number))
        pyplot.close("all")


def _explained(error: BaseException) -> str:
    """Return a traceback with the frames of cells, and of the library only the innermost one."""
    frames = traceback.extract_tb(error.__traceback__)
    of_cells = [frame for frame in frames if frame.filename.startswith("<cell ")]
    lines = traceback.format_list(of_cells)
    if of_cells and frames[-1] is not of_cells[-1]:
        inner = ([frame for frame in frames if "/minisiam/" in frame.filename] or frames)[-1]
        file = re.sub(r".*/(site-packages|python3\.\d+)/", "", inner.filename)
        lines.append(f"{file}, line {inner.lineno}, in {inner.name}\n")
    lines += traceback.format_exception_only(error)
    if type(error) is AssertionError:
        lines += _values(error)
    return re.sub(r' *File "<cell (\d+)>", line (\d+)(, in <module>)?', r"Cell \1, line \2", "".join(lines)).rstrip()


def _values(error: AssertionError) -> list[str]:
    """Return a line for each name in the assertion of a cell that failed, with its value."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = frame.f_code.co_filename
    if not file.startswith("<cell "):
        return []
    statements = ast.walk(ast.parse("".join(linecache.getlines(file))))
    failed = [node for node in statements if isinstance(node, ast.Assert) and node.lineno <= line <= node.end_lineno]
    names = dict.fromkeys(node.id for test in failed for node in ast.walk(test) if isinstance(node, ast.Name))
    variables = frame.f_globals | frame.f_locals
    values = {name: variables[name] for name in names if name in variables}
    shown = {name: value for name, value in values.items() if not callable(value) and not inspect.ismodule(value)}
    return [f"    {name} = {reprlib.repr(value)}\n" for name, value in shown.items()]
