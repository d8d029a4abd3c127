"""The batches of each network, in two steps: draw which rows of the data, then load their images.

Every rank of `mpiexec` draws the whole batch from the same seed, and loads its own images only.

If `dihedral` is 8, each of the eight rotations and reflections of a class is its own class. Images that are compared
have the same rotation and reflection, so it cannot distinguish them. Letters of one alphabet are drawn together,
because they are the hardest to distinguish.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import samplers
from ..datasets import augment, neighbour_graph, rotated
from ..datasets.graph import neighbour_batch_indices, neighbour_pair_indices
from ..distributed.ranks import Single, share
from .config import AFFINE
from .fixed_pairs import fixed_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..datasets import Dataset
    from ..distributed.ranks import Ranks
    from ..typing import Array, Float, Generator
    from .config import Config

OTHERS = 20  # pairs in a batch for each pair of neighbours, if `attraction` weighs these


class Chosen(NamedTuple):
    """Images of a batch that are not loaded yet: their rows in the data, and their rotations or reflections."""

    rows: Array
    poses: Array


class Batches(NamedTuple):
    """The batches of a network, in two steps.

    plan : (data, rng) → an endless iterator: which rows, and in which rotation or reflection. It reads labels and
        groups, and images only to find their neighbours
    show : (images, *one item of the plan, ranks) → the network's arguments, with the images of this rank
    """

    plan: Callable[[Dataset, Generator], Iterator[tuple[Array, ...]]]
    show: Callable[..., tuple[Array, ...]]

    def __call__(
        self, data: Dataset, rng: Generator, skip: int = 0, ranks: Ranks | None = None
    ) -> Iterator[tuple[Array, ...]]:
        """The batches after the first `skip`, which are drawn but whose images are not loaded.

        Afterwards `rng` is in the state that it had after step `skip` of a run. A sampler has no other state: its
        queues follow from the seed. Skipping 1,000 batches takes about 0.1 s, a hundredth of training on them.
        """
        ranks = ranks or Single()
        planned = self.plan(data, rng)
        for _ in islice(planned, skip):
            pass
        return (self.show(data.images, *plan, ranks=ranks) for plan in planned)


def build(config: Config) -> Batches:
    """The batches of these settings."""
    size, poses = config.batch, config.dihedral
    kind = config.network if config.network != "batch" else config.kind
    plan: Callable[..., Any]
    arrange: Callable[..., Any]
    if config.pair_by != "class" and config.network == "batch":
        same = 1 / (1 + OTHERS) if config.attraction else 0.2
        plan = partial(_with_neighbours, size=size, poses=poses, by=config.pair_by, same=same)
        arrange = _first_is_chosen
    elif config.pair_by != "class":
        plan, arrange = partial(_neighbour_pairs, size=size // 2, poses=poses, by=config.pair_by), _arranged_pairs
    elif config.copies:
        ranges = AFFINE[config.augment]
        copied = partial(_copied, count=config.pairs, copies=config.copies, ranges=ranges)
        return Batches(partial(copied, size=size // 2, poses=poses), _show_copied)
    elif kind in ("siamese", "verification"):
        plan, arrange = partial(_pairs, size=size // 2, poses=poses, count=config.pairs), _arranged_pairs
    elif kind == "triplet":
        plan, arrange = partial(_triplets, size=size // 3, poses=poses), _arranged_triplets
    elif kind == "proxies":
        plan, arrange = partial(_proxied, size=size, per_class=config.per_class), _first_is_chosen
    elif kind == "episodes":
        plan, arrange = partial(_pk_at_most, classes=size // 4, per_class=4, poses=poses), _arranged_episode
    elif kind == "views":
        plan, arrange = partial(_pk_at_most, classes=size // 2, per_class=2, poses=poses), _arranged_views
    else:
        plan, arrange = partial(_pk, size=size, per_class=config.per_class, poses=poses), _first_is_chosen
    if config.augment == "none":
        return Batches(plan, partial(_show, arrange))
    return Batches(_seeded(plan), partial(_show_distorted, arrange, DISTORTIONS[config.augment]))


def require_images(config: Config, train: Dataset) -> None:
    """Raise ValueError if the training set has too few classes, or a class too few images, for the batches."""
    sizes = np.unique(train.labels, return_counts=True)[1]
    if len(sizes) < 2:
        raise ValueError(
            f"--data {config.data} has {len(sizes)} training class{'es' * (not len(sizes))}, and images of two are "
            "compared: add classes, or hold out fewer with --holdout"
        )
    fixed = {"episodes": 4, "views": 2}.get(config.kind, 2 if config.network != "batch" else 0)
    needed, smallest = fixed or config.per_class, int(sizes.min())
    if smallest >= needed:
        return
    few = f"the smallest training class of --data {config.data} has {smallest} image{'s' * (smallest > 1)}"
    if smallest == 1:
        raise ValueError(f"{few}, and two of a class are compared: add images, or take the class out")
    if fixed:
        raise ValueError(
            f"{few}, and --loss {config.loss} needs {needed} of each: use --loss supcon --per-class {smallest}"
        )
    raise ValueError(f"{few}, fewer than --per-class {config.per_class}: use --per-class {smallest}")


def _pairs(data: Dataset, rng: Generator, size: int, poses: int, count: int) -> Iterator[tuple[Array, ...]]:
    drawn: Iterator[tuple[Array, ...]]
    if count:
        drawn = fixed_pairs(data.labels, rng, count, size=size, groups=data.groups)
    else:
        drawn = samplers.pair_indices(data.labels, rng, size, groups=data.groups)
    for first, second, same, *_ in drawn:
        yield first, second, same, rng.integers(0, poses, len(same))


def _copied(
    data: Dataset, rng: Generator, size: int, poses: int, count: int, copies: int, ranges: dict[str, float]
) -> Iterator[tuple[Array, ...]]:
    """`count` pairs and `copies` distorted copies of each, drawn once: one epoch has each of them once.

    Koch et al. (2015), §3.2, add eight such copies to every training pair. Each image of a copy has its own distortion.
    """
    distortions = [augment.draw_affine(count * copies, rng, **ranges) for _ in range(2)]
    for first, second, same, copy in fixed_pairs(data.labels, rng, count, copies, size, groups=data.groups):
        yield first, second, same, rng.integers(0, poses, size), *(_with_number(parts, copy) for parts in distortions)


def _with_number(parts: augment.AffineParameters, copy: Array) -> Float[Array, "n 7"]:
    """The distortions with these numbers; a negative number is an undistorted pair: the identity."""
    return np.stack(
        [np.where(copy < 0, same, part[copy]) for same, part in zip(augment.IDENTITY, parts, strict=True)], 1
    )


def _show_copied(
    images: Array, first: Array, second: Array, same: Array, poses: Array, *parts: Array, ranks: Ranks
) -> tuple[Array, ...]:
    chosen, mine = (Chosen(first, poses), Chosen(second, poses)), share(len(same), ranks)
    return *(
        augment.apply_affine(_loaded(images, some, mine), augment.AffineParameters(*part[mine].T))
        for some, part in zip(chosen, parts, strict=True)
    ), same


def _neighbour_pairs(data: Dataset, rng: Generator, size: int, poses: int, by: str) -> Iterator[tuple[Array, ...]]:
    """Pairs in the same rotation and reflection, half of them neighbours in a graph."""
    graph = neighbour_graph.BUILDERS[by](data)
    for first, second, same in neighbour_pair_indices(graph, rng, size):
        yield first, second, same, rng.integers(0, poses, size)


def _with_neighbours(
    data: Dataset, rng: Generator, size: int, poses: int, by: str, same: float
) -> Iterator[tuple[Array, ...]]:
    """Images with their neighbours, and all pairs among them, in one rotation or reflection."""
    for rows, *pairs in neighbour_batch_indices(neighbour_graph.BUILDERS[by](data), rng, size, same):
        yield rows, np.full(len(rows), rng.integers(0, poses)), *pairs


def _first_is_chosen(rows: Array, poses: Array, *others: Array) -> tuple[Any, ...]:
    return Chosen(rows, poses), *others


def _arranged_pairs(first: Array, second: Array, same: Array, poses: Array) -> tuple[Any, ...]:
    return Chosen(first, poses), Chosen(second, poses), same


def _triplets(data: Dataset, rng: Generator, size: int, poses: int) -> Iterator[tuple[Array, ...]]:
    for rows in samplers.triplet_indices(data.labels, rng, size, groups=data.groups):
        yield *rows, rng.integers(0, poses, len(rows[0]))


def _arranged_triplets(*plan: Array) -> tuple[Any, ...]:
    *rows, poses = plan
    return tuple(Chosen(some, poses) for some in rows)


def _pk(data: Dataset, rng: Generator, size: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, K = `per_class`, or of all classes if there are fewer than P."""
    return _batches_of(data, rng, *_classes_and_images(data, size // per_class, per_class), poses)


def _pk_at_most(data: Dataset, rng: Generator, classes: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """Batches of `classes` × `per_class` images, or of all classes if there are fewer."""
    return _batches_of(data, rng, _classes_and_images(data, classes, per_class, more=False)[0], per_class, poses)


def _batches_of(data: Dataset, rng: Generator, classes: int, per_class: int, poses: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, each alphabet in one rotation or reflection, which is part of the label."""
    names, number = np.unique(data.labels, return_inverse=True)
    alphabets, alphabet = np.unique(data.groups, return_inverse=True)
    alphabet_of = np.zeros(len(names), int)
    alphabet_of[number] = alphabet
    for index in samplers.pk_indices(number, rng, classes, per_class, data.groups):
        letter = number[index]
        pose = rng.integers(0, poses, len(alphabets))[alphabet_of[letter]]
        yield index, pose, 8 * letter + pose


def _proxied(data: Dataset, rng: Generator, size: int, per_class: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches without rotation, with labels from 0: eight times as many proxies would be trained too rarely."""
    number = np.unique(data.labels, return_inverse=True)[1]
    sizes = _classes_and_images(data, size // per_class, per_class)
    return (
        (index, np.zeros_like(index), number[index]) for index in samplers.pk_indices(number, rng, *sizes, data.groups)
    )


def _classes_and_images(data: Dataset, classes: int, per_class: int, more: bool = True) -> tuple[int, int]:
    """P and K for data of few classes: all classes, and with `more` more images of each, to fill the batch."""
    sizes = np.unique(data.labels, return_counts=True)[1]
    if len(sizes) >= classes or not len(sizes):
        return classes, per_class
    images = min(int(sizes.min()), classes * per_class // len(sizes)) if more else per_class
    return len(sizes), max(per_class, images)


def _arranged_episode(rows: Array, poses: Array, _: Array) -> tuple[Any, ...]:
    """The first two images of each class as support, the other two as queries, classes numbered from 0."""
    classes = len(rows) // 4
    of_class, labels = Chosen(rows.reshape(classes, 4), poses.reshape(classes, 4)), np.repeat(np.arange(classes), 2)
    support, query = (Chosen(*(part[:, some].ravel() for part in of_class)) for some in (slice(2), slice(2, 4)))
    return support, labels, query, labels


def _arranged_views(rows: Array, poses: Array, _: Array) -> tuple[Any, ...]:
    """Two images of each class, used as two views of one."""
    return Chosen(rows[0::2], poses[0::2]), Chosen(rows[1::2], poses[1::2])


def _show(arrange: Callable[..., tuple[Any, ...]], images: Array, *plan: Array, ranks: Ranks) -> tuple[Array, ...]:
    """The network's arguments; of images those of this rank."""
    return tuple(
        _loaded(images, part, share(len(part.rows), ranks)) if isinstance(part, Chosen) else part
        for part in arrange(*plan)
    )


def _loaded(images: Array, chosen: Chosen, mine: slice) -> Array:
    return rotated(images[chosen.rows[mine]], chosen.poses[mine])


def _seeded(plan: Callable[..., Iterator[tuple[Array, ...]]]) -> Callable[..., Iterator[tuple[Array, ...]]]:
    """The same plan with a seed for the distortions of each batch.

    It is from a separate generator: distortions do not change which images are drawn.
    """

    def seeded(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
        (own,) = rng.spawn(1)
        return ((*rows, own.integers(2**63, size=())) for rows in plan(data, rng))

    return seeded


def _show_distorted(
    arrange: Callable[..., tuple[Any, ...]], distort: Any, images: Array, *planned: Array, ranks: Ranks
) -> tuple[Array, ...]:
    """As `_show`, with a random distortion of every image: the same on any number of ranks."""
    *plan, seed = planned
    rng = np.random.default_rng(int(seed))

    def shown(part: Any) -> Array:
        if not isinstance(part, Chosen):
            return part
        mine = share(len(part.rows), ranks)
        return distort(_loaded(images, part, mine), rng, mine, len(part.rows))

    return tuple(map(shown, arrange(*plan)))


def _affine(x: Array, rng: Generator, mine: slice, size: int, **ranges: float) -> Array:
    """The distortions of the rows `mine` of a batch, as `augment.affine` draws them for the whole batch."""
    drawn = augment.draw_affine(size, rng, **ranges)
    return augment.apply_affine(x, augment.AffineParameters(*(part[mine] for part in drawn)))


def _elastic(x: Array, rng: Generator, mine: slice, size: int) -> Array:
    """The same for `augment.elastic`, which draws image by image."""
    numbers = (*x.shape[1:3], 2)
    rng.random((mine.start, *numbers), dtype=np.float32)
    bent = augment.elastic(x, rng)
    rng.random((size - mine.stop, *numbers), dtype=np.float32)
    return bent


DISTORTIONS: dict[str, Callable[..., Array]] = {
    **{name: partial(_affine, **ranges) for name, ranges in AFFINE.items()},
    "elastic": _elastic,
}
