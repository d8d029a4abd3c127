"""Triplets whose negative is compared with the nearer of anchor and positive: `swap` of a triplet loss."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...distance_matrix import as_matrix
from ...miners import Triplets

if TYPE_CHECKING:
    from ...typing import Array, Miner


class SwappedTriplets(NamedTuple):
    """What `losses.with_miner` reads of triplets with these entries of D: d_ap, and d_an or d_pn."""

    entries: list[tuple[Array, Array]]
    targets: tuple[()] = ()


def swapped(miner: Miner) -> Miner:
    """The triplets of a miner, with d_pn instead of d_an where it is smaller (Balntas et al. 2016, §3.2)."""

    @wraps(miner)
    def mine(D, labels):
        found = miner(D, labels)
        if not isinstance(found, Triplets):
            raise TypeError(f"swap exchanges two ends of a triplet, and the miner chooses {type(found).__name__}")
        a, p, n = found
        (to_positive, to_anchor), _ = as_matrix(D).entries((p, n), (a, n))
        return SwappedTriplets([(a, p), (np.where(to_positive < to_anchor, p, a), n)])

    return mine
