"""`minisiam explore`: the scene in a window, in which mouse and keys move the points."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .explorer_scene import SIZE, draw
from .explorer_state import REACH, State, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from ..typing import Array

HELP = """\
Drag a point with the mouse, or choose one with tab or 1 to 5 and move it with the arrow keys (shift: smaller steps).
+ and - change the margin    space: one gradient step    r: reset    h: show or hide this help    q: quit"""
ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}
STEP, SMALL_STEP = 0.1, 0.01  # of the arrow keys, in the units of the plane
LEARNING_RATE = 0.1  # of a gradient step
MARGIN_STEP = 0.1
INLINE = ("inline", "module://matplotlib_inline.backend_inline", "module://ipykernel.pylab.backend_inline")  # notebooks
GRASP = 0.2  # the largest distance between the mouse and the point that it takes


class Explorer:
    """A figure whose points mouse and keys move.

    Parameters
    ----------
    figure
        Any matplotlib figure; its contents are replaced.
    start
        The first state, from `explorer_state.state`; r returns to it.
    close
        Called when q is pressed.
    """

    def __init__(self, figure: Figure, start: State, close: Callable[[], object]) -> None:
        self.figure, self.start, self.now = figure, start, start
        self.chosen, self.dragging, self.help_shown = 1, False, False
        self.keys: dict[str, Callable[[], object]] = {
            "tab": lambda: self.choose((self.chosen + 1) % len(start.points)),
            "+": partial(self.change_margin, MARGIN_STEP),
            "=": partial(self.change_margin, MARGIN_STEP),  # the same key without shift
            "-": partial(self.change_margin, -MARGIN_STEP),
            " ": self.step,
            "r": self.reset,
            "h": self.help,
            "q": close,
        }
        self.keys |= {str(i + 1): partial(self.choose, i) for i in range(len(start.points))}
        for arrow, way in ARROWS.items():
            self.keys[arrow] = partial(self.shift, STEP * np.array(way))
            self.keys[f"shift+{arrow}"] = partial(self.shift, SMALL_STEP * np.array(way))
        connect: Callable[[str, Callable[[Any], None]], int] = figure.canvas.mpl_connect  # type: ignore[assignment]
        connect("button_press_event", self.press)
        connect("motion_notify_event", self.drag)
        connect("button_release_event", self.release)
        connect("key_press_event", self.key)
        self.redraw()

    def redraw(self) -> None:
        """Draw the present state."""
        self.plane = draw(self.figure, self.now, self.chosen, HELP if self.help_shown else "")
        self.figure.canvas.draw_idle()

    def choose(self, number: int) -> None:
        """Choose the point that the arrow keys move."""
        self.chosen = number

    def move_to(self, position: Any) -> None:
        """Move the chosen point to a position, within the plane."""
        points = self.now.points.copy()
        points[self.chosen] = np.clip(position, -REACH, REACH)
        self.now = self.now._replace(points=points)

    def shift(self, by: Array) -> None:
        """Move the chosen point by an offset."""
        self.move_to(self.now.points[self.chosen] + by)

    def change_margin(self, by: float) -> None:
        """Change the margin if the loss has one: a cosine from −1 to 1, or a distance."""
        if self.now.margin is not None:
            low, high = (-1.0, 1.0) if self.now.kind == "cosine" else (MARGIN_STEP, REACH)
            self.now = self.now._replace(margin=round(min(max(self.now.margin + by, low), high), 2))

    def step(self) -> None:
        """Take one step of gradient descent with all points."""
        points = self.now.points - LEARNING_RATE * evaluate(self.now).gradient
        self.now = self.now._replace(points=np.clip(points, -REACH, REACH))

    def reset(self) -> None:
        """Return to the first state."""
        self.now = self.start

    def help(self) -> None:
        """Show the help instead of the caption, or the caption again."""
        self.help_shown = not self.help_shown

    def press(self, event: Any) -> None:
        """Start to drag the point under the mouse."""
        if event.inaxes is self.plane:
            distance = np.linalg.norm(self.now.points - (event.xdata, event.ydata), axis=1)
            self.dragging = bool(distance.min() < GRASP)
            if self.dragging:
                self.chosen = int(distance.argmin())
                self.redraw()

    def drag(self, event: Any) -> None:
        """Move the point with the mouse."""
        if self.dragging and event.inaxes is self.plane:
            self.move_to((event.xdata, event.ydata))
            self.redraw()

    def release(self, event: Any) -> None:
        """Stop dragging."""
        self.dragging = False

    def key(self, event: Any) -> None:
        """Act on a key as described in `HELP`."""
        action = self.keys.get(event.key)
        if action is not None:
            action()
            if event.key != "q":
                self.redraw()


def _missing(backend: str) -> str:
    """What is missing for a window: a display, a toolkit, or a backend that opens windows."""
    remedy = "use --save FILE to draw the figure into a file"
    if backend and backend == os.environ.get("MPLBACKEND", "").lower():
        return f"the backend {backend} opens no window: unset MPLBACKEND, or {remedy}"
    if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        return f"there is no display to open a window on: {remedy}"
    return f"there is no toolkit for windows, such as tkinter or PyQt: python -m pip install pyqt6, or {remedy}"


def window(start: State) -> None:
    """Open a window and return when it is closed; a ValueError says what is missing if none can be opened."""
    import matplotlib.pyplot as plt
    from matplotlib.backends import BackendFilter, backend_registry

    backend = plt.get_backend().lower()
    if backend in (*backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE), *INLINE):
        raise ValueError(_missing(backend))
    try:
        with plt.rc_context({"toolbar": "None"}):
            figure = plt.figure("minisiam explore", figsize=SIZE)
    except Exception as error:  # each toolkit raises its own errors
        raise ValueError(f"{_missing('')} ({error})") from error
    manager: Any = figure.canvas.manager
    figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # matplotlib's default keys
    explorer = Explorer(
        figure, start, lambda: plt.close(figure)
    )  # matplotlib keeps only a weak reference to its methods
    plt.show()
    del explorer
