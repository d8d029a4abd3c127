"""From settings to a method: what the words of the command line build, and what trains it.

settings = Settings(network="triplet", distance="cosine")
method   = build(settings)                → encoder, network, distance of matrices, optimizer
batches  = method.batches(data, rng)      → what trains it
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import distances, encoders, initializers, layers, losses, miners, networks, optimizers, pairwise, samplers
from .datasets import blurred, centred, resized, turned
from .evaluate import embed
from .op import as_learned, parameters, starting
from .settings import CENTRES, EPISODES, FUNCTIONS, PROXIES, THRESHOLDS, Settings, kind_of
from .sharding import sharded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .datasets import Dataset
    from .layers import Layer
    from .networks import Network
    from .optimizers import Optimizer
    from .typing import Array, Generator, Params


class Method(NamedTuple):
    """encoder × distance × loss, ready to train.

    distance, pairwise : the same distance for rows and for matrices; both take (a, b, *params["distance"])
    matrix_loss : the loss on the distance matrix of a batch, (D, *params["loss"], labels); None where it reads no such
    batches : (data, rng) → an endless iterator of the network's arguments
    pixels, side : the size of image that is loaded, and the size that the encoder reads
    blur : whether images are blurred; they are always centred
    """

    encoder: Layer
    network: Network
    distance: Callable[..., Any]
    pairwise: Callable[..., Any]
    matrix_loss: Callable[..., Any] | None
    batches: Callable[[Dataset, Generator], Iterator[tuple[Array, ...]]]
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
    # one to train with and one to look at, so that looking does not change what is trained
    trained, matrix_loss = (_matrix_loss(settings, kind, function) for _ in range(2))
    if settings.network != "batch":
        network = WIRINGS[settings.network](encoder, rows, function)
    elif trained is not None:
        network = networks.batch(encoder, matrix, trained)
    else:
        network = _batch_network(loss, encoder, matrix, function, max(2, settings.classes))
    batches = BATCHES[settings.network if settings.network != "batch" else kind]
    schedule = optimizers.cosine_decay(settings.learning_rate, settings.steps, warmup=min(100, settings.steps // 10))
    optimizer = optimizers.adam(schedule, weight_decay=settings.weight_decay)
    side, blur = READS.get(settings.encoder, (pixels(settings), False))
    return Method(encoder, network, rows, matrix, matrix_loss, batches, optimizer, pixels(settings), side, blur)


READS = {"conv2": (14, True), "mlp": (28, True)}  # side and blur; larger convolutions blur by themselves


def _matrix_loss(settings: Settings, kind: str, function: Callable[..., Any]) -> Callable[..., Any] | None:
    """The loss on a distance matrix, its miner with a generator of its own; None where it reads no such matrix."""
    if kind in ("pairs", "triplets"):
        return losses.over(function, build_miner(settings, kind))
    return function if kind == "matrix" else None


def build_miner(settings: Settings, kind: str) -> Callable[..., Any]:
    """The miner that the settings name, as pairs or triplets; without one all pairs, or the hardest triplets."""
    name = settings.miner or ("all-pairs" if kind == "pairs" else "batch-hard")
    miner = miners.MINERS[name]
    if name in ("random-triplets", "distance-weighted"):
        miner = partial(miner, rng=np.random.default_rng([settings.seed, 77]))
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
    for x1, x2, same in samplers.pairs(data.images, data.labels, rng, size=64, groups=data.groups):
        poses = rng.integers(0, 8, len(same))
        yield turned(x1, poses), turned(x2, poses), same


def _triplets(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for images in samplers.triplets(data.images, data.labels, rng, size=48, groups=data.groups):
        poses = rng.integers(0, 8, len(images[0]))
        yield tuple(turned(x, poses) for x in images)


def _pk(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """P×K batches of 64 letters × 4, or of all classes where there are fewer."""
    return _exactly(data, rng, *_fitting(data, 64, 4))


def _exactly(data: Dataset, rng: Generator, classes: int, per_class: int) -> Iterator[tuple[Array, ...]]:
    """P×K batches, an alphabet in one pose; a letter in another pose has another label."""
    names, number = np.unique(data.labels, return_inverse=True)
    alphabets, alphabet = np.unique(data.groups, return_inverse=True)
    alphabet_of = np.zeros(len(names), int)
    alphabet_of[number] = alphabet
    for x, letter in samplers.pk(data.images, number, rng, classes, per_class, data.groups):
        poses = rng.integers(0, 8, len(alphabets))[alphabet_of[letter]]
        yield turned(x, poses), 8 * letter + poses


def _proxied(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """P×K batches upright, with labels from 0: a proxy has to be met often, so there are none for other poses."""
    number = np.unique(data.labels, return_inverse=True)[1]
    return samplers.pk(data.images, number, rng, *_fitting(data, 64, 4), data.groups)


def _fitting(data: Dataset, classes: int, per_class: int, more: bool = True) -> tuple[int, int]:
    """P and K for data of few classes: all of them, and, if `more`, as many images of each as make up for the rest."""
    sizes = np.unique(data.labels, return_counts=True)[1]
    if len(sizes) >= classes or not len(sizes):
        return classes, per_class
    images = min(int(sizes.min()), classes * per_class // len(sizes)) if more else per_class
    return len(sizes), max(per_class, images)


def _episodes(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """The first two images of each class as support, the other two as queries, classes numbered from 0."""
    classes, _ = _fitting(data, 64, 4, more=False)
    labels, size = np.repeat(np.arange(classes), 2), 2 * classes
    for x, _ in _exactly(data, rng, classes, 4):
        of_class = x.reshape(classes, 4, *x.shape[1:])
        yield of_class[:, :2].reshape(size, *x.shape[1:]), labels, of_class[:, 2:].reshape(size, *x.shape[1:]), labels


def _views(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    """Two images of each class, as if they were two views of one."""
    classes, _ = _fitting(data, 128, 2, more=False)
    return ((x[0::2], x[1::2]) for x, _ in _exactly(data, rng, classes, 2))


WIRINGS = {"siamese": networks.siamese, "verification": networks.verification, "triplet": networks.triplet}
BATCHES = {
    "siamese": _pairs,
    "verification": _pairs,
    "triplet": _triplets,
    **dict.fromkeys(("pairs", "triplets", "matrix"), _pk),
    "proxies": _proxied,
    "episodes": _episodes,
    "views": _views,
}
