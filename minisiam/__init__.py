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
    samplers,
    train,
    tree,
    xray,
)
from .streaming import streamed

__version__ = "0.1.0"

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
    "samplers",
    "streamed",
    "train",
    "tree",
    "xray",
]
