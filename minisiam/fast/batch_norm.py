"""Batch norm on a batch in chunks, which exchange two sums per chunk.

There are three stages. Each chunk computes its sums (`collected`), all chunks together compute the statistics
(`statistics`), and each chunk is normalised with them (`normalised`, or `pooled`, which includes ReLU and pooling). The
pullbacks run in the opposite order: each chunk computes Σ dy and Σ dy (x − a), all chunks together the gradient through
the statistics, and each chunk its dx. So each chunk stays in the cache during a stage, on any thread.

A stage of one chunk is `y, pullback = stage(chunk)`; a stage of all chunks is `chunks, pullback = stage(chunks)`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ops.normalization import enough
from .fused import best_of_four, to_winners
from .layout import batch_first, by_place, column_sums, places_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Op


class Collected(NamedTuple):
    """A chunk, its number of values per channel and, for each channel, the anchor a, Σ (x − a) and Σ (x − a)².

    The anchor is the mean of the chunk, up to rounding, so that an offset of all x costs no digits. The differences
    between the anchors contribute to the variance. Of a convolution, `fast.windows` keeps less than x.
    """

    x: Any
    values: int
    anchor: Array
    sums: Array
    squares: Array


class Normal(NamedTuple):
    """A chunk with its anchor, slope and level: y = slope · (x − a) + level."""

    x: Any
    anchor: Array
    slope: Array
    level: Array


class Pulled(NamedTuple):
    """Σ dy and Σ dy (x − a) of a chunk, and `send(bend, rest)`, which is dx = slope · dy + bend · (x − a) + rest."""

    down: Array
    out: Array
    send: Callable[[Array, Array], Any]


def collected(x: Array) -> Op[Collected]:
    """Compute the sums of a chunk (n, ..., c); the pullback takes a function that computes dx."""
    x = np.ascontiguousarray(_places(x))
    count = x.size // x.shape[-1]
    anchor = column_sums(x) / max(1, count)
    centred = x - anchor
    return Collected(x, count, anchor, column_sums(centred), _dots(centred, centred)), lambda send: (_batch(send()),)


def statistics(
    chunks: list[Collected], scale: Array, shift: Array, epsilon: float
) -> tuple[list[Normal], Callable[[list[Pulled]], Any], tuple[Array, Array, int]]:
    """Compute slope and level of every chunk, and mean, variance and number of values per channel.

    The pullback returns dscale, dshift and, for each chunk, a function without arguments that computes dx.
    """
    counts = [chunk.values for chunk in chunks]
    values = enough(sum(counts))
    apart = [chunk.anchor - chunks[0].anchor for chunk in chunks]
    mean = sum(n * a + chunk.sums for n, a, chunk in zip(counts, apart, chunks, strict=True)) / values
    offsets = [a - mean for a in apart]  # a − μ
    spread = sum(
        chunk.squares + 2 * off * chunk.sums + n * off * off
        for n, off, chunk in zip(counts, offsets, chunks, strict=True)
    )
    variance = np.maximum(spread / values, 0)
    inverse = 1 / np.sqrt(variance + epsilon)
    slope = scale * inverse

    def pullback(pulled):
        dshift = sum(p.down for p in pulled)
        dscale = sum(p.out + off * p.down for off, p in zip(offsets, pulled, strict=True)) * inverse
        bend = -slope * inverse * dscale / values
        rest = -slope * dshift / values
        sends = [partial(p.send, bend, rest + bend * off) for off, p in zip(offsets, pulled, strict=True)]
        return dscale, dshift, sends

    normal = [
        Normal(chunk.x, chunk.anchor, slope, shift + off * slope) for off, chunk in zip(offsets, chunks, strict=True)
    ]
    return normal, pullback, (chunks[0].anchor + mean, variance, values)


def normalised(chunk: Normal) -> Op[Array]:
    """Compute y of a chunk; the pullback returns `Pulled`."""
    x, anchor, slope, level = chunk
    y = x - anchor
    y *= slope
    y += level

    def pullback(dy):
        dy = _places(dy)

        def send(bend, rest):
            dx = _bent(x, anchor, bend, rest)
            dx += slope * dy
            return dx

        return (Pulled(column_sums(dy), _dots(dy, x - anchor), send),)

    return _batch(y), pullback


def pooled(chunk: Normal) -> Op[Array]:
    """Compute relu(max_pool(y)) of a chunk, over 2×2 blocks; the pullback returns `Pulled`.

    As in `fast.fused`, pooling comes first. It takes the largest of four numbers if the slope of the channel is
    positive, the smallest if it is negative, and the first if it is 0, where all four tie. The kinks are those of the
    separate ops.
    """
    x, anchor, slope, level = chunk
    p, q = blocks(x.shape)
    best, winners = extreme_of_four(by_place(x[: 2 * p, : 2 * q]), slope)

    def send(dbest, bend, rest):
        dx = _bent(x, anchor, bend, rest)
        sent = np.empty((2 * p, 2 * q, *x.shape[2:]), x.dtype)
        to_winners(dbest, winners, by_place(sent))
        dx[: 2 * p, : 2 * q] += sent
        return dx

    return relu_of_best(best - anchor, slope, level, send)


def blocks(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the numbers of 2×2 blocks in images (height, width, ...)."""
    p, q = shape[0] // 2, shape[1] // 2
    if min(p, q) < 1:
        raise ValueError(f"images of {shape[0]}×{shape[1]} are smaller than one block of 2×2")
    return p, q


def extreme_of_four(Z: Array, slope: Array) -> tuple[Array, tuple[Array, Array]]:
    """`best_of_four` of slope · Z, but of the channels of Z itself: the largest, the smallest or the first of four."""
    if (slope > 0).all():
        return best_of_four(Z)
    upright = np.sign(slope)
    best, winners = best_of_four(Z * upright)
    return np.where(upright == 0, Z[0, 0], best * upright), winners


def relu_of_best(best: Array, slope: Array, level: Array, send: Callable[[Array, Array, Array], Any]) -> Op[Array]:
    """relu(slope · best + level); the pullback returns `Pulled`, which sends `send(dbest, bend, rest)`."""
    y = best * slope
    y += level
    np.maximum(y, 0, out=y)

    def pullback(dy):
        dz = _places(dy) * (y > 0)
        return (Pulled(column_sums(dz), _dots(dz, best), partial(send, dz * slope)),)

    return _batch(y), pullback


def _bent(x: Array, anchor: Array, bend: Array, rest: Array) -> Array:
    """bend · (x − a) + rest."""
    dx = x - anchor
    dx *= bend
    dx += rest
    return dx


def _places(x: Array) -> Array:
    """Images with the places first; other arrays unchanged."""
    return places_first(x) if x.ndim == 4 else x


def _batch(x: Array) -> Array:
    return batch_first(x) if x.ndim == 4 else x


def _dots(a: Array, b: Array) -> Array:
    """Σ a b for each channel."""
    return np.einsum("ij,ij->j", a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]))
