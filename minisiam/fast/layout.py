"""Places first: the memory layout of images in the fast ops.

The shape of a batch of images is (n, height, width, channels), as everywhere. The fast ops store it in memory as
(height, width, n, channels). Then a window, a pooling block or a tile is a slice of outer axes, and the n · channels
numbers of a place are contiguous. The two differ by a transposition, which in NumPy changes strides and copies nothing,
so other code need not know the layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array


def places_first(x: Array) -> Array:
    """(n, h, w, c) as (h, w, n, c): a view."""
    return x.transpose(1, 2, 0, 3)


def batch_first(x: Array) -> Array:
    """(h, w, n, c) as (n, h, w, c): a view."""
    return x.transpose(2, 0, 1, 3)


def framed(x: Array, before: int, height: int, width: int) -> Array:
    """x as (height, width, n, c), with `before` rows and columns of zeros in front, cropped or padded at the end."""
    x = places_first(x)
    if (before, height, width) == (0, *x.shape[:2]):
        return np.ascontiguousarray(x)
    frame = np.zeros((height, width, *x.shape[2:]), x.dtype)
    inside = frame[before : before + len(x), before : before + x.shape[1]]
    inside[...] = x[: len(inside), : inside.shape[1]]
    return frame


def unframed(frame: Array, before: int, height: int, width: int) -> Array:
    """The gradient of x from that of its frame: (n, height, width, c), with zeros where the frame was cropped."""
    inside = frame[before : before + height, before : before + width]
    if inside.shape[:2] != (height, width):
        cut, inside = inside, np.zeros((height, width, *frame.shape[2:]), frame.dtype)
        inside[: len(cut), : cut.shape[1]] = cut
    return batch_first(inside)


def of_one_dtype(*arrays: Array) -> tuple[Array, ...]:
    """Convert the arrays to their common dtype."""
    dtype = np.result_type(*arrays)
    return tuple(array.astype(dtype, copy=False) for array in arrays)


def column_sums(x: Array) -> Array:
    """Σ over all axes but the last, as a product with ones, which is five times as fast as `sum`."""
    rows = x.reshape(-1, x.shape[-1])
    return np.ones(len(rows), x.dtype) @ rows


def by_place(z: Array) -> Array:
    """(2 p, 2 q, n, o) as (2, 2, p, q, n, o), a view: the first two axes are the place in a 2×2 block."""
    return z.reshape(len(z) // 2, 2, z.shape[1] // 2, 2, *z.shape[2:]).transpose(1, 3, 0, 2, 4, 5)
