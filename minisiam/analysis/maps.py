"""Two maps without training, to compare a trained map with: principal components, and the spectral map of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .statistics import load_scipy

if TYPE_CHECKING:
    from ..datasets.graph import Graph
    from ..typing import Array, Float, Int


class Spectral(NamedTuple):
    """z : (n, d) the position of each row;   eigenvalues : (d,) of the random walk on the graph, descending, ≤ 1."""

    z: Array
    eigenvalues: Array


def principal(
    x: Float[Array, "n p"], queries: Float[Array, "m p"], dimensions: int = 2
) -> tuple[Float[Array, "n d"], Float[Array, "m d"]]:
    """The projections of `x` and of `queries` on the first principal components of `x`.

    They are the eigenvectors of the covariance matrix of `x` with the largest eigenvalues, computed in float64.
    """
    require.same_columns(x=x, queries=queries)
    mean = x.mean(axis=0, dtype=float)
    a = x - mean
    _, vectors = np.linalg.eigh(a.T @ a)
    components = vectors[:, : -dimensions - 1 : -1]
    return a @ components, (queries - mean) @ components


def spectral(graph: Graph, dimensions: int = 2) -> Spectral:
    """Laplacian eigenmap: the eigenvectors of the random walk P = D⁻¹W on a graph with the largest eigenvalues.

    The constant eigenvector, of the largest eigenvalue 1, is left out. W is 1 for neighbours and 0 otherwise, D has the
    degrees. With (Pz)ᵢ the mean of z over the neighbours of i, P z = λ z.

    Parameters
    ----------
    graph
        Every row needs a neighbour. If the graph is not connected, the eigenvalue 1 occurs several times, and its
        eigenvectors, which separate the parts, are not unique.
    dimensions
        d, at most the number of rows less 2.

    References
    ----------
    Belkin & Niyogi (2003), "Laplacian eigenmaps for dimensionality reduction and data representation".
    """
    sparse = load_scipy().sparse
    count, degree = len(graph.degree), graph.degree
    dimensions = require.whole("dimensions", dimensions, 1)
    if dimensions > count - 2:
        raise ValueError(f"dimensions must be at most {count - 2}, the number of rows less 2, not {dimensions}")
    if (degree == 0).any():
        raise ValueError(f"row {np.argmin(degree)} has no neighbour: leave such rows out or use more neighbours")
    first, second = graph.edges
    root = np.sqrt(degree)
    symmetric = sparse.csr_array((1 / (root[first] * root[second]), (first, second)), shape=(count, count))
    values, vectors = sparse.linalg.eigsh(symmetric, k=dimensions + 1, which="LA", v0=np.ones(count))
    order = np.argsort(-values)[1:]
    return Spectral(vectors[:, order] / root[:, None], values[order])


def extended(found: Spectral, near: Int[Array, "m k"]) -> Float[Array, "m d"]:
    """The position of new rows in a spectral map, from the rows that are nearest to them (Nyström's formula).

    z = (mean of z over the nearest rows) / λ, which is P z = λ z for a row whose neighbours are known.

    References
    ----------
    Bengio et al. (2003), "Out-of-sample extensions for LLE, Isomap, MDS, eigenmaps, and spectral clustering".
    """
    return found.z[near].mean(axis=1) / found.eigenvalues
