"""Pictures of what a network learnt: clusters, margins, curves, few-shot answers, and what it was shown.

Every function returns a matplotlib Figure and touches no global state: save it with `figure.savefig(path)`.
Colours are Okabe and Ito's, told apart by the colour-blind; what a colour says a marker or a line style says too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install 'minisiam[figures]'") from error

from . import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from .evaluate import Score
    from .samplers import Episode
    from .typing import Array, Bool, Float, Int

# from dark to light, so that neighbours in the list also differ in grey
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = "osD^vP*X"
SAME, DIFFERENT = COLOURS[1], COLOURS[5]


def clusters(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    images: Array | None = None,
    title: str = "Embedding",
    names: Sequence[str] | None = None,
) -> Figure:
    """Where the embedding puts each image: two dimensions as they are, more by their principal components.

    Parameters
    ----------
    z, labels
        (n, d) embeddings with d ≥ 2 and their (n,) classes; up to eight classes are told apart.
    images
        (n, h, w, 1): if given, each point is drawn as its image, in the colour of its class.
    title, names
        Title, and a name for each class in sorted order.
    """
    require.dimensions(2, "(n, d)", z=z)
    require.class_labels(labels, len(z))
    require.finite(z=z)
    points, axis_names = plane_of(z)
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes = figure.add_subplot()
    classes = np.unique(labels)
    for number, label in enumerate(classes):
        mine = labels == label
        x, y = points[mine].T
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        if images is None:
            name = names[number] if names else f"class {label}"
            axes.scatter(x, y, c=colour, marker=marker, s=28, alpha=0.8, linewidths=0, label=name)
        else:
            axes.scatter(x, y, s=0)  # for the limits
            for point, image in zip(points[mine], images[mine], strict=True):
                axes.add_artist(AnnotationBbox(OffsetImage(_stamp(image, colour), zoom=0.75), point, frameon=False))
    axes.set(title=title, xlabel=axis_names[0], ylabel=axis_names[1])
    axes.margins(0.08)
    axes.set_aspect("equal", adjustable="datalim")
    if images is None and len(classes) <= len(COLOURS):
        axes.legend(frameon=False, loc="best", markerscale=1.2)
    _plain(axes)
    return figure


def plane_of(z: Array) -> tuple[Array, tuple[str, str]]:
    """Two coordinates for each row: as they are, or the two directions in which the rows vary most (PCA by SVD)."""
    if z.shape[1] < 2:
        raise ValueError("an embedding of one number has no plane to be drawn in: use --embedding-size 2 or more")
    if z.shape[1] == 2:
        return z, ("$z_1$", "$z_2$")
    centred = z - z.mean(axis=0)
    _, s, directions = np.linalg.svd(centred, full_matrices=False)
    share = 100 * s**2 / max(float((s**2).sum()), np.finfo(float).tiny)
    names = tuple(f"principal component {i + 1} ({share[i]:.0f} % of the variance)" for i in range(2))
    return centred @ directions[:2].T, (names[0], names[1])


def distances(
    d: Float[Array, "n"],
    same: Bool[Array, "n"],
    threshold: float | None = None,
    threshold_name: str = "threshold",
    name: str = "distance",
    title: str = "How far apart are same and different pairs?",
) -> Figure:
    """Histograms of the distances of same and of different pairs, with the margin or threshold drawn."""
    require.dimensions(1, "(n,)", d=d)
    require.same_or_not(same, len(d))
    require.finite(d=d)
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    low, high = min(0, float(d.min())), float(np.quantile(d, 0.999))
    bins = np.linspace(low, high if high > low else low + 1, 60).tolist()
    hist = partial(axes.hist, bins=bins, density=True)
    hist(d[same], color=SAME, alpha=0.75, label="same class")
    hist(d[~same], color=DIFFERENT, alpha=0.35)
    hist(d[~same], color=DIFFERENT, histtype="step", linewidth=2, label="different classes")
    if threshold is not None:
        axes.axvline(
            threshold, color="black", linestyle="--", linewidth=1.5, label=f"{threshold_name} = {threshold:.3g}"
        )
    axes.set(title=title, xlabel=name, ylabel="density of pairs", xlim=(bins[0], bins[-1]))
    axes.legend(frameon=False)
    _plain(axes)
    return figure


def curves(log: Sequence[dict[str, Any]], chance: float | None = None, title: str = "Training") -> Figure:
    """Loss and validation accuracy against the step, from the records of a run's log."""
    if not log:
        raise ValueError("the log is empty: there is nothing to draw")
    step = [r["step"] for r in log]
    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(step, [r["loss"] for r in log], color=COLOURS[1], label="loss")
    top.plot(step, [r["active"] for r in log], color=COLOURS[2], linestyle="--", label="share still active")
    top.set(title=title, ylabel="loss, share", ylim=(0, None))
    top.legend(frameon=False)
    validated = [r for r in log if r.get("validation") is not None]
    accuracy = [100 * r["validation"] for r in validated]
    bottom.plot([r["step"] for r in validated], accuracy, color=COLOURS[1], marker="o", markersize=4)
    if chance is not None:
        bottom.axhline(100 * chance, color="0.4", linestyle=":")
        bottom.annotate("chance", (step[-1], 100 * chance), ha="right", va="bottom", color="0.3")
    bottom.set(xlabel="step", ylabel="one-shot accuracy on\nvalidation alphabets (%)", ylim=(0, 100))
    for axes in (top, bottom):
        axes.grid(alpha=0.25)
        _plain(axes)
    return figure


