"""Activations, applied entry by entry: relu, prelu, tanh, sigmoid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _numerics, require
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def relu(x: Float[Array, "..."], /) -> Op[Float[Array, "..."]]:
    """y = max(0, x), entry by entry.

    Parameters
    ----------
    x
        Any shape.

    Returns
    -------
    y, pullback
        `y` ≥ 0 has the shape of `x`; `pullback(dy)` gives `(dx,)`.

    Notes
    -----
    Kink at x = 0: the slope is 0 (the subgradient of least norm, as in PyTorch; autograd takes ½).

    References
    ----------
    Nair & Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".
    """
    y = np.maximum(x, 0)

    def pullback(dy):
        return (dy * (y > 0),)

    return y, pullback


@op
def prelu(x: Float[Array, "..."], slope: Float[Array, ""], /) -> Op[Float[Array, "..."]]:
    """y = max(0, x) + slope · min(0, x), with the slope learned.

    Parameters
    ----------
    x
        Any shape.
    slope
        A single number for all entries.

    Returns
    -------
    y, pullback
        `y` has the shape of `x`; `pullback(dy)` gives `(dx, dslope)`.

    Notes
    -----
    Kink at x = 0: ∂y/∂x is `slope`, as in PyTorch; ∂y/∂slope = min(0, x) is 0 there.

    References
    ----------
    He, Zhang, Ren & Sun (2015), "Delving deep into rectifiers", eq. 1 (with one slope shared by all channels).
    """
    require.dimensions(0, "(), a single number", slope=slope)
    negative = np.minimum(x, 0)

    def pullback(dy):
        return dy * (x > 0) + slope * (dy * (x <= 0)), (dy * negative).sum()

    return np.maximum(x, 0) + slope * negative, pullback


@op
def tanh(x: Float[Array, "..."], /) -> Op[Float[Array, "..."]]:
    """y = tanh(x), entry by entry; y in [−1, 1].

    Parameters
    ----------
    x
        Any shape.

    Returns
    -------
    y, pullback
        `y` in [−1, 1] has the shape of `x`; `pullback(dy)` gives `(dx,)` with dx = (1 − y²) dy. No kink.
    """
    y = np.tanh(x)

    def pullback(dy):
        return ((1 - y * y) * dy,)

    return y, pullback


@op
def sigmoid(x: Float[Array, "..."], /) -> Op[Float[Array, "..."]]:
    """y = 1 / (1 + e⁻ˣ), entry by entry; y in [0, 1].

    Parameters
    ----------
    x
        Any shape.

    Returns
    -------
    y, pullback
        `y` in [0, 1] has the shape of `x`; `pullback(dy)` gives `(dx,)` with dx = y (1 − y) dy. No kink; far from 0
        the function saturates and the gradient rounds to 0.
    """
    y = _numerics.sigmoid(x)

    def pullback(dy):
        return (y * (1 - y) * dy,)

    return y, pullback
