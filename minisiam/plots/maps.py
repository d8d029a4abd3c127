"""Maps of embeddings with some of the images drawn on them, and the views of a rendered object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.transforms import offset_copy

from .. import require
from .style import COLOURS, MARKERS, drawable, finished, heading, legend, plain, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..typing import Array, Bool, Float, Int


def image_map(
    z: Float[Array, "n 2"],
    labels: Int[Array, "n"],
    images: Array,
    title: str,
    names: Sequence[str],
    min_distance: float = 0.055,
) -> Figure:
    """A map in the plane: a marker for every image, and as many images as fit without overlap.

    Parameters
    ----------
    z, labels, images
        (n, 2) embeddings, (n,) classes shown by colour and marker, (n, h, w, 1) images.
    title, names
        Title, and a name for each label in ascending order.
    min_distance
        The smallest distance between two drawn images, as a share of the width of the map.
    """
    require.dimensions(2, "(n, 2)", z=z)
    require.finite(z=z)
    if z.shape[1] != 2:
        raise ValueError(f"a map in the plane needs embeddings of 2 numbers, not {z.shape[1]}: use --embedding-size 2")
    figure = Figure(figsize=(9.0, 8.6), layout="constrained")
    axes = figure.add_subplot()
    styles = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(len(names))]
    number = np.unique(labels, return_inverse=True)[1]
    for i, (colour, marker) in enumerate(styles):
        x, y = z[number == i].T
        axes.scatter(x, y, c=colour, marker=marker, s=12, alpha=0.45, linewidths=0)
    corner = offset_copy(axes.transData, figure, -11, 11, units="points")  # the marker beside each image
    order = np.random.default_rng(0).permutation(len(z))  # so that no class comes first
    for row in order[spaced(z[order], min_distance)]:
        colour, marker = styles[number[row]]
        picture = OffsetImage(1 - images[row, ..., 0], zoom=0.82, cmap="gray", norm="linear", clim=(0, 1))
        frame = {"edgecolor": colour, "linewidth": 1.3, "boxstyle": "square,pad=0.05"}
        axes.add_artist(AnnotationBbox(picture, z[row], pad=0.05, bboxprops=frame))
        axes.plot(*z[row], marker, color=colour, markersize=6, zorder=5, markeredgecolor="white", transform=corner)
    shown = [drawable(name) for name in names]
    keys = [(Line2D([], [], color=c, marker=m, linestyle=""), n) for (c, m), n in zip(styles, shown, strict=True)]
    columns = max(1, min(len(keys), int(8.5 / (0.6 + width_of(shown)))))
    legend(figure, keys, loc="outside lower center", ncols=columns, frameon=False)
    axes.set(title=heading(title, 8.5), xlabel="z₁", ylabel="z₂")
    axes.margins(0.05)
    axes.set_aspect("equal", adjustable="datalim")
    plain(axes)
    return finished(figure)


def spaced(z: Float[Array, "n d"], min_distance: float) -> list[int]:
    """Rows at least `min_distance` × the width of z apart, chosen greedily in order."""
    width = float(np.ptp(z, axis=0).max()) or 1.0
    chosen: list[int] = []
    for row in range(len(z)):
        if not chosen or np.linalg.norm(z[chosen] - z[row], axis=1).min() >= min_distance * width:
            chosen.append(row)
    return chosen


def view_map(
    z: Float[Array, "n 3"],
    azimuth: Int[Array, "n"],
    elevation: Int[Array, "n"],
    held_out: Bool[Array, "n"],
    images: Array,
    around: int,
) -> Figure:
    """A three-dimensional map of the views of an object, seen from the side and along the elevation axis.

    Parameters
    ----------
    z, images
        (n, 3) embeddings and (n, h, w, 1) images.
    azimuth, elevation, held_out
        (n,) indices of the pose, and whether it was held out of training.
    around
        The number of azimuths in a full circle.
    """
    require.dimensions(2, "(n, 3)", z=z)
    if z.shape[1] != 3:
        raise ValueError(f"a map in space needs embeddings of 3 numbers, not {z.shape[1]}: use --embedding-size 3")
    figure = Figure(figsize=(13.0, 7.2), layout="constrained")
    turned = _upright(z, elevation)
    space: Any = figure.add_subplot(1, 2, 1, projection="3d")
    space.view_init(22, -60)
    space.set(xlabel="first axis", ylabel="second axis", zlabel="elevation axis", title="From the side")
    space.set_box_aspect(np.ptp(turned, axis=0), zoom=0.92)
    space.tick_params(labelbottom=False, labelleft=False, labelright=False, labeltop=False)
    plane = figure.add_subplot(1, 2, 2)
    plane.set(xlabel="first axis", ylabel="second axis", title="Along the elevation axis")
    panels: tuple[tuple[Any, Array], ...] = ((space, turned), (plane, turned[:, :2]))
    for axes, points in panels:
        _rings(axes, points, azimuth, elevation)
        for some, marker, size in ((~held_out, "o", 9), (held_out, "^", 38)):
            shade = colormaps["twilight"](azimuth[some] / around)
            edge = "black" if marker == "^" else "none"
            axes.scatter(*points[some].T, c=shade, marker=marker, s=size, edgecolors=edge, linewidths=0.7)
    _signposts(plane, turned[:, :2], azimuth, elevation, images, around)
    keys = [
        Line2D([], [], color="0.4", marker="o", linestyle="", markersize=4, label="training view"),
        Line2D([], [], color="0.6", marker="^", linestyle="", markeredgecolor="black", label="held-out view"),
        Line2D([], [], color="0.4", linewidth=0.8, label="neighbouring azimuths at one elevation, mean over lights"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle("A map of all views: colours, images and degrees show the azimuth")
    return finished(figure)


def _upright(z: Array, elevation: Array) -> Array:
    """Rotated so that elevation changes along the third axis, and the first axis is the widest of the others."""
    centres = z - z.mean(axis=0)
    up = centres.T @ (elevation - elevation.mean())
    up /= max(float(np.linalg.norm(up)), np.finfo(float).tiny)
    flat = centres - np.outer(centres @ up, up)
    across = np.linalg.svd(flat, full_matrices=False)[2][:2]
    return np.column_stack([flat @ across.T, centres @ up])


def _signposts(axes: Axes, z: Array, azimuth: Array, elevation: Array, images: Array, around: int) -> None:
    """Outside the ring, an image of every other azimuth and its degrees, at the middle elevation."""
    middle = z.mean(axis=0)
    reach = 1.2 * np.linalg.norm(z - middle, axis=1).max()
    level = np.unique(elevation)[len(np.unique(elevation)) // 2]
    for number in range(0, around, 2):
        (rows,) = np.nonzero((azimuth == number) & (elevation == level))
        if len(rows):
            away = z[rows].mean(axis=0) - middle
            place = middle + reach * away / max(float(np.linalg.norm(away)), np.finfo(float).tiny)
            picture = OffsetImage(images[rows[0], ..., 0], zoom=1.35, cmap="gray", norm="linear", clim=(0, 1))
            axes.add_artist(AnnotationBbox(picture, place, pad=0.0))
            axes.annotate(f"{round(360 * number / around)}°", place, (0, -30), textcoords="offset points", ha="center")
    axes.set(xlim=middle[0] + np.array([-1.2, 1.2]) * reach, ylim=middle[1] + np.array([-1.3, 1.2]) * reach)
    axes.set_aspect("equal")
    plain(axes)


def _rings(axes: Any, z: Array, azimuth: Array, elevation: Array) -> None:
    """A closed line for each elevation, through the azimuths in order."""
    for level in np.unique(elevation):
        mine = [z[(elevation == level) & (azimuth == a)] for a in np.unique(azimuth)]
        line = np.array([some.mean(axis=0) for some in mine if len(some)])
        axes.plot(*np.vstack([line, line[:1]]).T, color="0.4", linewidth=0.8)


def view_sheet(
    images: Array,
    azimuth: Int[Array, "n"],
    elevation: Int[Array, "n"],
    light: Int[Array, "n"],
    held_out: Bool[Array, "n"],
    heights: Sequence[float],
) -> Figure:
    """The views of an object: a row for each elevation, a column for each azimuth; below, one pose under every light.

    `heights` are the elevations in degrees, by their indices.
    """
    side = images.shape[1]
    columns, rows, lights = (int(some.max()) + 1 for some in (azimuth, elevation, light))
    page = np.zeros((rows + 1, columns, side, side))
    first = light == 0
    page[elevation[first], azimuth[first]] = images[first, ..., 0]
    pose = (elevation == rows // 2) & (azimuth == min(1, columns - 1))
    shown = light[pose] < columns
    page[rows, light[pose][shown]] = images[pose, ..., 0][shown]
    figure = Figure(figsize=(0.56 * columns + 1.6, 0.56 * (rows + 1) + 1.0), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(page.transpose(0, 2, 1, 3).reshape((rows + 1) * side, columns * side), cmap="gray", vmin=0, vmax=1)
    axes.axhline(rows * side - 0.5, color="white", linewidth=2)
    held = np.unique(np.stack([azimuth, elevation], axis=1)[held_out], axis=0)
    axes.plot((held[:, 0] + 0.12) * side, (held[:, 1] + 0.14) * side, "^", color="white", markersize=5)
    names = [f"elevation {angle:.0f}°" for angle in heights]
    axes.set_yticks((np.arange(rows + 1) + 0.5) * side - 0.5, [*names, f"{lights} lights"])
    axes.set(
        xticks=[], title="Every azimuth under the first light (▲ held out of training), and one pose under every light"
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return finished(figure)