def few_shot_sheet(
    images: Array, episodes: Sequence[Episode], answers: Sequence[Array], titles: Sequence[str]
) -> Figure:
    """One-shot episodes, question by question: what was asked, what the network answered, and what was right.

    Parameters
    ----------
    images
        (n, h, w, 1), all of them.
    episodes, answers
        One-shot episodes, and for each the classes that `evaluate.answer` gave.
    titles
        A name for each episode.
    """
    way = max(len(e.support) for e in episodes)
    height = 2.1 * len(episodes) + 0.7
    figure = Figure(figsize=(0.5 * way + 1.2, height), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.6 / height))  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(3 * len(episodes), way, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for row, (episode, answer, title) in enumerate(zip(episodes, answers, titles, strict=True)):
        asked, given, right = grid[3 * row : 3 * row + 3]
        shown = episode.support[np.argsort(episode.support_labels)]
        order = np.argsort(episode.labels)
        for column, query in enumerate(order):
            truth, guess = episode.labels[query], answer[query]
            _show(asked[column], images[episode.query[query]])
            if guess >= 0:
                _show(given[column], images[shown[guess]])
            if guess != truth:
                _frame(given[column])
                _show(right[column], images[shown[truth]])
        correct = int((answer == episode.labels).sum())
        heading = f"{title}: {correct} of {len(order)} right"
        asked[0].annotate(heading, (0, 1.2), xycoords="axes fraction", fontsize=10).set_in_layout(False)
        for axes, text in ((asked[0], "asked"), (given[0], "answer"), (right[0], "right\nanswer")):
            axes.text(-0.25, 0.5, text, transform=axes.transAxes, ha="right", va="center", fontsize=9)
    figure.suptitle(
        "One example of each letter, by another hand: which letter is asked? Framed answers are wrong.", fontsize=11
    )
    return figure


def pairs_sheet(x1: Array, x2: Array, same: Bool[Array, "n"], d: Array | None = None, columns: int = 8) -> Figure:
    """Pairs as a siamese network is shown them, with their distance if it is given."""
    require.same_or_not(same, len(x1))
    captions = [("same" if s else "different") + (f"\n{d[i]:.2f}" if d is not None else "") for i, s in enumerate(same)]
    return _sheet([x1, x2], captions, columns, "Pairs: above and below, one class or two?")


def triplets_sheet(
    anchor: Array, positive: Array, negative: Array, columns: int = 8, title: str = "Triplets"
) -> Figure:
    """Triplets as a triplet network is shown them: anchor, positive, negative from top to bottom."""
    title += ": anchor, another of its class, one of another class"
    return _sheet([anchor, positive, negative], [""] * len(anchor), columns, title)


def glyph_sheet(images: Array, rows: Sequence[str], title: str) -> Figure:
    """A table of images (rows, columns, h, w, 1), with a name for each row."""
    count, columns, height, width, _ = images.shape
    figure = Figure(figsize=(0.42 * columns + 1.9, 0.42 * count + 0.6), layout="constrained")
    axes = figure.add_subplot()
    _show(axes, images.transpose(0, 2, 1, 3, 4).reshape(count * height, columns * width, 1))
    axes.set_axis_on()
    axes.set_yticks((np.arange(count) + 0.5) * height - 0.5, list(rows))
    axes.set(xticks=[], title=title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def one_shot_bars(scores: dict[str, Score], chance: float, title: str) -> Figure:
    """Accuracies with their intervals, as horizontal bars; chance as a line."""
    figure = Figure(figsize=(7.2, 0.55 * len(scores) + 1.3), layout="constrained")
    axes = figure.add_subplot()
    for row, score in enumerate(scores.values()):
        axes.barh(row, 100 * score.accuracy, color=COLOURS[1] if row == 0 else "0.72", height=0.62)
        axes.plot([100 * score.low, 100 * score.high], [row, row], color="black", linewidth=2.5)
        axes.annotate(f"{100 * score.accuracy:.1f} %", (100 * score.high + 1, row), va="center")
    axes.axvline(100 * chance, color="black", linestyle=":", linewidth=1.5)
    axes.annotate("chance", (100 * chance + 0.8, len(scores) - 0.55), fontsize=9)
    axes.set(title=title, xlabel="accuracy (%), with 95 % interval", xlim=(0, 103), yticks=range(len(scores)))
    axes.set_yticklabels(list(scores))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(scores) - 0.3, -0.5)
    _plain(axes)
    axes.spines["left"].set_visible(False)
    return figure


def _sheet(parts: list[Array], captions: list[str], columns: int, title: str) -> Figure:
    """Columns of images that belong together, as one picture each, several rows of them."""
    columns = min(columns, len(captions))
    lines = -(-len(captions) // columns)
    figure = Figure(figsize=(0.95 * columns + 0.3, (0.85 * len(parts) + 0.4) * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, *pictures, caption in zip(grid, *parts, captions, strict=False):
        _show(axes, np.concatenate([np.pad(p, ((1, 1), (1, 1), (0, 0)), constant_values=0.35) for p in pictures]))
        axes.set_title(caption, fontsize=9, pad=3)
    figure.suptitle(title, fontsize=11)
    return figure


def _show(axes: Axes, image: Array) -> None:
    """Black ink on white paper."""
    axes.imshow(1 - image[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def _frame(axes: Axes) -> None:
    """A heavy frame around an image."""
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=COLOURS[2], linewidth=2.5)


def _stamp(image: Array, colour: str) -> Array:
    """The ink of an image in one colour on nothing, as RGBA."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    ink = np.clip(image[..., :1], 0, 1)
    return np.concatenate([np.broadcast_to(rgb, (*ink.shape[:2], 3)), ink], axis=2)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
