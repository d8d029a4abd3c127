"""From losses on pairs and triplets to losses on a batch: a miner chooses which entries of the matrix count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from ..op import op, starting

if TYPE_CHECKING:
    from collections.abc import Callable


def over(loss: Callable[..., Any], miner: Callable[..., Any]) -> Callable[..., Any]:
    """loss(D[mined entries]; targets): a loss on pairs or triplets becomes a loss on a distance matrix.

    Parameters
    ----------
    loss
        Any loss of this package on pairs or triplets.
    miner
        `indices, targets = miner(D, labels)` as in `minisiam.miners`: an index pair for each distance that the loss
        takes, and its targets by name. What is chosen is held fixed: a miner has no gradient.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, **constants)` with D (n, n) and labels (n,) integers;
        `pullback(dl)` gives `(dD,)`. The parameters of a learned loss stand between D and labels, and their gradients
        after dD. An entry that is used twice receives two gradients, and they add.
    """

    @op
    def mined(D, /, *params_and_labels, **constants):
        *params, labels = params_and_labels
        require.dimensions(2, "(n, n), every image against every image", D=D)
        require.class_labels(labels, len(D))
        if D.shape[0] != D.shape[1]:
            raise ValueError(f"D must be square, every image against every image, not {D.shape}")
        indices, targets = miner(D, labels)
        value, pull = loss(*(D[rows, columns] for rows, columns in indices), *params, **targets, **constants)

        def pullback(dl):
            grads = pull(dl)
            dD = np.zeros_like(D)
            for (rows, columns), dd in zip(indices, grads, strict=False):
                np.add.at(dD, (rows, columns), dd)
            return dD, *grads[len(indices) :]

        return value, pullback

    return starting(mined, loss.init) if hasattr(loss, "init") else mined
