"""The X-ray of a run's loss: the forces between the points of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import samplers
from ..analysis import forces
from ..op import init_params

if TYPE_CHECKING:
    from ..analysis.forces import XRay
    from ..datasets import Dataset
    from ..typing import Array, Params
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


def xray_of_run(run: Run, data: Dataset, seed: int = 0) -> XRay:
    """The X-ray of a run's loss on eight letters of a random alphabet, four images of each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(np.unique(data.groups))
    alphabet = run.method.prepared(data.where(data.groups == group))
    classes = min(8, len(np.unique(alphabet.labels)))
    x, labels = next(samplers.pk(alphabet.images, alphabet.labels, rng, classes=classes, per_class=4))
    z = run.method.embed(run.params, x)
    return xray_of_embeddings(run.method, z, labels, run.params, run.config.margin or 0.5)
