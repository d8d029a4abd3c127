"""What trains each network: from the words of the command line to batches, by chance and then as images.

Every class is met in all eight poses of a square, as so many more letters, unless `poses` is 1; what is compared is
turned alike, so that no pair is told apart by its pose. Letters of one alphabet come together: they are the ones that
are hard to tell apart.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import samplers
from ..datasets import augment, neighbour_graph, rotated
from ..losses.registry import kind_of
from .config import AFFINE, AUGMENTS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..datasets import Dataset
    from ..typing import Array, Float, Generator


class Batches(NamedTuple):
    """What trains a network, in two steps: which rows in which poses, by chance, and then their images.

    plan : (data, rng) → an endless iterator of whole numbers; it reads labels and groups, and the images only where
        their neighbours are asked for
    show : (images, *one of the plan) → the network's arguments
    """

    plan: Callable[[Dataset, Generator], Iterator[tuple[Array, ...]]]
    show: Callable[..., tuple[Array, ...]]

    def __call__(self, data: Dataset, rng: Generator, skip: int = 0) -> Iterator[tuple[Array, ...]]:
        """The batches after the first `skip`, which are drawn as ever, at once, and not shown.

        Their generator ends up where it was after step `skip` of a run. That is all the state that a sampler has: what
        waits in its queues follows from the seed, so replaying takes no record of them. A thousand batches take about
        0.1 s, a hundred times less than to train on them.
        """
        planned = self.plan(data, rng)
        for _ in islice(planned, skip):
            pass
        return (self.show(data.images, *plan) for plan in planned)


def build(settings: Settings) -> Batches:
    """The batches that the settings name."""
    size, poses = settings.batch, settings.poses
    kind = settings.network if settings.network != "batch" else kind_of(str(settings.loss))
    if settings.similar != "class" and settings.network == "batch":
        batches = Batches(partial(_within, size=size, poses=poses, similar=settings.similar), _show_within)
    elif settings.similar != "class":
        batches = Batches(partial(_neighbours, size=size // 2, poses=poses, similar=settings.similar), _show_pairs)
    elif settings.copies:
        ranges = AFFINE[settings.augment]
        copied = partial(_copied, count=settings.pairs, copies=settings.copies, ranges=ranges)
        return Batches(partial(copied, size=size // 2, poses=poses), _show_copied)
    elif kind in ("siamese", "verification"):
        batches = Batches(partial(_pairs, size=size // 2, poses=poses, count=settings.pairs), _show_pairs)
    elif kind == "triplet":
        batches = Batches(partial(_triplets, size=size // 3, poses=poses), _show_triplets)
    elif kind == "proxies":
        batches = Batches(partial(_proxied, size=size, per_class=settings.per_class), _show_proxied)
    elif kind == "episodes":
        batches = Batches(partial(_at_most, classes=size // 4, per_class=4, poses=poses), _show_episode)
    elif kind == "views":
        batches = Batches(partial(_at_most, classes=size // 2, per_class=2, poses=poses), _show_views)
    else:
        batches = Batches(partial(_pk, size=size, per_class=settings.per_class, poses=poses), _show_pk)
    return _augmented(batches, settings.augment)


def _pairs(data: Dataset, rng: Generator, size: int, poses: int, count: int) -> Iterator[tuple[Array, ...]]:
    if count:
        drawn = samplers.epochs_of_pairs(data.labels, rng, count, size, groups=data.groups)
    else:
        drawn = samplers.pair_indices(data.labels, rng, size, groups=data.groups)
    for first, second, same in drawn:
        yield first, second, same, rng.integers(0, poses, len(same))


def _copied(
    data: Dataset, rng: Generator, size: int, poses: int, count: int, copies: int, ranges: dict[str, float]
) -> Iterator[tuple[Array, ...]]:
    """`count` pairs and `copies` distorted copies of each, drawn once: one epoch visits each of them once.

    Koch et al. (2015), §3.2, add eight such copies to every training pair. Each of the two images of a copy has its own
    distortion.
    """
    distortions = [augment.draw_affine(count * copies, rng, **ranges) for _ in range(2)]
    for first, second, same, copy in samplers.copied_pairs(data.labels, rng, count, copies, size, groups=data.groups):
        yield first, second, same, rng.integers(0, poses, size), *(_numbered(parts, copy) for parts in distortions)


def _numbered(parts: augment.AffineParameters, copy: Array) -> Float[Array, "n 7"]:
    """The distortions with these numbers; a negative number is an original, so the identity."""
    return np.stack(
        [np.where(copy < 0, same, part[copy]) for same, part in zip(augment.IDENTITY, parts, strict=True)], 1
    )


def _show_copied(images: Array, first: Array, second: Array, same: Array, poses: Array, *parts: Array) -> Any:
    shown = _show_pairs(images, first, second, same, poses)[:2]
    return *(
        augment.apply_affine(x, augment.AffineParameters(*some.T)) for x, some in zip(shown, parts, strict=True)
    ), same


def _neighbours(data: Dataset, rng: Generator, size: int, poses: int, similar: str) -> Iterator[tuple[Array, ...]]:
    """Pairs of which half are neighbours in a graph, turned alike."""
    graph = neighbour_graph.BUILDERS[similar](data)
    for first, second, same in samplers.neighbour_pair_indices(graph, rng, size):
        yield first, second, same, rng.integers(0, poses, size)


def _within(data: Dataset, rng: Generator, size: int, poses: int, similar: str) -> Iterator[tuple[Array, ...]]:
    """Images and neighbours of theirs, and pairs of them, in one pose."""
    for rows, *pairs in samplers.neighbour_batch_indices(neighbour_graph.BUILDERS[similar](data), rng, size):
        yield rows, np.full(len(rows), rng.integers(0, poses)), *pairs


def _show_within(images: Array, rows: Array, poses: Array, *pairs: Array) -> tuple[Array, ...]:
    return rotated(images[rows], poses), *pairs


def _show_pairs(images: Array, first: Array, second: Array, same: Array, poses: Array) -> tuple[Array, ...]:
    return rotated(images[first], poses), rotated(images[second], poses), same


def _triplets(data: Dataset, rng: Generator, size: int, poses: int) -> Iterator[tuple[Array, ...]]:
    for rows in samplers.triplet_indices(data.labels, rng, size, groups=data.groups):
        yield *rows, rng.integers(0, poses, len(rows[0]))


def _show_triplets(images: Array, *plan: Array) -> tuple[Array, ...]:
    *rows, poses = plan
    return tuple(rotated(images[some], poses) for some in rows)


def _pk(data: Dataset, rng: Generator, size: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, K = `per_class`, or of all classes where there are fewer."""
    return _exactly(data, rng, *_fitting(data, size // per_class, per_class), poses)


def _at_most(data: Dataset, rng: Generator, classes: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """Batches of as many letters, or of all classes where there are fewer, and of each no more images for it."""
    return _exactly(data, rng, _fitting(data, classes, per_class, more=False)[0], per_class, poses)


def _exactly(data: Dataset, rng: Generator, classes: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, an alphabet in one pose; a letter in another pose has another label."""
    names, number = np.unique(data.labels, return_inverse=True)
    alphabets, alphabet = np.unique(data.groups, return_inverse=True)
    alphabet_of = np.zeros(len(names), int)
    alphabet_of[number] = alphabet
    for index in samplers.pk_indices(number, rng, classes, per_class, data.groups):
        letter = number[index]
        pose = rng.integers(0, poses, len(alphabets))[alphabet_of[letter]]
        yield index, pose, 8 * letter + pose


def _show_pk(images: Array, index: Array, poses: Array, labels: Array) -> tuple[Array, ...]:
    return rotated(images[index], poses), labels


def _proxied(data: Dataset, rng: Generator, size: int, per_class: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches upright, with labels from 0: a proxy has to be met often, so there are none for other poses."""
    number = np.unique(data.labels, return_inverse=True)[1]
    sizes = _fitting(data, size // per_class, per_class)
    return ((index, number[index]) for index in samplers.pk_indices(number, rng, *sizes, data.groups))


def _fitting(data: Dataset, classes: int, per_class: int, more: bool = True) -> tuple[int, int]:
    """P and K for data of few classes: all of them, and, if `more`, as many images of each as make up for the rest."""
    sizes = np.unique(data.labels, return_counts=True)[1]
    if len(sizes) >= classes or not len(sizes):
        return classes, per_class
    images = min(int(sizes.min()), classes * per_class // len(sizes)) if more else per_class
    return len(sizes), max(per_class, images)


def _show_proxied(images: Array, index: Array, labels: Array) -> tuple[Array, ...]:
    return images[index], labels


def _show_episode(images: Array, *plan: Array) -> tuple[Array, ...]:
    """The first two images of each class as support, the other two as queries, classes numbered from 0."""
    x, _ = _show_pk(images, *plan)
    classes = len(x) // 4
    labels, size = np.repeat(np.arange(classes), 2), 2 * classes
    of_class = x.reshape(classes, 4, *x.shape[1:])
    return of_class[:, :2].reshape(size, *x.shape[1:]), labels, of_class[:, 2:].reshape(size, *x.shape[1:]), labels


def _show_views(images: Array, *plan: Array) -> tuple[Array, ...]:
    """Two images of each class, as if they were two views of one."""
    x, _ = _show_pk(images, *plan)
    return x[0::2], x[1::2]


def _augmented(batches: Batches, name: str) -> Batches:
    """The same batches with every image distorted, each in its own way.

    The plan has a seed for the distortions of each batch, from a generator of their own: which images, pairs and poses
    come next does not depend on them.
    """
    if name == "none":
        return batches

    def plan(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
        (own,) = rng.spawn(1)
        return ((*rows, own.integers(2**63, size=())) for rows in batches.plan(data, rng))

    def show(images: Array, *planned: Array) -> tuple[Array, ...]:
        *rows, seed = planned
        rng = np.random.default_rng(int(seed))
        return tuple(AUGMENTS[name](x, rng) if x.ndim == 4 else x for x in batches.show(images, *rows))

    return Batches(plan, show)
