"""The code that all samplers share: a table of the images sorted by class, and random epochs over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Generator


class ClassTable(NamedTuple):
    """Images sorted by group and class, so that classes and groups are slices: `order[start : start + size]`.

    order : (n,) row numbers;  of : (n,) the class number of each row;  rank : (n,) the position of each row in `order`
    start, size : (classes,) the slice of each class;  group_start, group_size : (classes,) the slice of its group
    """

    order: Array
    of: Array
    rank: Array
    start: Array
    size: Array
    group_start: Array
    group_size: Array

    def positive(self, rows: Array, rng: Generator) -> Array:
        """For each row, a random other image of the same class."""
        c = self.of[rows]
        place = self.rank[rows] - self.start[c]
        place = (place + rng.integers(1, self.size[c])) % self.size[c]
        return self.order[self.start[c] + place]

    def negative(self, rows: Array, rng: Generator) -> Array:
        """For each row, a random image of another class of the same group; all such images are equally likely."""
        c = self.of[rows]
        place = self.group_start[c] + rng.integers(0, self.group_size[c] - self.size[c])
        place += self.size[c] * (place >= self.start[c])  # skip the class itself
        return self.order[place]


def class_table(labels: Array, rng: Generator, groups: Array | None) -> ClassTable:
    """Make the table of a labelled data set, and check that every image has a positive and a negative."""
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
        raise ValueError(f"all images have the class {names[0]}: different pairs and triplets need a second class")
    if count.min() < 2:
        single = names[count < 2]
        raise ValueError(
            f"class {single[0]} has one image, so it has no positive ({len(single)} such classes): leave them out with "
            "keep = np.isin(labels, [label for label, n in zip(*np.unique(labels, return_counts=True)) if n > 1])"
        )
    rank = np.empty(len(labels), int)
    rank[order] = np.arange(len(labels))
    start = np.full(len(names), len(labels))
    np.minimum.at(start, of, rank)
    _, group_of, group_size = np.unique(groups, return_inverse=True, return_counts=True)
    group_start = np.concatenate([[0], np.cumsum(group_size)[:-1]])
    group = group_of[order[start]]  # of each class
    split = group[of] != group_of
    if split.any():
        raise ValueError(f"class {names[of[split][0]]} is in two groups: all images of a class must be in one group")
    alone = group_size[group] == count
    if alone.any():
        raise ValueError(f"class {names[alone][0]} is alone in its group, so it has no negative: pass groups=None")
    return ClassTable(order, of, rank, start, count, group_start[group], group_size[group])


def check_images(images: Array, labels: Array) -> None:
    """Require finite floating-point images, at least one, each with an integer label."""
    require.class_labels(labels)
    require.rows(images=images)
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels: each image needs one label")
    require.finite(images=images)


def chunks(
    count: int, size: int, rng: Generator, values: Array | None = None, groups: Array | None = None
) -> Iterator[Array]:
    """Yield random chunks of `size` numbers from 0 to count − 1, without end, in epochs that use every number once.

    A chunk has no number twice, unless size > count. With `values`, the chunks hold these instead of the numbers. With
    `groups`, a group number from 0 up for each, the members of a group come in succession, the groups in random order.
    """
    rest = np.empty(0, int)
    while True:
        waiting = rng.permutation(count)
        if groups is not None:
            waiting = waiting[np.argsort(rng.permutation(groups.max() + 1)[groups[waiting]], kind="stable")]
        if len(rest):  # the rest of the last epoch comes first, and not again in the same chunk
            in_rest = np.zeros(count, bool)
            in_rest[rest] = True
            last = in_rest[waiting]
            waiting = np.concatenate([rest, waiting[~last], waiting[last]])
        whole = len(waiting) - len(waiting) % size
        for start in range(0, whole, size):
            chunk = waiting[start : start + size]
            yield chunk if values is None else values[chunk]
        rest = waiting[whole:]
