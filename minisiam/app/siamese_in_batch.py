"""A siamese network on the pairs of one batch, for pairs by a graph (`datasets.graph.neighbour_batch_indices`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..networks import Network, siamese

if TYPE_CHECKING:
    from ..typing import Distance, Encoder, Loss


def siamese_in_batch(encoder: Encoder, distance: Distance, loss: Loss, attraction: float = 0.0) -> Network:
    """`networks.siamese` on pairs within one batch: each image is encoded once and may be in many pairs.

    The objective takes `x, first, second, same`: (n, ...) images, two (m,) arrays of row numbers, and (m,) booleans.

    Parameters
    ----------
    encoder, distance, loss
        As in `networks.siamese`; `loss` has no parameters if there is an attraction.
    attraction
        a in (0, 1): the loss is a · (its mean over the pairs that are the same) + (1 − a) · (its mean over the others),
        and a batch needs both kinds. With 0 it is the mean over all pairs.
    """
    if attraction:
        loss = _weighted(loss, attraction)

    def apply(params, /, x, first, second, same):
        z, pull_z = encoder(params["encoder"], x, input_grad=False)
        d, pull_d = distance(z[first], z[second], *params["distance"])
        value, pull_value = loss(d, *params["loss"], same)

        def pullback(dl):
            dd, *dloss = pull_value(dl)
            dfirst, dsecond, *ddistance = pull_d(dd)
            dz = np.zeros_like(z)
            np.add.at(dz, first, dfirst)  # the gradients of all pairs of an image add
            np.add.at(dz, second, dsecond)
            dtheta, _ = pull_z(dz)
            return ({"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss)},)

        return value, pullback

    return Network(siamese(encoder, distance, loss).init, apply)


def _weighted(loss: Loss, attraction: float) -> Loss:
    """The weighted sum of a loss on the pairs that are the same and on the others."""

    def weighted(d, /, same):
        if same.all() or not same.any():
            raise ValueError("attraction needs neighbours and other pairs, and one kind is missing: use a larger batch")
        weights = (same, attraction), (~same, 1 - attraction)
        parts = [(some, weight, *loss(d[some], same[some])) for some, weight in weights]
        value = sum(weight * value for _, weight, value, _ in parts)

        def pullback(dl):
            dd = np.empty_like(d)
            for some, weight, _, pull in parts:
                (dd[some],) = pull(weight * dl)
            return (dd,)

        return value, pullback

    return weighted
