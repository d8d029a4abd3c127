"""Small figures of one loss: its value and slope along a line, and the forces on a few points in the plane.

    curves([Curve("same", x, value, slope, kinks(…))], "d", "∂ℓ/∂d")     value above, slope below
    plane(points, labels, net, pairs)                                    points, the forces between them, the net force
    chosen(points, labels, positives, negatives)                         the pairs that a miner chooses
    field(force, marks)                                                  level lines and arrows over the plane

They are small enough for a page on a phone, and have no background, so that they suit a light and a dark page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import COLOURS, MARKERS, finished, legend, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes

    from ..typing import Array

PULL, PUSH = COLOURS[1], COLOURS[2]
CLASSES = COLOURS[3:]
SIZE = (3.5, 3.5)
SMALL = 8.0  # points of the letters
MIN_SHARE = 0.06  # forces weaker than this share of the strongest are not drawn
LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
MAX_KINKS = 12  # the most kinks that are marked
LINES: list[dict[str, Any]] = [
    {"color": PULL, "linestyle": "-"},
    {"color": PUSH, "linestyle": "--"},
    {"color": CLASSES[0], "linestyle": "-."},
]


class Curve(NamedTuple):
    """A value and its slope along a line, and where the slope jumps."""

    name: str
    x: Array
    value: Array
    slope: Array
    kinks: Sequence[float] = ()


def kinks(slope: Callable[[float], float], x: Array) -> list[float]:
    """The places between the first and the last x where a slope jumps, found by bisection.

    Parameters
    ----------
    slope
        A function of one number.
    x
        (n,) ascending numbers, so close that no two jumps are between two of them.

    Examples
    --------
    >>> [round(k, 6) for k in kinks(lambda x: float(x > 0.3), np.linspace(0, 1, 11))]
    [0.3]
    """
    slopes = [slope(float(place)) for place in x]
    jump = 0.02 * (np.ptp(slopes) or 1.0)
    found = []
    for low, high, at_low, at_high in zip(x, x[1:], slopes, slopes[1:], strict=False):
        if abs(at_high - at_low) > jump and (place := _bisected(slope, float(low), float(high), jump)) is not None:
            found.append(place)
    return found


def _bisected(slope: Callable[[float], float], low: float, high: float, jump: float) -> float | None:
    """The place of a jump between two numbers, or None where the slope only changes quickly."""
    at_low, at_high = slope(low), slope(high)
    while high - low > 1e-9:
        middle = (low + high) / 2
        here = slope(middle)
        if abs(here - at_low) > abs(at_high - here):
            high, at_high = middle, here
        else:
            low, at_low = middle, here
        if abs(at_high - at_low) < jump / 2:
            return None
    return (low + high) / 2


def curves(
    lines: Sequence[Curve],
    xlabel: str,
    slope_label: str,
    marks: Sequence[tuple[float, str]] = (),
    value_label: str = "value ℓ",
) -> Figure:
    """The values above and the slopes below, over one axis.

    Parameters
    ----------
    lines
        At most three curves. A ring marks each kink, if there are not too many.
    xlabel, slope_label, value_label
        What the axis, the lower panel and the upper panel show.
    marks
        Places on the axis with a name, drawn as dotted lines.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    for axes, label in zip(panels, (value_label, slope_label), strict=True):
        axes.axhline(0, color="0.5", linewidth=0.6)
        axes.set_ylabel(label, fontsize=SMALL)
        axes.tick_params(labelsize=SMALL)
        plain(axes)
    for line, style in zip(lines, LINES, strict=False):
        panels[0].plot(line.x, line.value, linewidth=2, **style)
        panels[1].plot(*_broken(line), linewidth=2, **style)
        if len(line.kinks) <= MAX_KINKS:
            for axes, y in zip(panels, (line.value, line.slope), strict=True):
                _rings(axes, line, y, style["color"])
    for place, name in marks:
        for axes in panels:
            axes.axvline(place, color="0.5", linestyle=":", linewidth=1)
        panels[0].annotate(
            name, (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 1), textcoords="offset points",
            fontsize=SMALL, ha="center", va="bottom",
        )  # fmt: skip
    panels[1].set_xlabel(xlabel, fontsize=SMALL)
    keys = [(Line2D([], [], linewidth=2, **style), line.name) for line, style in zip(lines, LINES, strict=False)]
    if len(lines) > 1:
        legend(figure, keys, loc="outside upper center", ncols=len(keys), fontsize=SMALL, frameon=False)
    return finished(figure)


