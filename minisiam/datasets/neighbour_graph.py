"""Similarity graphs on the images of a data set: by pixels, by pixels at any shift, or by pose.

graph = neighbour_graph.BUILDERS["neighbours"](data)     → graph.neighbour_pair_indices(graph, rng)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import pairwise, require
from . import AZIMUTHS, POSED, SHIFTS, pose_of
from .graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int
    from . import Dataset

NEAREST = 5
MUTUAL = 10


def nearest(x: Float[Array, "n ..."], k: int = NEAREST, chunk: int = 512) -> Graph:
    """Connect each row to its k nearest rows, by Euclidean distance.

    The graph is symmetric, so a row has k or more neighbours. The (n, n) matrix is computed `chunk` rows at a time.
    """
    near = _nearest(x, k, chunk)
    return Graph.of(np.repeat(np.arange(len(x)), k), near.ravel(), len(x))


def mutually_nearest(x: Float[Array, "n ..."], k: int = MUTUAL, chunk: int = 512) -> Graph:
    """Connect two rows if each is among the k nearest rows of the other, and each row to its nearest row.

    Without the second rule, a row that is near to none could have no neighbour.
    """
    near = _nearest(x, k, chunk)
    count = len(x)
    row, other = np.repeat(np.arange(count), k), near.ravel()
    mutual = np.isin(other * count + row, row * count + other) | (np.arange(count * k) % k == 0)
    return Graph.of(row[mutual], other[mutual], count)


def _nearest(x: Float[Array, "n ..."], k: int, chunk: int) -> Int[Array, "n k"]:
    """The k nearest other rows of each row, the nearest first, the others in any order."""
    require.whole("k", k, 1)
    rows = x.reshape(len(x), -1)
    if k >= len(rows):
        raise ValueError(f"k must be at most {len(rows) - 1}, the number of other images, not {k}")
    found = []
    for start in range(0, len(rows), chunk):
        D, _ = pairwise.squared_l2(rows[start : start + chunk], rows)
        at = np.arange(len(D))
        D[at, start + at] = np.inf
        found.append(np.argpartition(D, [0, k - 1], axis=1)[:, :k])
    return np.concatenate(found)


def of_classes(graph: Graph, labels: Int[Array, "n"]) -> Graph:
    """Turn a graph on classes into one on images: images of the same or of neighbouring classes are similar.

    Parameters
    ----------
    graph
        A graph on the classes, in ascending order of their labels.
    labels
        (n,) the class of each image.
    """
    number = np.unique(labels, return_inverse=True)[1]
    classes = len(graph.degree)
    row, neighbour = graph.edges
    adjacent = np.eye(classes, dtype=bool)
    adjacent[row, neighbour] = True
    members = [np.flatnonzero(number == c) for c in range(classes)]
    near = [np.concatenate([members[other] for other in np.flatnonzero(row)]) for row in adjacent]
    first = np.repeat(np.arange(len(labels)), [len(near[c]) for c in number])
    return Graph.of(first, np.concatenate([near[c] for c in number]), len(labels))


def neighbours(data: Dataset) -> Graph:
    """Connect each image to the five nearest images in pixel space."""
    return nearest(data.images)


def mutual(data: Dataset) -> Graph:
    """Connect two images if each is among the ten nearest images of the other in pixel space, and each to its nearest.

    Of the fours and nines of MNIST, 2.9 % of its edges connect two classes; of the edges of `neighbours`, 4.4 %.
    """
    return mutually_nearest(data.images)


def shift_aware(data: Dataset) -> Graph:
    """Connect all shifts of a digit and of its five nearest digits, compared without a shift (`datasets.shifted`)."""
    unshifted = np.flatnonzero(data.drawers == SHIFTS.index(0))
    unshifted = unshifted[np.argsort(data.labels[unshifted])]
    if not np.array_equal(data.labels[unshifted], np.unique(data.labels)):
        raise ValueError("shift-aware needs every digit without a shift, too: use data such as mnist-4-shifted")
    return of_classes(nearest(data.images[unshifted]), data.labels)


def pose(data: Dataset) -> Graph:
    """Connect views of the same pose and of adjacent azimuths or elevations, in any light (`datasets.rendered`)."""
    if data.names != POSED:
        raise ValueError("only rendered data has known poses: use --data rendered")
    views = np.unique(data.labels)
    azimuth, elevation = pose_of(views)
    difference = np.abs(np.subtract.outer(azimuth, azimuth))
    azimuth_steps = np.minimum(difference, AZIMUTHS - difference)  # azimuth is periodic
    elevation_steps = np.abs(np.subtract.outer(elevation, elevation))
    first, second = np.nonzero(azimuth_steps + elevation_steps == 1)
    return of_classes(Graph.of(first, second, len(views)), data.labels)


BUILDERS: dict[str, Callable[[Dataset], Graph]] = {
    "neighbours": neighbours,
    "mutual": mutual,
    "shift-aware": shift_aware,
    "pose": pose,
}
