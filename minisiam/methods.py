"""From settings to a method: what the words of the command line build, and what trains it.

settings = Settings(network="triplet", distance="cosine")
method   = build(settings)                → encoder, network, distance of matrices, optimizer
batches  = method.batches(data, rng)      → what trains it
"""

from __future__ import annotations

from functools import partial, wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import distances, encoders, initializers, layers, losses, miners, networks, optimizers, pairwise, samplers
from .datasets import blurred, centred, resized, turned
from .evaluate import embed
from .op import as_learned, parameters, starting
from .settings import AUGMENTS, CENTRES, EPISODES, FUNCTIONS, PROXIES, THRESHOLDS, Settings, kind_of
from .sharding import sharded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .datasets import Dataset
    from .layers import Layer
    from .networks import Network
    from .optimizers import Optimizer
    from .typing import Array, Generator, Params


class Batches(NamedTuple):
    """What trains a network, in two steps: which rows in which poses, by chance, and then their images.

    plan : (data, rng) → an endless iterator of whole numbers; it reads labels and groups, never the images
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


class Method(NamedTuple):
    """encoder × distance × loss, ready to train.

    distance, pairwise : the same distance for rows and for matrices; both take (a, b, *params["distance"])
    matrix_loss : the loss on the distance matrix of a batch, (D, *params["loss"], labels); None where it reads no such
    batches : `Batches`, (data, rng, skip=0) → an endless iterator of the network's arguments
    chance : the generator of a miner that draws, which the network advances at every step; None where none does
    pixels, side : the size of image that is loaded, and the size that the encoder reads
    blur : whether images are blurred; they are always centred
    """

    encoder: Layer
    network: Network
    distance: Callable[..., Any]
    pairwise: Callable[..., Any]
    matrix_loss: Callable[..., Any] | None
    batches: Batches
    chance: Generator | None
    optimizer: Optimizer
    pixels: int
    side: int
    blur: bool

    def prepared(self, data: Dataset) -> Dataset:
        """The images as the encoder wants them."""
        images = centred(data.images)
        if self.blur:
            images = blurred(images)
        return data._replace(images=images if self.side == self.pixels else resized(images, self.side))

    def embed(self, params: Params, images: Array) -> Array:
        """z = f(images), with the encoder's part of the network's parameters."""
        return embed(self.encoder, params["encoder"], images)

    def matrix(self, params: Params) -> Callable[..., Any]:
        """The matrix distance with its learned parameters filled in."""
        return lambda a, b: self.pairwise(a, b, *params["distance"])


def build(settings: Settings) -> Method:
    """The method that the settings name."""
    encoder = build_encoder(settings)
    distance, loss = str(settings.distance), str(settings.loss)
    rows, matrix = (getattr(room, distance.replace("-", "_")) for room in (distances, pairwise))
    if settings.network == "verification":
        rows, matrix = (_with_threshold(f, *THRESHOLDS[distance]) for f in (rows, matrix))
    function = FUNCTIONS[loss] if settings.margin is None else partial(FUNCTIONS[loss], margin=settings.margin)
    kind = kind_of(loss)
    chance = _chance(settings) if settings.miner in OF_CHANCE else None
    trained, matrix_loss = _matrix_loss(settings, kind, function, chance), _looked_at(settings, kind, function)
    if settings.network != "batch":
        network = WIRINGS[settings.network](encoder, rows, function)
    elif trained is not None:
        network = networks.batch(encoder, matrix, trained)
    else:
        network = _batch_network(loss, encoder, matrix, function, max(2, settings.classes))
    batches = _augmented(BATCHES[settings.network if settings.network != "batch" else kind], settings.augment)
    schedule = optimizers.cosine_decay(settings.learning_rate, settings.steps, warmup=min(100, settings.steps // 10))
    optimizer = optimizers.adam(schedule, weight_decay=settings.weight_decay)
    side, blur = READS.get(settings.encoder, (pixels(settings), False))
    return Method(encoder, network, rows, matrix, matrix_loss, batches, chance, optimizer, pixels(settings), side, blur)


READS = {"conv2": (14, True), "mlp": (28, True)}  # side and blur; larger convolutions blur by themselves


OF_CHANCE = ("random-triplets", "distance-weighted")  # the miners that draw


def _chance(settings: Settings) -> Generator:
    """What a miner draws from, at the first step."""
    return np.random.default_rng([settings.seed, 77])


def _matrix_loss(
    settings: Settings, kind: str, function: Callable[..., Any], chance: Generator | None
) -> Callable[..., Any] | None:
    """The loss on a distance matrix, its miner drawing from `chance`; None where it reads no such matrix."""
    if kind in ("pairs", "triplets"):
        return losses.over(function, build_miner(settings, kind, chance))
    return function if kind == "matrix" else None


def _looked_at(settings: Settings, kind: str, function: Callable[..., Any]) -> Callable[..., Any] | None:
    """`_matrix_loss` to look at: looking changes nothing that is trained, and whoever looks twice sees the same."""
    loss = _matrix_loss(settings, kind, function, None)
    if settings.miner not in OF_CHANCE or loss is None:
        return loss

    @wraps(loss)
    def look(D, /, *arguments):
        return _matrix_loss(settings, kind, function, None)(D, *arguments)  # type: ignore[misc]

    return look


def build_miner(settings: Settings, kind: str, chance: Generator | None = None) -> Callable[..., Any]:
    """The miner that the settings name, as pairs or triplets; without one all pairs, or the hardest triplets.

    `chance` is where it draws from, if it draws; by default where the first step of a run does.
    """
    name = settings.miner or ("all-pairs" if kind == "pairs" else "batch-hard")
    miner = miners.MINERS[name]
    if name in OF_CHANCE:
        miner = partial(miner, rng=_chance(settings) if chance is None else chance)
    if name == "distance-weighted":
        miner = partial(miner, dimensions=settings.embedding_size)

    def mine(D, labels):
        found = miner(D, labels)
        if kind == "pairs":
            return found.pairs if isinstance(found, miners.Triplets) else found
        return found.triplets if isinstance(found, miners.Pairs) else found

    mine.__name__ = name.replace("-", "_")
    return mine


def _batch_network(
    loss: str, encoder: Layer, matrix: Callable[..., Any], function: Callable[..., Any], classes: int
) -> Network:
    """The wirings of a batch that do not compare every image with every other."""
    if loss == "soft-triple":
        return networks.proxy(encoder, _to_soft_classes(matrix), function, classes, CENTRES)
    if loss in PROXIES:
        return networks.proxy(encoder, matrix, function, classes)
    if loss in EPISODES:
        return {"prototypical": networks.prototypical, "matching": networks.matching}[loss](encoder, matrix, function)
    return networks.views(encoder, function, matrix if loss == "info-nce" else None)


def _to_soft_classes(matrix: Callable[..., Any]) -> Callable[..., Any]:
    """The distance to a class of several centres."""

    def to_classes(a, b, /, *params):
        D, pull_D = matrix(a, b, *params)
        d, pull_d = losses.soft_classes(D, centres=CENTRES)
        return d, lambda dd: pull_D(*pull_d(dd))

    return as_learned(to_classes, matrix)


def _with_threshold(distance: Callable[..., Any], scale: float, threshold: float) -> Callable[..., Any]:
    """A distance whose zero is a threshold: calibrated or, with weights and bias of its own, started there."""
    if not parameters(distance, np.random.default_rng(0), 1):
        return distances.calibrated(distance, scale, threshold)
    bias = initializers.constant(-scale * threshold)
    return starting(distance, lambda rng, size: (np.full(size, scale / size, np.float32), bias(rng, ())))


def pixels(settings: Settings) -> int:
    """The size of image that the encoder reads."""
    return {"koch35": 35, "koch105": 105}.get(settings.encoder, 28)


def build_encoder(settings: Settings) -> Layer:
    """The encoder that the settings name, ending in `embedding_size` numbers; in pieces on all cores, unless plain."""
    size, name = settings.embedding_size, settings.encoder
    how: dict[str, Any] = {"norm": settings.norm, "plain": settings.plain}
    if name == "conv2":
        encoder = encoders.conv2(size, **how)
    elif name == "mlp":
        encoder = encoders.mlp(512, size)
    elif name == "bielski":
        encoder = encoders.bielski(size, **how)
    elif name == "conv4":
        encoder = encoders.conv4(embedding=size, **how)
    else:
        encoder = encoders.koch(int(name.removeprefix("koch")), size, init="he", **how)
    if settings.normalize:
        encoder = layers.serial(*encoder.parts, layers.Normalize, name=encoder.name)
    return encoder if settings.plain else sharded(encoder, chunk=128 if name == "conv2" else 64)


# What trains each network. Every class is met in all eight poses of a square, as so many more letters; what is
# compared is turned alike, so that no pair is told apart by its pose. Letters of one alphabet come together: they are
# the ones that are hard to tell apart.


def _pairs(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for first, second, same in samplers.pair_indices(data.labels, rng, size=64, groups=data.groups):
        yield first, second, same, rng.integers(0, 8, len(same))


def _show_pairs(images: Array, first: Array, second: Array, same: Array, poses: Array) -> tuple[Array, ...]:
    return turned(images[first], poses), turned(images[second], poses), same


def _triplets(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for rows in samplers.triplet_indices(data.labels, rng, size=48, groups=data.groups):
        yield *rows, rng.integers(0, 8, len(rows[0]))


def _show_triplets(images: Array, *plan: Array) -> tuple[Array, ...]:
    *rows, poses = plan
    return tuple(turned(images[some], poses) for some in rows)


def _pk(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """P×K batches of 64 letters × 4, or of all classes where there are fewer."""
    return _exactly(data, rng, *_fitting(data, 64, 4))


def _at_most(data: Dataset, rng: Generator, classes: int, per_class: int) -> Iterator[tuple[Array, ...]]:
    """Batches of as many letters, or of all classes where there are fewer, and of each no more images for it."""
    return _exactly(data, rng, _fitting(data, classes, per_class, more=False)[0], per_class)


def _exactly(data: Dataset, rng: Generator, classes: int, per_class: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, an alphabet in one pose; a letter in another pose has another label."""
    names, number = np.unique(data.labels, return_inverse=True)
    alphabets, alphabet = np.unique(data.groups, return_inverse=True)
    alphabet_of = np.zeros(len(names), int)
    alphabet_of[number] = alphabet
    for index in samplers.pk_indices(number, rng, classes, per_class, data.groups):
        letter = number[index]
        poses = rng.integers(0, 8, len(alphabets))[alphabet_of[letter]]
        yield index, poses, 8 * letter + poses


def _show_pk(images: Array, index: Array, poses: Array, labels: Array) -> tuple[Array, ...]:
    return turned(images[index], poses), labels


def _proxied(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """P×K batches upright, with labels from 0: a proxy has to be met often, so there are none for other poses."""
    number = np.unique(data.labels, return_inverse=True)[1]
    return ((index, number[index]) for index in samplers.pk_indices(number, rng, *_fitting(data, 64, 4), data.groups))


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


WIRINGS = {"siamese": networks.siamese, "verification": networks.verification, "triplet": networks.triplet}
BATCHES = {
    "siamese": Batches(_pairs, _show_pairs),
    "verification": Batches(_pairs, _show_pairs),
    "triplet": Batches(_triplets, _show_triplets),
    **dict.fromkeys(("pairs", "triplets", "matrix"), Batches(_pk, _show_pk)),
    "proxies": Batches(_proxied, _show_proxied),
    "episodes": Batches(partial(_at_most, classes=64, per_class=4), _show_episode),
    "views": Batches(partial(_at_most, classes=128, per_class=2), _show_views),
}
