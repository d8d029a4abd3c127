"""The papers' experiments, each a short entry: settings of the one training command, what it is judged by, its claims.

    minisiam train --preset omniglot-minimal --data omniglot:images_background_small1.zip
    minisiam report runs/* --out RESULTS.md

`table`    the entries        `judges`    what is measured beyond the usual report        `results`    the page
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import require
from .. import report
from ..config import Settings
from .registry import EXPERIMENTS, ORDERS, Claim, Experiment, Order, Paper

if TYPE_CHECKING:
    from ..data_spec import Data
    from ..trainer import Run

__all__ = ["EXPERIMENTS", "ORDERS", "Claim", "Experiment", "Order", "Paper", "asked", "examine", "figures", "find"]


def find(name: str) -> Experiment:
    """The experiment of that name; an unknown one is an error that names the nearest."""
    require.one_of("preset", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def asked(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of an experiment, for a command line that may change them; an error if it has no data."""
    entry = find(name)
    kind = str(({"data": ""} | entry.settings | given)["data"]).partition(":")[0]
    if kind != entry.data.partition(":")[0]:
        raise ValueError(f"--preset {name} is an experiment on other data: add --data {entry.data}")
    return entry.settings


def examine(run: Run, data: Data, way: int | None = None, shot: int = report.SHOT) -> dict[str, Any]:
    """`report.examine`, and under "found" what the run's own experiment measures besides."""
    results = report.examine(run, data, way, shot)
    judge = find(run.settings.preset).judge if run.settings.preset else None
    return results | ({"found": judge(run, data)} if judge and data.judged else {})


def figures(run: Run, data: Data) -> dict[str, Any]:
    """The figures of the run's own experiment, by name; none where it has none, or was not examined."""
    if not run.settings.preset or "found" not in run.report:
        return {}
    entry = find(run.settings.preset)
    as_asked = run.settings.embedding_size == Settings(**entry.settings).embedding_size  # a map of 2 or of 3 numbers
    return entry.figures(run, data) if entry.figures and as_asked else {}
