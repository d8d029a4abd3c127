"""Definitions of the ops of `minisiam.ops` and of their fast versions."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify

SAME_BY_THREE = {"padding": "same", "stride": 3}


@specify(corner=lambda x: x)
def relu(x):  # noqa: D103
    return np.maximum(0, x)


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


@specify(corner=lambda x: np.sum(x**2, axis=-1), degree=2, unit=1.0)
def normalize(x):  # noqa: D103
    return x / np.sqrt(np.sum(x**2, axis=-1, keepdims=True))


def _standard(x, axes, epsilon):
    variance = np.mean((x - np.mean(x, axis=axes, keepdims=True)) ** 2, axis=axes, keepdims=True)
    return (x - np.mean(x, axis=axes, keepdims=True)) / np.sqrt(variance + epsilon)


# three or more values in every mean: two values become ±1, and their gradient is mostly rounding
GIVEN = {"mean": np.array([0.3, -0.2]), "variance": np.array([0.5, 2.0])}


@specify(sizes={"n": (3, 5), "c": (2, 2)}, unit=1.0, cases=({}, {"epsilon": 0.3}, GIVEN))
def batch_norm(x, scale, shift, epsilon=1e-5, mean=None, variance=None):  # noqa: D103
    if mean is not None:
        return scale * (x - mean) / np.sqrt(variance + epsilon) + shift
    return scale * _standard(x, tuple(range(np.ndim(x) - 1)), epsilon) + shift


@specify(sizes={"c": (6, 6)}, unit=1.0, cases=({"groups": 2}, {"groups": 1}, {"groups": 2, "epsilon": 0.3}))
def group_norm(x, scale, shift, groups=8, epsilon=1e-5):  # noqa: D103
    parts = np.split(x, groups, axis=-1)
    every = tuple(range(1, np.ndim(x)))
    return scale * np.concatenate([_standard(part, every, epsilon) for part in parts], axis=-1) + shift


@specify(sizes={"c": (3, 4)}, unit=1.0, cases=({}, {"epsilon": 0.3}))
def layer_norm(x, scale, shift, epsilon=1e-5):  # noqa: D103
    return scale * _standard(x, tuple(range(1, np.ndim(x))), epsilon) + shift


@specify(sizes={"h": (4, 6), "w": (4, 6), "k": (1, 4)}, cases=({}, {"padding": "same"}, {"stride": 2}, SAME_BY_THREE))
def conv2d(x, W, b, padding="valid", stride=1):  # noqa: D103
    k = len(W)
    if padding == "same":
        x = np.pad(x, ((0, 0), ((k - 1) // 2, k // 2), ((k - 1) // 2, k // 2), (0, 0)), mode="constant")
    h, w = x.shape[1] - k + 1, x.shape[2] - k + 1
    every = b + sum(np.dot(x[:, i : i + h, j : j + w], W[i, j]) for i in range(k) for j in range(k))
    return every[:, ::stride, ::stride]


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


# the fast versions of these ops must equal the same definitions

conv2d_im2row = conv2d_winograd = conv2d
pool_2x2 = max_pool


# sums that cancel exactly in `conv2d` cancel only up to rounding here, so scales start at 1 and the unit is 1; `reach`
# is smaller because a spectrum is as large as the sum of an image
@specify(sizes=conv2d.sizes, cases=({}, {"padding": "same"}), scales=(0, 8), unit=1.0, reach=0.9)
def conv2d_fft(x, W, b, padding="valid"):  # noqa: D103
    return conv2d(x, W, b, padding)


def _gap_to_second_or_0(x, W, b, **padding):
    z = conv2d(x, W, b, **padding)
    return np.append(_gap_to_second(z), max_pool(z))


@specify(_gap_to_second_or_0, 2, sizes={"h": (4, 5), "w": (4, 5), "k": (1, 3)}, cases=conv2d_fft.cases)
def conv_pool_relu(x, W, b, padding="valid"):  # noqa: D103
    return relu(max_pool(conv2d(x, W, b, padding)))
