"""Maps: where a network puts images, with some of the images on them; and the views of a rendered object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.transforms import offset_copy

from .. import require
from .style import COLOURS, MARKERS, plain

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
    apart: float = 0.055,
) -> Figure:
    """A map in the plane: every image a small mark, and as many of the images as have room.

    Parameters
    ----------
    z, labels, images
        (n, 2) places, (n,) what colour and marker tell apart, (n, h, w, 1).
    title, names
        Title, and a name for each label in ascending order.
    apart
        The least distance of two drawn images, in widths of the map.
    """
    require.dimensions(2, "(n, 2)", z=z)
    require.finite(z=z)
    if z.shape[1] != 2:
        raise ValueError(f"a map in the plane needs two numbers an image, not {z.shape[1]}: use --embedding-size 2")
    figure = Figure(figsize=(9.0, 8.6), layout="constrained")
    axes = figure.add_subplot()
    styles = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(len(names))]
    number = np.unique(labels, return_inverse=True)[1]
    for i, (colour, marker) in enumerate(styles):
        x, y = z[number == i].T
        axes.scatter(x, y, c=colour, marker=marker, s=12, alpha=0.45, linewidths=0)
    corner = offset_copy(axes.transData, figure, -11, 11, units="points")  # where a picture tells its marker
    order = np.random.default_rng(0).permutation(len(z))  # no kind first
    for row in order[spread(z[order], apart)]:
        colour, marker = styles[number[row]]
        picture = OffsetImage(1 - images[row, ..., 0], zoom=0.82, cmap="gray", norm="linear", clim=(0, 1))
        frame = {"edgecolor": colour, "linewidth": 1.3, "boxstyle": "square,pad=0.05"}
        axes.add_artist(AnnotationBbox(picture, z[row], pad=0.05, bboxprops=frame))
        axes.plot(*z[row], marker, color=colour, markersize=6, zorder=5, markeredgecolor="white", transform=corner)
    keys = [Line2D([], [], color=c, marker=m, linestyle="", label=n) for (c, m), n in zip(styles, names, strict=True)]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False)
    axes.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    axes.margins(0.05)
    axes.set_aspect("equal", adjustable="datalim")
    plain(axes)
    return figure


def spread(z: Float[Array, "n d"], apart: float) -> list[int]:
    """Rows that lie at least `balanced` from each other, in widths of the whole: the first that has room, and so on."""
    width = float(np.ptp(z, axis=0).max()) or 1.0
    chosen: list[int] = []
    for row in range(len(z)):
        if not chosen or np.linalg.norm(z[chosen] - z[row], axis=1).min() >= apart * width:
            chosen.append(row)
    return chosen


def view_map(
    z: Float[Array, "n 3"],
    azimuth: Int[Array, "n"],
    elevation: Int[Array, "n"],
    unseen: Bool[Array, "n"],
    images: Array,
    around: int,
) -> Figure:
    """A map in space of the views of an object, from the side and along the axis of the elevation.

    Parameters
    ----------
    z, images
        (n, 3) places and (n, h, w, 1).
    azimuth, elevation, unseen
        (n,) numbers of the pose, and whether it was kept from training.
    around
        How many azimuths a circle has.
    """
    require.dimensions(2, "(n, 3)", z=z)
    if z.shape[1] != 3:
        raise ValueError(f"a map in space needs three numbers an image, not {z.shape[1]}: use --embedding-size 3")
    figure = Figure(figsize=(13.0, 7.2), layout="constrained")
    turned = _upright(z, elevation)
    space: Any = figure.add_subplot(1, 2, 1, projection="3d")
    space.view_init(22, -60)
    space.set(xlabel="first axis", ylabel="second axis", zlabel="elevation's axis", title="From the side")
    space.set_box_aspect(np.ptp(turned, axis=0), zoom=0.92)
    space.tick_params(labelbottom=False, labelleft=False, labelright=False, labeltop=False)
    plane = figure.add_subplot(1, 2, 2)
    plane.set(xlabel="first axis", ylabel="second axis", title="Along elevation's axis")
    panels: tuple[tuple[Any, Array], ...] = ((space, turned), (plane, turned[:, :2]))
    for axes, points in panels:
        _rings(axes, points, azimuth, elevation)
        for some, marker, size in ((~unseen, "o", 9), (unseen, "^", 38)):
            shade = colormaps["twilight"](azimuth[some] / around)
            edge = "black" if marker == "^" else "none"
            axes.scatter(*points[some].T, c=shade, marker=marker, s=size, edgecolors=edge, linewidths=0.7)
    _signposts(plane, turned[:, :2], azimuth, elevation, images, around)
    keys = [
        Line2D([], [], color="0.4", marker="o", linestyle="", markersize=4, label="a view in training"),
        Line2D([], [], color="0.6", marker="^", linestyle="", markeredgecolor="black", label="a view kept from it"),
        Line2D([], [], color="0.4", linewidth=0.8, label="the next azimuth at an elevation, mean over lights"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle("A map of all views: colour, pictures and degrees tell the azimuth")
    return figure


def _upright(z: Array, elevation: Array) -> Array:
    """Turned so that the third axis is the one along which elevation changes, and the first the widest of the rest."""
    centres = z - z.mean(axis=0)
    up = centres.T @ (elevation - elevation.mean())
    up /= max(float(np.linalg.norm(up)), np.finfo(float).tiny)
    flat = centres - np.outer(centres @ up, up)
    across = np.linalg.svd(flat, full_matrices=False)[2][:2]
    return np.column_stack([flat @ across.T, centres @ up])


def _signposts(axes: Axes, z: Array, azimuth: Array, elevation: Array, images: Array, around: int) -> None:
    """Outside the ring a picture of every other azimuth and its degrees, at the elevation in the middle."""
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
    """A closed line of each elevation, through the azimuths in their order."""
    for level in np.unique(elevation):
        mine = [z[(elevation == level) & (azimuth == a)] for a in np.unique(azimuth)]
        line = np.array([some.mean(axis=0) for some in mine if len(some)])
        axes.plot(*np.vstack([line, line[:1]]).T, color="0.4", linewidth=0.8)


def view_sheet(
    images: Array,
    azimuth: Int[Array, "n"],
    elevation: Int[Array, "n"],
    light: Int[Array, "n"],
    unseen: Bool[Array, "n"],
    heights: Sequence[float],
) -> Figure:
    """The views of an object: a row for each elevation, a column for each azimuth; below, one pose in every light.

    `heights` are the elevations in degrees, by their numbers.
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
    held = np.unique(np.stack([azimuth, elevation], axis=1)[unseen], axis=0)
    axes.plot((held[:, 0] + 0.12) * side, (held[:, 1] + 0.14) * side, "^", color="white", markersize=5)
    names = [f"elevation {angle:.0f}°" for angle in heights]
    axes.set_yticks((np.arange(rows + 1) + 0.5) * side - 0.5, [*names, f"{lights} lights"])
    axes.set(xticks=[], title="Every azimuth in the first light (▲ kept from training), and one pose in every light")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
