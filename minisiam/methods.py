"""From names to a method: the words of the command line, which of them go together, and what they build.

settings = Settings(network="triplet", distance="cosine")
method   = build(settings)                → encoder, network, distance of matrices, optimizer
batches  = method.batches(data, rng)      → what trains it
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import distances, encoders, initializers, losses, miners, networks, optimizers, pairwise, require, samplers
from .datasets import blurred, centred, turned
from .evaluate import embed
from .op import parameters, starting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .datasets import Dataset
    from .layers import Layer
    from .networks import Network
    from .optimizers import Optimizer
    from .typing import Array, Generator, Params

# which losses a network can have, its default first, and why it can have no other
LOSSES = {
    "siamese": ("contrastive",),
    "triplet": ("soft-margin", "hinge", "ratio"),
    "verification": ("cross-entropy",),
    "batch": ("soft-margin", "hinge", "ratio", "contrastive"),
}
READS = {
    "contrastive": "a distance and whether the pair is the same: use --network siamese (or batch)",
    "cross-entropy": "log-odds, so a distance with a learned threshold: use --network verification",
    "hinge": "two distances, to a positive and to a negative: use --network triplet (or batch)",
    "soft-margin": "two distances, to a positive and to a negative: use --network triplet (or batch)",
    "ratio": "two distances, to a positive and to a negative: use --network triplet (or batch)",
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contrastive": losses.contrastive,
    "cross-entropy": losses.cross_entropy,
    "hinge": losses.triplet_hinge,
    "soft-margin": losses.triplet_soft_margin,
    "ratio": losses.triplet_ratio,
}
DISTANCES = ("l2", "squared-l2", "l1", "weighted-l1", "cosine")
ENCODERS = ("mlp", "bielski", "conv4", "koch28", "koch35", "koch105")
# the margin of a loss that has one, in the units of each distance: found by search on training alphabets
MARGINS = {
    "contrastive": {"l2": 5.0, "squared-l2": 10.0, "l1": 50.0, "weighted-l1": 1.0, "cosine": 0.5},
    "hinge": {"l2": 1.0, "squared-l2": 5.0, "l1": 10.0, "weighted-l1": 0.5, "cosine": 0.3},
}
# where verification begins: the scale of the distance, and the distance at which a pair is as likely same as not
THRESHOLDS = {
    "l2": (3.0, 3.33),
    "squared-l2": (0.3, 16.7),
    "l1": (0.3, 33.0),
    "weighted-l1": (30.0, 0.33),
    "cosine": (10.0, 0.5),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run. `loss` and `margin` are filled in when they are left out."""

    network: str = "batch"
    encoder: str = "mlp"
    distance: str = "l2"
    loss: str | None = None
    margin: float | None = None
    embedding_size: int = 128
    seed: int = 0
    steps: int = 6000
    minutes: float = 1.0
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        require.one_of("network", self.network, LOSSES)
        require.one_of("encoder", self.encoder, ENCODERS)
        require.one_of("distance", self.distance, DISTANCES)
        if self.loss is None:
            object.__setattr__(self, "loss", LOSSES[self.network][0])
        self._check_loss()
        self._check_margin()
        require.whole("seed", self.seed, 0)
        require.whole("steps", self.steps, 1)
        require.whole("embedding-size", self.embedding_size, 1)
        require.between("minutes", self.minutes, 0, open_low=True)
        require.between("learning-rate", self.learning_rate, 0, open_low=True)
        if self.embedding_size == 1 and self.distance == "cosine":
            raise ValueError("the cosine of two numbers is ±1 and says nothing: use --embedding-size 2 or more")

    def _check_loss(self) -> None:
        require.one_of("loss", str(self.loss), FUNCTIONS)
        if self.loss not in LOSSES[self.network]:
            raise ValueError(
                f"--network {self.network} cannot have --loss {self.loss}, which reads {READS[str(self.loss)]}"
            )

    def _check_margin(self) -> None:
        if self.loss not in MARGINS:
            if self.margin is not None:
                raise ValueError(f"--loss {self.loss} has no margin: leave --margin out, or use {' or '.join(MARGINS)}")
            return
        if self.margin is None:
            object.__setattr__(self, "margin", MARGINS[self.loss][self.distance])
        margin = require.between("margin", self.margin, 0, open_low=True)  # type: ignore[arg-type]
        if self.distance == "cosine" and margin > 2:
            raise ValueError(f"cosine distances lie between 0 and 2, so a margin of {margin:g} can never be kept")

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Settings:
        """Settings from a file; what this version does not know is an error."""
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"these settings are from another version: {', '.join(sorted(unknown))} is unknown here")
        return cls(**stored)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def title(self) -> str:
        """In the words of the equation."""
        margin = f" (margin {self.margin:g})" if self.margin is not None else ""
        return f"{self.network}: {self.encoder} × {self.distance} × {self.loss}{margin}"


