"""Which losses each network accepts, and which distances and constants go with a loss on the command line."""

from __future__ import annotations

from ..analysis.registry import KINDS, LOSSES, PAIRS, PROXIES, TRIPLETS, VERIFICATION, constants_of, kind_of

# the losses that each network accepts, its default first
OF_NETWORK: dict[str, tuple[str, ...]] = {
    "siamese": tuple(PAIRS),
    "triplet": tuple(TRIPLETS),
    "verification": tuple(VERIFICATION),
    "batch": ("supcon", *(name for name in LOSSES if name not in ("supcon", *VERIFICATION))),
}
# what a loss of each kind reads, and which network provides it
READS = dict.fromkeys(KINDS, "a whole batch: use --network batch") | {
    "pairs": "one distance per pair, and whether the pair is of the same class: use --network siamese or batch",
    "triplets": "two distances, to a positive and to a negative: use --network triplet or batch",
    "verification": "log-odds, so a distance with a learned threshold: use --network verification",
}
# the margin of a loss that has one, in the units of each distance: found by search on training alphabets
MARGINS = {
    "contrastive": {"l2": 5.0, "squared-l2": 10.0, "l1": 50.0, "weighted-l1": 1.0, "cosine": 0.5},
    "hinge": {"l2": 1.0, "squared-l2": 5.0, "l1": 10.0, "weighted-l1": 0.5, "cosine": 0.3, "dot": 1.0},
}
# losses that are defined on angles, so on the cosine distance only
COSINE_ONLY = ("circle", "tuplet-margin", "angular", "histogram", "fast-ap", *PROXIES)
_OWN_DISTANCE = {"n-pair": "dot", "lifted": "l2", "generalised-lifted": "l2", "cosine-embedding": "cosine"}


def default_distance(loss: str) -> str:
    """The distance that a loss is used with unless another is requested."""
    return _OWN_DISTANCE.get(loss, "l2" if kind_of(loss) in ("pairs", "triplets", "verification") else "cosine")


def with_temperature() -> list[str]:
    """The losses that have a temperature."""
    return [loss for loss in LOSSES if "temperature" in constants_of(loss)]
