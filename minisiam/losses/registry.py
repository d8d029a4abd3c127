"""Losses by name, in groups by what they compare, with the constants that training uses.

    PAIRS TRIPLETS MATRIX PROXIES EPISODES VIEWS      name → loss
    KINDS                                             "pairs" → PAIRS, …
    FUNCTIONS                                         every name → loss

The command line, the figures and the course take their losses from here. A loss of `MATRIX` compares all images of a
batch; of `PROXIES`, images with one learned point per class; of `EPISODES`, queries with a support set; of `VIEWS`, two
distorted copies of each image.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .angular_margin import angular, arcface, tuplet_margin
from .histograms import fast_ap, histogram
from .lifted_structure import circle, generalised_lifted, lifted, multi_similarity
from .pairs import binary_cross_entropy, contrastive, cosine_embedding, double_margin, margin_loss, pair_hinge
from .penalties import vicreg
from .proxies import proxy_anchor
from .softmax import info_nce, matching, n_pair, nca, nt_xent, softmax_cross_entropy, supcon
from .triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS: dict[str, Callable[..., Any]] = {
    "contrastive": contrastive,
    "double-margin": double_margin,
    "pair-hinge": pair_hinge,
    "margin-loss": margin_loss,
    "cosine-embedding": cosine_embedding,
}
TRIPLETS: dict[str, Callable[..., Any]] = {
    "soft-margin": triplet_soft_margin,
    "hinge": triplet_hinge,
    "ratio": triplet_ratio,
}
MATRIX: dict[str, Callable[..., Any]] = {
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
PROXIES: dict[str, Callable[..., Any]] = {
    "proxy-nca": partial(softmax_cross_entropy, temperature=0.1, others_only=True),
    "proxy-nca++": partial(softmax_cross_entropy, temperature=0.1),
    "proxy-anchor": proxy_anchor,
    "normalised-softmax": partial(softmax_cross_entropy, temperature=0.05),
    "cosface": partial(softmax_cross_entropy, temperature=1 / 16, margin=0.35),
    "arcface": partial(arcface, scale=16.0),
    "soft-triple": partial(softmax_cross_entropy, temperature=1 / 20, margin=0.01),
}
EPISODES: dict[str, Callable[..., Any]] = {
    "prototypical": partial(softmax_cross_entropy, temperature=0.1),
    "matching": partial(matching, temperature=0.1),
}
VIEWS: dict[str, Callable[..., Any]] = {"info-nce": info_nce, "vicreg": vicreg}
CENTRES = 4  # proxies per class of soft-triple

KINDS = {
    "pairs": PAIRS,
    "triplets": TRIPLETS,
    "matrix": MATRIX,
    "proxies": PROXIES,
    "episodes": EPISODES,
    "views": VIEWS,
}
FUNCTIONS = {"cross-entropy": binary_cross_entropy} | {name: f for kind in KINDS.values() for name, f in kind.items()}


def kind_of(loss: str) -> str:
    """The group of a loss, a key of `KINDS`; "cross-entropy" for itself.

    >>> kind_of("soft-margin"), kind_of("arcface"), kind_of("cross-entropy")
    ('triplets', 'proxies', 'cross-entropy')
    """
    return next((kind for kind, known in KINDS.items() if loss in known), loss)
