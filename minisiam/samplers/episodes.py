"""Few-shot episodes: a few classes, a few images of each, and what to ask about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .table import check_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Generator


def episodes(
    images: Array,
    labels: Array,
    rng: Generator,
    way: int = 20,
    shot: int = 1,
    queries: int = 1,
    groups: Array | None = None,
    drawers: Array | None = None,
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Few-shot episodes as images: see `episode_indices` for the parameters.

    Yields
    ------
    support, support_labels, query, labels
        (way·shot, ...) images, their (way·shot,) labels in 0 … way − 1, and the same for way·queries queries.
    """
    check_images(images, labels)
    for episode in episode_indices(labels, rng, way, shot, queries, groups, drawers):
        yield images[episode.support], episode.support_labels, images[episode.query], episode.labels


class Episode(NamedTuple):
    """Rows of the data set, and their classes numbered 0 … way − 1."""

    support: Array
    support_labels: Array
    query: Array
    labels: Array


def episode_indices(
    labels: Array,
    rng: Generator,
    way: int = 20,
    shot: int = 1,
    queries: int = 1,
    groups: Array | None = None,
    drawers: Array | None = None,
) -> Iterator[Episode]:
    """m-shot, n-way episodes: which images to show, and which to ask about.

    Parameters
    ----------
    labels
        (n,) integers, the class of every image.
    way, shot, queries
        How many classes; how many images of each are shown; how many of each are asked about.
    groups
        (n,) integers. If given, the classes of an episode come from one group, drawn anew for each. Groups with fewer
        than `way` classes are left out. Otherwise classes come from everywhere, which is a much easier task.
    drawers
        (n,) integers. If given, all that is shown is by `shot` drawers and all that is asked by `queries` others
        (Lake et al. 2015). A class without an image of each is not drawn.

    Yields
    ------
    Episode
        The classes are in random order, and so are the queries.
    """
    require.class_labels(labels)
    require.rows(labels=labels)
    require.generator(rng)
    require.whole("way", way, 2)
    require.whole("shot", shot, 1)
    require.whole("queries", queries, 1)
    for name, numbers in (("groups", groups), ("drawers", drawers)):
        if numbers is not None and len(numbers) != len(labels):
            raise ValueError(f"{name} must have one entry for each of the {len(labels)} images, not {len(numbers)}")
    members = {int(c): np.flatnonzero(labels == c) for c in np.unique(labels)}
    most = max(len(rows) for rows in members.values())
    if most < shot + queries:
        raise ValueError(
            f"shot + queries is {shot + queries}, but no class has more than {most} images: use a smaller shot"
        )
    members = {c: rows for c, rows in members.items() if len(rows) >= shot + queries}
    pools = _pools(members, groups, way, shot + queries)
    hands = None if drawers is None else _Hands(members, drawers, shot + queries)
    while True:
        classes = rng.permutation(pools[rng.integers(len(pools))])
        if hands is None:
            chosen = np.stack([rng.choice(members[c], shot + queries, replace=False) for c in classes[:way]])
        else:
            chosen = hands.choose(classes, way, rng)
        number = np.repeat(np.arange(way)[:, None], shot + queries, axis=1)
        asked = rng.permutation(way * queries)
        yield Episode(
            chosen[:, :shot].ravel(),
            number[:, :shot].ravel(),
            chosen[:, shot:].ravel()[asked],
            number[:, shot:].ravel()[asked],
        )


class _Hands:
    """For each class and drawer the row of an image, −1 where there is none."""

    def __init__(self, members: dict[int, Array], drawers: Array, needed: int) -> None:
        self.people, person = np.unique(drawers, return_inverse=True)
        if len(self.people) < needed:
            raise ValueError(f"shot + queries is {needed}, but there are only {len(self.people)} drawers")
        self.needed = needed
        self.row = {c: np.full(len(self.people), -1) for c in members}
        for c, rows in members.items():
            self.row[c][person[rows]] = rows

    def choose(self, classes: Array, way: int, rng: Generator) -> Array:
        """(way, needed) rows: the same drawers for every class, drawn again where too few classes have them all."""
        for _ in range(100):
            people = rng.choice(len(self.people), self.needed, replace=False)
            rows = np.stack([self.row[c][people] for c in classes])
            complete = rows[(rows >= 0).all(axis=1)]
            if len(complete) >= way:
                return complete[:way]
        raise ValueError(
            f"way is {way}, but hardly any {self.needed} drawers have drawn that many classes: use a smaller way"
        )


def _pools(members: dict[int, Array], groups: Array | None, way: int, needed: int) -> list[Array]:
    """The sets of classes an episode may draw from."""
    classes = np.array(list(members))
    if groups is None:
        pools = [classes]
    else:
        home = np.array([groups[members[c][0]] for c in classes])
        pools = [classes[home == g] for g in np.unique(home)]
    largest = max((len(pool) for pool in pools), default=0)
    pools = [pool for pool in pools if len(pool) >= way]
    if not pools:
        where = "the labels hold" if groups is None else "the largest group holds"
        raise ValueError(
            f"way is {way}, but {where} only {largest} classes of {needed} images or more: use a smaller way"
        )
    return pools
