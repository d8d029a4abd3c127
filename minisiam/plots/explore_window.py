"""`minisiam explore`: the scene of `explore` in a window, where mouse and keys move the points."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .explore import SIZE, draw
from .explored import REACH, State, measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from ..typing import Array

HELP = """\
Drag a point with the mouse; or choose one with tab or 1 to 5, and move it with the arrow keys (shift: smaller steps).
+ and - change the margin    space: a step down the gradient    r: as it was    h: this help, or not    q: quit"""
ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}
STEP, SMALL_STEP = 0.1, 0.01  # of an arrow key, in the plane
RATE = 0.1  # of a gradient step
WIDER = 0.1  # a change of the margin
GRASP = 0.2  # how near the mouse has to be to a point, in the plane


class Explorer:
    """A figure that answers to mouse and keys.

    Parameters
    ----------
    figure
        Any matplotlib figure; what is in it is replaced.
    start
        As `explored.state` makes it, and what r goes back to.
    close
        What q does.
    """

    def __init__(self, figure: Figure, start: State, close: Callable[[], object]) -> None:
        self.figure, self.start, self.now = figure, start, start
        self.chosen, self.held, self.helped = 1, False, False
        self.keys: dict[str, Callable[[], object]] = {
            "tab": lambda: self.choose((self.chosen + 1) % len(start.points)),
            "+": partial(self.widen, WIDER),
            "=": partial(self.widen, WIDER),  # the same key without shift
            "-": partial(self.widen, -WIDER),
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
        """The figure as things are now."""
        self.plane = draw(self.figure, self.now, self.chosen, HELP if self.helped else "")
        self.figure.canvas.draw_idle()

    def choose(self, number: int) -> None:
        """The point that arrow keys move."""
        self.chosen = number

    def move_to(self, place: Any) -> None:
        """Put the chosen point there, as far as the plane reaches."""
        points = self.now.points.copy()
        points[self.chosen] = np.clip(place, -REACH, REACH)
        self.now = self.now._replace(points=points)

    def shift(self, by: Array) -> None:
        """Move the chosen point."""
        self.move_to(self.now.points[self.chosen] + by)

    def widen(self, by: float) -> None:
        """Change the margin, where there is one: a cosine from −1 to 1, or a distance."""
        if self.now.margin is not None:
            low, high = (-1.0, 1.0) if self.now.kind == "cosine" else (WIDER, REACH)
            self.now = self.now._replace(margin=round(min(max(self.now.margin + by, low), high), 2))

    def step(self) -> None:
        """Move all points down the gradient, as sgd would."""
        points = self.now.points - RATE * measure(self.now).gradient
        self.now = self.now._replace(points=np.clip(points, -REACH, REACH))

    def reset(self) -> None:
        """Back to where it began."""
        self.now = self.start

    def help(self) -> None:
        """Show what the keys do, or the caption again."""
        self.helped = not self.helped

    def press(self, event: Any) -> None:
        """Take the point under the mouse."""
        if event.inaxes is self.plane:
            far = np.linalg.norm(self.now.points - (event.xdata, event.ydata), axis=1)
            self.held = bool(far.min() < GRASP)
            if self.held:
                self.chosen = int(far.argmin())
                self.redraw()

    def drag(self, event: Any) -> None:
        """Move it with the mouse."""
        if self.held and event.inaxes is self.plane:
            self.move_to((event.xdata, event.ydata))
            self.redraw()

    def release(self, event: Any) -> None:
        """Let it go."""
        self.held = False

    def key(self, event: Any) -> None:
        """What `HELP` says."""
        answer = self.keys.get(event.key)
        if answer is not None:
            answer()
            if event.key != "q":
                self.redraw()


def window(start: State) -> None:
    """Open a window, and return when it is closed; a ValueError where there is no display."""
    import matplotlib.pyplot as plt
    from matplotlib.backends import BackendFilter, backend_registry

    lacking = "there is no display to open a window on: --save FILE draws the picture into a file"
    if plt.get_backend().lower() in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        raise ValueError(lacking)
    try:
        with plt.rc_context({"toolbar": "None"}):
            figure = plt.figure("minisiam explore", figsize=SIZE)
    except Exception as error:  # each toolkit has errors of its own
        raise ValueError(f"{lacking} ({error})") from error
    manager: Any = figure.canvas.manager
    figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # matplotlib's own keys
    explorer = Explorer(figure, start, lambda: plt.close(figure))  # by its name, since matplotlib holds it weakly
    plt.show()
    del explorer
