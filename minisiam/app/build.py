"""From settings to a method: what the words of the command line build, and what trains it.

settings = Settings(network="triplet", distance="cosine")
method   = build(settings)                → encoder, network, distance of matrices, optimizer
batches  = method.batches(data, rng)      → what trains it
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import distances, encoders, initializers, layers, losses, miners, networks, optimizers, pairwise
from ..datasets import blurred, centred, resized
from ..evaluate import embed
from ..fast.convert import convert
from ..fast.microbatch import microbatch
from ..losses.registry import CENTRES, EPISODES, FUNCTIONS, PROXIES, kind_of
from ..op import init_params, with_parameters, with_parameters_of
from . import input_pipeline
from .config import THRESHOLDS, Settings
from .input_pipeline import Batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..datasets import Dataset
    from ..layers import Layer
    from ..networks import Network
    from ..optimizers import Optimizer
    from ..typing import Array, Generator, Params


class Method(NamedTuple):
    """encoder × distance × loss, ready to train.

    distance, pairwise : the same distance for rows and for matrices; both take (a, b, *params["distance"])
    matrix_loss : the loss on the distance matrix of a batch, (D, *params["loss"], labels); None where it reads no such
    batches : `Batches`, (data, rng, skip=0) → an endless iterator of the network's arguments
    chance : the generator of a miner that draws, which the network advances at every step; None where none does
    pixels, side : the size of image that is loaded, and the size that the encoder reads
    centre, blur : whether images are centred, and whether they are blurred
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
    centre: bool
    blur: bool

    def prepared(self, data: Dataset) -> Dataset:
        """The images as the encoder wants them."""
        images = centred(data.images) if self.centre else data.images
        if self.blur:
            images = blurred(images)
        return data._replace(images=images if self.side == self.pixels else resized(images, self.side))

    def embed(self, params: Params, images: Array) -> Array:
        """z = f(images), with the encoder's part of the network's parameters."""
        return embed(self.encoder, params["encoder"], images)

    def matrix(self, params: Params) -> Callable[..., Any]:
        """The matrix distance with its learned parameters filled in."""
        return lambda a, b: self.pairwise(a, b, *params["distance"])


def build(settings: Settings, function: Callable[..., Any] | None = None) -> Method:
    """The method that the settings name; `function` is their loss with other constants than it has there."""
    encoder = build_encoder(settings)
    distance, loss = str(settings.distance), str(settings.loss)
    rows, matrix = (getattr(room, distance.replace("-", "_")) for room in (distances, pairwise))
    if settings.network == "verification":
        rows, matrix = (_with_threshold(f, *THRESHOLDS[distance]) for f in (rows, matrix))
    chosen = {"margin": settings.margin, "temperature": settings.temperature}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    function = partial(FUNCTIONS[loss] if function is None else function, **chosen)
    kind = kind_of(loss)
    chance = _chance(settings) if settings.miner in OF_CHANCE else None
    trained, matrix_loss = _matrix_loss(settings, kind, function, chance), _looked_at(settings, kind, function)
    if settings.network == "batch" and settings.similar != "class":
        network = networks.siamese_in_batch(encoder, rows, function)
    elif settings.network != "batch":
        network = WIRINGS[settings.network](encoder, rows, function)
    elif trained is not None:
        network = networks.batch(encoder, matrix, trained)
    else:
        network = _batch_network(loss, encoder, matrix, function, max(2, settings.classes))
    batches, optimizer = input_pipeline.build(settings), build_optimizer(settings)
    side, blur = READS.get(settings.encoder, (pixels(settings), False))
    ready = pixels(settings), side, settings.centre, blur
    return Method(encoder, network, rows, matrix, matrix_loss, batches, chance, optimizer, *ready)


def build_optimizer(settings: Settings) -> Optimizer:
    """Adam along half a cosine; or Koch's way: momentum that rises from ½, a rate that loses a hundredth an epoch."""
    rate, steps = settings.learning_rate, settings.steps
    if settings.optimizer == "adam":
        schedule = optimizers.cosine_decay(rate, steps, warmup=min(100, steps // 10))
        return optimizers.adam(schedule, weight_decay=settings.weight_decay)
    epoch = max(1, 2 * settings.pairs * (1 + settings.copies) // settings.batch) if settings.pairs else 500
    falling, rising = optimizers.exponential(rate, 0.99, every=epoch), optimizers.linear(0.5, 0.9, steps // 2 + 1)
    return optimizers.sgd(falling, momentum=rising, weight_decay=settings.weight_decay)


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
        return losses.with_miner(function, build_miner(settings, kind, chance))
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
    return networks.two_view(encoder, function, matrix if loss == "info-nce" else None)


def _to_soft_classes(matrix: Callable[..., Any]) -> Callable[..., Any]:
    """The distance to a class of several centres."""

    def to_classes(a, b, /, *params):
        D, pull_D = matrix(a, b, *params)
        d, pull_d = losses.soft_triple_distance(D, centres=CENTRES)
        return d, lambda dd: pull_D(*pull_d(dd))

    return with_parameters_of(matrix)(to_classes)


def _with_threshold(distance: Callable[..., Any], scale: float, threshold: float) -> Callable[..., Any]:
    """A distance whose zero is a threshold: calibrated or, with weights and bias of its own, started there."""
    if not init_params(distance, np.random.default_rng(0), 1):
        return distances.calibrated(distance, scale, threshold)
    bias = initializers.constant(-scale * threshold)
    return with_parameters(lambda rng, size: (np.full(size, scale / size, np.float32), bias(rng, ())))(distance)


def pixels(settings: Settings) -> int:
    """The size of image that the encoder reads."""
    return {"koch35": 35, "koch105": 105}.get(settings.encoder, 28)


def build_encoder(settings: Settings) -> Layer:
    """The encoder that the settings name, ending in `embedding_size` numbers; in pieces on all cores, unless plain."""
    size, name = settings.embedding_size, settings.encoder
    if name == "conv2":
        encoder = encoders.conv2(size, norm=settings.norm)
    elif name == "mlp":
        encoder = encoders.mlp(512, size)
    elif name == "bielski":
        encoder = encoders.bielski(size, norm=settings.norm)
    elif name in ("conv3", "conv4", "hoffer"):
        encoder = getattr(encoders, name)(embedding=size or None, norm=settings.norm)
    else:
        encoder = encoders.koch(int(name.removeprefix("koch")), size, init="he", norm=settings.norm)
    if settings.normalize:
        encoder = layers.serial(*encoder.parts, layers.Normalize, name=encoder.name)
    if settings.plain:
        return encoder
    return microbatch(convert(encoder), chunk=128 if name == "conv2" else 64)


WIRINGS = {"siamese": networks.siamese, "verification": networks.verification, "triplet": networks.triplet}
