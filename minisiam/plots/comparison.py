"""Methods side by side: the mean of each over seeds, its interval, and its test against the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .style import COLOURS, MARKERS, drawable, finished, heading, legend, plain, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

BAND = "0.90"  # behind the reference and the losses not distinguishable from it


def methods_compared(
    rows: Sequence[Any], caption: str = "", title: str = "Losses and miners on one protocol"
) -> Figure:
    """MAP@R and one-shot error of each method, a row each, as points with their intervals.

    Parameters
    ----------
    rows
        As `benchmark.rows` gives them, the best first. Those that are `alike`, the reference and those not
        distinguishable from it, have a grey band and filled markers; the markers of the others are hollow.
    caption
        The text below; it should say how the test was made.
    title
        The text above.
    """
    if not rows:
        raise ValueError("rows is empty: there is no run to draw")
    names = [drawable(row.method) + (" (reference)" if row.reference else "") for row in rows]
    figure = Figure(figsize=(9.5 + width_of(names), 0.27 * len(rows) + 2.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    families = list(dict.fromkeys(row.family for row in rows))
    looks = {family: (COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k, family in enumerate(families)}
    for place, row in enumerate(rows):
        for axes in (left, right):
            if row.alike:
                axes.axhspan(place - 0.5, place + 0.5, color=BAND, linewidth=0, zorder=0)
        seeds = [100 * value for value in row.by_seed.values()]
        left.plot(seeds, [place] * len(seeds), "|", color="0.35", markersize=9, markeredgewidth=0.9, zorder=2)
        _point(left, place, row.means["map_at_r"], *looks[row.family], row.alike)
        _point(right, place, row.means["one_shot_error"], *looks[row.family], row.alike)
    left.set_yticks(range(len(rows)), names)
    left.set_ylim(len(rows) - 0.5, -0.5)
    left.set_xlabel("MAP@R (%), higher is better; each tick is one run")
    right.set_xlabel("one-shot error (%), lower is better")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.tick_params(axis="y", length=0)
        plain(axes)
    figure.suptitle(heading(title, 11.5))
    legend(figure, _keys(looks), loc="outside right upper", frameon=False, alignment="left", title="loss reads")
    if caption:
        figure.supxlabel(heading(caption, 11.25, 9, most=12), fontsize=9, x=0.02, ha="left")
    return finished(figure)


def _point(axes: Axes, place: int, mean: Any, colour: str, marker: str, filled: bool) -> None:
    """A mean and its interval; a single run has no interval."""
    value, half = 100 * mean.value, 100 * mean.half
    if half == half:  # not NaN
        axes.plot([value - half, value + half], [place, place], color=colour, linewidth=2, zorder=3)
    face = colour if filled else "white"
    axes.plot(value, place, marker, color=colour, markerfacecolor=face, markersize=7, markeredgewidth=1.5, zorder=4)


def _keys(looks: dict[str, tuple[str, str]]) -> list[tuple[Any, str]]:
    families = [
        (Line2D([], [], color=colour, marker=marker, markersize=7, linewidth=2), drawable(family))
        for family, (colour, marker) in looks.items()
    ]
    hollow = Line2D([], [], color="0.2", marker="o", markerfacecolor="white", linewidth=2)
    alike = "grey, filled:\nreference, or not\ndistinguishable\nfrom it"
    return [*families, (Patch(color=BAND), alike), (hollow, "hollow: p < 0.05")]
