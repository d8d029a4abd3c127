"""From settings to a method: encoder × distance × loss, the network that connects them, and its batches.

config  = Config(network="triplet", distance="cosine")
method  = build(config)                   → encoder, network, distances, optimizer
batches = method.batches(data, rng)       → the arguments of the network, step by step

This is where the fast ops and the threads of `minisiam train` are chosen (`build_encoder`).
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import (
    distances,
    distributed,
    encoders,
    initializers,
    layers,
    losses,
    miners,
    networks,
    optimizers,
    pairwise,
    tree,
)
from ..analysis.registry import CENTRES, EPISODES, LOSSES, MINERS, PROXIES
from ..datasets import blurred, centred, resized
from ..evaluate import embed
from ..fast.blockwise import blockwise
from ..fast.cached import cached
from ..fast.convert import convert
from ..fast.microbatch import microbatch
from ..op import has_parameters, with_parameters, with_parameters_of
from ..optimizers import Optimizer
from . import input_pipeline
from .siamese_in_batch import siamese_in_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..datasets import Dataset
    from ..distributed import Ranks
    from ..layers import Layer
    from ..networks import Network
    from ..typing import Array, Generator, Loss, Miner, PairwiseDistance, Params
    from .config import Config
    from .input_pipeline import Batches

NETWORKS = {"siamese": networks.siamese, "verification": networks.verification, "triplet": networks.triplet}
RANDOM_MINERS = ("random-triplets", "distance-weighted")
# encoders that read blurred images, and by how much their side is divided; larger convolutions blur by themselves
BLURRED = {"conv2": 2, "mlp": 1}
# where verification starts: the scale of the distance, and the distance at which a pair is as likely same as different
THRESHOLDS = {
    "l2": (3.0, 3.33),
    "squared-l2": (0.3, 16.7),
    "l1": (0.3, 33.0),
    "weighted-l1": (30.0, 0.33),
    "cosine": (10.0, 0.5),
}

CHUNK = 128  # images whose activations are in memory with --cached
LARGE = 2048  # images of a batch from which --cached computes the distances in blocks of rows
WHOLE_MATRIX = ("n-pair", "lifted", "angular", "histogram")  # losses that are not a sum over rows


class Method(NamedTuple):
    """encoder × distance × loss, ready to train.

    distance, pairwise : the same distance for rows and for matrices; both take (a, b, *params["distance"])
    matrix_loss : the loss on the distance matrix of a batch, (D, *params["loss"], labels), for the X-ray; None if the
        loss reads no such matrix
    batches : `Batches`, (data, rng, skip=0) → an endless iterator of the network's arguments
    miner_rng : the generator of a random miner, which the network advances at every step; else None
    pixels, side, channels : the size of image that is loaded, the size that the encoder reads, and its channels
    centre, blur : whether images are centred, and whether they are blurred
    """

    encoder: Layer
    network: Network
    distance: Callable[..., Any]
    pairwise: PairwiseDistance
    matrix_loss: Loss | None
    batches: Batches
    miner_rng: Generator | None
    optimizer: Optimizer
    pixels: int
    side: int
    channels: int
    centre: bool
    blur: bool

    def prepared(self, data: Dataset) -> Dataset:
        """The data with images as the encoder reads them."""
        return data._replace(images=self.prepare(data.images))

    def prepare(self, images: Array) -> Array:
        """Images of `pixels` a side as the encoder reads them."""
        images = centred(images) if self.centre else images
        images = blurred(images) if self.blur else images
        return images if self.side == self.pixels else resized(images, self.side)

    def embed(self, params: Params, images: Array) -> Array:
        """z = f(images), with the encoder's part of the network's parameters."""
        return embed(self.encoder, params["encoder"], images)

    def matrix(self, params: Params) -> PairwiseDistance:
        """The matrix distance with its learned parameters filled in."""
        return lambda a, b: self.pairwise(a, b, *params["distance"])


def build(config: Config, loss: Loss | None = None, ranks: Ranks | None = None) -> Method:
    """The method of these settings; `loss` replaces their loss by the same one with other constants.

    Its network takes the own images of each of the `ranks`.
    """
    encoder = build_encoder(config)
    distance = str(config.distance)
    rows, matrix = (getattr(module, distance.replace("-", "_")) for module in (distances, pairwise))
    if config.network == "verification":
        rows, matrix = (_with_threshold(f, *THRESHOLDS[distance]) for f in (rows, matrix))
    constants = {"margin": config.margin, "temperature": config.temperature}
    loss = partial(
        LOSSES[str(config.loss)] if loss is None else loss,
        **{name: value for name, value in constants.items() if value is not None},
    )
    rng = _miner_rng(config) if config.miner in RANDOM_MINERS else None
    parts = encoder, _as_compared(config, matrix)
    if ranks is not None and ranks.size > 1:
        parts = distributed.encoder(encoder, ranks), distributed.rows(parts[1], ranks)
    return Method(
        encoder=encoder,
        network=_network(config, *parts, rows, loss, rng),
        distance=rows,
        pairwise=matrix,
        matrix_loss=_repeatable_matrix_loss(config, loss),
        batches=input_pipeline.build(config),
        miner_rng=rng,
        optimizer=build_optimizer(config),
        pixels=config.pixels,
        side=_side(config),
        channels=config.channels,
        centre=config.centre,
        blur=_is_blurred(config),
    )


def _as_compared(config: Config, matrix: PairwiseDistance) -> PairwiseDistance:
    """The distances that the loss of a batch reads: in blocks of rows, or to classes with several centres."""
    if config.loss == "soft-triple":
        return _to_soft_classes(matrix)
    return blockwise(matrix) if in_blocks(config) else matrix


def _network(
    config: Config,
    encoder: Layer,
    matrix: PairwiseDistance,
    rows: Callable[..., Any],
    loss: Loss,
    rng: Generator | None,
) -> Network:
    if config.network != "batch":
        return NETWORKS[config.network](encoder, rows, loss)
    if config.pair_by != "class":
        return siamese_in_batch(encoder, rows, loss, config.attraction)
    matrix_loss = _matrix_loss(config, loss, rng)
    if matrix_loss is not None:
        return networks.batch(encoder, matrix, matrix_loss)
    return _batch_network(str(config.loss), encoder, matrix, loss, max(2, config.classes))


def in_blocks(config: Config) -> bool:
    """Whether the distance matrix of a batch is computed in blocks of rows, and never in memory as a whole."""
    by_rows = config.kind == "matrix" and config.loss not in WHOLE_MATRIX
    return config.cached and config.batch >= LARGE and (by_rows or (config.mines and config.miner == "batch-hard"))


def _batch_network(loss_name: str, encoder: Layer, matrix: PairwiseDistance, loss: Loss, classes: int) -> Network:
    """The networks that read a batch but do not compare every image with every other."""
    if loss_name in PROXIES:
        return networks.proxy(encoder, matrix, loss, classes, CENTRES if loss_name == "soft-triple" else 1)
    if loss_name in EPISODES:
        return {"prototypical": networks.prototypical, "matching": networks.matching}[loss_name](encoder, matrix, loss)
    if loss_name == "vicreg":
        return networks.joint_embedding(encoder, loss)
    return networks.two_view(encoder, matrix, loss)


def _matrix_loss(config: Config, loss: Loss, rng: Generator | None) -> Loss | None:
    """The loss on a distance matrix, its miner drawing from `rng`; None if the loss reads no distance matrix."""
    if config.kind in ("pairs", "triplets"):
        return losses.with_miner(loss, build_miner(config, rng))
    return loss if config.kind == "matrix" else None


def _repeatable_matrix_loss(config: Config, loss: Loss) -> Loss | None:
    """`_matrix_loss` with a new generator at each call: it does not affect training, and repeats its draws."""
    matrix_loss = _matrix_loss(config, loss, None)
    if config.miner not in RANDOM_MINERS or matrix_loss is None:
        return matrix_loss

    @wraps(matrix_loss)
    def with_new_generator(D, /, *arguments):
        return _matrix_loss(config, loss, None)(D, *arguments)  # type: ignore[misc]

    return with_new_generator


def build_miner(config: Config, rng: Generator | None = None) -> Miner:
    """The miner of these settings, as pairs or triplets; without one all pairs, or the hardest triplets.

    A random miner draws from `rng`; the default is a new generator, as at the first step of a run.
    """
    name = config.miner or ("all-pairs" if config.kind == "pairs" else "batch-hard")
    miner = MINERS[name]
    if name in RANDOM_MINERS:
        miner = partial(miner, rng=_miner_rng(config) if rng is None else rng)
    if name == "distance-weighted":
        miner = partial(miner, dimensions=config.embedding_size)

    def mine(D, labels):
        mined = miner(D, labels)
        if config.kind == "pairs":
            return mined.pairs if isinstance(mined, miners.Triplets) else mined
        return mined.triplets if isinstance(mined, miners.Pairs) else mined

    mine.__name__ = name.replace("-", "_")
    return mine


def _miner_rng(config: Config) -> Generator:
    """The generator of a random miner at the first step."""
    return np.random.default_rng([config.seed, 77])


def _to_soft_classes(matrix: PairwiseDistance) -> PairwiseDistance:
    """The distance to a class that has several centres."""

    def to_classes(a, b, /, *params):
        D, pull_D = matrix(a, b, *params)
        d, pull_d = losses.soft_triple_distance(D, centres=CENTRES)
        return d, lambda dd: pull_D(*pull_d(dd))

    return with_parameters_of(matrix)(to_classes)


def _with_threshold(distance: Callable[..., Any], scale: float, threshold: float) -> Callable[..., Any]:
    """A distance whose zero is a threshold: calibrated or, if it has its own weights and bias, started there."""
    if not has_parameters(distance):
        return distances.calibrated(distance, scale, threshold)
    bias = initializers.constant(-scale * threshold)
    return with_parameters(lambda rng, size: (np.full(size, scale / size, np.float32), bias(rng, ())))(distance)


def build_optimizer(config: Config) -> Optimizer:
    """The optimizer of these settings; with `freeze` it moves no layer of the encoder but the last one."""
    optimizer = _optimizer(config)
    return freezing(optimizer) if config.freeze else optimizer


def freezing(optimizer: Optimizer) -> Optimizer:
    """The same optimizer, except that of the encoder only the last layer with parameters moves.

    Running averages are not parameters: those of batch norm follow the images of the training, as its layers do.
    """

    def update(grads, state, params):
        moved, state = optimizer.update(grads, state, params)
        before, after = params["encoder"], moved["encoder"]
        last = max(number for number, theta in enumerate(before) if tree.size(theta))
        kept = tree.map_under("running", lambda _, average: average, before[:last], after[:last])
        return moved | {"encoder": [*kept, *after[last:]]}, state

    return Optimizer(optimizer.init, update)


def _optimizer(config: Config) -> Optimizer:
    """Adam with half a cosine; or Koch's SGD: momentum rises from ½, the rate loses 1 % per epoch."""
    rate, steps = config.learning_rate, config.steps
    if config.optimizer == "adam":
        schedule = optimizers.cosine_decay(rate, steps, warmup=min(100, steps // 10))
        return optimizers.adam(schedule, weight_decay=config.weight_decay)
    epoch = max(1, 2 * config.pairs * (1 + config.copies) // config.batch) if config.pairs else 500
    falling, rising = optimizers.exponential(rate, 0.99, every=epoch), optimizers.linear(0.5, 0.9, steps // 2 + 1)
    return optimizers.sgd(falling, momentum=rising, weight_decay=config.weight_decay)


def _side(config: Config) -> int:
    """The size of image that the encoder reads."""
    return config.pixels // BLURRED.get(config.encoder, 1)


def _is_blurred(config: Config) -> bool:
    """Whether images are blurred: strokes of ink then overlap more, and colours would only fade."""
    return config.encoder in BLURRED and config.channels == 1


def preparation(config: Config) -> list[str]:
    """How the encoder gets its images, and whether their rotations are classes: lines for the screen."""
    side, pixels = _side(config), config.pixels
    steps = [f"images of {pixels} × {pixels} pixels" + " in colour" * (config.channels == 3)]
    steps += ["shifted until their ink is centred"] * config.centre + ["blurred"] * _is_blurred(config)
    steps += [f"reduced to {side} × {side}"] * (side != pixels)
    if config.dihedral == 1:
        poses = "no class is rotated and reflected into eight (--dihedral 8 does it, the default for letters)"
    else:
        poses = "each class is rotated and reflected into eight (the default for letters; --dihedral 1 does not)"
    return [", ".join(steps), poses]


def build_encoder(config: Config) -> Layer:
    """The encoder of these settings, made of fast ops and run in chunks on all cores, unless `readable`."""
    encoder = _uncached_encoder(config)
    return cached(encoder, CHUNK) if config.cached else encoder


def _uncached_encoder(config: Config) -> Layer:
    encoder = _readable_encoder(config)
    if config.normalize:
        encoder = layers.serial(*encoder.parts, layers.Normalize, name=encoder.name)
    if config.readable:
        return encoder
    return microbatch(convert(encoder), chunk=128 if config.encoder == "conv2" else 64)


def _readable_encoder(config: Config) -> Layer:
    size, name = config.embedding_size, config.encoder
    if name == "conv2":
        return encoders.conv2(size, norm=config.norm)
    if name == "mlp":
        return encoders.mlp(512, size)
    if name == "bielski":
        return encoders.bielski(size, norm=config.norm)
    if name in ("conv3", "conv4", "hoffer"):
        return getattr(encoders, name)(embedding=size or None, norm=config.norm)
    return encoders.koch(int(name.removeprefix("koch")), size, init="he", norm=config.norm)
