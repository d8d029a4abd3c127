"""The definitions: every op's printed formula, once, in autograd.numpy, so that autograd can differentiate it.

This is the specification that the library is tested against. It shares no line with the ops: their code is
fast and careful, this is what they must equal. `specify` adds what a formula does not say.
"""

from __future__ import annotations

import autograd.numpy as np


def specify(corner=None, degree=1, sizes=None, cases=({},), scales=(-8, 8), unit=0.0):
    """Attach to a definition what the universal test needs to know of it.

    Parameters
    ----------
    corner, degree
        Where the formula has no derivative: a function of its arguments that is 0 there, and how it grows with them.
    sizes
        Which sizes a dimension may have, where 1 to 5 will not do.
    cases
        The constants to try.
    scales
        The powers of ten of its input for which the printed formula itself can be computed.
    unit
        The size below which a value is rounding: 1 for a cosine, 0 for a length.
    """

    def mark(definition):
        definition.corner, definition.degree = corner, degree
        definition.sizes, definition.cases = sizes or {}, cases
        definition.scales, definition.unit = scales, unit
        return definition

    return mark


def specified(definition):
    """The definition, marked if it is not yet: a learner's formula is judged at ordinary sizes."""
    return definition if hasattr(definition, "corner") else specify(scales=(-1, 1), unit=1.0)(definition)


def of(op):
    """The definition of an op, found by its name; a matrix distance is its row form on every pair."""
    definition = globals().get(op.__name__)
    if not hasattr(definition, "corner"):
        raise ValueError(
            f"there is no definition of {op.__name__} in minisiam.reference: give its formula as definition"
        )
    return matrix(definition) if op.__module__.endswith(".pairwise") else definition


def matrix(definition):
    """A distance of rows on every row of a against every row of b."""

    def every_pair(a, b, *rest):
        return definition(a[:, None], b[None], *rest)

    corner = definition.corner and (lambda a, b, *rest: definition.corner(a[:, None], b[None], *rest))
    return specify(corner, definition.degree, unit=definition.unit)(every_pair)


# ops


@specify(corner=lambda x: x)
def relu(x):  # noqa: D103
    return np.maximum(0, x)


@specify(corner=lambda x, **_: x, cases=({}, {"slope": 0.2}))
def leaky_relu(x, slope=0.01):  # noqa: D103
    return np.maximum(0, x) + slope * np.minimum(0, x)


@specify(corner=lambda x, slope: x)
def prelu(x, slope):  # noqa: D103
    return np.maximum(0, x) + slope * np.minimum(0, x)


@specify(scales=(-8, 1), unit=1.0)
def tanh(x):  # noqa: D103
    return np.tanh(x)


@specify(scales=(-8, 1), unit=1.0)
def sigmoid(x):  # noqa: D103
    return 1 / (1 + np.exp(-x))


@specify()
def dense(x, W, b):  # noqa: D103
    return np.dot(x, W) + b


@specify()
def flatten(x):  # noqa: D103
    return np.reshape(x, (len(x), -1))


@specify(cases=({}, {"rate": 0.2}))
def dropout(x, keep, rate=0.5):  # noqa: D103
    return np.where(keep, x / (1 - rate), 0)


@specify(corner=lambda x: np.sum(x**2, axis=-1), degree=2, unit=1.0)
def normalize(x):  # noqa: D103
    return x / np.sqrt(np.sum(x**2, axis=-1, keepdims=True))


@specify(sizes={"h": (4, 6), "w": (4, 6), "k": (1, 4)}, cases=({}, {"padding": "same"}))
def conv2d(x, W, b, padding="valid"):  # noqa: D103
    k = len(W)
    if padding == "same":
        x = np.pad(x, ((0, 0), ((k - 1) // 2, k // 2), ((k - 1) // 2, k // 2), (0, 0)), mode="constant")
    h, w = x.shape[1] - k + 1, x.shape[2] - k + 1
    return b + sum(np.dot(x[:, i : i + h, j : j + w], W[i, j]) for i in range(k) for j in range(k))


def _blocks(x, size=2):
    n, h, w, c = x.shape
    x = x[:, : h // size * size, : w // size * size]
    blocks = np.reshape(x, (n, h // size, size, w // size, size, c))
    return np.reshape(np.transpose(blocks, (0, 1, 3, 5, 2, 4)), (n, h // size, w // size, c, size * size))


def _gap_to_second(x, size=2):
    ranked = np.sort(_blocks(x, size), axis=-1)
    return ranked[..., -1:] - ranked[..., :-1]


@specify(corner=_gap_to_second, sizes={"h": (2, 5), "w": (2, 5)}, cases=({}, {"size": 1}))
def max_pool(x, size=2):  # noqa: D103
    return np.max(_blocks(x, size), axis=-1)


# distances, on the last axis: rows, and with `matrix` every pair of rows


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


# losses


@specify(corner=lambda d, same, margin=1.0: np.where(same, np.inf, margin - d), cases=({}, {"margin": 0.3}))
def contrastive(d, same, margin=1.0):  # noqa: D103
    return np.mean(np.where(same, d**2, np.maximum(0, margin - d) ** 2)) / 2


@specify(unit=1.0)
def cross_entropy(logits, same):  # noqa: D103
    return np.mean(np.where(same, np.logaddexp(0, -logits), np.logaddexp(0, logits)))  # −log σ(x) = log(1 + e⁻ˣ)


@specify(corner=lambda positive, negative, margin=1.0: positive - negative + margin, cases=({}, {"margin": 0.3}))
def triplet_hinge(positive, negative, margin=1.0):  # noqa: D103
    return np.mean(np.maximum(0, positive - negative + margin))


@specify(unit=1.0)
def triplet_soft_margin(positive, negative):  # noqa: D103
    return np.mean(np.logaddexp(0, positive - negative))


@specify(scales=(-8, 2), unit=1.0)
def triplet_ratio(positive, negative):  # noqa: D103
    total = np.exp(positive) + np.exp(negative)
    return np.mean((np.exp(positive) / total) ** 2 + (np.exp(negative) / total - 1) ** 2)


@specify(cases=({}, {"strength": 0.3}))
def l2_penalty(W, strength=1e-4):  # noqa: D103
    return strength * np.sum(W**2)
