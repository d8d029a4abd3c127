"""What several commands share: how help is formatted, how progress is shown, and the words for data."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ... import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..data_spec import Data

log = partial(print, flush=True)
Formatter = argparse.RawDescriptionHelpFormatter
DATA = (
    "pen-glyphs, pen-glyphs:SEED (drawn with another seed), omniglot:PATH, mnist:FOLDER, fashion-mnist:FOLDER, "
    "emnist-letters:FOLDER, folder:PATH"
)


class Choice(str):
    """The help of an option that takes one of several words; `words` are these, for completion in a shell."""

    words: tuple[str, ...]


def choice(what: str, known: Iterable[str], default: str) -> Choice:
    """The help of an option that takes one of several words."""
    words = tuple(known)
    made = Choice(f"{what}{': ' if what else ''}{', '.join(words)} (default: {default})")
    made.words = words
    return made


def log_notes(data: Data) -> None:
    """Tell the user how the files were read, and which were skipped."""
    parts = (data.train, data.test) if data.test.notes != data.train.notes else (data.train,)
    for note in (note for part in parts for note in part.notes):
        log(f"  {note}")


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def warn_if_no_figures() -> None:
    """Tell the user how to get figures, if they cannot be drawn."""
    if not can_draw():
        log(f"(no figures: they need matplotlib: {require.how_to_install('figures')})")


def program() -> str:
    """The words that run this program in the user's shell: it may not be on the PATH."""
    found, own = shutil.which("minisiam"), Path(sys.executable).with_name("minisiam")
    if found and (not own.exists() or own.samefile(found)):
        return "minisiam"
    return shlex.quote(_short(own)) if own.exists() else f"{shlex.quote(_short(Path(sys.executable)))} -m minisiam"


def _short(path: Path) -> str:
    """The path as seen from this folder, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def command(*words: object) -> str:
    """A command that the user can copy: this program with these words, quoted for the shell."""
    return " ".join([program(), *(shlex.quote(str(word)) for word in words)])
