"""Experiments from papers: settings that differ from the defaults, metrics, and the numbers they are compared with.

    minisiam papers run omniglot-minimal --data omniglot:images_background_small1.zip
    minisiam papers report runs/* --out RESULTS.md

`registry`     the experiments
`metrics`      what is measured in addition to the usual report; `drlim` for the maps of Hadsell et al.
`results`      runs read from their folders; `intervals` and verdicts; the `page`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import require
from .. import report
from ..config import Config
from .registry import COMPARISONS, EXPERIMENTS
from .types import Claim, Comparison, Experiment, Published

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data_spec import Data
    from ..run import Run

__all__ = [
    "COMPARISONS",
    "EXPERIMENTS",
    "Claim",
    "Comparison",
    "Experiment",
    "Published",
    "config_of",
    "evaluate",
    "figures",
    "find",
]


def find(name: str) -> Experiment:
    """The experiment of that name; an unknown name is an error that suggests the nearest."""
    require.one_of("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def config_of(name: str, **changes: Any) -> Config:
    """The settings of an experiment with changes; ValueError if `data` is not of the kind that it needs."""
    experiment = find(name)
    settings = experiment.settings | changes
    if settings.get("data", "").partition(":")[0] != experiment.data.partition(":")[0]:
        raise ValueError(f"experiment {name} needs its data: add --data {experiment.data}")
    return Config(**settings, paper=name)


def evaluate(run: Run, data: Data, way: int | None = None, shot: int = report.SHOT) -> dict[str, Any]:
    """`report.evaluate`, and for an experiment its own "metrics", if anything was held out."""
    results = report.evaluate(run, data, way, shot)
    metrics = find(run.config.paper).metrics if run.config.paper else None
    return results | ({"metrics": metrics(run, data)} if metrics and data.has_test else {})


def figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The figures of a run's own experiment, by name, each as a function that draws it.

    It is empty if there is no experiment, or no metrics.
    """
    if not run.config.paper or "metrics" not in run.report:
        return {}
    experiment = find(run.config.paper)
    same_size = run.config.embedding_size == Config(**experiment.settings).embedding_size  # a map of 2 or 3 numbers
    return experiment.figures(run, data) if experiment.figures and same_size else {}
