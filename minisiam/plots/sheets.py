"""Images side by side: few-shot predictions, and the pairs, triplets and letters that a network is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .. import require
from .style import COLOURS, drawable, finished, heading, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..samplers import Episode
    from ..typing import Array, Bool


def few_shot_sheet(
    images: Array,
    episodes: Sequence[Episode],
    predictions: Sequence[Array],
    titles: Sequence[str],
    letters: bool = True,
) -> Figure:
    """One-shot episodes: each query, the example that the network chose and, if it is wrong, the correct example.

    Parameters
    ----------
    images
        (n, h, w, 1), the images to which the episodes refer.
    episodes, predictions
        One-shot episodes, and the predicted classes of each: 0 … way − 1, or −1 for a tie.
    titles
        A name for each episode.
    letters
        Whether the classes are letters, each drawn by several people.
    """
    if not episodes:
        raise ValueError("episodes is empty: draw at least one with samplers.episode_indices")
    way = max(len(e.support) for e in episodes)
    height = 2.1 * len(episodes) + 0.7
    figure = Figure(figsize=(max(7.5, 0.5 * way + 1.2), height), layout="constrained")
    grid = figure.subplots(3 * len(episodes), way, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for row, (episode, predicted, title) in enumerate(zip(episodes, predictions, titles, strict=True)):
        queries, chosen, correct = grid[3 * row : 3 * row + 3]
        shown = episode.support[np.argsort(episode.support_labels)]
        order = np.argsort(episode.labels)
        for column, query in enumerate(order):
            truth, guess = episode.labels[query], predicted[query]
            _show(queries[column], images[episode.query[query]])
            if guess >= 0:
                _show(chosen[column], images[shown[guess]])
            if guess != truth:
                _frame(chosen[column])
                _show(correct[column], images[shown[truth]])
        count = int((predicted == episode.labels).sum())
        words = f"{drawable(title, 4.0)}: {count} of {len(order)} correct"
        queries[0].annotate(words, (0, 1.2), xycoords="axes fraction", fontsize=10).set_in_layout(False)
        for axes, text in ((queries[0], "query"), (chosen[0], "predicted"), (correct[0], "correct")):
            axes.text(-0.25, 0.5, text, transform=axes.transAxes, ha="right", va="center", fontsize=9)
    drawers = (
        "The queries are by one drawer; each prediction is the nearest of one example per letter by another drawer."
    )
    what = drawers if letters else "Each prediction is the nearest of one example per class."
    words = heading(f"{what}\nWrong predictions are framed.", figure.get_figwidth(), 11)
    figure.suptitle(words, fontsize=11)
    space = (0.2 * len(words.splitlines()) + 0.2) / height
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - space))  # type: ignore[union-attr, call-arg]
    return finished(figure)


def pairs_sheet(x1: Array, x2: Array, same: Bool[Array, "n"], d: Array | None = None, columns: int = 8) -> Figure:
    """Pairs from a batch of a siamese network, with their distances if given."""
    require.same_or_not(same, len(x1))
    captions = [("same" if s else "different") + (f"\n{d[i]:.2f}" if d is not None else "") for i, s in enumerate(same)]
    return _sheet([x1, x2], captions, columns, "Pairs: does the upper image show the same class as the lower?")


def triplets_sheet(
    anchor: Array, positive: Array, negative: Array, columns: int = 8, title: str = "Triplets"
) -> Figure:
    """Triplets from a batch of a triplet network: anchor, positive and negative from top to bottom."""
    title += ": anchor, positive (same class), negative (another class)"
    return _sheet([anchor, positive, negative], [""] * len(anchor), columns, title)


def glyph_sheet(images: Array, rows: Sequence[str], title: str) -> Figure:
    """A table of images (rows, columns, h, w, 1) with a name for each row."""
    count, columns, height, width, _ = images.shape
    names = [drawable(name) for name in rows]
    inches = 0.42 * columns + max(1.9, 1.0 + width_of(names))
    words = heading(title, inches)
    figure = Figure(figsize=(inches, 0.42 * count + 0.4 + 0.2 * len(words.splitlines())), layout="constrained")
    axes = figure.add_subplot()
    _show(axes, images.transpose(0, 2, 1, 3, 4).reshape(count * height, columns * width, 1))
    axes.set_axis_on()
    axes.set_yticks((np.arange(count) + 0.5) * height - 0.5, names)
    axes.set(xticks=[])
    figure.suptitle(words)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return finished(figure)


def distortion_sheet(letters: Array, distortions: Array, title: str) -> Figure:
    """Letters (rows, h, w, 1) in the first column, and beside each its distortions (rows, columns, h, w, 1)."""
    count, columns = distortions.shape[:2]
    figure = Figure(figsize=(0.6 * (columns + 1.5) + 0.3, 0.6 * count + 0.9), layout="constrained")
    sides = figure.subplots(1, 2, width_ratios=(1, columns))
    for axes, table, words in zip(sides, (letters[:, None], distortions), ("letter", "distortions"), strict=True):
        framed = np.pad(table, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0.35)
        rows, width = framed.shape[2] * count, framed.shape[3] * table.shape[1]
        _show(axes, framed.transpose(0, 2, 1, 3, 4).reshape(rows, width, 1))
        axes.set_title(words, fontsize=10)
    figure.suptitle(heading(title, figure.get_figwidth(), 11), fontsize=11)
    return finished(figure)


def _sheet(parts: list[Array], captions: list[str], columns: int, title: str) -> Figure:
    """Images that belong together, stacked into columns, in several rows."""
    if not captions:
        raise ValueError("there are no images to show: pass at least one")
    columns = min(columns, len(captions))
    lines = -(-len(captions) // columns)
    size = (max(4.5, 0.95 * columns + 0.3), (0.85 * len(parts) + 0.4) * lines + 0.5)  # with space for the title
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, *pictures, caption in zip(grid, *parts, captions, strict=False):
        _show(axes, np.concatenate([np.pad(p, ((1, 1), (1, 1), (0, 0)), constant_values=0.35) for p in pictures]))
        axes.set_title(caption, fontsize=9, pad=3)
    figure.suptitle(heading(title, figure.get_figwidth(), 11), fontsize=11)
    return finished(figure)


def _show(axes: Axes, image: Array) -> None:
    """Black ink on white paper; or colours as they are."""
    shown = image if image.shape[2] == 3 else 1 - image[..., 0]
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def _frame(axes: Axes) -> None:
    """A heavy frame around an image."""
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=COLOURS[2], linewidth=2.5)
