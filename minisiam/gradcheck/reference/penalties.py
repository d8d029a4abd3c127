"""Definitions of the losses on embeddings and on weights."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify


def _short(z, epsilon):
    return 1 - np.sqrt(np.sum((z - np.mean(z, axis=0)) ** 2, axis=0) / (len(z) - 1) + epsilon)


@specify(
    lambda z1, z2, epsilon=1e-4, **_: np.concatenate([_short(z1, epsilon), _short(z2, epsilon)]),
    sizes={"n": (2, 5)},
    scales=(-2, 2),
    reach=0.4,
    cases=({}, {"invariance": 2.0, "variance": 3.0, "covariance": 0.5, "epsilon": 0.1}),
)
def vicreg(z1, z2, invariance=25.0, variance=25.0, covariance=1.0, epsilon=1e-4):  # noqa: D103
    def spread(z):
        centred = z - np.mean(z, axis=0)
        C = np.dot(centred.T, centred) / (len(z) - 1)
        pairs = [(j, k) for j in range(z.shape[1]) for k in range(z.shape[1]) if j != k]
        return (
            variance * np.mean(np.maximum(0, _short(z, epsilon))) / 2
            + covariance * sum(C[j, k] ** 2 for j, k in pairs) / z.shape[1]
        )

    return invariance * np.mean((z1 - z2) ** 2) + spread(z1) + spread(z2)


@specify(cases=({}, {"strength": 0.3}))
def l2_penalty(W, strength=1e-4):  # noqa: D103
    return strength * np.sum(W**2)
