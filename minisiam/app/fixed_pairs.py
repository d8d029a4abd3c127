"""Pairs that are drawn once, as Koch et al. (2015) train on them, instead of new ones at each step."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..samplers import pair_indices
from ..samplers.table import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Generator


def fixed_pairs(
    labels: Array,
    rng: Generator,
    count: int,
    copies: int = 0,
    size: int = 64,
    same: float = 0.5,
    groups: Array | None = None,
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """`samplers.pair_indices` over `count` pairs that are drawn once, and `copies` copies of each.

    An epoch has count · (1 + copies) pairs, each once and in random order. Koch et al. (2015), §4.2, train on 30,000,
    90,000 and 150,000 pairs. Other parameters as in `pair_indices`.

    Yields
    ------
    first, second, same, copy
        As in `pair_indices`, and (size,) integers: the number of the copy, from 0 to count · copies − 1, or a negative
        number for the original. A copy keeps its number, and so its distortion, in every epoch.
    """
    require.whole("count", count, size)
    require.whole("copies", copies, 0)
    drawn = islice(pair_indices(labels, rng, size, same, groups), -(-count // size))
    first, second, order = (np.concatenate(part)[:count] for part in zip(*drawn, strict=True))
    for rows in chunks(count * (1 + copies), size, rng):
        pair = rows % count
        yield first[pair], second[pair], order[pair], rows - count
