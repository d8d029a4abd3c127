"""Predict from an embedding by least squares: classes by a linear classifier, numbers by a polynomial."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from ... import require

if TYPE_CHECKING:
    from ...typing import Array, Float, Int

MAX_TERMS = 10_000  # of a polynomial


def linear_accuracy(
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    queries: Float[Array, "m d"],
    query_labels: Int[Array, "m"],
    ridge: float = 1e-4,
) -> float:
    """Accuracy of a linear classifier on queries: ridge regression of one-hot classes on z, in closed form.

    W = (XᵀX / n + λ s I)⁻¹ XᵀY / n, X = (z − mean, 1), Y has one column per class, s is the mean square of X; the
    column with the largest value is predicted. Computed in float64.

    Parameters
    ----------
    z, labels, queries, query_labels
        The training set and the test set.
    ridge
        λ > 0, relative to s.
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
    """Predictions of a polynomial in z that is fitted to y by least squares. Computed in float64.

    Parameters
    ----------
    z, y
        (n, d) embeddings, and (n, k) the targets.
    queries
        (m, d) embeddings to predict from.
    degree
        Degree of the polynomial: it has all products of at most that many coordinates, binom(d + degree, degree) terms.
    """
    require.dimensions(2, "(n, d)", z=z, y=y, queries=queries)
    require.rows(z=z, queries=queries)
    require.finite(z=z, y=y, queries=queries)
    require.whole("degree", degree, 1)
    if comb(z.shape[1] + degree, degree) > MAX_TERMS:
        raise ValueError(
            f"a polynomial of degree {degree} in {z.shape[1]} numbers has too many terms: lower the degree"
        )
    mean, scale = z.mean(axis=0, dtype=float), float(z.std(dtype=float)) or 1.0
    products = [c for k in range(degree + 1) for c in combinations_with_replacement(range(z.shape[1]), k)]

    def terms(some: Array) -> Array:
        x = (some - mean) / scale
        return np.stack([x[:, list(c)].prod(axis=1) for c in products], axis=1)

    return terms(queries) @ np.linalg.lstsq(terms(z), y)[0]


def r_squared(predicted: Float[Array, "n ..."], true: Float[Array, "n ..."]) -> float:
    """R² = 1 − Σ (predicted − true)² / Σ (true − its mean)², over all columns; predicting the mean has R² = 0."""
    if predicted.shape != true.shape:
        raise ValueError(f"predicted and true must have one shape, not {predicted.shape} and {true.shape}")
    spread = float(((true - true.mean(axis=0)) ** 2).sum())
    if not spread:
        raise ValueError("true is constant, so R² is not defined")
    return 1 - float(((predicted - true) ** 2).sum()) / spread
