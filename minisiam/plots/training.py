"""Figures of a trained network: clusters, distances, curves, and its score beside the baselines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Patch

from .. import require
from .style import COLOURS, DIFFERENT, MARKERS, SAME, drawable, finished, heading, legend, plain, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from ..evaluate import Roc, Score
    from ..typing import Array, Bool, Float, Int


def clusters(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    images: Array | None = None,
    title: str = "Embedding",
    names: Sequence[str] | None = None,
) -> Figure:
    """The embedding of each image: two dimensions as they are, more by their two principal components.

    Parameters
    ----------
    z, labels
        (n, d) embeddings with d ≥ 2 and their (n,) classes; up to eight classes are distinguishable.
    images
        (n, h, w, 1) images: if given, each point is drawn as its image, in the colour of its class.
    title, names
        Title, and a name for each class in sorted order, for the legend; without names, images have no legend.
    """
    require.dimensions(2, "(n, d)", z=z)
    require.class_labels(labels, len(z))
    require.finite(z=z)
    points, axis_names = plane_of(z)
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes = figure.add_subplot()
    keys: list[tuple[Any, str]] = []
    if images is None:
        keys = _scatter(axes, points, labels, names)
    else:
        axes.scatter(points[:, 0], points[:, 1], s=0)  # sets the limits of the axes
        for point, image, number in zip(points, images, np.unique(labels, return_inverse=True)[1], strict=True):
            stamp = _stamp(image, COLOURS[number % len(COLOURS)])
            axes.add_artist(AnnotationBbox(OffsetImage(stamp, zoom=0.75), point, frameon=False))
        for number, name in enumerate(names or ()):
            keys.append((Patch(color=COLOURS[number % len(COLOURS)]), drawable(name)))
    axes.set(title=heading(title, 5.8), xlabel=axis_names[0], ylabel=axis_names[1])
    axes.margins(0.08)
    axes.set_aspect("equal", adjustable="datalim")
    if 0 < len(keys) <= len(COLOURS):
        _class_legend(figure, axes, keys)
    plain(axes)
    return finished(figure)


def _class_legend(figure: Figure, axes: Axes, keys: list[tuple[Any, str]]) -> None:
    """The classes in the free corner of the axes; long names are beside them instead, on a wider figure."""
    width = width_of([name for _, name in keys])
    beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if width > 1.2 else {"loc": "best"}
    if width > 1.2:
        figure.set_figwidth(figure.get_figwidth() + 0.4 + width)
    legend(axes, keys, frameon=False, markerscale=1.2, **beside)


def clusters_side_by_side(
    embeddings: Mapping[str, Float[Array, "n 2"]], labels: Int[Array, "n"], hollow: Bool[Array, "n"] | None = None
) -> Figure:
    """The same images in several two-dimensional embeddings, each with its own scale.

    Parameters
    ----------
    embeddings
        For each title (n, 2) embeddings.
    labels
        (n,) classes; up to eight are distinguishable.
    hollow
        (n,) booleans: images to draw as outlines, for example those that were not used in training.
    """
    if not embeddings:
        raise ValueError("embeddings is empty: name at least one")
    figure = Figure(figsize=(2.9 * len(embeddings), 3.2), layout="constrained")
    panels = figure.subplots(1, len(embeddings), squeeze=False)[0]
    for axes, (title, z) in zip(panels, embeddings.items(), strict=True):
        require.dimensions(2, "(n, 2)", z=z)
        require.class_labels(labels, len(z))
        require.finite(z=z)
        _scatter(axes, z, labels, None, hollow)
        axes.set(title=heading(title, 2.7))
        axes.margins(0.08)
        axes.set_aspect("equal", adjustable="datalim")
        plain(axes)
    return finished(figure)


def _scatter(
    axes: Axes, points: Array, labels: Array, names: Sequence[str] | None, hollow: Array | None = None
) -> list[tuple[Any, str]]:
    """A colour and a marker for each class; returns its points and its name."""
    filled = np.ones(len(labels), bool) if hollow is None else ~hollow
    classes = np.unique(labels)
    if names is not None and len(names) != len(classes):
        raise ValueError(f"names must have one name per class, {len(classes)}, not {len(names)}")
    keys = []
    for number, label in enumerate(classes):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        mine = (labels == label) & filled
        x, y = points[mine].T
        drawn = axes.scatter(x, y, c=colour, marker=marker, s=28, alpha=0.8, linewidths=0)
        keys.append((drawn, drawable(f"class {label}" if names is None else names[number])))
        if hollow is not None:
            x, y = points[(labels == label) & hollow].T
            axes.scatter(x, y, marker=marker, s=28, facecolors="none", edgecolors=colour)
    return keys


def plane_of(z: Array) -> tuple[Array, tuple[str, str]]:
    """Two coordinates for each row: z itself if it has two, otherwise its first two principal components."""
    if z.shape[1] < 2:
        raise ValueError("an embedding of one number cannot be drawn in a plane: use --embedding-size 2 or more")
    if z.shape[1] == 2:
        return z, ("z₁", "z₂")
    z = np.asarray(z, float)
    centred = z - z.mean(axis=0)
    size = float(np.abs(centred).max(initial=0)) or 1.0
    _, s, directions = np.linalg.svd(np.vstack([centred / size, np.zeros((2, z.shape[1]))]), full_matrices=False)
    share = 100 * s**2 / max(float((s**2).sum()), np.finfo(float).tiny)
    names = tuple(f"principal component {i + 1} ({share[i]:.0f} % of the variance)" for i in range(2))
    return centred @ directions[:2].T, (names[0], names[1])


def distances(
    d: Float[Array, "n"],
    same: Bool[Array, "n"],
    threshold: float | None = None,
    threshold_name: str = "threshold",
    name: str = "distance",
    title: str = "Distances of same and different pairs",
) -> Figure:
    """Histograms of the distances of same and different pairs, with the margin or threshold as a line."""
    require.dimensions(1, "(n,)", d=d)
    require.same_or_not(same, len(d))
    require.finite(d=d)
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    bins = _bins(np.asarray(d, float))
    hist = partial(axes.hist, bins=bins, density=True)
    keys: list[tuple[Any, str]] = []
    if same.any():
        hist(d[same], color=SAME, alpha=0.75)
        keys.append((Patch(color=SAME, alpha=0.75), "same class"))
    if not same.all():
        hist(d[~same], color=DIFFERENT, alpha=0.35)
        hist(d[~same], color=DIFFERENT, histtype="step", linewidth=2)
        face = (*to_rgb(DIFFERENT), 0.35)
        keys.append((Patch(facecolor=face, edgecolor=DIFFERENT, linewidth=2), "different classes"))
    if threshold is not None and np.isfinite(threshold):
        line = axes.axvline(threshold, color="black", linestyle="--", linewidth=1.5)
        keys.append((line, f"{drawable(threshold_name)} = {threshold:.3g}"))
    words = {"title": heading(title, 6.6), "xlabel": heading(name, 6.6, 10)}
    axes.set(**words, ylabel="density of pairs", xlim=(bins[0], bins[-1]))
    legend(axes, keys, frameon=False)
    plain(axes)
    return finished(figure)


def _bins(d: Array) -> list[float]:
    """The edges of a histogram, from 0 or the least value to the largest but one in a thousand."""
    low, high = min(0.0, float(d.min())), float(np.quantile(d, 0.999))
    if high - low <= 1e-9 * abs(low):  # all values are the same
        high = low + (abs(low) or 1.0)
    return np.linspace(low, high, 60).tolist()


def roc(
    curves: Mapping[str, Roc],
    marks: Mapping[str, tuple[float, float]] | None = None,
    title: str = "ROC: same pairs accepted against different pairs accepted",
) -> Figure:
    """Share of same pairs accepted against share of different pairs accepted, on a logarithmic axis from 0.1 %.

    Parameters
    ----------
    curves
        For each name the result of `evaluate.roc`.
    marks
        Points to label: (share of different pairs accepted, share of same pairs accepted).
    title
        The title.
    """
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    keys = []
    for number, (name, curve) in enumerate(curves.items()):
        style = ("-", "--", "-.", ":")[number % 4]
        colour = COLOURS[number % len(COLOURS)]
        (line,) = axes.plot(curve.false_accept, curve.true_accept, style, color=colour, label=name)
        keys.append((line, drawable(name)))
    share = np.geomspace(1e-3, 1, 100)
    (line,) = axes.plot(share, share, color="0.5", linestyle=":", linewidth=1)
    keys.append((line, "guessing"))
    for number, (name, (x, y)) in enumerate((marks or {}).items()):
        axes.plot(x, y, MARKERS[number % len(MARKERS)], color=COLOURS[2], markersize=9, markeredgecolor="white")
        beside = {"xytext": (-10, 8), "ha": "right"} if x > 0.1 else {"xytext": (10, -14)}  # a curve leaves both free
        axes.annotate(drawable(name), (x, y), textcoords="offset points", **beside)
    axes.set(title=heading(title, 5.8), xlabel="different pairs accepted", ylabel="same pairs accepted", xscale="log")
    axes.set(xlim=(1e-3, 1), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g} %")
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
    axes.xaxis.set_minor_formatter("")
    _class_legend(figure, axes, keys)
    axes.grid(alpha=0.25)
    plain(axes)
    return finished(figure)


def curves(log: Sequence[dict[str, Any]], chance: float | None = None, title: str = "Training") -> Figure:
    """Loss, validation accuracy and the share of active pairs against the step, from the log of a run."""
    if not log:
        raise ValueError("log is empty: pass the records of log.jsonl")
    step = [r["step"] for r in log]
    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    loss = np.array([r["loss"] for r in log], float)
    top.plot(step, np.where(np.isfinite(loss), loss, np.nan), color=COLOURS[1], marker="o", markersize=3)
    top.set(title=heading(title, 6.6), ylabel="loss")
    if np.nanmin(loss, initial=0) >= 0 and np.nanmax(loss, initial=0) > 0:
        top.set_ylim(0, None)
    validated = [r for r in log if r.get("validation") is not None]
    steps, accuracy = [r["step"] for r in validated], [100 * r["validation"] for r in validated]
    (line,) = bottom.plot(steps, accuracy, color=COLOURS[1], marker="o", markersize=4)
    active = [100 * r["active"] for r in log]
    (dashes,) = bottom.plot(step, active, "--", color=COLOURS[2], marker="s", markersize=3)
    legend(
        bottom, [(line, "one-shot accuracy on validation data"), (dashes, "active pairs or triplets")], frameon=False
    )
    if chance is not None:
        bottom.axhline(100 * chance, color="0.4", linestyle=":")
        bottom.annotate("chance", (step[-1], 100 * chance), ha="right", va="bottom", color="0.3")
    bottom.set(xlabel="step", ylabel="accuracy, share (%)", ylim=(0, 103))
    for axes in (top, bottom):
        axes.grid(alpha=0.25)
        plain(axes)
    return finished(figure)


def one_shot_bars(scores: dict[str, Score], chance: float, title: str) -> Figure:
    """Accuracies with their intervals as horizontal bars, and chance as a line."""
    if not scores:
        raise ValueError("scores is empty: it needs at least one accuracy")
    names = [drawable(name) for name in scores]
    figure = Figure(figsize=(max(7.2, 4.0 + width_of(names)), 0.55 * len(scores) + 1.3), layout="constrained")
    axes = figure.add_subplot()
    for row, score in enumerate(scores.values()):
        axes.barh(row, 100 * score.accuracy, color=COLOURS[1] if row == 0 else "0.72", height=0.62)
        axes.plot([100 * score.low, 100 * score.high], [row, row], color="black", linewidth=2.5)
        axes.annotate(f"{100 * score.accuracy:.1f} %", (100 * score.high + 1, row), va="center")
    figure.suptitle(heading(title, figure.get_figwidth()))
    axes.axvline(100 * chance, color="black", linestyle=":", linewidth=1.5)
    axes.annotate("chance", (100 * chance + 0.8, len(scores) - 0.55), fontsize=9)
    axes.set(xlabel="accuracy (%), with 95 % interval", xlim=(0, 103), yticks=range(len(scores)))
    axes.set_yticklabels(names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(scores) - 0.3, -0.5)
    plain(axes)
    axes.spines["left"].set_visible(False)
    return finished(figure)


def _stamp(image: Array, colour: str) -> Array:
    """The ink of an image in one colour on a transparent background, as RGBA."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    ink = np.clip(image[..., :1], 0, 1)
    return np.concatenate([np.broadcast_to(rgb, (*ink.shape[:2], 3)), ink], axis=2)
