"""The X-ray of a run's loss: the forces between the points of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import samplers
from ..analysis import forces
from ..op import init_params

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.forces import XRay
    from ..datasets import Dataset
    from ..typing import Array, Generator, Params
    from .build import Method
    from .run import Run


def xray_of_embeddings(
    method: Method, z: Array, labels: Array, params: Params | None = None, margin: float = 1.0
) -> XRay:
    """The X-ray of a method's loss on embeddings, with the network's parameters or, without them, the initial ones."""
    if method.matrix_loss is None:
        raise ValueError("this loss does not compare every image with every other, so there are no forces to show")
    if params is None:
        rng = np.random.default_rng(0)
        params = {
            "distance": init_params(method.pairwise, rng, z.shape[1]),
            "loss": init_params(method.matrix_loss, rng, z.shape[1]),
        }
    return forces.xray(
        method.matrix_loss, z, labels, method.pairwise, tuple(params["distance"]), tuple(params["loss"]), margin
    )


def largest_batches(data: Dataset, rng: Generator, classes: int, per_class: int = 4) -> Iterator[tuple[Array, Array]]:
    """Batches of up to so many classes with up to so many images of each; classes of a single image are left out."""
    labels, sizes = np.unique(data.labels, return_counts=True)
    enough = sizes > 1 if (sizes > 1).any() else sizes > 0
    some = data.where(np.isin(data.labels, labels[enough]))
    per_class = min(per_class, int(sizes[enough].min()))
    return samplers.pk(some.images, some.labels, rng, classes=min(classes, int(enough.sum())), per_class=per_class)


def xray_of_run(run: Run, data: Dataset, seed: int = 0) -> XRay:
    """The X-ray of a run's loss on up to eight letters of a random alphabet, up to four images of each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(np.unique(data.groups))
    alphabet = run.method.prepared(data.where(data.groups == group))
    x, labels = next(largest_batches(alphabet, rng, classes=8))
    z = run.method.embed(run.params, x)
    return xray_of_embeddings(run.method, z, labels, run.params, run.config.margin or 0.5)
