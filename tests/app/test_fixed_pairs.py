"""Pairs that are drawn once: an epoch has each of them, and each of its copies, once."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from minisiam.app.fixed_pairs import fixed_pairs

LABELS = np.repeat(np.arange(6), 4)


@pytest.mark.parametrize("copies", [0, 2])
def test_an_epoch_has_each_pair_and_each_of_its_copies_once(rng, copies):
    count, size = 12, 4
    drawn = list(islice(fixed_pairs(LABELS, rng, count, copies, size), 2 * count * (1 + copies) // size))
    first, second, same, copy = (np.concatenate(part) for part in zip(*drawn, strict=True))
    assert ((LABELS[first] == LABELS[second]) == same).all() and same.sum() == len(same) / 2
    epochs = [slice(0, len(same) // 2), slice(len(same) // 2, None)]
    seen = [Counter(zip(first[e], second[e], copy[e], strict=True)) for e in epochs]
    assert seen[0] == seen[1] and set(seen[0].values()) == {1}  # a copy keeps its pair and its number
    of_pair = Counter(copy[epochs[0]] % count)
    assert of_pair == dict.fromkeys(range(count), 1 + copies)
    assert sorted(copy[epochs[0]]) == list(range(-count, count * copies))
