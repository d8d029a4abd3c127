"""Pairs, triplets and P×K batches, as images and as row numbers of the data set (`…_indices`).

Both forms yield the same rows for the same `rng`, so that a resumed run can skip the batches it has used without
loading any image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from .table import ClassTable, check_images, chunks, class_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Array, Float, Generator, Int


@reads_arrays
def pairs(
    images: Float[Array, "n ..."],
    labels: Int[Array, "n"],
    rng: Generator,
    size: int = 64,
    same: float = 0.5,
    groups: Int[Array, "n"] | None = None,
) -> Iterator[tuple[Array, Array, Array]]:
    """Pairs of images, a given share of them with the same class.

    Parameters
    ----------
    images, labels
        (n, ...) and (n,): a class needs at least two images.
    rng
        The random generator.
    size
        The number of pairs in a batch.
    same
        The share of pairs with the same class, in [0, 1]; each batch has this share, rounded.
    groups
        (n,) integers. If given, both images of a different pair are from one group: letters of one alphabet are
        harder to distinguish.

    Yields
    ------
    x1, x2, same
        Two (size, ...) arrays of images, and (size,) booleans. No image is paired with itself.
    """
    check_images(images, labels)
    for first, second, order in pair_indices(labels, rng, size, same, groups):
        yield images[first], images[second], order


@reads_arrays
def pair_indices(
    labels: Int[Array, "n"], rng: Generator, size: int = 64, same: float = 0.5, groups: Int[Array, "n"] | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """`pairs` as row numbers: two (size,) arrays of integers, and (size,) booleans. Parameters as in `pairs`."""
    table = class_table(labels, rng, groups)
    size = require.whole("size", size, 1)
    share = require.between("same", same, 0, 1)
    is_same = np.arange(size) < round(share * size)
    for first in chunks(len(labels), size, rng):
        order = rng.permutation(is_same)
        yield first, np.where(order, table.positive(first, rng), table.negative(first, rng)), order


@reads_arrays
def triplets(
    images: Float[Array, "n ..."],
    labels: Int[Array, "n"],
    rng: Generator,
    size: int = 64,
    groups: Int[Array, "n"] | None = None,
) -> Iterator[tuple[Array, Array, Array]]:
    """Anchor, another image of its class, and an image of another class (of the same group, if `groups` is given).

    Parameters as in `pairs`; yields three (size, ...) arrays of images.
    """
    check_images(images, labels)
    for anchor, positive, negative in triplet_indices(labels, rng, size, groups):
        yield images[anchor], images[positive], images[negative]


@reads_arrays
def triplet_indices(
    labels: Int[Array, "n"], rng: Generator, size: int = 64, groups: Int[Array, "n"] | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """`triplets` as row numbers, three (size,) arrays of integers. Parameters as in `triplets`."""
    table = class_table(labels, rng, groups)
    size = require.whole("size", size, 1)
    for anchor in chunks(len(labels), size, rng):
        yield anchor, table.positive(anchor, rng), table.negative(anchor, rng)


@reads_arrays
def pk(
    images: Float[Array, "n ..."],
    labels: Int[Array, "n"],
    rng: Generator,
    classes: int = 16,
    per_class: int = 4,
    groups: Int[Array, "n"] | None = None,
) -> Iterator[tuple[Array, Array]]:
    """P×K batches: P different classes, K different images of each (Hermans et al. 2017).

    Parameters
    ----------
    images, labels
        (n, ...) and (n,): every class needs at least K images.
    rng
        The random generator.
    classes, per_class
        P and K, each at least 2: with one class there is no negative pair, with one image per class no positive pair.
    groups
        (n,) integers. If given, consecutive classes are from one group as far as possible, so that most batches hold
        classes of two or three groups: letters of one alphabet are harder to distinguish.

    Yields
    ------
    x, labels
        (P·K, ...) images and (P·K,) integers, class by class; batches are always complete. Every class is used once
        before any is used again, and so is every image of a class.
    """
    check_images(images, labels)
    for index in pk_indices(labels, rng, classes, per_class, groups):
        yield images[index], labels[index]


@reads_arrays
def pk_indices(
    labels: Int[Array, "n"],
    rng: Generator,
    classes: int = 16,
    per_class: int = 4,
    groups: Int[Array, "n"] | None = None,
) -> Iterator[Array]:
    """`pk` as (P·K,) row numbers. Parameters as in `pk`."""
    table = class_table(labels, rng, None)
    classes, per_class = _check_pk(classes, per_class)
    if classes > len(table.size):
        raise ValueError(f"classes must be at most {len(table.size)}, the number of classes in labels, not {classes}")
    if per_class > table.size.min():
        raise ValueError(
            f"per_class must be at most {table.size.min()}, since the smallest class has only {table.size.min()} "
            f"images; it is {per_class}"
        )
    next_images = [
        chunks(count, per_class, rng, table.order[start : start + count])
        for start, count in zip(table.start, table.size, strict=True)
    ]
    group_of_class = None if groups is None else _groups_of_classes(table, groups)
    for batch in chunks(len(table.size), classes, rng, groups=group_of_class):
        yield np.concatenate([next(next_images[c]) for c in batch])


def _groups_of_classes(table: ClassTable, groups: Array) -> Array:
    """The group of each class, numbered from 0."""
    require.class_labels(groups, len(table.of), name="groups")
    number = np.unique(groups, return_inverse=True)[1]
    group_of_class = number[table.order[table.start]]
    if (group_of_class[table.of] != number).any():
        raise ValueError("groups: a class is in two groups, but all images of a class must be in one group")
    return group_of_class


def _check_pk(classes: int, per_class: int) -> tuple[int, int]:
    """Require two classes, for a negative, and two images per class, for a positive."""
    return require.whole("classes", classes, 2), require.whole("per_class", per_class, 2)
