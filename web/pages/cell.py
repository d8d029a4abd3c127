"""A cell that readers can run, as myst-nb writes the cells of a lesson."""

from __future__ import annotations

import contextlib
import hashlib
import io
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OUTPUTS = ROOT / "build" / "outputs"  # what a cell printed with this version of the package


def runnable(code: str, output: str = "", role: str = "check") -> str:
    """Markdown for a cell with its code and its output; `role` names the Python that runs it: check, cells or play."""
    parts = [_html(f'<div class="cell docutils container" data-role="{role}">'), _part("cell_input", "ipython3", code)]
    if output.strip():
        parts.append(_part("cell_output", "none", output))
    return "".join([*parts, _html("</div>")])


def executed(code: str, role: str = "check") -> str:
    """The same, with the output that the code has with this version of the package."""
    kept = OUTPUTS / f"{hashlib.sha256((fingerprint() + code).encode()).hexdigest()[:16]}.txt"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(output_of(code), encoding="utf-8")
    return runnable(code, kept.read_text(encoding="utf-8"), role)


@cache
def fingerprint() -> str:
    """A name for the source of the package as it is."""
    files = sorted((ROOT / "minisiam").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def output_of(code: str) -> str:
    """Run code in its own namespace, and return what it prints."""
    printed, namespace = io.StringIO(), {"__name__": "cell"}
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<cell>", "exec"), namespace)
    return printed.getvalue()


def _part(name: str, language: str, text: str) -> str:
    return _html(f'<div class="{name} docutils container">') + _fenced(language, text) + _html("</div>")


def _html(tag: str) -> str:
    """A tag as it is: the directive `container` would turn the underscores of its class into hyphens."""
    return f"```{{raw}} html\n{tag}\n```\n"


def _fenced(language: str, text: str, options: str = "") -> str:
    return f"```{{code-block}} {language}\n{options}{text.rstrip()}\n```\n"


def source(text: str, caption: str = "") -> str:
    """A block of Python that is only shown."""
    return _fenced("python", text, f":caption: {caption}\n" if caption else "")
