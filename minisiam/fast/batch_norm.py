"""Batch norm on a batch in chunks: what each chunk computes alone, and the two sums that the chunks exchange.

There are three stages. Each chunk computes its sums (`collected`), all chunks together compute the statistics
(`statistics`), and each chunk is normalised with them (`normalised`, or `pooled` with pooling and ReLU as well). The
pullbacks run the same way back: for each chunk Σ dy and Σ dy (x − a), for all chunks together the gradient that flows
through the statistics, for each chunk dx. So a chunk is processed while it is in the cache, on any thread.

A stage of one chunk is `y, pullback = stage(chunk)`; of all chunks, `chunks, pullback = stage(chunks)`.
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
    """A piece and, channel by channel, the anchor a, Σ (x − a) and Σ (x − a)².

    The anchor is the piece's own mean, but for rounding. An offset of all x costs no digits then, and what the anchors
    differ by is a part of the variance.
    """

    x: Array
    anchor: Array
    sums: Array
    squares: Array


class Normal(NamedTuple):
    """A piece with its anchor, slope and level: y = slope · (x − a) + level."""

    x: Array
    anchor: Array
    slope: Array
    level: Array


class Pulled(NamedTuple):
    """Of a piece Σ dy, Σ dy (x − a) and what gives dx: `send(bend, rest)` is slope · dy + bend · (x − a) + rest."""

    down: Array
    out: Array
    send: Callable[[Array, Array], Array]


def collected(x: Array) -> Op[Collected]:
    """The sums of a piece (n, ..., c); the pullback takes what makes dx and says where it belongs."""
    x = np.ascontiguousarray(_places(x))
    anchor = column_sums(x) / max(1, x.size // x.shape[-1])
    sums = squares = np.zeros_like(anchor)
    for some in _some(x):
        centred = x[some] - anchor
        sums, squares = sums + column_sums(centred), squares + _dots(centred, centred)
    return Collected(x, anchor, sums, squares), lambda send: (_batch(send()),)


def statistics(
    pieces: list[Collected], scale: Array, shift: Array, epsilon: float
) -> tuple[list[Normal], Callable[[list[Pulled]], Any], tuple[Array, Array, int]]:
    """Slope and level of every piece; mean, variance and number of the values of a channel.

    The pullback gives dscale, dshift and, piece by piece, a function without arguments that makes dx.
    """
    counts = [piece.x.size // len(scale) for piece in pieces]
    values = enough(sum(counts))
    apart = [piece.anchor - pieces[0].anchor for piece in pieces]
    mean = sum(n * a + piece.sums for n, a, piece in zip(counts, apart, pieces, strict=True)) / values
    offsets = [a - mean for a in apart]  # a − μ
    spread = sum(
        piece.squares + 2 * off * piece.sums + n * off * off
        for n, off, piece in zip(counts, offsets, pieces, strict=True)
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
        Normal(piece.x, piece.anchor, slope, shift + off * slope) for off, piece in zip(offsets, pieces, strict=True)
    ]
    return normal, pullback, (pieces[0].anchor + mean, variance, values)


def normalised(piece: Normal) -> Op[Array]:
    """y of a piece; the pullback gives `Pulled`."""
    x, anchor, slope, level = piece
    y = x - anchor
    y *= slope
    y += level

    def pullback(dy):
        dy = _places(dy)
        out = np.sum([_dots(dy[some], x[some] - anchor) for some in _some(x)], axis=0)

        def send(bend, rest):
            return _bent(x, anchor, bend, rest, lambda dx, some: np.add(dx, slope * dy[some], out=dx))

        return (Pulled(column_sums(dy), out, send),)

    return _batch(y), pullback


def pooled(piece: Normal) -> Op[Array]:
    """relu(max_pool(y)) of a piece, over 2×2 blocks; the pullback gives `Pulled`.

    As in `fast.fused` the pooling comes first: the largest of four where a channel's slope is positive, the smallest
    where it is negative, and the first where it is 0, so that all four tie. Kinks are those of the parts.
    """
    x, anchor, slope, level = piece
    p, w = len(x) // 2, x.shape[1] // 2 * 2
    if min(p, w) < 1:
        raise ValueError(f"images of {x.shape[0]}×{x.shape[1]} are smaller than one block of 2×2")
    Z = by_place(x[: 2 * p, :w])
    upright = None if (slope > 0).all() else np.sign(slope)
    best, (left, upper) = best_of_four(Z if upright is None else Z * upright)
    if upright is not None:
        best = np.where(upright == 0, Z[0, 0], best * upright)
    best -= anchor
    y = best * slope
    y += level
    np.maximum(y, 0, out=y)

    def pullback(dy):
        dz = _places(dy) * (y > 0)

        def send(bend, rest):
            to_send = dz * slope

            def add(dx, some):
                rows = slice(some.start // 2, min(some.stop // 2, p))
                sent = np.empty((2 * len(dz[rows]), w, *dz.shape[2:]), dz.dtype)
                to_winners(to_send[rows], (left[:, rows], upper[rows]), by_place(sent))
                dx[: len(sent), :w] += sent

            return _bent(x, anchor, bend, rest, add)

        return (Pulled(column_sums(dz), _dots(dz, best), send),)

    return _batch(y), pullback


def _bent(x: Array, anchor: Array, bend: Array, rest: Array, add: Callable[[Array, slice], Any]) -> Array:
    """bend · (x − a) + rest and what `add` adds to some rows of it."""
    dx = np.empty_like(x)
    for some in _some(x):
        part = dx[some]
        np.subtract(x[some], anchor, out=part)
        part *= bend
        part += rest
        add(part, some)
    return dx


AT_A_TIME = 1 << 17  # numbers that are worked on at a time, so that several passes over them are one from memory


def _some(x: Array) -> list[slice]:
    """Rows of x, an even number at a time."""
    step = max(2, AT_A_TIME // max(1, x[:1].size) // 2 * 2)
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _places(x: Array) -> Array:
    """Images with the places first; anything else as it is."""
    return places_first(x) if x.ndim == 4 else x


def _batch(x: Array) -> Array:
    return batch_first(x) if x.ndim == 4 else x


def _dots(a: Array, b: Array) -> Array:
    """Σ a b, channel by channel."""
    return np.einsum("ij,ij->j", a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]))
