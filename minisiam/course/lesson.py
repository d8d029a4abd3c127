"""Where the figure of a lesson goes: to a folder with `--save DIR`, else to the screen or the notebook there is."""

from __future__ import annotations

import argparse
import atexit
import importlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(figure: Figure, name: str) -> None:
    """Write `figure` to DIR/name.png if the lesson runs with `--save DIR`; otherwise show it where it can be seen.

    A notebook shows it below the cell. A script opens a window, runs on, and at its end waits until the windows are
    closed. Without a screen nothing is shown and nothing is waited for.
    """
    if folder := _folder():
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.png")
        print(f"figure: {folder / name}.png")
    elif "ipykernel" in sys.modules:
        _in_notebook(figure)
    elif not _in_window(figure):
        print(f"figure: {name}, not shown without a screen; --save DIR writes it to a file")


def _folder() -> Path | None:
    """DIR of `--save DIR`."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--save", metavar="DIR", type=Path, help="write the figures here instead of showing them")
    return parser.parse_known_args()[0].save  # in a notebook or a console there are arguments of others


def _in_notebook(figure: Figure) -> None:
    png = io.BytesIO()
    figure.savefig(png)
    ipython = importlib.import_module("IPython.display")
    ipython.display(ipython.Image(png.getvalue()))


def _in_window(figure: Figure) -> bool:
    from matplotlib import pyplot

    made: Any = lambda *_, **__: figure
    pyplot.figure(FigureClass=made)  # gives a window to a figure that pyplot did not make
    if figure.canvas.required_interactive_framework is None:
        return False
    pyplot.show(block=False)
    pyplot.pause(0.1)
    atexit.unregister(pyplot.show)
    atexit.register(pyplot.show)
    return True
