"""minisiam: siamese and triplet networks from first principles.   method = encoder × distance × loss."""

from . import (
    checkpoint,
    datasets,
    distances,
    encoders,
    evaluate,
    initializers,
    layers,
    losses,
    miners,
    networks,
    ops,
    optimizers,
    pairwise,
    samplers,
    train,
    tree,
)
from ._version import VERSION
from .analysis import forces
from .app import conventions
from .datasets import augment
from .evaluate import retrieval
from .fast.blockwise import blockwise

__version__ = VERSION

__all__ = [
    "augment",
    "checkpoint",
    "datasets",
    "distances",
    "encoders",
    "evaluate",
    "initializers",
    "layers",
    "losses",
    "miners",
    "networks",
    "ops",
    "optimizers",
    "pairwise",
    "presets",
    "retrieval",
    "samplers",
    "streamed",
    "train",
    "tree",
    "xray",
]
