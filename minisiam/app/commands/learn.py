"""`minisiam learn`: the exercises, from the package `course`."""

from __future__ import annotations

from typing import Any

from ...course import commands
from ._options import Formatter

HELP = "exercises: write the functions of this library yourself"


def add(subparsers: Any) -> None:
    """The words of `minisiam learn`."""
    commands.add(subparsers.add_parser("learn", description=commands.ABOUT, formatter_class=Formatter))
