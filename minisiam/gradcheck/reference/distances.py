"""Definitions of the distances, on the last axis: of rows, and with `matrix` of every pair of rows."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify


@specify()
def squared_l2(a, b):  # noqa: D103
    return np.sum((a - b) ** 2, axis=-1)


@specify(corner=lambda a, b: np.sum((a - b) ** 2, axis=-1), degree=2)
def l2(a, b):  # noqa: D103
    return np.sqrt(np.sum((a - b) ** 2, axis=-1))


@specify(corner=lambda a, b: a - b)
def l1(a, b):  # noqa: D103
    return np.sum(np.abs(a - b), axis=-1)


@specify(corner=lambda a, b, w, bias: a - b)
def weighted_l1(a, b, w, bias):  # noqa: D103
    return np.sum(w * np.abs(a - b), axis=-1) + bias


@specify(corner=lambda a, b: np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1), degree=4, unit=1.0)
def cosine(a, b):  # noqa: D103
    return 1 - np.sum(a * b, axis=-1) / np.sqrt(np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1))


@specify()
def dot(a, b):  # noqa: D103
    return -np.sum(a * b, axis=-1)


def matrix(definition):
    """The pairwise form of a row distance: every row of a against every row of b."""

    def every_pair(a, b, *rest):
        return definition(a[:, None], b[None], *rest)

    corner = definition.corner and (lambda a, b, *rest: definition.corner(a[:, None], b[None], *rest))
    return specify(corner, definition.degree, scales=definition.scales, unit=definition.unit)(every_pair)
