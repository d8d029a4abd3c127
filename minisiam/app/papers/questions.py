"""Questions like Omniglot's official ones, about background alphabets that were held out of training.

If you tune on the official questions, they are no longer a test, and random letters of background alphabets are harder.

- An alphabet has 25 letters or more, and of them the 20 most distinct are used.
- Two drawers at random draw 20 letters each, once.
- Braille is left out: its letters are patterns of dots that differ in their positions, so that several are the same
  once their ink is centred. No evaluation alphabet is like it. This was decided after a network's error was seen.

The rest was chosen by methods that learn nothing: on the official questions the nearest pixels err on 78 to 81 %,
and the nearest centred and blurred pixels on 40 %; on these questions about all background alphabets, on 80 and 38 %.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ... import pairwise, samplers
from ...datasets import OneShotRun
from ..report import centred_blurred_pixels

if TYPE_CHECKING:
    from ...datasets import Dataset
    from ...typing import Array

WAY = 20
LETTERS = 25
LEFT_OUT = ("Braille",)
RUNS = 10  # of each alphabet


def questions(data: Dataset, runs: int = RUNS, letters: int = LETTERS) -> dict[str, list[OneShotRun]]:
    """Runs of 20 questions about each alphabet of `letters` letters or more, the same at every call.

    Raises
    ------
    ValueError
        If no alphabet has so many letters.
    """
    asked = {}
    for group in np.unique(data.groups):
        part = data.where(data.groups == group)
        name = data.names[group]
        if name not in LEFT_OUT and len(np.unique(part.labels)) >= letters:
            asked[name] = _runs(part.where(np.isin(part.labels, distinct(part, WAY))), runs)
    if not asked:
        raise ValueError(f"no test alphabet has {letters} letters: use a --holdout with larger alphabets")
    return asked


def _runs(alphabet: Dataset, runs: int) -> list[OneShotRun]:
    """Runs of one question about each letter, with support and queries by two different drawers if they are known."""
    rng = np.random.default_rng(0)
    episodes = samplers.episode_indices(alphabet.labels, rng, WAY, drawers=alphabet.known_drawers)
    images = alphabet.images
    return [OneShotRun(images[e.support], images[e.query], e.labels) for e in islice(episodes, runs)]


def distinct(alphabet: Dataset, count: int) -> Array:
    """The labels of the `count` letters that remain when the letter that is nearest to another is dropped repeatedly.

    A letter is the mean of its drawings, as centred and blurred pixels. Of the two nearest, the one with the nearer
    second neighbour is dropped.
    """
    pixels = centred_blurred_pixels(alphabet.images)
    labels = np.unique(alphabet.labels)
    means = np.stack([pixels[alphabet.labels == label].mean(axis=0) for label in labels])
    D, _ = pairwise.l2(means, means)
    np.fill_diagonal(D, np.inf)
    kept = list(range(len(labels)))
    while len(kept) > count:
        nearest = np.sort(D[np.ix_(kept, kept)], axis=1)
        kept.pop(np.lexsort(nearest.T[1::-1])[0])
    return labels[kept]
