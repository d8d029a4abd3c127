"""The terms of the losses on pairs and triplets, for losses of a whole batch (`all_pairs`, `all_triplets`).

A loss on pairs is a sum over terms, each a function of one distance. A whole batch needs these functions by
themselves, since it applies them to blocks of a distance matrix and never lists its pairs:

    attract, repel = PAIR_TERMS[contrastive](margin=0.5)         d ↦ value and slope of a pair of one class, of two
    term = TRIPLET_TERMS[triplet_soft_margin](margin=0.5)        x = d₊ − d₋ ↦ value and slope of a triplet

Each entry takes the constants of its loss. A test compares each term with its loss on one pair or one triplet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from ..losses.pairs import check_margins, contrastive, cosine_embedding, double_margin, pair_hinge
from ..losses.triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..typing import Array, Loss

    Term = Callable[[Array], tuple[Array, Array]]


def contrastive_terms(margin: float = 1.0) -> tuple[Term, Term]:
    """½ d² and ½ max(0, margin − d)²."""
    _, repel = double_margin_terms(0.0, require.between("margin", margin, 0, open_low=True))
    return lambda d: (d * d / 2, d), repel


def double_margin_terms(positive_margin: float = 0.2, negative_margin: float = 1.0) -> tuple[Term, Term]:
    """½ max(0, d − m₊)² and ½ max(0, m₋ − d)²."""
    near, far = check_margins(positive_margin, negative_margin)

    def attract(d):
        stretch = np.maximum(d - near, 0)
        return stretch * stretch / 2, stretch

    def repel(d):
        squeeze = np.maximum(far - d, 0)
        return squeeze * squeeze / 2, -squeeze

    return attract, repel


def pair_hinge_terms(positive_margin: float = 0.0, negative_margin: float = 1.0) -> tuple[Term, Term]:
    """max(0, d − m₊) and max(0, m₋ − d)."""
    near, far = check_margins(positive_margin, negative_margin)

    def attract(d):
        stretch = np.maximum(d - near, 0)
        return stretch, (stretch > 0).astype(d.dtype)

    def repel(d):
        squeeze = np.maximum(far - d, 0)
        return squeeze, -(squeeze > 0).astype(d.dtype)

    return attract, repel


def cosine_embedding_terms(margin: float = 0.0) -> tuple[Term, Term]:
    """d and max(0, 1 − margin − d)."""
    _, repel = pair_hinge_terms(0.0, 1 - require.between("margin", margin, -1, 1))
    return lambda d: (d, np.ones_like(d)), repel


def triplet_soft_margin_term(margin: float = 0.0) -> Term:
    """log(1 + e^(x + margin))."""
    margin = require.between("margin", margin, 0)
    return lambda x: (softplus(x + margin), sigmoid(x + margin))


def triplet_ratio_term() -> Term:
    """2 σ(x)², with slope 4 σ(x)² σ(−x)."""

    def term(x):
        s = sigmoid(x)
        return 2 * s * s, 4 * s * s * sigmoid(-x)

    return term


PAIR_TERMS: dict[Loss, Callable[..., tuple[Term, Term]]] = {
    contrastive: contrastive_terms,
    double_margin: double_margin_terms,
    pair_hinge: pair_hinge_terms,
    cosine_embedding: cosine_embedding_terms,
}
TRIPLET_TERMS: dict[Loss, Callable[..., Term]] = {
    triplet_soft_margin: triplet_soft_margin_term,
    triplet_ratio: triplet_ratio_term,
}
TRIPLET_LOSSES: tuple[Loss, ...] = (triplet_hinge, *TRIPLET_TERMS)  # the hinge needs only counts: `triplet_rows`


def check_known(loss: Loss, losses: Collection[Loss]) -> None:
    """Require a loss whose terms are known."""
    if loss not in losses:
        known = {each.__name__: each for each in losses}
        require.one_of("loss", loss.__name__, known)
        raise ValueError(
            f"loss must be losses.{loss.__name__} itself, not a function made from it; "
            "instead of balanced(loss), pass separately=True"
        )
