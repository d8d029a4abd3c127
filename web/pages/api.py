"""The API: a page for each module of the core and each folder beside it, from the docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import minisiam


def write(folder: Path) -> None:
    """Write a page for each module of the table of contents in the package's docstring, and their index."""
    rows = re.findall(r"^    (\w+) +(\S.*)$", minisiam.__doc__ or "", flags=re.M)
    (folder / "api").mkdir()
    for name, _ in rows:
        text = page(importlib.import_module(f"minisiam.{name}"))
        (folder / "api" / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / "api" / "index.md").write_text(index(rows), encoding="utf-8")


def index(rows: list[tuple[str, str]]) -> str:
    """The modules in reading order."""
    table = "\n".join(f"| [{name}]({name}.md) | {text} |" for name, text in rows)
    names = "\n".join(name for name, _ in rows)
    return (
        "# API\n\nThe modules in the order in which they are best read; each uses only those above it.\n"
        "`minisiam check` "
        "and the tests read the formulas, shapes and conventions from these docstrings.\n\n"
        f"| module | |\n|---|---|\n{table}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )


def page(module: ModuleType) -> str:
    """The module's docstring and its public names."""
    lines = [f"# {module.__name__}", "", "```{eval-rst}", f".. currentmodule:: {module.__name__}"]
    lines += ["", *introduction(inspect.getdoc(module) or "")]
    for name in public(module):
        kind = "autoclass" if inspect.isclass(getattr(module, name)) else "autofunction"
        lines += ["", f".. {kind}:: {name}"]
    return "\n".join([*lines, "```", ""])


def introduction(docstring: str) -> list[str]:
    """A module's docstring: what is indented, or stands after a wide space, is code."""
    lines: list[str] = []
    for paragraph in docstring.split("\n\n"):
        text, _, code = paragraph.partition("     ") if not paragraph.startswith(" ") else ("", "", paragraph)
        lines += [text.strip().replace("|", r"\|"), ""] if text.strip() else []
        lines += ["::", "", *(f"    {line}" for line in code.splitlines()), ""] if code else []
    return lines


def public(module: ModuleType) -> list[str]:
    """The public functions and classes that the module or its parts define."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    return [
        name for name, value in found.items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    ]  # fmt: skip
