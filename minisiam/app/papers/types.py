"""What an entry of the registry consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data_spec import Data
    from ..run import Run


class Published(NamedTuple):
    """A number that a paper prints; `of` is the paper's model, if it has several."""

    value: float
    of: str = ""


class Claim(NamedTuple):
    """A metric beside the numbers that papers print, and this project's target.

    what : a description of the metric
    metric : its name in the "metrics" of report.json; `intervals.intervals` finds its intervals there
    published : the numbers that papers print for it; none if the paper has only a figure, or nothing
    target : this project's own threshold; None if there is none
    higher : whether higher is better
    percent : whether it is shown as a percentage
    """

    what: str
    metric: str
    published: tuple[Published, ...] = ()
    target: float | None = None
    higher: bool = False
    percent: bool = True


class Comparison(NamedTuple):
    """Two experiments compared in one metric, of which the second is expected to be higher.

    what : a description of what differs
    worse, better : the names of the experiments
    published : the paper's two numbers, worse and better; None if the paper does not compare them
    target : the smallest difference that this project aims at; None if there is none
    """

    what: str
    worse: str
    better: str
    metric: str
    published: tuple[float, float] | None = None
    target: float | None = None


class Experiment(NamedTuple):
    """One experiment of a paper.

    about : a description in one line
    paper : the paper
    data : what `--data` must be
    settings : the settings that differ from the defaults of `Config`
    claims : the metrics that are compared with the paper
    metrics, figures : functions of a run and its data, to numbers, and to functions that draw figures, by name
    page_figures : the figures that the page of results shows
    """

    about: str
    paper: str
    data: str
    settings: dict[str, Any]
    claims: tuple[Claim, ...] = ()
    metrics: Callable[[Run, Data], dict[str, Any]] | None = None
    figures: Callable[[Run, Data], dict[str, Callable[[], Any]]] | None = None
    page_figures: tuple[str, ...] = ()
