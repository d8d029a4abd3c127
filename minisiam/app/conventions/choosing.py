"""The miners of pytorch-metric-learning: `miner(z, labels)` chooses by a distance of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import miners
from ...miners.hardest import NEGATIVE, POSITIVE
from ...miners.types import masks
from . import measures
from .measures import Measure, NotMapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array

    Operation = Callable[..., Any]

STRATEGIES = {"easy": "easy", "hard": "hard", "semihard": "semi-hard", "semi-hard": "semi-hard", "all": "all"}


class MinerRow(NamedTuple):
    """A miner of the reference: its arguments and defaults, and how it chooses from D."""

    arguments: dict[str, Any]
    build: Callable[[dict[str, Any], Measure], Operation]
    distance: Measure = measures.lp()


def _strategy(word: str) -> str:
    if word not in STRATEGIES:
        raise NotMapped(f"{word!r} is no strategy of the reference: {', '.join(STRATEGIES)}")
    return STRATEGIES[word]


def _batch_easy_hard(a: dict[str, Any], _: Measure) -> Operation:
    if a["allowed_pos_range"] is not None or a["allowed_neg_range"] is not None:
        raise NotMapped("no miner of ours has an allowed range")
    positive, negative = _strategy(a["pos_strategy"]), _strategy(a["neg_strategy"])
    if "all" not in (positive, negative):
        return partial(miners.batch_easy_hard, positive=positive, negative=negative)

    def choose(D: Array, labels: Array) -> miners.Pairs:  # pairs, with the negatives of those that have no positive
        is_positive, is_negative = masks(D, labels)
        chosen = POSITIVE[positive](D, is_positive), NEGATIVE[negative](D, is_negative)
        rows, columns = (np.concatenate(both) for both in zip(*chosen, strict=True))
        return miners.Pairs(rows, columns, labels[rows] == labels[columns])

    return choose


def _triplet_margin(a: dict[str, Any], _: Measure) -> Operation:
    if a["margin"] < 0:
        raise NotMapped("a negative margin goes with no miner here")
    return partial(miners.triplet_margin, margin=a["margin"], kind=_strategy(a["type_of_triplets"]))


def _pair_margin(a: dict[str, Any], m: Measure) -> Operation:
    near, far = m.at(a["pos_margin"]), m.at(a["neg_margin"])
    by = max(0.0, -min(near, far))  # ours asks for margins ≥ 0
    return lambda D, labels: miners.pair_margin(D + by, labels, near + by, far + by)


MINERS: dict[str, MinerRow] = {
    "BatchHardMiner": MinerRow({}, lambda a, m: miners.batch_hard),
    "BatchEasyHardMiner": MinerRow(
        {"pos_strategy": "easy", "neg_strategy": "semihard", "allowed_pos_range": None, "allowed_neg_range": None},
        _batch_easy_hard,
    ),
    "TripletMarginMiner": MinerRow({"margin": 0.2, "type_of_triplets": "all"}, _triplet_margin),
    "MultiSimilarityMiner": MinerRow(
        {"epsilon": 0.1}, lambda a, m: partial(miners.multi_similarity, epsilon=a["epsilon"]), measures.cosine()
    ),
    "PairMarginMiner": MinerRow({"pos_margin": 0.2, "neg_margin": 0.8}, _pair_margin),
    "AngularMiner": MinerRow(
        {"angle": 20},
        lambda a, m: partial(miners.angular, degrees=a["angle"]),
        measures.lp(normalize_embeddings=False),  # whatever its distance says
    ),
    "HDCMiner": MinerRow(
        {"filter_percentage": 0.5}, lambda a, m: partial(miners.hardest_pairs, fraction=a["filter_percentage"])
    ),
}
UNMAPPED = {
    "DistanceWeightedMiner": "it draws by chance: miners.distance_weighted draws from the same distribution",
    "UniformHistogramMiner": "it draws by chance, and no miner of ours draws like it",
    "EmbeddingsAlreadyPackagedAsTriplets": "it takes rows by their place: networks.triplet takes them as arguments",
}


def chooser(row: MinerRow, a: dict[str, Any], measure: Measure) -> Operation:
    """`miner(z, labels)`: pairs or triplets of a batch of embeddings."""
    choose = row.build(a, measure)
    place = measure.place

    def chosen(z: Array, labels: Array) -> miners.Pairs | miners.Triplets:
        unit, _ = place(z)
        return choose(measure.distance(unit, unit)[0], labels)

    return chosen
