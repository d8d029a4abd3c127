"""Zero mean and unit variance: over a batch, a group of channels, or a whole example. Three ops, one gradient.

A normalisation is told by what it averages over: `means` turns the sums over the places of each example into means,
of the shape that subtracts them from x. The rest, and all of the calculus, is `normalized`.
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
    mean: Array | None = None,
    variance: Array | None = None,
) -> Op[Float[Array, "n ... c"]]:
    """y = scale · (x − μ) / √(σ² + ε) + shift, with the mean μ and variance σ² of each channel over the batch.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. μ and σ² are over all axes but the
        last, so every channel needs two values or more: of one alone nothing would be left but `shift`, and that is
        an error.
    scale, shift
        (c,), what the normalised channels are stretched by and moved to.
    epsilon
        ε > 0, under the root.
    mean, variance
        (c,) each, both or neither: the test-time form, with these as constants in the place of μ and σ².

    Returns
    -------
    y, pullback
        `y` has the shape of `x`; `pullback(dy)` gives `(dx, dscale, dshift)`. With x̂ = (x − μ) / √(σ² + ε) and means
        over the batch, dx = scale / √(σ² + ε) · (dy − mean dy − x̂ · mean(dy x̂)): what a shift or a stretch of x
        could do is removed. At test time dx = scale / √(σ² + ε) · dy.

    Notes
    -----
    σ² is biased, a mean over n. No kink, thanks to ε: a constant channel has x̂ = 0, so y = `shift` there, exactly.
    The square of x − μ must be finite.

    References
    ----------
    Ioffe & Szegedy (2015), "Batch normalization", algorithms 1 and 2.
    """
    if mean is None or variance is None:
        if mean is not variance:
            raise ValueError("batch_norm needs both mean and variance, or neither, to take those of the batch")
        return by_batch(x, scale, shift, epsilon)[:2]
    epsilon = _checked(epsilon, x, scale, shift)
    require.floating(mean=mean, variance=variance)
    require.same_shape(scale=scale, mean=mean, variance=variance)
    centred = x - mean.astype(x.dtype)
    inverse = 1 / np.sqrt(variance.astype(x.dtype) + epsilon)
    every = tuple(range(x.ndim - 1))

    def pullback(dy):
        return dy * (scale * inverse), (dy * centred).sum(axis=every) * inverse, dy.sum(axis=every)

    return centred * (scale * inverse) + shift, pullback


def by_batch(x: Array, scale: Array, shift: Array, epsilon: float) -> tuple[Array, Pullback, Array, Array]:
    """`batch_norm` while training: y, pullback, and the mean and variance of the batch, (c,) each."""
    epsilon = _checked(epsilon, x, scale, shift)
    values = enough(prod(x.shape[:-1]))

    def means(sums):
        return sums.sum(axis=0) / values

    first = x[(np.s_[:1],) * (x.ndim - 1)]
    y, pullback, mean, variance = normalized(x, scale, shift, epsilon, first, means)
    return y, pullback, mean.ravel(), variance.ravel()


def enough(values: int) -> int:
    """How many values a channel of the batch has, if that is enough for a mean and a variance."""
    if values < 2:
        raise ValueError(
            f"batch_norm needs two values or more of each channel, and this batch has {values}: "
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
    """y = scale · (x − μ) / √(σ² + ε) + shift, with μ and σ² of each example's every group of channels.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. μ and σ² are over all places of an
        example and the c / groups channels of a group, which are neighbours. No example sees another.
    scale, shift
        (c,), what the normalised channels are stretched by and moved to.
    groups
        Into how many the channels are parted; it must divide c. As many as channels is instance norm.
    epsilon
        ε > 0, under the root.

    Returns
    -------
    y, pullback
        `y` has the shape of `x`; `pullback(dy)` gives `(dx, dscale, dshift)`. With x̂ = (x − μ) / √(σ² + ε),
        dx̂ = scale · dy and means over the group, dx = (dx̂ − mean dx̂ − x̂ · mean(dx̂ x̂)) / √(σ² + ε).

    Notes
    -----
    σ² is biased, a mean over all of the group. No kink, thanks to ε: a constant group has x̂ = 0, so y = `shift` there,
    exactly. A group of one value is always constant, and an error. The square of x − μ must be finite.

    References
    ----------
    Wu & He (2018), "Group normalization", eq. 1 to 7.
    """
    epsilon = _checked(epsilon, x, scale, shift)
    require.whole("groups", groups, 1)
    size, rest = divmod(x.shape[-1], groups)
    if rest:
        raise ValueError(f"{x.shape[-1]} channels do not part into {groups} groups: groups must divide them")
    places = prod(x.shape[1:-1])
    if places * size < 2:
        raise ValueError(
            f"a group needs two values or more, and in x {x.shape} each of {groups} has {places * size}: fewer groups"
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
    """y = scale · (x − μ) / √(σ² + ε) + shift, with μ and σ² over all of an example: `group_norm` with one group.

    Parameters
    ----------
    x
        (n, ..., c): rows, or images with the channels last, in any memory order. Of an image μ and σ² are over all
        places and channels (what transformers call layer norm treats each place alone: make each a row).
    scale, shift
        (c,), what the normalised channels are stretched by and moved to.
    epsilon
        ε > 0, under the root.

    Returns
    -------
    y, pullback
        As of `group_norm`.

    Notes
    -----
    No kink: an example that is constant becomes `shift`, exactly.

    References
    ----------
    Ba, Kiros & Hinton (2016), "Layer normalization", eq. 3.
    """
    return group_norm(x, scale, shift, groups=1, epsilon=epsilon)


def normalized(
    x: Array, scale: Array, shift: Array, epsilon: float, first: Array, means: Means
) -> tuple[Array, Pullback, Array, Array]:
    """y, pullback, μ and σ² for any kind of means; `first` is one of the values of each mean.

    Values are measured from the first before they are averaged: an offset, however large, costs no digits, and what is
    constant is exactly 0.
    """
    centred = x - first
    offset = means(_over_places(centred))
    centred -= offset
    variance = means(_over_places(centred * centred))
    inverse = 1 / np.sqrt(variance + epsilon)

    def pullback(dy):
        down, out = _over_places(dy), _over_places(dy * centred) * inverse  # Σ dy and Σ dy x̂, an example a row
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
    """ε as a number, if that and the shapes are right."""
    require.floating(x=x)
    if x.ndim < 2:
        raise ValueError(f"x must have the shape (n, ..., channels), one example an entry, not {x.shape}")
    require.dimensions(1, "(channels,)", scale=scale, shift=shift)
    if not x.shape[-1] == len(scale) == len(shift):
        raise ValueError(
            f"x {x.shape}, scale {scale.shape}, shift {shift.shape} do not fit: (n, ..., c), (c,) and (c,)"
        )
    return require.between("epsilon", epsilon, 0, open_low=True)
