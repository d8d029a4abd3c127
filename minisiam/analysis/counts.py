"""The numbers of pairs and triplets of a batch, and of hard, semi-hard and easy triplets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import require
from .._arrays import reads_arrays
from ..miners import Triplets
from ..miners.types import check, gap, positive_pairs, relations

if TYPE_CHECKING:
    from ..typing import Array, Float, Int


class Counts(NamedTuple):
    """Triplets with  d_an − d_ap > margin,  in (0, margin],  and ≤ 0."""

    easy: int
    semi_hard: int
    hard: int


class Population(NamedTuple):
    """The numbers of pairs {i, j} of one class, of pairs of two classes, and of triplets (a, p, n)."""

    positive_pairs: int
    negative_pairs: int
    triplets: int


@reads_arrays
def population(labels: Int[Array, "n"]) -> Population:
    """½ Σ s (s − 1) positive pairs, ½ Σ s (n − s) negative ones, Σ s (s − 1)(n − s) triplets, for classes of size s.

    A pair counts once, as in `all_pairs`; (a, p, n) and (p, a, n) are two triplets. Any of the numbers may be 0.
    """
    sizes: list[int] = np.unique(labels, return_counts=True)[1].tolist()
    n = sum(sizes)
    return Population(
        sum(s * (s - 1) for s in sizes) // 2,
        sum(s * (n - s) for s in sizes) // 2,
        sum(s * (s - 1) * (n - s) for s in sizes),
    )


@reads_arrays
def count(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float) -> Counts:
    """The exact numbers of easy, semi-hard and hard triplets of a batch, in O(n²) memory.

    Parameters
    ----------
    D, labels
        (n, n) distances and (n,) integers.
    margin
        At least 0, in the units of D.

    Returns
    -------
    Counts
        Their sum is `population(labels).triplets`, which may be 0.
    """
    margin = require.between("margin", margin, 0)
    positive, negative = relations(D, labels)
    found = [_counts(gap(D, a, p)[negative[a]], margin) for a, p in positive_pairs(positive)]
    return Counts(*(sum(part) for part in zip(Counts(0, 0, 0), *found, strict=True)))


@reads_arrays
def count_mined(D: Float[Array, "n n"], triplets: Triplets, margin: float) -> Counts:
    """The numbers of easy, semi-hard and hard triplets among those that a miner chose."""
    check(D)
    near, far = (D[entries] for entries in triplets.entries)
    return _counts(far - near, require.between("margin", margin, 0))


def _counts(gap: Any, margin: float) -> Counts:
    hard, easy = int(np.count_nonzero(gap <= 0)), int(np.count_nonzero(gap > margin))
    return Counts(easy, gap.size - easy - hard, hard)