class Method(NamedTuple):
    """encoder × distance × loss, ready to train.

    distance, pairwise : the same distance for rows and for matrices; both take (a, b, *params["distance"])
    batches : (data, rng) → an endless iterator of the network's arguments
    pixels : the size of image that the encoder reads
    blur : whether it wants its images blurred; it always wants them centred
    """

    encoder: Layer
    network: Network
    distance: Callable[..., Any]
    pairwise: Callable[..., Any]
    batches: Callable[[Dataset, Generator], Iterator[tuple[Array, ...]]]
    optimizer: Optimizer
    pixels: int
    blur: bool

    def prepared(self, data: Dataset) -> Dataset:
        """The images as the encoder wants them."""
        images = centred(data.images)
        return data._replace(images=blurred(images) if self.blur else images)

    def embed(self, params: Params, images: Array) -> Array:
        """z = f(images), with the encoder's part of the network's parameters."""
        return embed(self.encoder, params["encoder"], images)

    def matrix(self, params: Params) -> Callable[..., Any]:
        """The matrix distance with its learned parameters filled in."""
        return lambda a, b: self.pairwise(a, b, *params["distance"])


def build(settings: Settings) -> Method:
    """The method that the settings name."""
    encoder = build_encoder(settings)
    name = settings.distance.replace("-", "_")
    rows, matrix = getattr(distances, name), getattr(pairwise, name)
    if settings.network == "verification":
        rows, matrix = (_with_threshold(f, *THRESHOLDS[settings.distance]) for f in (rows, matrix))
    loss = FUNCTIONS[str(settings.loss)]
    if settings.margin is not None:
        loss = partial(loss, margin=settings.margin)
    if settings.network == "batch":
        miner = miners.all_pairs if settings.loss == "contrastive" else miners.batch_hard
        network = networks.batch(encoder, matrix, losses.over(loss, miner))
    else:
        network = WIRINGS[settings.network](encoder, rows, loss)
    schedule = optimizers.cosine_decay(settings.learning_rate, settings.steps, warmup=min(100, settings.steps // 10))
    blur = settings.encoder == "mlp"  # a convolution blurs by itself
    return Method(
        encoder, network, rows, matrix, BATCHES[settings.network], optimizers.adam(schedule), pixels(settings), blur
    )


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
    """The encoder that the settings name, ending in `embedding_size` numbers."""
    size = settings.embedding_size
    if settings.encoder == "mlp":
        return encoders.mlp(512, size)
    if settings.encoder == "bielski":
        return encoders.bielski(size)
    if settings.encoder == "conv4":
        return encoders.conv4(embedding=size)
    return encoders.koch(int(settings.encoder.removeprefix("koch")), size, init="he")


# What trains each network. Every class is met in all eight poses of a square, as so many more letters; what is
# compared is turned alike, so that no pair is told apart by its pose.


def _pairs(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for x1, x2, same in samplers.pairs(data.images, data.labels, rng, size=64, groups=data.groups):
        poses = rng.integers(0, 8, len(same))
        yield turned(x1, poses), turned(x2, poses), same


def _triplets(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for images in samplers.triplets(data.images, data.labels, rng, size=48, groups=data.groups):
        poses = rng.integers(0, 8, len(images[0]))
        yield tuple(turned(x, poses) for x in images)


def _pk(data: Dataset, rng: Generator) -> Iterator[tuple[Array, ...]]:
    for x, labels in samplers.pk(data.images, data.labels, rng, classes=32, per_class=4):
        yield turned(x, np.repeat(rng.integers(0, 8, 32), 4)), labels


WIRINGS = {"siamese": networks.siamese, "verification": networks.verification, "triplet": networks.triplet}
BATCHES = {"siamese": _pairs, "verification": _pairs, "triplet": _triplets, "batch": _pk}
