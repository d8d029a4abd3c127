"""Definitions of the losses on proxies."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import TARGETS, lse


@specify(sizes=TARGETS["sizes"], scales=(-1, 0), unit=1.0, cases=({"scale": 8.0}, {"margin": 0.3, "scale": 2.0}))
def proxy_anchor(D, targets, margin=0.1, scale=32.0):  # noqa: D103
    s, (n, m) = 1 - D, D.shape
    near = [
        lse([0.0, *(scale * (margin - s[i, k]) for i in range(n) if targets[i] == k)]) for k in range(m) if k in targets
    ]
    far = [lse([0.0, *(scale * (margin + s[i, k]) for i in range(n) if targets[i] != k)]) for k in range(m)]
    return sum(near) / len(near) + sum(far) / m


@specify(
    sizes={"m": (4, 4)},
    scales=(-1, 0),
    unit=1.0,
    cases=({"centres": 2, "gamma": 0.3}, {"centres": 1}, {"centres": 4, "gamma": 2.0}),
)
def soft_triple_distance(D, centres=10, gamma=0.1):  # noqa: D103
    d = np.reshape(D, (len(D), -1, centres))
    p = np.exp(-d / gamma)
    return np.sum(p * d, axis=-1) / np.sum(p, axis=-1)
