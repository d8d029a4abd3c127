"""The errors of a network on each alphabet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, drawable, finished, heading, legend, plain, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def alphabet_errors(errors: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """One-shot errors of each alphabet, as dots, in ascending order of the first set of errors.

    Parameters
    ----------
    errors
        For each way to evaluate ("one view", "mean of 11 views"), the error in [0, 1] of each alphabet by its name.
    title
        The title of the figure.
    """
    if not errors or not all(errors.values()):
        raise ValueError("errors is empty: it needs the error of at least one alphabet")
    first = next(iter(errors.values()))
    names = sorted(first, key=first.__getitem__)
    rows = [drawable(name.replace("_", " ")) for name in names]
    figure = Figure(figsize=(6.0 + width_of(rows), 0.27 * len(names) + 1.5), layout="constrained")
    axes = figure.add_subplot()
    keys = []
    for number, (label, by_alphabet) in enumerate(errors.items()):
        colour, marker, filled = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], number > 0
        percent = [100 * by_alphabet[name] for name in names]
        mean = sum(percent) / len(percent)
        (dots,) = axes.plot(
            percent,
            range(len(names)),
            marker,
            color=colour,
            markerfacecolor=colour if filled else "white",
        )
        keys.append((dots, f"{drawable(label)}: {mean:.1f} % on average"))
        axes.axvline(mean, color=colour, linestyle="-" if filled else "--", linewidth=1)
    figure.suptitle(heading(title, figure.get_figwidth()))
    axes.set(xlabel="20-way one-shot error (%)", yticks=range(len(names)), xlim=(0, None))
    axes.set_yticklabels(rows)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", alpha=0.25)
    axes.invert_yaxis()
    legend(figure, keys, loc="outside lower center", ncols=2, frameon=False)
    plain(axes)
    return finished(figure)
