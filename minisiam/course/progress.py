"""What is done, and how many hints it took: one file, work/progress.json, never half written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checkpoint import replacing
from .exercises import EXERCISES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = "progress.json"


class State(NamedTuple):
    """Of one exercise: was it passed, how many hints were seen, was the solution shown while it was open?"""

    passed: bool = False
    hints: int = 0
    solution: bool = False


Progress = dict[str, State]


def read(folder: Path, say: Callable[[str], None] = print) -> Progress:
    """The state of every exercise. A file that cannot be read is set aside, and a sentence says so."""
    path = folder / FILE
    stored: Progress = {}
    if path.is_file():
        try:
            stored = _understood(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            aside = unused(path.with_name(f"{FILE}.unreadable"))
            path.replace(aside)
            say(f"{path} cannot be read: it was set aside as {aside.name}, and your files are as they were.")
            say("minisiam learn check NUMBER marks an exercise as passed again.\n")
    return {exercise.name: stored.get(exercise.name, State()) for exercise in EXERCISES}


def _understood(found: Any) -> Progress:
    """States from JSON, of the form that `write` gives them and of no other."""
    states = {name: State(**state) for name, state in found["exercises"].items()}
    for state in states.values():
        if not (type(state.passed) is type(state.solution) is bool and type(state.hints) is int and state.hints >= 0):
            raise ValueError(f"{state} is no state of an exercise")
    return states


def write(folder: Path, progress: Progress) -> None:
    """Write the file; a reader sees the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: state._asdict() for name, state in progress.items() if state != State()}
    with replacing(folder / FILE) as file:
        file.write(json.dumps({"exercises": kept}, indent=2).encode())


def update(folder: Path, name: str, **changes: Any) -> Progress:
    """Change the state of one exercise."""
    progress = read(folder)
    progress[name] = progress[name]._replace(**changes)
    write(folder, progress)
    return progress


def done(progress: Progress) -> set[str]:
    """The names of the exercises that were passed."""
    return {name for name, state in progress.items() if state.passed}


def unused(path: Path) -> Path:
    """The path, with a number if it is taken."""
    number = 1
    while path.with_name(path.name + (f".{number}" if number > 1 else "")).exists():
        number += 1
    return path.with_name(path.name + (f".{number}" if number > 1 else ""))