def _broken(line: Curve) -> tuple[Array, Array]:
    """The slope with a gap at each kink, so that a jump is not drawn as a steep line."""
    if len(line.kinks) > MAX_KINKS:
        return line.x, line.slope
    at = np.searchsorted(line.x, line.kinks)
    return np.insert(line.x, at, np.nan), np.insert(line.slope, at, np.nan)


def _rings(axes: Axes, line: Curve, y: Array, colour: str) -> None:
    """A ring at each kink: on the value, and halfway up the jump of the slope."""
    axes.plot(
        line.kinks, np.interp(line.kinks, line.x, y), "o", color=colour, markerfacecolor="none", markersize=6, zorder=4
    )


def plane(
    points: Array,
    labels: Array,
    net: Array,
    pairs: Iterable[tuple[int, int, float]] = (),
    *,
    kinds: Sequence[tuple[str, Array]] = (),
    path: Array | None = None,
    origin: bool = False,
) -> Figure:
    """Points, lines for the forces between them, and an arrow for the net force on each.

    Parameters
    ----------
    points, labels
        (n, 2) positions, and (n,) classes, shown by colour and marker.
    net
        (n, 2) the net force on each point: −∂ℓ/∂z.
    pairs
        (i, j, strength): the force between two points, > 0 if it pulls them together.
    kinds
        Names for some points, a mask (n,) each: the first kind is drawn filled, the second hollow.
    path
        (m, 2) the line along which a point moves in the other figure.
    origin
        Whether to mark the origin.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    keys: list[tuple[Any, str]] = []
    if path is not None:
        axes.plot(*path.T, ":", color="0.5", linewidth=1.2, zorder=0)
    if origin:
        axes.plot(0, 0, "+", color="0.5", markersize=9, zorder=0)
    keys += _lines(axes, points, list(pairs))
    hollow = kinds[1][1] if len(kinds) > 1 else np.zeros(len(points), bool)
    for number, label in enumerate(np.unique(labels)):
        for mask, filled in ((~hollow, True), (hollow, False)):
            colour = CLASSES[number % len(CLASSES)]
            face = colour if filled else "none"
            right, up = points[(labels == label) & mask].T
            marker = MARKERS[number % len(MARKERS)]
            size = 6 if filled else 8
            axes.plot(
                right, up, marker, markeredgecolor=colour, markerfacecolor=face, markersize=size, markeredgewidth=1.5
            )
    for (name, _), face in zip(kinds, ("0.5", "none"), strict=False):
        style: dict[str, Any] = {
            "marker": "o",
            "linestyle": "",
            "markeredgecolor": "0.5",
            "markerfacecolor": face,
            "markersize": 6,
        }
        keys.append((Line2D([], [], **style), name))
    if _arrows(axes, points, net):
        keys.append((Line2D([], [], color="black", marker=r"$\rightarrow$", markersize=9, linestyle=""), "net force"))
    axes.set_aspect("equal")
    axes.margins(0.06)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if keys:
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0)}
        legend(axes, keys, ncols=min(3, len(keys)), fontsize=SMALL, frameon=False, **below)
    return finished(figure)


def _lines(axes: Axes, points: Array, pairs: list[tuple[int, int, float]]) -> list[tuple[Any, str]]:
    """The forces between points; the width of a line shows the strength. Return the keys of the legend."""
    strongest = max((abs(strength) for *_, strength in pairs), default=0.0)
    drawn = set()
    for i, j, strength in pairs:
        if abs(strength) > MIN_SHARE * strongest:
            style = LINES[0 if strength > 0 else 1]
            axes.plot(*points[[i, j]].T, linewidth=0.7 + 2.3 * abs(strength) / strongest, alpha=0.7, zorder=1, **style)
            drawn.add(strength > 0)
    kinds = zip((True, False), LINES, ("pulls together", "pushes apart"), strict=False)
    return [(Line2D([], [], linewidth=2, **style), name) for pull, style, name in kinds if pull in drawn]


def _arrows(axes: Axes, points: Array, net: Array, longest: float = 0.2) -> bool:
    """Net forces; the longest arrow is a fifth of the width. Return whether there is any."""
    size = np.linalg.norm(net, axis=1)
    visible = size > MIN_SHARE * size.max(initial=0)
    if not visible.any():
        return False
    width = np.ptp(points, axis=0).max()
    scale = size.max() / (longest * width)
    axes.quiver(
        *points[visible].T, *net[visible].T, angles="xy", scale_units="xy", scale=scale, width=0.009, zorder=4
    )  # fmt: skip
    tips = points[visible] + net[visible] / scale
    axes.update_datalim(tips)
    return True


def field(
    force: Callable[[Array], tuple[Array, Array]],
    marks: Sequence[tuple[tuple[float, float], str]] = (),
    folds: Sequence[Array] = (),
    reach: float = 2.2,
) -> Figure:
    """Level lines of a value over the plane, and arrows: the direction in which a point there is moved.

    Parameters
    ----------
    force
        Maps (n, 2) points to (n,) values and (n, 2) forces.
    marks
        Places (x, y) with a name.
    folds
        (m, 2) lines on which the value has a kink, drawn dashed.
    reach
        The plane is drawn from −reach to reach.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    fine = np.linspace(-reach, reach, 51)
    grid = np.stack(np.meshgrid(fine, fine), axis=-1).reshape(-1, 2)
    axes.contour(fine, fine, force(grid)[0].reshape(51, 51), 8, colors="0.55", linewidths=0.8, linestyles="solid")
    coarse = np.linspace(-reach, reach, 12)[1:-1]
    places = np.stack(np.meshgrid(coarse, coarse), axis=-1).reshape(-1, 2)
    arrows = force(places)[1]
    strength = np.linalg.norm(arrows, axis=1)
    usual = max(1e-12, float(np.quantile(strength, 0.95)))  # not the maximum, which may be much longer
    some = strength > 1e-9 * usual
    axes.quiver(
        *places[some].T, *arrows[some].T, color=PULL, angles="xy", scale_units="xy", scale=usual / 0.36, width=0.007
    )  # fmt: skip
    for fold in folds:
        axes.plot(*fold.T, "--", color="black", linewidth=1.2)
    for place, name in marks:
        axes.plot(*place, "o", color=PUSH, markersize=8)
        axes.annotate(name, place, xytext=(7, -12), textcoords="offset points", fontsize=SMALL + 1, bbox=LABEL_BOX)
    axes.set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return finished(figure)


def chosen(
    points: Array, labels: Array, positives: Iterable[tuple[int, int]], negatives: Iterable[tuple[int, int]]
) -> Figure:
    """The pairs (i, j) that a miner chooses, as arrows from i to j: solid in one class, dashed between classes."""
    figure = plane(points, labels, np.zeros_like(points))
    (axes,) = figure.axes
    keys = []
    for pairs, style, name in zip((positives, negatives), LINES, ("positive", "negative"), strict=False):
        for i, j in pairs:
            arrow = {"arrowstyle": "-|>", "mutation_scale": 8, "shrinkA": 4, "shrinkB": 5, "linewidth": 1.1}
            bent = "arc3,rad=0.07"  # so that (i, j) and (j, i) are two lines
            axes.annotate("", points[j], points[i], arrowprops={**arrow, **style, "connectionstyle": bent})
        keys.append((Line2D([], [], linewidth=2, **style), f"to a {name}"))
    legend(axes, keys, ncols=2, fontsize=SMALL, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0))
    return finished(figure)
