"""minisiam: siamese and triplet networks from first principles.   method = encoder × distance × loss."""

from . import (
    augment,
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
    presets,
    retrieval,
    samplers,
    train,
    tree,
    xray,
)
from .streaming import streamed
from .version import VERSION

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
