"""The start page: its cell is executed when the site is built, so it shows what it prints before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cell import executed

if TYPE_CHECKING:
    from pathlib import Path

CELL = """\
from minisiam import gradcheck, losses

assert gradcheck.check(losses.contrastive)
"""


def write(folder: Path) -> None:
    """Put the cell in its place on the page."""
    path = folder / "index.md"
    path.write_text(path.read_text(encoding="utf-8").replace("%% cell\n", executed(CELL)), encoding="utf-8")
