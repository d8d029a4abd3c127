"""What all samplers share: the images sorted by class, checked once, and a way through them that leaves none out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Generator


class Table(NamedTuple):
    """Images sorted by group and class, so that a class and a group are slices: `order[start : start + size]`.

    order : (n,) rows of the data set;  of : (n,) class number of each row;  rank : (n,) its place in `order`
    start, size : (classes,);  group_start, group_size : (classes,) the slice of the class's group
    """

    order: Array
    of: Array
    rank: Array
    start: Array
    size: Array
    group_start: Array
    group_size: Array

    def positive(self, rows: Array, rng: Generator) -> Array:
        """Another image of the same class, for each row."""
        c = self.of[rows]
        place = self.rank[rows] - self.start[c]
        place = (place + rng.integers(1, self.size[c])) % self.size[c]
        return self.order[self.start[c] + place]

    def negative(self, rows: Array, rng: Generator) -> Array:
        """An image of another class of the group, for each row: every such image is equally likely."""
        c = self.of[rows]
        place = self.group_start[c] + rng.integers(0, self.group_size[c] - self.size[c])
        place += self.size[c] * (place >= self.start[c])  # step over the class itself
        return self.order[place]


def class_table(labels: Array, rng: Generator, groups: Array | None) -> Table:
    """The table of a labelled set, after asking that every image can have a positive and a negative."""
    require.class_labels(labels)
    require.rows(labels=labels)
    require.generator(rng)
    if groups is None:
        groups = np.zeros(len(labels), int)
    elif len(groups) != len(labels):
        raise ValueError(f"groups must have one entry for each of the {len(labels)} images, not {len(groups)}")
    order = np.lexsort((labels, groups))
    names, of, count = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"all images are of class {names[0]}: different pairs and triplets need a second class")
    if count.min() < 2:
        lonely = names[count < 2]
        raise ValueError(
            f"class {lonely[0]} has one image, so it has no positive ({len(lonely)} such classes): leave them out with "
            "_, of, count = np.unique(labels, return_inverse=True, return_counts=True); keep = count[of] > 1"
        )
    rank = np.empty(len(labels), int)
    rank[order] = np.arange(len(labels))
    start = np.full(len(names), len(labels))
    np.minimum.at(start, of, rank)
    _, group_of, group_size = np.unique(groups, return_inverse=True, return_counts=True)
    group_start = np.concatenate([[0], np.cumsum(group_size)[:-1]])
    home = group_of[order[start]]
    if (home[of] != group_of).any():
        raise ValueError(f"class {names[of[home[of] != group_of][0]]} is in two groups: a class belongs to one")
    alone = group_size[home] == count
    if alone.any():
        raise ValueError(f"class {names[alone][0]} is alone in its group and has no negative there: pass groups=None")
    return Table(order, of, rank, start, count, group_start[home], group_size[home])


def check_images(images: Array, labels: Array) -> None:
    """Finite floating images, at least one, each with an integer label."""
    require.class_labels(labels)
    require.rows(images=images)
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels: each image needs one label")
    require.floating(images=images)
    require.finite(images=images)


def chunks(
    count: int, size: int, rng: Generator, values: Array | None = None, groups: Array | None = None
) -> Iterator[Array]:
    """`size` of 0 … count − 1 at a time, for ever; each comes once before any comes again, and none twice in a chunk.

    (Twice in a chunk only where size > count.) With `values`, those instead of the numbers. With `groups`, a number
    from 0 up for each, those of one group come one after the other, the groups in an order of chance.
    """
    rest = np.empty(0, int)
    while True:
        waiting = rng.permutation(count)
        if groups is not None:
            waiting = waiting[np.argsort(rng.permutation(groups.max() + 1)[groups[waiting]], kind="stable")]
        if len(rest):  # what was left over comes first, and not again in the same chunk
            late = np.zeros(count, bool)
            late[rest] = True
            behind = late[waiting]
            waiting = np.concatenate([rest, waiting[~behind], waiting[behind]])
        whole = len(waiting) - len(waiting) % size
        for start in range(0, whole, size):
            chunk = waiting[start : start + size]
            yield chunk if values is None else values[chunk]
        rest = waiting[whole:]
