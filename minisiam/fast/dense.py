"""`ops.dense` for a whole batch on several threads, each of which computes some columns of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ops.layers import check_dense
from .layout import column_sums

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..typing import Array

    Each = Callable[[Callable[[Any], Any], list[Any]], list[Any]]

HALVES = 2  # parts of the columns; a fixed number, so that the result does not depend on the number of threads


def dense_by_columns(
    x: Array, W: Array, b: Array, each: Each, input_grad: bool = True
) -> tuple[Array, Callable[[Array], tuple[Array | None, Array, Array]]]:
    """`dense` for a whole batch, computed in two halves of the columns of z, W and x; `each(f, items)` is a map.

    W is read once, and its gradient is not a sum over chunks of the batch.
    """
    check_dense(x, W, b)
    z = np.empty((len(x), W.shape[1]), np.result_type(x, W))

    def forward(some):
        np.matmul(x, W[:, some], out=z[:, some])
        z[:, some] += b[some]

    def pullback(dz):
        dW, dx = np.empty_like(W), np.empty_like(x) if input_grad else None

        def backward(halves):
            columns, inputs = halves
            np.matmul(x.T, dz[:, columns], out=dW[:, columns])
            if dx is not None:
                np.matmul(dz, W[inputs].T, out=dx[:, inputs])

        each(backward, list(zip(_halves(W.shape[1]), _halves(len(W)), strict=True)))
        return dx, dW, column_sums(dz)

    each(forward, _halves(W.shape[1]))
    return z, pullback


def _halves(columns: int) -> list[slice]:
    """Two slices of the columns; the boundary is a multiple of 16 numbers, one cache line."""
    middle = -(-columns // (16 * HALVES)) * 16
    return [slice(0, middle), slice(middle, columns)]
