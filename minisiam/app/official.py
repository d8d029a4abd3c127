"""Omniglot's official one-shot questions: 20 runs of 20 questions, the same for every network and control."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import datasets, pairwise, require
from .. import evaluate as evaluation
from ..analysis import statistics
from ..ops import normalize
from ..samplers import Episode
from . import report
from .config import AUGMENTS
from .report import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..datasets import Dataset, OneShotRun
    from ..evaluate import Score
    from ..typing import Array, Bool, Embed, Generator, PairwiseDistance
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
    correct = _correct(run, questions)
    untrained = run._replace(params=run.untrained, config=replace(run.config, views=0))
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
    """Which questions a run answers correctly: from one view, and from several if it is evaluated on several."""
    method = run.method

    def one_view(images: Array) -> Array:
        return method.embed(run.params, method.prepared(_unlabelled(images)).images)

    def several_views(images: Array) -> Array:
        return averaged(run, method.prepared(_unlabelled(images)).images)

    distance = method.matrix(run.params)
    correct = {"network": answers(one_view, questions, distance)}
    if run.config.views:
        correct["averaged"] = answers(several_views, questions, distance)
    return correct


def averaged(run: Run, images: Array) -> Array:
    """The mean embedding of each prepared image and of `views` distortions of it, of the kind used in training."""
    config = run.config
    distort = AUGMENTS[config.augment if config.augment != "none" else "affine"]
    embed = partial(run.method.embed, run.params)
    return mean_direction(embed, images, np.random.default_rng(0), config.views, distort)


def mean_direction(
    embed: Embed,
    images: Array,
    rng: Generator,
    views: int,
    distort: Callable[[Array, Generator], Array],
) -> Array:
    """The mean direction of each image and of `views` distortions of it, (n, d): Σ z_v / ‖z_v‖ / (views + 1).

    It takes views + 1 times as long as `embed`, so report its results separately. Meant for `pairwise.cosine`.
    """
    require.whole("views", views, 1)
    total = normalize(embed(images))[0]
    for _ in range(views):
        total = total + normalize(embed(distort(images, rng)))[0]
    return total / np.float32(views + 1)


def _unlabelled(images: Array) -> Dataset:
    """Images without classes, alphabets and drawers."""
    zeros = np.zeros(len(images), int)
    return datasets.Dataset(images, zeros, zeros, zeros + datasets.UNKNOWN, ("images",))


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
