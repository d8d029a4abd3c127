"""What several commands share: how help is formatted, how progress is shown, and the words for data."""

from __future__ import annotations

import argparse
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ... import require

if TYPE_CHECKING:
    from collections.abc import Iterable

log = partial(print, flush=True)
Formatter = argparse.RawDescriptionHelpFormatter
DATA = (
    "pen-glyphs, pen-glyphs:SEED (drawn with another seed), omniglot:PATH, mnist:FOLDER, fashion-mnist:FOLDER, "
    "folder:PATH"
)


def choice(what: str, known: Iterable[str], default: str) -> str:
    """The help of an option that takes one of several words."""
    return f"{what}{': ' if what else ''}{', '.join(known)} (default: {default})"


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def warn_if_no_figures() -> None:
    """Tell the user how to get figures, if they cannot be drawn."""
    if not can_draw():
        log(f"(no figures: they need matplotlib: {require.how_to_install('figures')})")
