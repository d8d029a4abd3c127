"""The miners of pytorch-metric-learning: `miner(z, labels)` chooses by a distance of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minisiam import miners
from minisiam.app.conventions.pml_distances import Measure
from minisiam.miners.hardest import NEGATIVE, POSITIVE
from minisiam.miners.types import masks
from pml_names import distances
from pml_names.distances import NotMapped

STRATEGIES = {"easy": "easy", "hard": "hard", "semihard": "semi-hard", "semi-hard": "semi-hard", "all": "all"}


class MinerRow(NamedTuple):
    """A miner of the reference: its arguments and defaults, and how it chooses from D."""

    arguments: dict[str, Any]
    build: Callable[[dict[str, Any], Measure], Callable]
    distance: Measure = distances.lp()


def _strategy(word):
    if word not in STRATEGIES:
        raise NotMapped(f"{word!r} is no strategy of the reference: {', '.join(STRATEGIES)}")
    return STRATEGIES[word]


def _batch_easy_hard(a, _):
    if a["allowed_pos_range"] is not None or a["allowed_neg_range"] is not None:
        raise NotMapped("no miner of ours has an allowed range")
    positive, negative = _strategy(a["pos_strategy"]), _strategy(a["neg_strategy"])
    if "all" not in (positive, negative):
        return partial(miners.batch_easy_hard, positive=positive, negative=negative)

    def choose(D, labels):  # pairs, with the negatives of those that have no positive
        D, is_positive, is_negative = masks(D, labels)
        chosen = POSITIVE[positive](D, is_positive), NEGATIVE[negative](D, is_negative)
        rows, columns = (np.concatenate(both) for both in zip(*chosen, strict=True))
        return miners.Pairs(rows, columns, labels[rows] == labels[columns])

    return choose


def _triplet_margin(a, _):
    if a["margin"] < 0:
        raise NotMapped("a negative margin goes with no miner here")
    return partial(miners.triplet_margin, margin=a["margin"], kind=_strategy(a["type_of_triplets"]))


def _pair_margin(a, m):
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
        {"epsilon": 0.1}, lambda a, m: partial(miners.multi_similarity, epsilon=a["epsilon"]), distances.cosine()
    ),
    "PairMarginMiner": MinerRow({"pos_margin": 0.2, "neg_margin": 0.8}, _pair_margin),
    "AngularMiner": MinerRow(
        {"angle": 20},
        lambda a, m: partial(miners.angular, degrees=a["angle"]),
        distances.lp(normalize_embeddings=False),  # whatever its distance says
    ),
    "HDCMiner": MinerRow(
        {"filter_percentage": 0.5}, lambda a, m: partial(miners.hardest_pairs, fraction=a["filter_percentage"])
    ),
}
UNMAPPED = {
    "DistanceWeightedMiner": "its choice is random: miners.distance_weighted draws from the same distribution",
    "UniformHistogramMiner": "its choice is random, and no miner of ours draws like it",
    "EmbeddingsAlreadyPackagedAsTriplets": "it takes rows by position: networks.triplet takes them as arguments",
}


def chooser(row, a, measure):
    """`miner(z, labels)`: pairs or triplets of a batch of embeddings."""
    choose = row.build(a, measure)
    place = measure.place

    def chosen(z, labels):
        unit, _ = place(z)
        return choose(measure.distance(unit, unit)[0], labels)

    return chosen
