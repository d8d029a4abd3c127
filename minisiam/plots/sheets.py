"""Images side by side: few-shot answers, and pairs, triplets and letters as a network is shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .. import require
from .style import COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..samplers import Episode
    from ..typing import Array, Bool


def few_shot_sheet(
    images: Array,
    episodes: Sequence[Episode],
    answers: Sequence[Array],
    titles: Sequence[str],
    letters: bool = True,
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
    letters
        Whether the classes are letters, each by several hands, and not classes of any kind.
    """
    way = max(len(e.support) for e in episodes)
    height = 2.1 * len(episodes) + 0.7
    figure = Figure(figsize=(max(7.5, 0.5 * way + 1.2), height), layout="constrained")  # room for the heading
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
    by_hand = "Asked by one hand, answered with the nearest of one example of each letter by another."
    heading = by_hand if letters else "Answered with the nearest of one example of each class."
    figure.suptitle(f"{heading} Framed: wrong.", fontsize=11)
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


def distortion_sheet(letters: Array, distortions: Array, title: str) -> Figure:
    """Letters (rows, h, w, 1) in a column of their own, and beside each its distortions (rows, columns, h, w, 1)."""
    count, columns = distortions.shape[:2]
    figure = Figure(figsize=(0.6 * (columns + 1.5) + 0.3, 0.6 * count + 0.9), layout="constrained")
    sides = figure.subplots(1, 2, width_ratios=(1, columns))
    for axes, table, heading in zip(sides, (letters[:, None], distortions), ("letter", "distortions"), strict=True):
        framed = np.pad(table, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0.35)
        rows, width = framed.shape[2] * count, framed.shape[3] * table.shape[1]
        _show(axes, framed.transpose(0, 2, 1, 3, 4).reshape(rows, width, 1))
        axes.set_title(heading, fontsize=10)
    figure.suptitle(title, fontsize=11)
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
