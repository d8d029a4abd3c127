"""What can be read from an embedding by least squares: classes, by a line; anything else, by a polynomial."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from ... import require

if TYPE_CHECKING:
    from ...typing import Array, Float, Int

MOST = 10_000  # terms of a polynomial


def linear_accuracy(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    queries: Float[Array, "m d"],
    query_labels: Int[Array, "m"],
    ridge: float = 1e-4,
) -> float:
    """Share of queries that a linear classifier gets right: ridge regression of 0 and 1 on z, in closed form.

    W = (XᵀX / n + λ s I)⁻¹ XᵀY / n, X = (z − mean, 1), Y one column a class, s the mean square of X; the largest of
    the columns wins. Computed in float64.

    Parameters
    ----------
    z, labels, queries, query_labels
        What is learnt from, and what is asked.
    ridge
        λ > 0, without a unit.
    """
    require.dimensions(2, "(n, d)", z=z, queries=queries)
    require.rows(z=z, queries=queries)
    require.finite(z=z, queries=queries)
    require.class_labels(labels, len(z))
    require.class_labels(query_labels, len(queries))
    ridge = require.between("ridge", ridge, 0, open_low=True)
    classes, number = np.unique(labels, return_inverse=True)
    mean = z.mean(axis=0, dtype=float)

    def rows(some: Array) -> Array:
        return np.column_stack([some - mean, np.ones(len(some))])

    X, Y = rows(z), np.eye(len(classes))[number]
    square = X.T @ X / len(X)
    W = np.linalg.solve(square + ridge * np.trace(square) / len(square) * np.eye(len(square)), X.T @ Y / len(X))
    return float((classes[(rows(queries) @ W).argmax(axis=1)] == query_labels).mean())


def polynomial(
    z: Float[Array, "n d"], y: Float[Array, "n k"], queries: Float[Array, "m d"], degree: int = 3
) -> Float[Array, "m k"]:
    """What a polynomial in z, fitted to y by least squares, says of queries. Computed in float64.

    Parameters
    ----------
    z, y
        (n, d) embeddings, and (n, k) what is to be read from them.
    queries
        (m, d) embeddings of which it is asked.
    degree
        Of the polynomial: all products of that many coordinates or fewer, d + degree over degree of them.
    """
    require.dimensions(2, "(n, d)", z=z, y=y, queries=queries)
    require.rows(z=z, queries=queries)
    require.finite(z=z, y=y, queries=queries)
    require.whole("degree", degree, 1)
    if comb(z.shape[1] + degree, degree) > MOST:
        raise ValueError(
            f"a polynomial of degree {degree} in {z.shape[1]} numbers has too many terms: lower the degree"
        )
    mean, scale = z.mean(axis=0, dtype=float), float(z.std(dtype=float)) or 1.0
    products = [c for k in range(degree + 1) for c in combinations_with_replacement(range(z.shape[1]), k)]

    def terms(some: Array) -> Array:
        x = (some - mean) / scale
        return np.stack([x[:, list(c)].prod(axis=1) for c in products], axis=1)

    return terms(queries) @ np.linalg.lstsq(terms(z), y)[0]


def r_squared(guess: Float[Array, "n ..."], truth: Float[Array, "n ..."]) -> float:
    """R² = 1 − Σ (guess − truth)² / Σ (truth − its mean)², over all columns: 1 is perfect, the mean alone scores 0."""
    if guess.shape != truth.shape:
        raise ValueError(f"guess and truth must have one shape, not {guess.shape} and {truth.shape}")
    spread = float(((truth - truth.mean(axis=0)) ** 2).sum())
    if not spread:
        raise ValueError("truth is the same everywhere: there is nothing to explain")
    return 1 - float(((guess - truth) ** 2).sum()) / spread
