"""Siamese and triplet networks from first principles.      method = encoder × distance × loss

The core, in reading order. A module imports only modules above it.

    require         checks of arguments, each an error with a remedy
    op              what an op is: value, pullback = op(variables, /, constants)
    tree            parameters and gradients are trees
    ops             dense, activations, convolution, pooling, normalisation
    distances       l2, squared_l2, l1, weighted_l1, cosine, dot: row by row
    pairwise        the same distances, every row against every row
    distance_matrix what losses and miners read of a distance matrix, in memory or blockwise
    miners          select the pairs and triplets of a batch that a loss uses
    losses          losses on pairs and triplets; combinators that apply them to a batch; losses on a whole batch
    initializers    first values of parameters
    layers          Layer(init, apply), serial
    encoders        mlp, convnet and networks of papers
    networks        siamese, triplet, verification, batch, proxy, prototypical: encoder × distance × loss
    samplers        from data to batches: pairs, triplets, P×K, episodes
    optimizers      sgd, adam, schedules
    train           the training loop; the caller prints, plots or stops
    evaluate        few-shot episodes, nearest neighbours, verification, retrieval
    checkpoint      save and load
    gallery         use what was trained: enrol, search, identify, verify

Folders beside the core, loaded on first use:

    fast            the same ops, encoders, distances and losses, faster
    distributed     more than one process, with the gradient of the whole batch
    gradcheck       is this gradient right? reference formulas, kinks, the check
    datasets        pen glyphs, Omniglot, MNIST, folders of pictures; augmentation
    analysis        losses and miners by name, the forces of a loss on a batch, the diagnosis of a training run
    plots           figures
    interop         other tools
    course          exercises and their grader
    app             the command line; `load("runs/…")` is a trained network, ready to use
"""

from __future__ import annotations

from . import _shadowed

# isort: split
import importlib
from typing import TYPE_CHECKING, Any

from . import (
    distances,
    encoders,
    evaluate,
    gallery,
    initializers,
    layers,
    losses,
    miners,
    networks,
    ops,
    optimizers,
    pairwise,
    require,
    samplers,
    train,
    tree,
)
from ._version import VERSION

if TYPE_CHECKING:
    from . import analysis, app, checkpoint, course, datasets, distributed, fast, gradcheck, interop, plots
    from .app.model import load as load

__version__ = VERSION
# the folders, and checkpoint, since importing zipfile and pathlib takes as long as importing the rest of the core
ON_FIRST_USE = (
    *("analysis", "app", "checkpoint", "course", "datasets"),
    *("distributed", "fast", "gradcheck", "interop", "plots"),
)


def __getattr__(name: str) -> Any:
    """Import a folder beside the core, `checkpoint`, or `load` of a run, on first use."""
    if name == "load":
        return importlib.import_module(f"{__name__}.app.model").load
    if name in ON_FIRST_USE:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *ON_FIRST_USE, "load"})
