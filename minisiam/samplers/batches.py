"""Pairs, triplets and P×K batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .table import chunks, class_table

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
    table = class_table(images, labels, rng, groups)
    require.whole("size", size, 1)
    share = require.between("same", same, 0, 1)
    is_same = np.arange(size) < round(share * size)
    for first in chunks(len(labels), size, rng):
        order = rng.permutation(is_same)
        second = np.where(order, table.positive(first, rng), table.negative(first, rng))
        yield images[first], images[second], order


def triplets(
    images: Array, labels: Array, rng: Generator, size: int = 64, groups: Array | None = None
) -> Iterator[tuple[Array, Array, Array]]:
    """Anchor, another image of its class, and an image of another class (of the same group, if `groups` is given).

    Parameters as in `pairs`; yields three (size, ...) arrays of images.
    """
    table = class_table(images, labels, rng, groups)
    require.whole("size", size, 1)
    for anchor in chunks(len(labels), size, rng):
        yield images[anchor], images[table.positive(anchor, rng)], images[table.negative(anchor, rng)]


def pk(
    images: Array, labels: Array, rng: Generator, classes: int = 16, per_class: int = 4
) -> Iterator[tuple[Array, Array]]:
    """P×K batches: `classes` different classes, `per_class` different images of each (Hermans et al. 2017).

    Yields
    ------
    x, labels
        (P·K, ...) images and (P·K,) integers, class by class. Every class comes before any comes again, and of each
        class every image.
    """
    table = class_table(images, labels, rng, None)
    require.whole("classes", classes, 2)
    require.whole("per_class", per_class, 2)
    if classes > len(table.size):
        raise ValueError(f"classes is {classes}, but the labels hold only {len(table.size)} of them")
    if per_class > table.size.min():
        raise ValueError(f"per_class is {per_class}, but the smallest class has only {table.size.min()} images")
    next_images = [
        chunks(count, per_class, rng, table.order[start : start + count])
        for start, count in zip(table.start, table.size, strict=True)
    ]
    for chosen in chunks(len(table.size), classes, rng):
        index = np.concatenate([next(next_images[c]) for c in chosen])
        yield images[index], labels[index]
