"""Few-shot episodes: a few classes, a few support images of each, and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .table import check_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Float, Generator, Int


@reads_arrays
def episodes(
    images: Float[Array, "n ..."],
    labels: Int[Array, "n"],
    rng: Generator,
    way: int = 20,
    shot: int = 1,
    queries: int = 1,
    groups: Int[Array, "n"] | None = None,
    drawers: Int[Array, "n"] | None = None,
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Few-shot episodes as images: see `episode_indices` for the parameters.

    Yields
    ------
    support, support_labels, query, labels
        (way·shot, ...) images and their (way·shot,) labels from 0 to way − 1, and the same for way·queries queries.
    """
    check_images(images, labels)
    for episode in episode_indices(labels, rng, way, shot, queries, groups, drawers):
        yield images[episode.support], episode.support_labels, images[episode.query], episode.labels


class Episode(NamedTuple):
    """Row numbers of the data set, and the classes of these images, numbered from 0 to way − 1."""

    support: Array
    support_labels: Array
    query: Array
    labels: Array


@reads_arrays
def episode_indices(
    labels: Int[Array, "n"],
    rng: Generator,
    way: int = 20,
    shot: int = 1,
    queries: int = 1,
    groups: Int[Array, "n"] | None = None,
    drawers: Int[Array, "n"] | None = None,
) -> Iterator[Episode]:
    """`way`-way, `shot`-shot episodes as row numbers of support and query images.

    Parameters
    ----------
    labels
        (n,) integers, the class of every image.
    rng
        The random generator.
    way, shot, queries
        The number of classes, and the numbers of support and query images per class.
    groups
        (n,) integers. If given, all classes of an episode are from one group, drawn again for each episode. Groups with
        fewer than `way` classes are left out. Without groups an episode mixes all classes, which is a much easier task.
    drawers
        (n,) integers. If given, `shot` drawers drew the support images and `queries` other drawers the queries
        (Lake et al. 2015). Only classes with an image by each of these drawers are used.

    Yields
    ------
    Episode
        The classes and the queries are in random order.
    """
    require.class_labels(labels)
    require.rows(labels=labels)
    require.generator(rng)
    way = require.whole("way", way, 2)
    shot = require.whole("shot", shot, 1)
    queries = require.whole("queries", queries, 1)
    for name, numbers in (("groups", groups), ("drawers", drawers)):
        if numbers is not None and len(numbers) != len(labels):
            raise ValueError(f"{name} must have one entry for each of the {len(labels)} images, not {len(numbers)}")
    number = np.unique(labels, return_inverse=True)[1]
    rows_of_class = dict(enumerate(np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])))
    most = max(len(rows) for rows in rows_of_class.values())
    if most < shot + queries:
        raise ValueError(
            f"shot + queries is {shot + queries}, but no class has more than {most} images: use a smaller shot"
        )
    rows_of_class = {c: rows for c, rows in rows_of_class.items() if len(rows) >= shot + queries}
    class_sets = _class_sets(rows_of_class, groups, way, shot + queries)
    by_drawer = None if drawers is None else _RowsByDrawer(rows_of_class, drawers, shot + queries)
    while True:
        classes = rng.permutation(class_sets[rng.integers(len(class_sets))])
        if by_drawer is None:
            rows = np.stack([rng.choice(rows_of_class[c], shot + queries, replace=False) for c in classes[:way]])
        else:
            rows = by_drawer.choose(classes, way, rng)
        number = np.repeat(np.arange(way)[:, None], shot + queries, axis=1)
        order = rng.permutation(way * queries)
        yield Episode(
            rows[:, :shot].ravel(),
            number[:, :shot].ravel(),
            rows[:, shot:].ravel()[order],
            number[:, shot:].ravel()[order],
        )


class _RowsByDrawer:
    """For each class and drawer the row of one image, or −1 if there is none."""

    def __init__(self, rows_of_class: dict[int, Array], drawers: Array, needed: int) -> None:
        self.drawers, drawer_of_row = np.unique(drawers, return_inverse=True)
        if len(self.drawers) < needed:
            raise ValueError(f"shot + queries is {needed}, but there are only {len(self.drawers)} drawers")
        self.needed = needed
        self.row = {c: np.full(len(self.drawers), -1) for c in rows_of_class}
        for c, rows in rows_of_class.items():
            self.row[c][drawer_of_row[rows]] = rows

    def choose(self, classes: Array, way: int, rng: Generator) -> Array:
        """(way, needed) rows: the same random drawers for every class, drawn again if too few classes have them all."""
        for _ in range(100):
            drawers = rng.choice(len(self.drawers), self.needed, replace=False)
            rows = np.stack([self.row[c][drawers] for c in classes])
            complete = rows[(rows >= 0).all(axis=1)]
            if len(complete) >= way:
                return complete[:way]
        raise ValueError(
            f"way is {way}, but 100 random choices of {self.needed} drawers had fewer classes in common: "
            "use a smaller way"
        )


def _class_sets(rows_of_class: dict[int, Array], groups: Array | None, way: int, needed: int) -> list[Array]:
    """The sets of classes that an episode may draw from: all classes, or those of each group."""
    classes = np.array(list(rows_of_class))
    if groups is None:
        class_sets = [classes]
    else:
        group_of_class = np.array([groups[rows_of_class[c][0]] for c in classes])
        class_sets = [classes[group_of_class == g] for g in np.unique(group_of_class)]
    largest = max((len(class_set) for class_set in class_sets), default=0)
    class_sets = [class_set for class_set in class_sets if len(class_set) >= way]
    if not class_sets:
        where = "the labels hold" if groups is None else "the largest group holds"
        raise ValueError(
            f"way is {way}, but {where} only {largest} classes with {needed} images or more: use a smaller way"
        )
    return class_sets
