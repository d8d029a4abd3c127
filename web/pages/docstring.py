"""Docstrings as Markdown: their sections, and their Unicode formulas, which Markdown must not read as emphasis."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Link = Callable[[str], str | None]  # a name in code ↦ the address of its page


class Docstring(NamedTuple):
    """The parts of a numpydoc docstring: its first line, the paragraphs after it, and the text of each section."""

    summary: str
    extended: str
    sections: dict[str, str]


def read(thing: Any) -> Docstring:
    """The docstring of a function or a class, in its parts."""
    head, *rest = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.getdoc(thing) or "", flags=re.M)
    summary, _, extended = head.strip().partition("\n\n")
    sections = {name: text.strip() for name, text in zip(rest[::2], rest[1::2], strict=True)}
    return Docstring(" ".join(summary.split()), extended.strip(), sections)


def markdown(text: str, link: Link = lambda name: None) -> str:
    """Prose of a docstring: its `code` stays code, with a link where it names a page; the rest is literal."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(_code(part, link) if part.startswith("`") else literal(part) for part in parts)


def _code(part: str, link: Link) -> str:
    address = link(part.strip("`"))
    return f"[{part}]({address})" if address else part


def literal(text: str) -> str:
    """Text whose characters mean nothing to Markdown."""
    return re.sub(r"([\\*_\[\]<>$|{}^~])", r"\\\1", text)


def definitions(section: str, link: Link = lambda name: None) -> str:
    """The parameters of a section as a list: each name, and its explanation."""
    lines: list[str] = []
    for name, text in re.findall(r"^(\S.*)\n((?:[ \n].*\n?)*)", section + "\n", flags=re.M):
        names = ", ".join(f"`{one.strip()}`" for one in name.split(","))
        said = " ".join(text.split())
        lines.append(f"- {names}" + (f": {markdown(said, link)}" if said else ""))
    return "\n".join(lines) + "\n"
