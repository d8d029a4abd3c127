"""Who is similar to whom, as a graph on the images of a data set: by pixels, by pixels at any shift, by pose.

graph = graphs.BUILDERS["neighbours"](data)     → samplers.neighbour_pair_indices(graph, rng)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import pairwise, require
from ..samplers import Graph
from . import AZIMUTHS, POSED, SHIFTS, pose_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Int
    from . import Dataset

NEAREST = 5


def nearest(x: Float[Array, "n ..."], k: int = NEAREST, chunk: int = 512) -> Graph:
    """Each row and its k nearest others, by the Euclidean distance of all their numbers.

    Who is among the k nearest of another is its neighbour too, so that a row has k neighbours or more. The (n, n)
    matrix is made `chunk` rows at a time.
    """
    require.whole("k", k, 1)
    rows = x.reshape(len(x), -1)
    if k >= len(rows):
        raise ValueError(f"k is {k}, but each of {len(rows)} images has only {len(rows) - 1} others")
    found = []
    for start in range(0, len(rows), chunk):
        D, _ = pairwise.squared_l2(rows[start : start + chunk], rows)
        at = np.arange(len(D))
        D[at, start + at] = np.inf
        found.append(np.argpartition(D, k - 1, axis=1)[:, :k])
    return Graph.of(np.repeat(np.arange(len(rows)), k), np.concatenate(found).ravel(), len(rows))


def of_classes(graph: Graph, labels: Int[Array, "n"]) -> Graph:
    """A graph on classes as one on images: similar are all images of one class, and those of neighbouring classes.

    Parameters
    ----------
    graph
        On the classes, in ascending order of their labels.
    labels
        (n,) the class of each image.
    """
    number = np.unique(labels, return_inverse=True)[1]
    classes = len(graph.degree)
    row, neighbour = graph.edges
    adjacent = np.eye(classes, dtype=bool)
    adjacent[row, neighbour] = True
    members = [np.flatnonzero(number == c) for c in range(classes)]
    near = [np.concatenate([members[other] for other in np.flatnonzero(some)]) for some in adjacent]
    first = np.repeat(np.arange(len(labels)), [len(near[c]) for c in number])
    return Graph.of(first, np.concatenate([near[c] for c in number]), len(labels))


def neighbours(data: Dataset) -> Graph:
    """The five nearest in pixels."""
    return nearest(data.images)


def shift_aware(data: Dataset) -> Graph:
    """A digit at every shift, and the five nearest of the unshifted digits at every shift (`datasets.shifted`)."""
    still = np.flatnonzero(data.drawers == SHIFTS.index(0))
    still = still[np.argsort(data.labels[still])]
    if not np.array_equal(data.labels[still], np.unique(data.labels)):
        raise ValueError("similar at any shift are digits that come unshifted, too: use data such as mnist-4-shifted")
    return of_classes(nearest(data.images[still]), data.labels)


def pose(data: Dataset) -> Graph:
    """Views of one pose or of the next in azimuth or elevation, in whatever light (`datasets.rendered`)."""
    if data.names != POSED:
        raise ValueError("only of rendered data are the poses known: use --data rendered")
    views = np.unique(data.labels)
    azimuth, elevation = pose_of(views)
    around = np.abs(np.subtract.outer(azimuth, azimuth))
    turned = np.minimum(around, AZIMUTHS - around)  # the circle closes
    raised = np.abs(np.subtract.outer(elevation, elevation))
    first, second = np.nonzero(turned + raised == 1)
    return of_classes(Graph.of(first, second, len(views)), data.labels)


BUILDERS: dict[str, Callable[[Dataset], Graph]] = {
    "neighbours": neighbours,
    "shift-aware": shift_aware,
    "pose": pose,
}
