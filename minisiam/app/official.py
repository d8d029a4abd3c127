"""Omniglot's official one-shot questions: 20 runs of 20 questions, the same for every network and control."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import evaluate as evaluation
from .. import pairwise
from ..analysis import statistics
from ..samplers import Episode
from . import report, views
from .report import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..datasets import OneShotRun
    from ..evaluate import Score
    from ..typing import Array, Bool, Embed, PairwiseDistance
    from .run import Run


class Official(NamedTuple):
    """A score on the official questions, and tests of its difference from the network's.

    questions : McNemar's test over questions
    p_by_runs : the p-value of a paired t-test of the accuracies of the runs
    """

    score: Score
    questions: statistics.McNemar
    p_by_runs: float


def score(
    embed: Embed,
    runs: Sequence[OneShotRun],
    distance: PairwiseDistance = pairwise.l2,
    t: float = 2.093,
) -> Score:
    """Accuracy on questions that others chose: for each test image, which training image is of its class?

    Parameters
    ----------
    embed
        From images to (n, d) embeddings, for instance `functools.partial(evaluate.embed, encoder, params)`.
    runs
        As `datasets.omniglot_runs` gives them: training images, test images, and the answers.
    distance
        A matrix distance, `D, _ = distance(queries, support)`.
    t
        As in `statistics.clustered`; 2.093 belongs to the 20 official runs of Omniglot.

    Returns
    -------
    Score
        The interval is over runs, by `statistics.clustered`: it estimates what more runs on these alphabets would
        give. To compare two models, use `answers` and McNemar's test: they answer the same questions, so whether their
        intervals overlap does not decide whether they differ.
    """
    return statistics.clustered(answers(embed, runs, distance), t)


def answers(
    embed: Embed, runs: Sequence[OneShotRun], distance: PairwiseDistance = pairwise.l2
) -> Bool[Array, "runs questions"]:
    """Which questions of `score` are answered correctly, one row per run. Parameters as there."""
    right = []
    for run in runs:
        z = embed(np.concatenate([run.training, run.test]))
        count = len(run.training)
        shown, asked = np.arange(count), np.arange(count, len(z))
        right.append(evaluation.answer(z, Episode(shown, shown, asked, run.answers), distance) == run.answers)
    if not right:
        raise ValueError("runs is empty: there is no question to ask")
    return np.stack(right)


def evaluate(run: Run, questions: list[OneShotRun], against: Sequence[Run] = ()) -> dict[str, Official]:
    """The results of the network, of the controls, and of other runs, by name."""
    statistics.load_scipy()  # an error now instead of after the questions
    correct = _correct(run, questions)
    untrained = run._replace(params=run.untrained, config=replace(run.config, views=False))
    correct["untrained"] = _correct(untrained, questions)["network"]
    correct["centred_blurred_pixels"] = answers(report.centred_blurred_pixels, questions)
    correct["pixels"] = answers(evaluation.pixels, questions)
    for other in against:
        of_other = _correct(other, questions)
        correct[str(other.folder)] = of_other.pop("network")
        correct |= {f"{other.folder}/{name}": values for name, values in of_other.items()}
    return {name: _compared(correct["network"], theirs) for name, theirs in correct.items()}


def _compared(network: Array, other: Array) -> Official:
    return Official(
        statistics.clustered(other, statistics.t_quantile(0.95, len(other) - 1)),
        statistics.mcnemar(network, other),
        statistics.paired_p(network.mean(axis=1), other.mean(axis=1)),
    )


def _correct(run: Run, questions: list[OneShotRun]) -> dict[str, Array]:
    """Which questions a run answers correctly, in each of its ways."""
    return {name: answers(embed, questions, distance) for name, (embed, distance) in ways(run).items()}


def ways(run: Run) -> dict[str, tuple[Embed, PairwiseDistance]]:
    """How a run compares images, by name: an embedding and a distance. Two of them look at several views, if it does.

    network : one view;   averaged : the mean direction of the views;   nearest_view : the nearest two views
    """
    method = run.method
    distance = method.matrix(run.params)

    def one_view(images: Array) -> Array:
        return method.embed(run.params, method.prepare(images))

    def all_views(images: Array) -> Array:
        return views.embeddings(partial(method.embed, run.params), method.prepare(images))

    found: dict[str, tuple[Embed, PairwiseDistance]] = {"network": (one_view, distance)}
    if run.config.views:
        found["averaged"] = (lambda images: all_views(images).mean(axis=1)), distance
        found["nearest_view"] = (lambda images: views.flat(all_views(images))), views.nearest(distance)
    return found


def table(results: dict[str, Official]) -> str:
    """The results as text."""
    lines = [
        "Omniglot's official one-shot classification, 20-way: 20 runs of 20 questions",
        f"  {'':40}{'accuracy, 95 % interval':28}{'correct alone':>14}{'this alone':>12}   p by question, by run",
    ]
    for name, (score, questions, p_by_runs) in results.items():
        line = f"  {LABELS.get(name, name):40}{score!s:28}"
        if name != "network":
            line += f"{questions.second:14}{questions.first:12}   {questions.p:.2g}, {p_by_runs:.2g}"
        lines.append(line.rstrip())
    return "\n".join(
        [
            *lines,
            "The intervals are over runs, and hold for these alphabets. All rows have the same questions. p compares a",
            "row with this network: McNemar's exact test over the questions that only one of them answers correctly,",
            "and a paired t-test of the accuracies of the runs.",
        ]
    )
