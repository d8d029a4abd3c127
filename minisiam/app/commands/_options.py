"""What several commands share: how help is formatted, how progress is shown, and the words for data."""

from __future__ import annotations

import argparse
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..data_spec import Data

log = partial(print, flush=True)
Formatter = argparse.RawDescriptionHelpFormatter
DATA = (
    "pen-glyphs, pen-glyphs:SEED (drawn with another seed), omniglot:PATH, mnist:FOLDER, fashion-mnist:FOLDER, "
    "emnist-letters:FOLDER, folder:PATH"
)


def choice(what: str, known: Iterable[str], default: str) -> str:
    """The help of an option that takes one of several words."""
    return f"{what}{': ' if what else ''}{', '.join(known)} (default: {default})"


def log_notes(data: Data) -> None:
    """Tell the user how the files were read, and which were passed over."""
    parts = (data.train, data.test) if data.test.notes != data.train.notes else (data.train,)
    for note in (note for part in parts for note in part.notes):
        log(f"  {note}")


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def warn_if_no_figures() -> None:
    """Tell the user how to get figures, if they cannot be drawn."""
    if not can_draw():
        log("(no figures: they need matplotlib, pip install 'minisiam[figures]')")
