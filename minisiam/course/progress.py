"""The progress of a learner, in one file: work/progress.json."""

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
    """The state of one exercise: passed or not, hints seen, and whether the solution was shown before it passed."""

    passed: bool = False
    hints: int = 0
    solution: bool = False


Progress = dict[str, State]


def read(folder: Path, warn: Callable[[str], None] = print) -> Progress:
    """The state of every exercise. An unreadable file is renamed, and a warning names the new file."""
    path = folder / FILE
    stored: Progress = {}
    if path.is_file():
        try:
            stored = _parse(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            renamed = unused_path(path.with_name(f"{FILE}.unreadable"))
            path.replace(renamed)
            warn(f"{path} cannot be read. It was renamed to {renamed.name}; your other files are unchanged.")
            warn("To record an exercise as passed again: minisiam learn check NUMBER\n")
    return {exercise.name: stored.get(exercise.name, State()) for exercise in EXERCISES}


def _parse(data: Any) -> Progress:
    """The states in JSON data; an error if `write` cannot have written them."""
    states = {name: State(**state) for name, state in data["exercises"].items()}
    for state in states.values():
        if not (type(state.passed) is type(state.solution) is bool and type(state.hints) is int and state.hints >= 0):
            raise ValueError(f"{state} is not the state of an exercise")
    return states


def write(folder: Path, progress: Progress) -> None:
    """Write the file; a reader sees either the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = {name: state._asdict() for name, state in progress.items() if state != State()}
    with replacing(folder / FILE) as file:
        file.write(json.dumps({"exercises": changed}, indent=2).encode())


def update(folder: Path, name: str, **changes: Any) -> Progress:
    """Change the state of one exercise."""
    progress = read(folder)
    progress[name] = progress[name]._replace(**changes)
    write(folder, progress)
    return progress


def done(progress: Progress) -> set[str]:
    """The names of the passed exercises."""
    return {name for name, state in progress.items() if state.passed}


def unused_path(path: Path) -> Path:
    """The path, with a number if it exists."""
    number = 1
    while path.with_name(path.name + (f".{number}" if number > 1 else "")).exists():
        number += 1
    return path.with_name(path.name + (f".{number}" if number > 1 else ""))
