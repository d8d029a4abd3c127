"""The papers' experiments, each a short entry: settings of the one training command, what it is judged by, its claims.

    minisiam train --preset omniglot-minimal --data omniglot:images_background_small1.zip
    minisiam report runs/* --out RESULTS.md

`table`    the entries        `judges`    what is measured beyond the usual report        `results`    the page
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import report, require
from .table import EXPERIMENTS, ORDERS, Claim, Experiment, Order

if TYPE_CHECKING:
    from ..runs import Run
    from ..sources import Data

__all__ = ["EXPERIMENTS", "ORDERS", "Claim", "Experiment", "Order", "examine", "figures", "find"]


def find(name: str) -> Experiment:
    """The experiment of that name; an unknown one is an error that names the nearest."""
    require.one_of("preset", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def examine(run: Run, data: Data, way: int | None = None, shot: int = report.SHOT) -> dict[str, Any]:
    """`report.examine`, and under "found" what the run's own experiment measures besides."""
    results = report.examine(run, data, way, shot)
    judge = find(run.settings.preset).judge if run.settings.preset else None
    return results | ({"found": judge(run, data)} if judge and data.judged else {})


def figures(run: Run, data: Data) -> dict[str, Any]:
    """The figures of the run's own experiment, by name; none where it has none."""
    draw = find(run.settings.preset).figures if run.settings.preset else None
    return draw(run, data) if draw and data.judged else {}
