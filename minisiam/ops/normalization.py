"""Zero mean and unit variance: over a batch, a group of channels, or a whole example. Three ops, one gradient.

The ops differ only in the entries that share a mean. Each defines a function `means`, which turns the sums over the
places of each example into means that can be subtracted from x. `normalized` does the rest, including the gradient.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..op import op

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Op, Pullback

    Means = Callable[[Array], Array]


@op
def batch_norm(
    x: Float[Array, "n ... c"],
    scale: Float[Array, "c"],
    shift: Float[Array, "c"],
    /,
    epsilon: float = 1e-5,
    mean: Float[Array, "c"] | None = None,
    variance: Float[Array, "c"] | None = None,
) -> Op[Float[Array, "n ... c"]]:
    """y = scale · (x − μ) / √(σ² + ε) + shift, with the mean μ and variance σ² of each channel over the batch.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. μ and σ² are over all axes but the
        last. A channel with one value is an error: after normalisation only `shift` would remain.
    scale, shift
        (c,), the new standard deviation and mean of each channel, up to ε.
    epsilon
        ε > 0, under the root.
    mean, variance
        (c,) each, both or neither: for test time, constants to use instead of μ and σ².

    Returns
    -------
    y, pullback
        `y` has the shape of `x`; `pullback(dy)` gives `(dx, dscale, dshift)`. With x̂ = (x − μ) / √(σ² + ε) and means
        over the batch, dx = scale / √(σ² + ε) · (dy − mean dy − x̂ · mean(dy x̂)): dy without the components that shift
        or stretch x. At test time dx = scale / √(σ² + ε) · dy.

    Notes
    -----
    σ² is biased, a mean over n. No kink, because ε > 0: a constant channel has x̂ = 0, so y = `shift` there, exactly.
    The square of x − μ must be finite.

    References
    ----------
    Ioffe & Szegedy (2015), "Batch normalization", algorithms 1 and 2.
    """
    if mean is None or variance is None:
        if mean is not variance:
            raise ValueError("batch_norm needs both mean and variance, or neither to use the statistics of the batch")
        return by_batch(x, scale, shift, epsilon)[:2]
    epsilon = _checked(epsilon, x, scale, shift)
    require.same_shape(scale=scale, mean=mean, variance=variance)
    centred = x - mean.astype(x.dtype)
    inverse = 1 / np.sqrt(variance.astype(x.dtype) + epsilon)
    every = tuple(range(x.ndim - 1))

    def pullback(dy):
        return dy * (scale * inverse), (dy * centred).sum(axis=every) * inverse, dy.sum(axis=every)

    return centred * (scale * inverse) + shift, pullback


def by_batch(x: Array, scale: Array, shift: Array, epsilon: float) -> tuple[Array, Pullback, Array, Array]:
    """`batch_norm` in training: y, pullback, and the mean and variance of the batch, (c,) each."""
    epsilon = _checked(epsilon, x, scale, shift)
    values = enough(prod(x.shape[:-1]))

    def means(sums):
        return sums.sum(axis=0) / values

    first = x[(np.s_[:1],) * (x.ndim - 1)]
    y, pullback, mean, variance = normalized(x, scale, shift, epsilon, first, means)
    return y, pullback, mean.ravel(), variance.ravel()


def enough(values: int) -> int:
    """Return the number of values per channel, if it is enough for a mean and a variance."""
    if values < 2:
        raise ValueError(
            f"batch_norm needs two or more values per channel, and this batch has {values}: "
            "train on larger batches, or give mean and variance"
        )
    return values


@op
def group_norm(
    x: Float[Array, "n ... c"],
    scale: Float[Array, "c"],
    shift: Float[Array, "c"],
    /,
    groups: int = 8,
    epsilon: float = 1e-5,
) -> Op[Float[Array, "n ... c"]]:
    """y = scale · (x − μ) / √(σ² + ε) + shift, with μ and σ² of each group of channels of each example.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. μ and σ² are over all places of an
        example and the c / groups adjacent channels of a group. Each example is normalised by itself.
    scale, shift
        (c,), the new standard deviation and mean of each channel, up to ε.
    groups
        The number of groups of channels; it must divide c. With one channel per group this is instance norm.
    epsilon
        ε > 0, under the root.

    Returns
    -------
    y, pullback
        `y` has the shape of `x`; `pullback(dy)` gives `(dx, dscale, dshift)`. With x̂ = (x − μ) / √(σ² + ε),
        dx̂ = scale · dy and means over the group, dx = (dx̂ − mean dx̂ − x̂ · mean(dx̂ x̂)) / √(σ² + ε).

    Notes
    -----
    σ² is biased, a mean over the whole group. No kink, because ε > 0: a constant group has x̂ = 0, so y = `shift` there,
    exactly. A group with one value is an error, since it is always constant. The square of x − μ must be finite.

    References
    ----------
    Wu & He (2018), "Group normalization", eq. 1 to 7.
    """
    epsilon = _checked(epsilon, x, scale, shift)
    groups = require.whole("groups", groups, 1)
    size, rest = divmod(x.shape[-1], groups)
    if rest:
        raise ValueError(f"groups must divide the number of channels, {x.shape[-1]}; it is {groups}")
    places = prod(x.shape[1:-1])
    if places * size < 2:
        raise ValueError(
            f"a group needs two or more values, and each of {groups} groups of x {x.shape} has {places * size}: "
            "use fewer groups"
        )

    def means(sums):
        each = sums.reshape(len(x), groups, size).mean(axis=2) / places
        return np.repeat(each, size, axis=1).reshape(sums.shape)

    first = np.repeat(x[(np.s_[:], *(np.s_[:1],) * (x.ndim - 2), np.s_[::size])], size, axis=-1)
    return normalized(x, scale, shift, epsilon, first, means)[:2]


@op
def layer_norm(
    x: Float[Array, "n ... c"], scale: Float[Array, "c"], shift: Float[Array, "c"], /, epsilon: float = 1e-5
) -> Op[Float[Array, "n ... c"]]:
    """y = scale · (x − μ) / √(σ² + ε) + shift, with μ and σ² over a whole example: `group_norm` with one group.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. For an image, μ and σ² are over all
        places and channels. (The layer norm of transformers treats each place alone: for it, make each place a row.)
    scale, shift
        (c,), the new standard deviation and mean of each channel, up to ε.
    epsilon
        ε > 0, under the root.

    Returns
    -------
    y, pullback
        As in `group_norm`.

    Notes
    -----
    No kink: a constant example becomes `shift`, exactly.

    References
    ----------
    Ba, Kiros & Hinton (2016), "Layer normalization", eq. 3.
    """
    return group_norm(x, scale, shift, groups=1, epsilon=epsilon)


def normalized(
    x: Array, scale: Array, shift: Array, epsilon: float, first: Array, means: Means
) -> tuple[Array, Pullback, Array, Array]:
    """Return y, pullback, μ and σ² for any kind of means; `first` is one of the values in each mean.

    `first` is subtracted before averaging, so that even a large offset costs no digits and a constant is exactly 0.
    """
    centred = x - first
    offset = means(_over_places(centred))
    centred -= offset
    variance = means(_over_places(centred * centred))
    inverse = 1 / np.sqrt(variance + epsilon)

    def pullback(dy):
        down, out = _over_places(dy), _over_places(dy * centred) * inverse  # Σ dy and Σ dy x̂, one row per example
        dx = dy * (scale * inverse)
        dx -= inverse * means(scale * down)
        dx -= centred * (inverse * means(scale * out) * inverse)
        every = tuple(range(x.ndim - 1))
        return dx, out.sum(axis=every), down.sum(axis=every)

    return centred * (scale * inverse) + shift, pullback, first + offset, variance


def _over_places(a: Array) -> Array:
    """The sum over the places of each example, (n, 1, ..., c)."""
    return a.sum(axis=tuple(range(1, a.ndim - 1)), keepdims=True)


def _checked(epsilon: float, x: Array, scale: Array, shift: Array) -> float:
    """Check the arguments, and return ε as a number."""
    if x.ndim < 2:
        raise ValueError(f"x must have the shape (n, ..., channels), one example per entry, not {x.shape}")
    require.dimensions(1, "(channels,)", scale=scale, shift=shift)
    if not x.shape[-1] == len(scale) == len(shift):
        raise ValueError(
            f"x {x.shape}, scale {scale.shape}, shift {shift.shape} do not fit: (n, ..., c), (c,) and (c,)"
        )
    return require.between("epsilon", epsilon, 0, open_low=True)
