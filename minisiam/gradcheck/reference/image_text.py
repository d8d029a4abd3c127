"""Definitions of the losses of two towers; D is (n, n), and the pairs are on its diagonal."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify


@specify(sizes={"n": (1, 4)}, unit=1.0)
def pairwise_sigmoid(D):  # noqa: D103
    n = len(D)
    return sum(np.logaddexp(0, D[i, j] if i == j else -D[i, j]) for i in range(n) for j in range(n)) / n
