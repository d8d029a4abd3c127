"""Common mistakes in batch norm and group norm, made on purpose."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array
    from ..exercises import Function

    Means = Callable[[Array], Array]
    Back = Callable[[Array, Array, Array, Means], Array]  # (dy, scale, x̂, means) ↦ dx √(σ² + ε)


def over_batch(x: Array, groups: int) -> Means:
    """Means of each channel over the batch."""
    return lambda a: a.mean(axis=tuple(range(a.ndim - 1)), keepdims=True)


def over_example(x: Array, groups: int) -> Means:
    """Means of each example over everything."""
    return lambda a: a.mean(axis=tuple(range(1, a.ndim)), keepdims=True)


def over_group(x: Array, groups: int) -> Means:
    """Means of each example over adjacent channels."""
    return _over_channels(x, np.arange(x.shape[-1]) * groups // x.shape[-1])


def over_strided_group(x: Array, groups: int) -> Means:
    """The same over every channel that has the same remainder."""
    return _over_channels(x, np.arange(x.shape[-1]) % groups)


def _over_channels(x: Array, group: Array) -> Means:
    alike = (group[:, None] == group).astype(x.dtype)
    alike /= alike.sum(axis=0)
    places = tuple(range(1, x.ndim - 1))
    return lambda a: a.mean(axis=places, keepdims=True) @ alike


def exact(dy: Array, scale: Array, unit: Array, means: Means) -> Array:
    """The gradient, if the means are the right ones."""
    dunit = scale * dy
    return dunit - means(dunit) - unit * means(dunit * unit)


def constant_statistics(dy: Array, scale: Array, unit: Array, means: Means) -> Array:
    """μ and σ are taken for constants."""
    return scale * dy


def constant_deviation(dy: Array, scale: Array, unit: Array, means: Means) -> Array:
    """Only σ is taken for a constant."""
    return scale * dy - means(scale * dy)


def scale_missing(dy: Array, scale: Array, unit: Array, means: Means) -> Array:
    """As if every scale was 1."""
    return exact(dy, np.ones_like(scale), unit, means)


def scale_last(dy: Array, scale: Array, unit: Array, means: Means) -> Array:
    """The scale multiplies after the means, which is right in batch norm alone."""
    return scale * exact(dy, np.ones_like(scale), unit, means)


def norm(over: Callable[[Array, int], Means], back: Back = exact, unbiased: bool = False) -> Function:
    """A norm with these means, and with this gradient of x; `unbiased` divides the variance by n − 1."""

    def op(x: Array, scale: Array, shift: Array, groups: int = 1, epsilon: float = 1e-5) -> Any:
        means, every = over(x, groups), tuple(range(x.ndim - 1))
        centred = x - means(x)
        values = x.size / x.shape[-1]
        variance = means(centred * centred) * (values / (values - 1) if unbiased else 1)
        deviation = np.sqrt(variance + epsilon).astype(x.dtype)
        unit = centred / deviation

        def pullback(dy: Array) -> tuple[Array, ...]:
            dx = (back(dy, scale, unit, means) / deviation).astype(x.dtype)
            return dx, (dy * unit).sum(axis=every), dy.sum(axis=every)

        return scale * unit + shift, pullback

    return op


def instead(wrong: Function) -> Callable[[Function], Function]:
    """The wrong norm with the signature of the right one."""
    return lambda op: wraps(op)(lambda *args, **constants: wrong(*args, **constants))


def _value(wrong: Function) -> Function:
    return lambda *args, **constants: wrong(*args, **constants)[0]


# what is wrong, so that "this is the value if …" is a sentence
BATCH_NORM: dict[str, Function] = {
    "the variance is divided by n − 1, not by n": _value(norm(over_batch, unbiased=True)),
    "μ and σ² are those of each example, not of the batch": _value(norm(over_example)),
}
GROUP_NORM: dict[str, Function] = {
    "μ and σ² are those of the batch, as in batch norm": _value(norm(over_batch)),
    "μ and σ² are over a whole example, not over each group": _value(norm(over_example)),
    "the channels of a group are not adjacent": _value(norm(over_strided_group)),
}
