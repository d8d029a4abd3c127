"""The X-ray of a loss as a figure: the batch with its forces, their matrix, and the force against the distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .style import COLOURS, MARKERS, drawable, finished, heading, legend, plain
from .training import plane_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..analysis.forces import XRay
    from ..typing import Array

PULL, PUSH = COLOURS[1], COLOURS[2]
CLASSES = [colour for colour in COLOURS if colour not in (PULL, PUSH)]
MAX_LINES, MIN_SHARE = 60, 0.03  # the strongest forces drawn, none weaker than this share of the strongest
MAX_NUMBERED = 24  # the most points with legible numbers
MAX_NAMED = 8  # the most classes in the legend
HATCH: dict[str, Any] = {"hatch": "/////", "facecolor": "none", "edgecolor": "0.45", "linewidth": 0}
LEGEND_BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.11), "fontsize": 9, "frameon": False}
# printed in grey the strongest pull is darker than the strongest push; pushes are hatched as well
FORCES = LinearSegmentedColormap.from_list("forces", ["#E08A4C", "#FFFFFF", "#002F66"])


def xray(x: XRay, title: str = "The X-ray of a loss") -> Figure:
    """Three views of F: the points and their forces, the matrix itself, and F against the distance.

    Parameters
    ----------
    x
        The result of `minisiam.analysis.forces.xray`. Embeddings of more than two dimensions, and their forces, are
        drawn by their principal components.
    title
        The title of the figure.
    """
    figure = Figure(figsize=(16.5, 6.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)  # type: ignore[union-attr, call-arg]
    plane, matrix, profile = figure.subplots(1, 3, width_ratios=[1.15, 1.1, 1])
    _plane(plane, x)
    _matrix(matrix, x)
    _profile(profile, x)
    words = f"{title}: loss {x.value:.3g}, distance {x.distance}"
    figure.suptitle(heading(words, 16.5, 14), fontsize=14)
    return finished(figure)


def _plane(axes: Axes, x: XRay) -> None:
    """The points, the strongest forces between them as lines, and the net force on each as an arrow."""
    points, names = plane_of(x.z)
    _lines(axes, x, points)
    for number, label in enumerate(np.unique(x.labels)):
        colour, marker = CLASSES[number % len(CLASSES)], MARKERS[number % len(MARKERS)]
        right, up = points[x.labels == label].T
        axes.scatter(right, up, c=colour, marker=marker, s=46, edgecolors="white", zorder=3)
    _arrows(axes, points, x.net @ _projection(x.z, points))
    if len(points) <= MAX_NUMBERED:
        _numbers(axes, points, x.net @ _projection(x.z, points))
    keys = _keys(x)
    if x.z.shape[1] == 2 and not x.conservation["translation"].applies:
        axes.plot(0, 0, "+", color="0.4", markersize=16, zorder=0)
        keys.append((Line2D([], [], color="0.4", marker="+", markersize=11, linestyle=""), "origin"))
    title = "Forces on each point" + (f": the {MAX_LINES} strongest" if (x.F != 0).sum() > 2 * MAX_LINES else "")
    axes.set(title=title, xlabel=names[0], ylabel=names[1])
    axes.margins(0.12)
    axes.set_aspect("equal", adjustable="datalim")
    legend(axes, keys, ncols=-(-len(keys) // 3), **LEGEND_BELOW)
    plain(axes)


def _lines(axes: Axes, x: XRay, points: Array) -> None:
    """The strongest pulls and pushes; the width of a line shows the strength."""
    i, j = np.triu_indices(len(points), k=1)
    size = (x.strength[i, j] + x.strength[j, i]) / 2
    strongest = size.max(initial=0)
    for pair in np.argsort(-size, kind="stable")[:MAX_LINES]:
        share = size[pair] / strongest if strongest > 0 else 0
        if share > MIN_SHARE:
            ends = points[[i[pair], j[pair]]].T
            pull = x.F[i[pair], j[pair]] > 0
            colour, style = (PULL, "-") if pull else (PUSH, "--")
            axes.plot(*ends, style, color=colour, linewidth=0.7 + 3 * share, alpha=0.55, zorder=1)


def _arrows(axes: Axes, points: Array, net: Array) -> None:
    """Net forces; the longest arrow is a seventh of the width of the figure."""
    size = np.linalg.norm(net, axis=1)
    visible = size > MIN_SHARE * size.max()
    if not visible.any():
        return
    width = max(np.ptp(points, axis=0).max(), np.finfo(float).tiny)
    axes.quiver(
        *points[visible].T,
        *net[visible].T,
        angles="xy",
        scale_units="xy",
        scale=7 * size.max() / width,
        width=0.0055,
        zorder=4,
    )


def _numbers(axes: Axes, points: Array, net: Array) -> None:
    """The number of each point, on the side opposite to its arrow."""
    size = np.linalg.norm(net, axis=1, keepdims=True)
    away = np.where(size > 0, -net / np.where(size > 0, size, 1), np.sqrt(0.5))
    for i, (point, side) in enumerate(zip(points, 11 * away, strict=True)):
        text = axes.annotate(
            str(i), point, xytext=side, textcoords="offset points", fontsize=9, ha="center", va="center", zorder=5
        )
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _projection(z: Array, points: Array) -> Array:
    """The (d, 2) matrix that projects z, and therefore forces, to the plane."""
    if z.shape[1] == 2:
        return np.eye(2)
    return np.linalg.lstsq(z - z.mean(axis=0), points, rcond=None)[0]


def _keys(x: XRay) -> list[tuple[Line2D, str]]:
    """The legend: the classes, unless there are too many, and the meaning of the lines."""
    classes = np.unique(x.labels)
    keys = [
        (Line2D([], [], color=PULL, linewidth=2.5), "pulls together"),
        (Line2D([], [], color=PUSH, linewidth=2.5, linestyle="--"), "pushes apart"),
        (Line2D([], [], color="black", marker=r"$\rightarrow$", markersize=14, linestyle=""), "net force −∂ℓ/∂z"),
    ]
    if len(classes) <= MAX_NAMED:
        for number, label in enumerate(classes):
            colour, marker = CLASSES[number % len(CLASSES)], MARKERS[number % len(MARKERS)]
            keys.append((Line2D([], [], color=colour, marker=marker, linestyle=""), drawable(f"class {label}")))
    return keys


def _matrix(axes: Axes, x: XRay) -> None:
    """F, sorted by class. The colour scale ends at the 98th percentile, so that outliers do not fade the rest."""
    order = np.argsort(x.labels, kind="stable")
    F, labels = x.F[np.ix_(order, order)], x.labels[order]
    sizes = np.abs(F[F != 0])
    limit = float(np.quantile(sizes, 0.98)) if len(sizes) else 1.0
    scale = Normalize(-limit, limit)
    axes.imshow(F, cmap=FORCES, norm=scale, interpolation="nearest")
    corners = [(column - 0.5, row - 0.5) for row, column in np.argwhere(F / limit < -MIN_SHARE)]
    axes.add_collection(PatchCollection([Rectangle(corner, 1, 1) for corner in corners], **HATCH))
    borders = np.flatnonzero(np.diff(labels)) + 0.5
    for border in borders:
        axes.axhline(border, color="black", linewidth=0.8)
        axes.axvline(border, color="black", linewidth=0.8)
    starts = np.concatenate([[-0.5], borders, [len(F) - 0.5]])
    axes.set_yticks((starts[:-1] + starts[1:]) / 2, [drawable(label) for label in np.unique(labels)])
    if len(F) <= MAX_NUMBERED:
        axes.set_xticks(range(len(F)), [str(i) for i in order])
    else:
        axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set(title="The matrix F, sorted by class", xlabel="point", ylabel="class")
    extend = "both" if np.abs(F).max() > limit else "neither"
    bar = axes.figure.colorbar(ScalarMappable(scale, FORCES), ax=axes, shrink=0.85, extend=extend)
    bar.set_label("F:   pushes apart (hatched)   |   pulls together")
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    bar.ax.axhspan(-limit, 0, **HATCH)


def _profile(axes: Axes, x: XRay) -> None:
    """F against D for every pair."""
    i, j = np.triu_indices(len(x.labels), k=1)
    same = x.labels[i] == x.labels[j]
    D, F = x.D[i, j], x.F[i, j]
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    for chosen, marker, colour, label in ((same, "o", PULL, "positive pair"), (~same, "x", PUSH, "negative pair")):
        at_rest = chosen & (F == 0)
        axes.plot(D[at_rest], F[at_rest], marker, color=colour, markerfacecolor="none", markersize=4, alpha=0.25)
        axes.plot(D[chosen & ~at_rest], F[chosen & ~at_rest], marker, color=colour, markerfacecolor="none", label=label)
    axes.set(title="Force against distance", xlabel=f"distance D ({drawable(x.distance)})", ylabel="F")
    axes.ticklabel_format(axis="y", scilimits=(-2, 3))
    axes.legend(**LEGEND_BELOW)
    axes.margins(0.06)
    plain(axes)
