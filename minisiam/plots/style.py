"""Colours, markers and axes that all figures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# ordered from dark to light, so that neighbours also differ in grey
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = "osD^vP*X"
SAME, DIFFERENT = COLOURS[1], COLOURS[5]


def plain(axes: Axes) -> None:
    """Remove the frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
