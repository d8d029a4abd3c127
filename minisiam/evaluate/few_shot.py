"""Few-shot classification: accuracy on random episodes and on Omniglot's official runs.

If two classes are equally near, the prediction counts as wrong, so a network that maps all images to one point scores
0 and not 100 %.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pairwise, require
from ..samplers import Episode, episode_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..typing import Array, Bool, Float, Generator, Int, PairwiseDistance


class Score(NamedTuple):
    """An accuracy in [0, 1] with its 95 % interval."""

    accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def few_shot(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    rng: Generator,
    distance: PairwiseDistance = pairwise.l2,
    way: int = 20,
    shot: int = 1,
    episodes: int = 400,
    groups: Array | None = None,
    drawers: Array | None = None,
) -> Score:
    """Accuracy of the nearest neighbour over many `way`-way, `shot`-shot episodes with one query per class.

    Parameters
    ----------
    z, labels
        (n, d) embeddings and their (n,) classes.
    rng
        The generator of the episodes: the same seed gives two embeddings the same episodes.
    distance
        A matrix distance, `D, _ = distance(queries, support)`.
    way, shot, episodes
        The number of classes, of support images per class, and of episodes.
    groups, drawers
        As in `samplers.episode_indices`: classes of one alphabet, support and queries by different drawers.

    Returns
    -------
    Score
        The interval is over episodes: it holds for these classes, and says nothing about others.
    """
    given, right = few_shot_answers(z, labels, rng, distance, way, shot, episodes, groups, drawers)
    return mean_score((given == right).mean(axis=1))


def few_shot_answers(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    rng: Generator,
    distance: PairwiseDistance = pairwise.l2,
    way: int = 20,
    shot: int = 1,
    episodes: int = 400,
    groups: Array | None = None,
    drawers: Array | None = None,
) -> tuple[Int[Array, "episodes way"], Int[Array, "episodes way"]]:
    """Predictions (−1 for a tie) and true classes of the queries of `few_shot`: classes from 0 to way − 1."""
    require.dimensions(2, "(n, d)", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    require.whole("episodes", episodes, 2)
    drawn = list(islice(episode_indices(labels, rng, way, shot, 1, groups, drawers), episodes))
    return np.stack([answer(z, e, distance) for e in drawn]), np.stack([e.labels for e in drawn])


def official_runs(
    embed: Callable[[Array], Array],
    runs: Iterable[Any],
    distance: Callable[..., Any] = pairwise.l2,
    t: float = 2.093,
) -> Score:
    """Accuracy on questions that others chose: for each test image, which training image is of its class?

    Parameters
    ----------
    embed
        From images to (n, d) embeddings, for instance `method.embed` with its parameters.
    runs
        As `datasets.omniglot_runs` gives them: training images, test images, and the answers.
    distance
        A matrix distance, `D, _ = distance(queries, support)`.
    t
        As in `clustered`; 2.093 belongs to the 20 official runs of Omniglot.

    Returns
    -------
    Score
        The interval is over runs, by `clustered`: it estimates what more runs on these alphabets would give. To
        compare two models, use `official_answers` and McNemar's test: they answer the same questions, so whether
        their intervals overlap does not decide whether they differ.
    """
    return clustered(official_answers(embed, runs, distance), t)


def official_answers(
    embed: Callable[[Array], Array], runs: Iterable[Any], distance: Callable[..., Any] = pairwise.l2
) -> Bool[Array, "runs questions"]:
    """Which questions of `official_runs` are answered correctly, one row per run. Parameters as there."""
    right = []
    for run in runs:
        z = embed(np.concatenate([run.training, run.test]))
        count = len(run.training)
        shown, asked = np.arange(count), np.arange(count, len(z))
        right.append(answer(z, Episode(shown, shown, asked, run.answers), distance) == run.answers)
    if not right:
        raise ValueError("runs is empty: there is no question to ask")
    return np.stack(right)


def wilson(share: float, count: float, z: float = 1.96) -> Score:
    """Wilson's interval of a proportion p̂ of n independent trials: all p with (p̂ − p)² ≤ z² p (1 − p) / n.

        (p̂ + z²/2n ± z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n)

    It has a width even where p̂ is 0 or 1: all of 400 correct is 99.0 to 100.0 %.

    Parameters
    ----------
    share
        p̂ in [0, 1].
    count
        n ≥ 1, which need not be whole: an effective sample size.
    z
        Half the width in standard errors: 1.96 for 95 %.

    References
    ----------
    Wilson 1927, Probable inference, the law of succession, and statistical inference, JASA 22, 209–212.
    """
    share = require.between("share", share, 0, 1)
    count = require.between("count", count, 1)
    z = require.between("z", z, 0, open_low=True)
    middle = share + z * z / (2 * count)
    half = z * float(np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2))
    low, high = ((middle + side * half) / (1 + z * z / count) for side in (-1, 1))
    return Score(share, max(0.0, min(low, share)), min(1.0, max(high, share)))  # p̂ lies within, whatever the rounding


def clustered(right: Bool[Array, "units questions"], t: float = 1.96) -> Score:
    """Accuracy on questions that come in units, with the 95 % interval over units.

    The questions of one unit (a run, an episode, an alphabet) share their classes and are not independent. The design
    effect, the variance of the units' accuracies over what independent questions would have, k s² / (p̂ (1 − p̂)) for k
    questions a unit, divides the number of questions, and `wilson` is used with that effective size and Student's t of
    units − 1 degrees of freedom. The effect counts as 1 at least, so the interval is never narrower than that of
    independent questions.

    Parameters
    ----------
    right
        (units, questions) booleans, two units or more: which answers are correct.
    t
        The quantile of Student's t with units − 1 degrees of freedom, `scipy.stats.t.ppf(0.975, units − 1)`; 1.96 is
        its limit for many units.

    References
    ----------
    Kish 1965, Survey Sampling, §8.2 (design effect); Korn & Graubard 1998, Confidence intervals for proportions with
    small expected number of positive counts estimated from survey data, Survey Methodology 24 (effective size).
    """
    if right.ndim != 2 or right.dtype != bool:
        raise ValueError(f"right must be (units, questions) booleans, not {right.dtype} {right.shape}: given == wanted")
    units, questions = right.shape
    require.whole("units", units, 2)
    share = float(right.mean())
    independent = share * (1 - share) / questions
    effect = max(1.0, float(right.mean(axis=1).var(ddof=1)) / independent) if independent else 1.0
    return wilson(share, max(1.0, right.size / effect), t)


def difference(a: Score, b: Score) -> tuple[float, float]:
    """The 95 % interval of b − a, for two accuracies with Wilson intervals on independent questions.

        d − √((b − b_low)² + (a_high − a)²)   to   d + √((b_high − b)² + (a − a_low)²),   d = b − a

    On the same questions two good models err on the same ones, and it is wider than it need be.

    References
    ----------
    Newcombe 1998, Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
    method 10.
    """
    d = b.accuracy - a.accuracy
    down = float(np.hypot(b.accuracy - b.low, a.high - a.accuracy))
    up = float(np.hypot(b.high - b.accuracy, a.accuracy - a.low))
    return d - down, d + up


def paired_difference(a: Float[Array, "n"], b: Float[Array, "n"]) -> tuple[float, float]:
    """The normal 95 % interval of the mean of b − a, for values of the same n ≥ 2 episodes in the same order.

    Two networks find the same episodes hard, so it is narrower than the interval that `difference` gives.
    """
    require.same_shape(a=a, b=b)
    require.whole("the number of episodes", len(a), 2)
    d = np.asarray(b, float) - np.asarray(a, float)
    half = 1.96 * float(d.std(ddof=1)) / np.sqrt(len(d))
    return float(d.mean() - half), float(d.mean() + half)


def answer(z: Array, episode: Episode, distance: PairwiseDistance = pairwise.l2) -> Array:
    """The class of each query's nearest support image; −1 if another class is equally near, or if a distance is NaN."""
    D, _ = distance(z[episode.query], z[episode.support])
    way = int(episode.support_labels.max()) + 1
    nearest = np.stack([D[:, episode.support_labels == c].min(axis=1) for c in range(way)], axis=1)
    best = nearest.argmin(axis=1)
    tied = (nearest == nearest.min(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied | np.isnan(nearest).any(axis=1), -1, best)


def mean_score(values: Array) -> Score:
    """Mean of independent values in [0, 1] and its normal 95 % interval.

    Where all values are 0, or all are 1, they have no variance, and the interval is `wilson`'s with as many trials as
    there are values.
    """
    mean = float(values.mean())
    if not values.any() or (values == 1).all():
        return wilson(mean, len(values))
    half = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Score(mean, max(0.0, mean - half), min(1.0, mean + half))
