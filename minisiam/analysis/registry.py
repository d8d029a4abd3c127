"""Losses and miners by name: losses in groups by what they compare, with the constants that training uses.

    VERIFICATION PAIRS TRIPLETS MATRIX PROXIES EPISODES VIEWS      name → loss
    KINDS                                                          "pairs" → PAIRS, …
    LOSSES                                                         every name → loss
    MINERS                                                         every name → miner

The command line, the figures and the course take their losses and miners from here. A loss of `VERIFICATION` compares
the log-odds of a pair; of `MATRIX`, all images of a batch; of `PROXIES`, images with one learned point per class; of
`EPISODES`, queries with a support set; of `VIEWS`, two distorted copies of each image.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from .. import miners
from ..losses.angular_margin import angular, arcface, tuplet_margin
from ..losses.histograms import fast_ap, histogram
from ..losses.lifted_structure import circle, generalised_lifted, lifted, multi_similarity
from ..losses.pairs import binary_cross_entropy, contrastive, cosine_embedding, double_margin, margin_loss, pair_hinge
from ..losses.penalties import vicreg
from ..losses.proxies import proxy_anchor
from ..losses.several_positives import nca, nt_xent, supcon
from ..losses.softmax import info_nce, matching, n_pair, softmax_cross_entropy
from ..losses.triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Loss

VERIFICATION: dict[str, Loss] = {"cross-entropy": binary_cross_entropy}
PAIRS: dict[str, Loss] = {
    "contrastive": contrastive,
    "double-margin": double_margin,
    "pair-hinge": pair_hinge,
    "margin-loss": margin_loss,
    "cosine-embedding": cosine_embedding,
}
TRIPLETS: dict[str, Loss] = {
    "soft-margin": triplet_soft_margin,
    "hinge": triplet_hinge,
    "ratio": triplet_ratio,
}
MATRIX: dict[str, Loss] = {
    "supcon": partial(supcon, temperature=0.05),
    "nt-xent": nt_xent,
    "nca": partial(nca, temperature=0.1),
    "n-pair": n_pair,
    "lifted": lifted,
    "generalised-lifted": generalised_lifted,
    "multi-similarity": partial(multi_similarity, alpha=5.0, beta=20.0),
    "circle": partial(circle, margin=0.25, scale=32.0),
    "tuplet-margin": partial(tuplet_margin, scale=16.0),
    "angular": angular,
    "histogram": histogram,
    "fast-ap": partial(fast_ap, largest=2.0),
}
PROXIES: dict[str, Loss] = {
    "proxy-nca": partial(softmax_cross_entropy, temperature=0.1, others_only=True),
    "proxy-nca++": partial(softmax_cross_entropy, temperature=0.1),
    "proxy-anchor": proxy_anchor,
    "normalised-softmax": partial(softmax_cross_entropy, temperature=0.05),
    "cosface": partial(softmax_cross_entropy, temperature=1 / 16, margin=0.35),
    "arcface": partial(arcface, scale=16.0),
    "soft-triple": partial(softmax_cross_entropy, temperature=1 / 20, margin=0.01),
}
EPISODES: dict[str, Loss] = {
    "prototypical": partial(softmax_cross_entropy, temperature=0.1),
    "matching": partial(matching, temperature=0.1),
}
VIEWS: dict[str, Loss] = {"info-nce": info_nce, "vicreg": vicreg}
CENTRES = 4  # proxies per class of soft-triple

KINDS = {
    "verification": VERIFICATION,
    "pairs": PAIRS,
    "triplets": TRIPLETS,
    "matrix": MATRIX,
    "proxies": PROXIES,
    "episodes": EPISODES,
    "views": VIEWS,
}
LOSSES: dict[str, Loss] = {name: loss for kind in KINDS.values() for name, loss in kind.items()}

MINERS: dict[str, Callable[..., miners.Pairs | miners.Triplets]] = {
    miner.__name__.replace("_", "-"): miner
    for miner in (
        miners.all_pairs,
        miners.ordered_pairs,
        miners.pair_margin,
        miners.multi_similarity,
        miners.hardest_pairs,
        miners.all_triplets,
        miners.triplet_margin,
        miners.hard,
        miners.easy,
        miners.angular,
        miners.batch_hard,
        miners.batch_easy_hard,
        miners.semi_hard_facenet,
        miners.semi_hard_tensorflow,
        miners.random_triplets,
        miners.distance_weighted,
    )
}


def kind_of(loss: str) -> str:
    """The group of a loss, a key of `KINDS`.

    >>> kind_of("soft-margin"), kind_of("arcface"), kind_of("cross-entropy")
    ('triplets', 'proxies', 'verification')
    """
    return next(kind for kind, known in KINDS.items() if loss in known)


def constants_of(loss: str) -> dict[str, Any]:
    """The default of each parameter of a loss, with the constants fixed here.

    >>> constants_of("cosface")["margin"]
    0.35
    """
    return {name: parameter.default for name, parameter in signature(LOSSES[loss]).parameters.items()}
