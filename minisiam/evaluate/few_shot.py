"""Few-shot classification: accuracy on random episodes.

If two classes are equally near, the prediction counts as wrong, so a network that maps all images to one point scores
0 and not 100 %.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import pairwise, require
from .._arrays import floats, reads_arrays
from ..samplers import episode_indices
from .ties import highest_tie

if TYPE_CHECKING:
    from ..samplers import Episode
    from ..typing import Array, Float, Generator, Int, PairwiseDistance


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
    groups: Int[Array, "n"] | None = None,
    drawers: Int[Array, "n"] | None = None,
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


@reads_arrays
def few_shot_answers(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    rng: Generator,
    distance: PairwiseDistance = pairwise.l2,
    way: int = 20,
    shot: int = 1,
    episodes: int = 400,
    groups: Int[Array, "n"] | None = None,
    drawers: Int[Array, "n"] | None = None,
) -> tuple[Int[Array, "episodes way"], Int[Array, "episodes way"]]:
    """Predictions (−1 for a tie) and true classes of the queries of `few_shot`: classes from 0 to way − 1."""
    require.dimensions(2, "(n, d)", z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))
    episodes = require.whole("episodes", episodes, 2)
    drawn = list(islice(episode_indices(labels, rng, way, shot, 1, groups, drawers), episodes))
    return np.stack([answer(z, e, distance) for e in drawn]), np.stack([e.labels for e in drawn])


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


def answer(z: Array, episode: Episode, distance: PairwiseDistance = pairwise.l2) -> Array:
    """The class of each query's nearest support image; −1 if another class is equally near, or if a distance is NaN."""
    D, _ = distance(z[episode.query], z[episode.support])
    way = int(episode.support_labels.max()) + 1
    nearest = np.stack([D[:, episode.support_labels == c].min(axis=1) for c in range(way)], axis=1)
    best = nearest.argmin(axis=1)
    tied = (nearest <= highest_tie(nearest.min(axis=1, keepdims=True))).sum(axis=1) > 1
    return np.where(tied | np.isnan(nearest).any(axis=1), -1, best)


def mean_score(values: Array) -> Score:
    """Mean of independent values in [0, 1] and its normal 95 % interval.

    Where all values are 0, or all are 1, they have no variance, and the interval is `wilson`'s with as many trials as
    there are values.
    """
    values = floats("values", values)
    mean = float(values.mean())
    if not values.any() or (values == 1).all():
        return wilson(mean, len(values))
    half = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Score(mean, max(0.0, mean - half), min(1.0, mean + half))
