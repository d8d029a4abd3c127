"""The losses that the command line knows, by name and by what they read.

A name here fixes a function and its constants: `cosface` and `proxy-nca++` are one function with other constants. The
settings, the builder, the benchmark and the help texts all read these tables.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from .. import losses

if TYPE_CHECKING:
    from ..typing import Loss

PAIRS: dict[str, Loss] = {
    "contrastive": losses.contrastive,
    "double-margin": losses.double_margin,
    "pair-hinge": losses.pair_hinge,
    "margin-loss": losses.margin_loss,
    "cosine-embedding": losses.cosine_embedding,
}
TRIPLETS: dict[str, Loss] = {
    "soft-margin": losses.triplet_soft_margin,
    "hinge": losses.triplet_hinge,
    "ratio": losses.triplet_ratio,
}
MATRIX: dict[str, Loss] = {
    "supcon": partial(losses.supcon, temperature=0.05),
    "nt-xent": losses.nt_xent,
    "nca": partial(losses.nca, temperature=0.1),
    "n-pair": losses.n_pair,
    "lifted": losses.lifted,
    "generalised-lifted": losses.generalised_lifted,
    "multi-similarity": partial(losses.multi_similarity, alpha=5.0, beta=20.0),
    "circle": partial(losses.circle, margin=0.25, scale=32.0),
    "tuplet-margin": partial(losses.tuplet_margin, scale=16.0),
    "angular": losses.angular,
    "histogram": losses.histogram,
    "fast-ap": partial(losses.fast_ap, largest=2.0),
}
PROXIES: dict[str, Loss] = {
    "proxy-nca": partial(losses.softmax_cross_entropy, temperature=0.1, others_only=True),
    "proxy-nca++": partial(losses.softmax_cross_entropy, temperature=0.1),
    "proxy-anchor": losses.proxy_anchor,
    "normalised-softmax": partial(losses.softmax_cross_entropy, temperature=0.05),
    "cosface": partial(losses.softmax_cross_entropy, temperature=1 / 16, margin=0.35),
    "arcface": partial(losses.arcface, scale=16.0),
    "soft-triple": partial(losses.softmax_cross_entropy, temperature=1 / 20, margin=0.01),
}
EPISODES: dict[str, Loss] = {
    "prototypical": partial(losses.softmax_cross_entropy, temperature=0.1),
    "matching": partial(losses.matching, temperature=0.1),
}
TWO_VIEWS: dict[str, Loss] = {"info-nce": losses.info_nce, "vicreg": losses.vicreg}
VERIFICATION: dict[str, Loss] = {"cross-entropy": losses.binary_cross_entropy}
CENTRES = 4  # proxies per class of soft-triple

KINDS = {
    "verification": VERIFICATION,
    "pairs": PAIRS,
    "triplets": TRIPLETS,
    "matrix": MATRIX,
    "proxies": PROXIES,
    "episodes": EPISODES,
    "views": TWO_VIEWS,
}
LOSSES: dict[str, Loss] = {name: loss for kind in KINDS.values() for name, loss in kind.items()}
# the losses that each network accepts, its default first
OF_NETWORK: dict[str, tuple[str, ...]] = {
    "siamese": tuple(PAIRS),
    "triplet": tuple(TRIPLETS),
    "verification": tuple(VERIFICATION),
    "batch": ("supcon", *(name for name in LOSSES if name not in ("supcon", *VERIFICATION))),
}
# what a loss of each kind reads, and which network provides it
READS = {
    "pairs": "one distance per pair, and whether the pair is of the same class: use --network siamese or batch",
    "triplets": "two distances, to a positive and to a negative: use --network triplet or batch",
    "verification": "log-odds, so a distance with a learned threshold: use --network verification",
    "batch": "a whole batch: use --network batch",
}
# the margin of a loss that has one, in the units of each distance: found by search on training alphabets
MARGINS = {
    "contrastive": {"l2": 5.0, "squared-l2": 10.0, "l1": 50.0, "weighted-l1": 1.0, "cosine": 0.5},
    "hinge": {"l2": 1.0, "squared-l2": 5.0, "l1": 10.0, "weighted-l1": 0.5, "cosine": 0.3, "dot": 1.0},
}
# losses that are defined on angles, so on the cosine distance only
COSINE_ONLY = ("circle", "tuplet-margin", "angular", "histogram", "fast-ap", *PROXIES)
_OWN_DISTANCE = {"n-pair": "dot", "lifted": "l2", "generalised-lifted": "l2", "cosine-embedding": "cosine"}


def kind_of(loss: str) -> str:
    """pairs, triplets, matrix, proxies, episodes, views or verification."""
    return next(kind for kind, known in KINDS.items() if loss in known)


def default_distance(loss: str) -> str:
    """The distance that a loss is used with unless another is requested."""
    return _OWN_DISTANCE.get(loss, "l2" if kind_of(loss) in ("pairs", "triplets", "verification") else "cosine")


def with_temperature() -> list[str]:
    """The losses that have a temperature."""
    return [name for name, loss in LOSSES.items() if "temperature" in signature(loss).parameters]


def constants_of(loss: str) -> dict[str, Any]:
    """The default of each parameter of a loss, with the constants fixed here."""
    return {name: parameter.default for name, parameter in signature(LOSSES[loss]).parameters.items()}
