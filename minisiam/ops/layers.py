"""The other ops of a network: dense, flatten, normalize."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from .. import require
from .._numerics import unit_rows
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def dense(
    x: Float[Array, "n i"], W: Float[Array, "i o"], b: Float[Array, "o"], /, input_grad: bool = True
) -> Op[Float[Array, "n o"]]:
    """z = x W + b.

    Parameters
    ----------
    x
        (n, i), one example per row.
    W, b
        (i, o) weights and (o,) bias.
    input_grad
        With False, dx is None and its matrix product is saved: images need no gradient.

    Returns
    -------
    z, pullback
        `z` is (n, o); `pullback(dz)` gives `(dx, dW, db)` = (dz Wᵀ, xᵀ dz, Σ rows of dz). No kink.
    """
    check_dense(x, W, b)

    def pullback(dz):
        dx = dz @ W.T if input_grad else None
        return dx, x.T @ dz, dz.sum(axis=0)

    return x @ W + b, pullback


def check_dense(x: Array, W: Array, b: Array) -> None:
    """Raise an error if x, W and b do not fit together."""
    require.dimensions(2, "(n, features): put ops.flatten before a dense layer", x=x)
    require.dimensions(2, "(inputs, outputs)", W=W)
    require.dimensions(1, "(outputs,)", b=b)
    if x.shape[1] != W.shape[0] or W.shape[1] != b.shape[0]:
        raise ValueError(f"x {x.shape}, W {W.shape} and b {b.shape} do not fit: they must be (n, i), (i, o) and (o,)")


@op
def flatten(x: Float[Array, "n ..."], /) -> Op[Float[Array, "n d"]]:
    """Y = the entries of each example as one row.

    Parameters
    ----------
    x
        (n, ...), one example per entry of the first axis.

    Returns
    -------
    y, pullback
        `y` is (n, d); `pullback(dy)` gives `(dx,)` in the shape of `x`. No kink.
    """

    def pullback(dy):
        return (dy.reshape(x.shape),)

    return x.reshape(len(x), prod(x.shape[1:])), pullback


@op
def normalize(x: Float[Array, "n d"], /) -> Op[Float[Array, "n d"]]:
    """y = x / ‖x‖₂, row by row: a point on the unit sphere.

    Parameters
    ----------
    x
        (n, d), one embedding per row.

    Returns
    -------
    y, pullback
        `y` is (n, d), every row of length 1 or 0; `pullback(dy)` gives `(dx,)` with dx = (dy − y (y·dy)) / ‖x‖: the
        radial part is removed.

    Notes
    -----
    Kink at x = 0, which has no direction: y = 0 and dx = 0 (autograd gives NaN; PyTorch divides by 10⁻¹²). The same
    applies to ‖x‖ below √tiny, 10⁻¹⁵⁴ in float64 and 10⁻¹⁹ in float32.
    """
    require.dimensions(2, "(n, d), one embedding a row", x=x)
    y, inverse = unit_rows(x)

    def pullback(dy):
        return ((dy - y * (y * dy).sum(axis=1, keepdims=True)) * inverse,)

    return y, pullback
