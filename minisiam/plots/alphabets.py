"""The errors of a network on each alphabet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from .style import COLOURS, plain

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
    first = next(iter(errors.values()))
    names = sorted(first, key=first.__getitem__)
    figure = Figure(figsize=(7.2, 0.27 * len(names) + 1.5), layout="constrained")
    axes = figure.add_subplot()
    for (label, by_alphabet), colour, marker, filled in zip(
        errors.items(), COLOURS, "os^", (False, True, True), strict=False
    ):
        percent = [100 * by_alphabet[name] for name in names]
        mean = sum(percent) / len(percent)
        axes.plot(
            percent,
            range(len(names)),
            marker,
            color=colour,
            markerfacecolor=colour if filled else "white",
            label=f"{label}: {mean:.1f} % on average",
        )
        axes.axvline(mean, color=colour, linestyle="-" if filled else "--", linewidth=1)
    axes.set(title=title, xlabel="20-way one-shot error (%)", yticks=range(len(names)), xlim=(0, None))
    axes.set_yticklabels([name.replace("_", " ") for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", alpha=0.25)
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    plain(axes)
    return figure
