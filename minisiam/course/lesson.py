"""Show the figure of a lesson on the screen or in the notebook, or save it to a folder with `--save DIR`."""

from __future__ import annotations

import argparse
import atexit
import importlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import _console

if TYPE_CHECKING:
    from matplotlib.figure import Figure


if not __debug__:
    raise SystemExit(
        "python -O removes the asserts, which are what a lesson shows: run it without -O and PYTHONOPTIMIZE"
    )
_console.accept_any_text()
if "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:  # the gradient check would leave files in the working folder
    _storage = tempfile.TemporaryDirectory(prefix="minisiam-lesson-", ignore_cleanup_errors=True)
    atexit.register(_storage.cleanup)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = _storage.name


def show(figure: Figure, name: str) -> None:
    """Write `figure` to DIR/name.png if the lesson runs with `--save DIR`; otherwise show it.

    A notebook and a page of the web site show it below the cell. A script opens a window, continues, and at its end
    waits until you close the windows. Without a screen it shows nothing and does not wait.
    """
    if folder := _folder():
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.png")
        print(f"figure: {folder / name}.png")
    elif "ipykernel" in sys.modules:
        _in_notebook(figure)
    elif sys.platform == "emscripten":
        _in_page(figure)
    elif not _in_window(figure):
        print(f"figure: {name} is not shown because there is no screen; use --save DIR to write it to a file")


def _folder() -> Path | None:
    """DIR of `--save DIR`."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--save", metavar="DIR", type=Path, help="write the figures here instead of showing them")
    return parser.parse_known_args()[0].save  # notebooks and consoles have their own arguments


def _in_notebook(figure: Figure) -> None:
    png = io.BytesIO()
    figure.savefig(png)
    ipython = importlib.import_module("IPython.display")
    ipython.display(ipython.Image(png.getvalue()))


def _in_page(figure: Figure) -> None:
    importlib.import_module("page").display(figure)  # a module of the web site


def _in_window(figure: Figure) -> bool:
    from matplotlib import pyplot

    from .. import plots  # noqa: F401  imports matplotlib, whatever MPLBACKEND says

    existing: Any = lambda *_, **__: figure
    try:
        pyplot.figure(FigureClass=existing)  # opens a window for a figure that pyplot did not create
    except Exception:  # each toolkit raises its own errors, and so does a backend that is not installed
        return False
    if figure.canvas.required_interactive_framework is None:
        return False
    pyplot.show(block=False)
    pyplot.pause(0.1)
    atexit.unregister(pyplot.show)
    atexit.register(pyplot.show)
    return True
