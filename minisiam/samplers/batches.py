"""Pairs, triplets and P×K batches.

Each as images and, by a function whose name ends in `_indices`, as rows of the data set: the same rows for the same
`rng`, which a run that goes on needs in order to pass over the batches that it has seen, without fetching any image.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .table import Table, check_images, chunks, class_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Generator


def pairs(
    images: Array, labels: Array, rng: Generator, size: int = 64, same: float = 0.5, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """Pairs of images, a share of them of the same class.

    Parameters
    ----------
    images, labels
        (n, ...) and (n,): a class needs at least two images.
    rng
        Where chance comes from.
    size
        Pairs in a batch.
    same
        Share of pairs of the same class, in [0, 1]; each batch holds that many, rounded.
    groups
        (n,) integers. If given, the two images of a different pair come from one group: letters of one alphabet are
        the ones that are hard to tell apart.

    Yields
    ------
    x1, x2, same
        (size, ...) images, twice, and (size,) booleans. No image meets itself.
    """
    check_images(images, labels)
    for first, second, order in pair_indices(labels, rng, size, same, groups):
        yield images[first], images[second], order


def pair_indices(
    labels: Array, rng: Generator, size: int = 64, same: float = 0.5, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """`pairs` as rows of the data set: two times (size,) integers, and (size,) booleans. Parameters as there."""
    table = class_table(labels, rng, groups)
    require.whole("size", size, 1)
    share = require.between("same", same, 0, 1)
    is_same = np.arange(size) < round(share * size)
    for first in chunks(len(labels), size, rng):
        order = rng.permutation(is_same)
        yield first, np.where(order, table.positive(first, rng), table.negative(first, rng)), order


def epochs_of_pairs(
    labels: Array, rng: Generator, count: int, size: int = 64, same: float = 0.5, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """`pair_indices`, but of `count` pairs that are drawn once: each comes once an epoch, in an order of chance.

    Koch et al. (2015), §4.2, train on 30,000, 90,000 and 150,000 pairs. Parameters and yield as in `pair_indices`.
    """
    for first, second, order, _ in copied_pairs(labels, rng, count, 0, size, same, groups):
        yield first, second, order


def copied_pairs(
    labels: Array,
    rng: Generator,
    count: int,
    copies: int,
    size: int = 64,
    same: float = 0.5,
    groups: Array | None = None,
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """`epochs_of_pairs` in which `copies` copies of each pair come beside it: an epoch has count · (1 + copies) pairs.

    Yields
    ------
    first, second, same, copy
        As in `pair_indices`, and (size,) integers: the number of the copy, from 0 to count · copies − 1, or a negative
        number for the original. A copy keeps its number, and so its distortion, in every epoch.
    """
    require.whole("count", count, size)
    require.whole("copies", copies, 0)
    drawn = islice(pair_indices(labels, rng, size, same, groups), -(-count // size))
    first, second, order = (np.concatenate(part)[:count] for part in zip(*drawn, strict=True))
    for some in chunks(count * (1 + copies), size, rng):
        pair = some % count
        yield first[pair], second[pair], order[pair], some - count


def triplets(
    images: Array, labels: Array, rng: Generator, size: int = 64, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """Anchor, another image of its class, and an image of another class (of the same group, if `groups` is given).

    Parameters as in `pairs`; yields three (size, ...) arrays of images.
    """
    check_images(images, labels)
    for anchor, positive, negative in triplet_indices(labels, rng, size, groups):
        yield images[anchor], images[positive], images[negative]


def triplet_indices(
    labels: Array, rng: Generator, size: int = 64, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """`triplets` as rows of the data set, three times (size,) integers. Parameters as there."""
    table = class_table(labels, rng, groups)
    require.whole("size", size, 1)
    for anchor in chunks(len(labels), size, rng):
        yield anchor, table.positive(anchor, rng), table.negative(anchor, rng)


def pk(
    images: Array,
    labels: Array,
    rng: Generator,
    classes: int = 16,
    per_class: int = 4,
    groups: Array | None = None,
) -> Iterator[tuple[Array, Array]]:
    """P×K batches: P different classes, K different images of each (Hermans et al. 2017).

    Parameters
    ----------
    images, labels
        (n, ...) and (n,): every class needs at least K images.
    rng
        Where chance comes from.
    classes, per_class
        P and K, each at least 2: one class has no negative pair, one image of each no positive pair, and a setting
        that can hold none is refused. `pk_population` says how many a batch holds.
    groups
        (n,) integers. If given, a batch goes through one group after the other, so that most of its classes are of two
        or three groups: letters of one alphabet are the ones that are hard to tell apart.

    Yields
    ------
    x, labels
        (P·K, ...) images and (P·K,) integers, class by class: always whole batches. Every class comes before any comes
        again, and of each class every image.
    """
    check_images(images, labels)
    for index in pk_indices(labels, rng, classes, per_class, groups):
        yield images[index], labels[index]


def pk_indices(
    labels: Array, rng: Generator, classes: int = 16, per_class: int = 4, groups: Array | None = None
) -> Iterator[Array]:
    """`pk` as (P·K,) rows of the data set. Parameters as there."""
    table = class_table(labels, rng, None)
    _check_pk(classes, per_class)
    if classes > len(table.size):
        raise ValueError(f"classes is {classes}, but the labels hold only {len(table.size)} of them")
    if per_class > table.size.min():
        raise ValueError(f"per_class is {per_class}, but the smallest class has only {table.size.min()} images")
    next_images = [
        chunks(count, per_class, rng, table.order[start : start + count])
        for start, count in zip(table.start, table.size, strict=True)
    ]
    group_of_class = None if groups is None else _groups_of_classes(table, groups)
    for chosen in chunks(len(table.size), classes, rng, groups=group_of_class):
        yield np.concatenate([next(next_images[c]) for c in chosen])


def _groups_of_classes(table: Table, groups: Array) -> Array:
    """The group of each class, numbered from 0."""
    require.class_labels(groups, len(table.of), name="groups")
    number = np.unique(groups, return_inverse=True)[1]
    own = number[table.order[table.start]]
    if (own[table.of] != number).any():
        raise ValueError("a class is in two groups: a class belongs to one")
    return own


class PkPopulation(NamedTuple):
    """Pairs {i, j} of one class, pairs of two classes, and triplets (a, p, n)."""

    positive_pairs: int
    negative_pairs: int
    triplets: int


def pk_population(classes: int, per_class: int) -> PkPopulation:
    """P·K(K − 1)/2 positive pairs, K²·P(P − 1)/2 negative pairs, P·K·(K − 1)·(P − 1)·K triplets.

    What a batch of `pk` holds, for P classes and K images of each; `miners.population(labels)` counts any batch.
    """
    _check_pk(classes, per_class)
    P, K = int(classes), int(per_class)
    return PkPopulation(P * K * (K - 1) // 2, K**2 * P * (P - 1) // 2, P * K * (K - 1) * (P - 1) * K)


def _check_pk(classes: int, per_class: int) -> None:
    """A batch of one class has no negative, and one image of each class no positive."""
    require.whole("classes", classes, 2)
    require.whole("per_class", per_class, 2)
