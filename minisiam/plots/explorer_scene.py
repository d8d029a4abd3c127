"""Five points in the plane and a loss: its distances, its value, and the force on each point.

scene("triplet").savefig("triplet.png")          a figure that needs no explanation
minisiam explore triplet                         the same in a window, in which you can drag the points
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Wedge
from matplotlib.patheffects import withStroke

from ..analysis.zones import triplet_zones
from .explorer_state import (
    CAPTIONS,
    NAMES,
    REACH,
    ZERO_FORCE,
    Evaluation,
    State,
    angles_of,
    descriptions,
    distance_labels,
    evaluate,
    loss_of,
    state,
)
from .style import COLOURS, finished, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from ..typing import Array

SIZE = (11.4, 6.6)
PLACES = ((0.035, 0.13, 0.47, 0.812), (0.59, 0.53, 0.39, 0.40), (0.545, 0.13, 0.44, 0.29))
STRETCH = dict.fromkeys(
    ("soft-margin", "ratio", "cosine-embedding"), 0.8
)  # the length of an arrow for a gradient of 1; 0.4 for others
INK = {"anchor": COLOURS[0], "same": COLOURS[1], "positive": COLOURS[1]} | dict.fromkeys(
    ("different", "negative"), COLOURS[2]
)
MARKER = {"anchor": "D", "same": "o", "positive": "o", "different": "s", "negative": "s"}
ZONES = ("0.82", "0.91")  # greys: hard or inside the margin, and semi-hard
HALO = [withStroke(linewidth=3, foreground="white")]


def scene(kind: str, points: Any = None, margin: float | None = None, loss: str | None = None) -> Figure:
    """The points, the forces on them, the loss as a curve with the points on it, and a table of numbers.

    Parameters
    ----------
    kind
        contrastive or cosine: an anchor, two points of the same class, two of another. triplet: an anchor, a positive
        and three negatives.
    points
        (5, 2), in that order; the default shows a different case at each point.
    margin
        In the units of the distance; for `cosine`, the largest cosine of different points without a force.
    loss
        For contrastive: contrastive, pair-hinge; for triplet: hinge, soft-margin, ratio; for cosine: cosine-embedding.
    """
    figure = Figure(figsize=SIZE)
    draw(figure, state(kind, points, margin, loss))
    return finished(figure)


def draw(figure: Figure, s: State, chosen: int | None = None, text: str = "") -> Axes:
    """Replace the contents of a figure by a state; returns the axes in whose coordinates the points are.

    In a window a ring marks the `chosen` point, and `text` can replace the caption.
    """
    figure.clear()
    plane, curve, numbers = (figure.add_axes(box) for box in PLACES)
    reading = evaluate(s)
    _plane(plane, s, reading, chosen)
    _curve(curve, s, reading)
    _numbers(numbers, s, reading)
    figure.text(0.035, 0.055, text or CAPTIONS[s.loss], fontsize=10.5, va="center", linespacing=1.4)
    if chosen is not None:
        figure.text(0.985, 0.02, "h: help", fontsize=9, ha="right", color="0.35")
    return plane


def _plane(axes: Axes, s: State, reading: Evaluation, chosen: int | None) -> None:
    """Regions, lines to the anchor, arrows, points and their names."""
    names, forces = NAMES[s.kind], -STRETCH.get(s.loss, 0.4) * reading.gradient
    _regions(axes, s, reading)
    for name, point in zip(names, s.points, strict=True):
        start = np.zeros(2) if s.kind == "cosine" else s.points[0]
        style = "--" if INK[name] == COLOURS[2] else "-"
        axes.plot(*np.stack([start, point]).T, style, color=INK[name], linewidth=1.1, alpha=0.6, zorder=2)
    moving = np.linalg.norm(forces, axis=1) > ZERO_FORCE
    axes.quiver(
        *s.points[moving].T,
        *forces[moving].T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.008,
        headwidth=3.6,
        headlength=4.2,
        headaxislength=4,
        minlength=0.5,
        color=[INK[name] for name, moves in zip(names, moving, strict=True) if moves],
        edgecolor="white",
        linewidth=0.6,
        zorder=4,
    )
    for i, (name, point) in enumerate(zip(names, s.points, strict=True)):
        axes.plot(*point, MARKER[name], color=INK[name], markersize=8, markeredgecolor="white", zorder=5)
        if i == chosen:
            axes.plot(*point, "o", color="black", markersize=17, fillstyle="none", markeredgewidth=1.6, zorder=5)
        side = _free_side(i, s, forces)
        axes.annotate(
            f"{i + 1} {name}",
            point,
            xytext=tuple(16 * side),
            textcoords="offset points",
            fontsize=10,
            ha=("right", "center", "left")[int(np.sign(round(side[0], 1))) + 1],
            va="center",
            zorder=6,
            path_effects=HALO,
        )
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=range(-2, 3), yticks=range(-2, 3))
    axes.set_title(f"{s.loss} on {'angles' if s.kind == 'cosine' else 'L2'}: loss {reading.value:.3f}", fontsize=13)
    arrow = Line2D([], [], color="black", marker=r"$\rightarrow$", markersize=16, linestyle="")
    axes.legend(
        [arrow],
        [f"−∂ℓ/∂z, drawn × {STRETCH.get(s.loss, 0.4)}: the direction of descent"],
        loc="lower right",
        fontsize=9,
        framealpha=0.9,
    )


def _free_side(i: int, s: State, forces: Array) -> Array:
    """The side of a point on which its name is farthest from its arrow, its lines, and the other points."""
    angle = np.arange(16) * np.pi / 8
    sides, here, others = np.stack([np.cos(angle), np.sin(angle)], axis=1), s.points[i], np.delete(s.points, i, axis=0)
    along = np.zeros((1, 2)) - here if s.kind == "cosine" else others - here if i == 0 else s.points[:1] - here
    busy = np.vstack([along, forces[i : i + 1]])
    length = np.linalg.norm(busy, axis=1, keepdims=True)
    busy = np.divide(busy, length, out=np.zeros_like(busy), where=length > ZERO_FORCE)
    middle = here + sides * (0.75, 0.3)
    start = np.zeros(2) if s.kind == "cosine" else s.points[0]
    lines = [start + share * (s.points - start) for share in (0.2, 0.4, 0.6, 0.8)]
    ends = np.vstack([others, s.points + forces, *lines])
    near = np.linalg.norm(middle[:, None] - ends, axis=2).min(axis=1)
    outside = np.abs(middle + 0.4 * np.sign(sides) * (1, 0)).max(axis=1) > REACH
    return sides[np.argmax(-(sides @ busy.T).max(axis=1) + np.minimum(near, 0.8) - 9 * outside)]


def _regions(axes: Axes, s: State, reading: Evaluation) -> None:
    """The regions with different formulas of the loss: a disc, two rings, or a wedge."""
    if s.kind == "cosine":
        _circle_and_wedge(axes, s, reading)
    elif s.kind == "contrastive":
        _disc(axes, s.points[0], float(s.margin or 0), ZONES[1])
        _label(axes, s.points[0], float(s.margin or 0) + 0.1, "margin")
    else:
        near, margin = float(reading.d[0]), s.margin or 0.0
        _disc(axes, s.points[0], near + margin, ZONES[1])
        _disc(axes, s.points[0], near, ZONES[0] if margin else ZONES[1])
        zones = triplet_zones(near, margin)
        _label(axes, s.points[0], near - 0.16, zones[0].name)
        _label(axes, s.points[0], near + margin + 0.1, zones[-1].name)
        if margin > 0.2:
            _label(axes, s.points[0], near + margin / 2, "semi-hard")


def _disc(axes: Axes, centre: Array, radius: float, grey: str) -> None:
    axes.add_patch(Circle(tuple(centre), radius, facecolor=grey, edgecolor="0.25", linestyle="--", zorder=0.5))


def _label(axes: Axes, centre: Array, radius: float, text: str) -> None:
    """The name of a region, a little to the left of its top."""
    x, y = centre + radius * np.array([-0.17, 0.985])
    axes.text(x, y, text, ha="center", va="center", fontsize=9.5, style="italic", zorder=3, clip_on=True)


def _circle_and_wedge(axes: Axes, s: State, reading: Evaluation) -> None:
    """The unit circle, the direction and angle of each point, and the wedge in which different points are pushed."""
    anchor = np.rad2deg(np.arctan2(s.points[0, 1], s.points[0, 0]))
    half = float(np.rad2deg(np.arccos(s.margin or 0.0)))
    wedge = Wedge((0, 0), 2 * REACH, anchor - half, anchor + half, facecolor=ZONES[1], edgecolor="0.25", linestyle="--")
    axes.add_patch(wedge)
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor="0.35", linewidth=1.2, zorder=1))
    inside = np.deg2rad(anchor + half - 9)
    axes.text(2.1 * np.cos(inside), 2.1 * np.sin(inside), "margin", ha="center", fontsize=9.5, style="italic")
    length = np.linalg.norm(s.points, axis=1, keepdims=True)
    places = s.points / np.where(length > 0, length, 1)
    for name, place, text in zip(NAMES[s.kind], places, ("", *distance_labels(s, reading)), strict=True):
        axes.plot(*place, MARKER[name], color="white", markeredgecolor=INK[name], markersize=6, zorder=3)
        x, y = 1.08 * place + 0.13 * place[::-1] * (-1, 1)
        axes.text(x, y, text, ha="left" if x > 0 else "right", va="center", fontsize=9, zorder=3, path_effects=HALO)


def _curve(axes: Axes, s: State, reading: Evaluation) -> None:
    """The loss of one pair or triplet against its distances, and the numbered points on the curve."""
    loss = partial(loss_of(s), reduction="none")
    if s.kind == "triplet":
        at = reading.d[1:] - reading.d[0]
        x = np.linspace(min(-2, at.min()), max(2.5, at.max()), 226)
        edges = (x[0], 0, s.margin or 0)
        _one_curve(axes, x, lambda x: loss(np.zeros_like(x), x)[0], "negative", at, (3, 4, 5))
        xlabel = "d₋ − d₊" + ("   (hard below 0, semi-hard up to the margin, easy beyond)" if s.margin else "")
    else:
        angles = s.kind == "cosine"
        at = angles_of(reading.d) if angles else reading.d
        x = np.linspace(0, 180 if angles else max(2.8, 1.05 * at.max()), 226)
        edges = (0, 0, float(np.rad2deg(np.arccos(s.margin or 0))) if angles else s.margin or 0)
        for name, numbers in (("same", (2, 3)), ("different", (4, 5))):

            def value(x, same=name == "same"):
                return loss(1 - np.cos(np.deg2rad(x)) if angles else x, np.full(len(x), same))[0]

            _one_curve(axes, x, value, name, at[np.array(numbers) - 2], numbers)
        xlabel = "angle to the anchor, degrees" if angles else "d, the distance to the anchor"
        axes.legend(loc="upper left", fontsize=9, framealpha=0.9)
    for grey, left, right in zip(ZONES, edges, edges[1:], strict=False):
        axes.axvspan(left, right, color=grey, linewidth=0, zorder=0)
    axes.set(xlabel=xlabel, ylabel="loss", xlim=(x[0], x[-1]))
    axes.margins(y=0.12)
    plain(axes)


def _one_curve(
    axes: Axes, x: Array, loss: Callable[[Array], Array], name: str, at: Array, numbers: tuple[int, ...]
) -> None:
    """ℓ against x, and the points on the curve, with their numbers to the left and right alternately."""
    axes.plot(x, loss(x), "--" if name == "different" else "-", color=INK[name], linewidth=2.2, label=name)
    by_position = sorted(zip(at.tolist(), numbers, strict=True))
    for turn, (place, number) in enumerate(by_position, start=name == "different"):
        spot = (place, float(loss(np.array([place]))[0]))
        axes.plot(*spot, MARKER[name], color=INK[name], markersize=8, markeredgecolor="white", zorder=4)
        beside = (7 if turn % 2 else -13, -15 if name == "different" else 7)
        axes.annotate(str(number), spot, xytext=beside, textcoords="offset points", zorder=5, path_effects=HALO)


COLUMNS = ((0.0, "left"), (0.04, "left"), (0.38, "right"), (0.56, "right"), (0.61, "left"))


def _numbers(axes: Axes, s: State, reading: Evaluation) -> None:
    """A row for each point: its distance, the length of its gradient, and the meaning."""
    axes.axis("off")
    forces = [f"{force:.2f}" for force in np.linalg.norm(reading.gradient, axis=1)]
    table = zip(
        "12345", NAMES[s.kind], ("", *distance_labels(s, reading)), forces, descriptions(s, reading), strict=True
    )
    heading = ("", "point", "angle" if s.kind == "cosine" else "distance", "|∂ℓ/∂z|", "")
    for line, row in enumerate([heading, *table]):
        for column, ((x, side), text) in enumerate(zip(COLUMNS, row, strict=True)):
            colour = "0.35" if line == 0 else INK[row[1]] if column < 2 else "black"
            axes.text(x, 1 - line / 5.5, text, fontsize=10.5, ha=side, va="center", color=colour)
