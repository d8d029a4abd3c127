"""The terms of losses on pairs and triplets, which `all_pairs` and `all_triplets` apply to whole rows of a batch.

A row holds the distances to positives and to negatives, so a loss on pairs is two functions here, one for each kind. A
loss on triplets is one function of x = d₊ − d₋. Each function returns the value and the slope of one term. The tests
compare them with the losses on single pairs and triplets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import require
from .._numerics import sigmoid, softplus
from .pairs import contrastive, cosine_embedding, double_margin, pair_hinge
from .triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Loss

    Term = Callable[[Array], tuple[Array, Array]]  # d or x ↦ value, slope

T = TypeVar("T")


def contrastive_terms(margin: float = 1.0) -> tuple[Term, Term]:
    """½ d² and ½ max(0, margin − d)²."""
    _, repel = double_margin_terms(0.0, require.between("margin", margin, 0, open_low=True))
    return lambda d: (d * d / 2, d), repel


def double_margin_terms(positive_margin: float = 0.2, negative_margin: float = 1.0) -> tuple[Term, Term]:
    """½ max(0, d − m₊)² and ½ max(0, m₋ − d)²."""
    near, far = _margins(positive_margin, negative_margin)

    def attract(d):
        stretch = np.maximum(d - near, 0)
        return stretch * stretch / 2, stretch

    def repel(d):
        squeeze = np.maximum(far - d, 0)
        return squeeze * squeeze / 2, -squeeze

    return attract, repel


def pair_hinge_terms(positive_margin: float = 0.0, negative_margin: float = 1.0) -> tuple[Term, Term]:
    """max(0, d − m₊) and max(0, m₋ − d)."""
    near, far = _margins(positive_margin, negative_margin)

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


def _margins(positive_margin: float, negative_margin: float) -> tuple[float, float]:
    near = require.between("positive_margin", positive_margin, -np.inf)
    return near, require.between("negative_margin", negative_margin, -np.inf)


def triplet_hinge_term(margin: float = 1.0) -> Term:
    """max(0, x + margin)."""
    margin = require.between("margin", margin, 0)

    def term(x):
        violation = np.maximum(x + margin, 0)
        return violation, (violation > 0).astype(x.dtype)

    return term


def triplet_soft_margin_term(margin: float = 0.0) -> Term:
    """log(1 + e^(x + margin))."""
    margin = require.between("margin", margin, 0)
    return lambda x: (softplus(x + margin), sigmoid(x + margin))


def triplet_ratio_term() -> Term:
    """2 σ(x)²."""

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
    triplet_hinge: triplet_hinge_term,
    triplet_soft_margin: triplet_soft_margin_term,
    triplet_ratio: triplet_ratio_term,
}


def function_and_constants(loss: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function of a loss, and the constants that a `functools.partial` has filled in: {} for a function."""
    return getattr(loss, "func", loss), getattr(loss, "keywords", {})


def terms_of(loss: Loss, table: dict[Loss, T]) -> tuple[T, dict[str, Any]]:
    """Return the entry of a loss in PAIR_TERMS or TRIPLET_TERMS, and the constants that a partial has filled in."""
    function, constants = function_and_constants(loss)
    if function not in table:
        known = ", ".join(f"losses.{each.__name__}" for each in table)
        raise ValueError(f"unknown loss {function.__name__!r}: choose one of {known}, or a functools.partial of one")
    return table[function], constants
