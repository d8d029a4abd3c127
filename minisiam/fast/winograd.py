"""3×3 convolution with 16 multiplications for 4 outputs instead of 36: Winograd's F(2×2, 3×3).

Two neighbouring outputs of a three-term filter, z₀ = x₀w₀ + x₁w₁ + x₂w₂ and z₁ = x₁w₀ + x₂w₁ + x₃w₂, need four
products instead of six:

    m = (Bᵀx) ⊙ (G w)        z = Aᵀ m

          1  0 −1  0               1   0   0             1  1  1  0
    Bᵀ =  0  1  1  0         G =   ½   ½   ½       Aᵀ =  0  1 −1  1
          0 −1  1  0               ½  −½   ½
          0 −1  0  1               0   0   1

In two dimensions a tile of 4×4 numbers gives 2×2 outputs, Z = Aᵀ[ (Bᵀ x B) ⊙ (G w Gᵀ) ]A. With many channels, ⊙ is a
matrix product for each of the 16 places, whose rows are the tiles; Bᵀ and Aᵀ are additions. All three steps are linear,
so the pullback applies the transposed steps in reverse order. The four outputs of a tile are the four places of a 2×2
pooling block, so `fast.fused` can take their maximum before they are assembled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..op import op
from ..ops.convolution import geometry
from .layout import batch_first, by_place, column_sums, framed, of_one_dtype, places_first, unframed

if TYPE_CHECKING:
    from ..typing import Array, Float, Op

# each row of Bᵀ has 1 at the first place and ±1 at the second
INPUT: tuple[tuple[int, np.ufunc, int], ...] = (
    (0, np.subtract, 2),
    (1, np.add, 2),
    (2, np.subtract, 1),
    (3, np.subtract, 1),
)
G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


@op
def conv2d_winograd(
    x: Float[Array, "n h w c"],
    W: Float[Array, "3 3 c o"],
    b: Float[Array, "o"],
    /,
    padding: str = "valid",
    input_grad: bool = True,
) -> Op[Float[Array, "n p q o"]]:
    """`conv2d` for 3×3 kernels and stride 1, with 2¼ times fewer multiplications.

    Variables, constants, shapes, errors and numbers are those of `conv2d`, up to rounding: the products contain sums
    and differences of pixels, which costs about one bit. The result has the memory layout of `fast.layout`. The
    pullback computes the transformed images again instead of keeping them. No kink.

    References
    ----------
    Lavin & Gray (2016), "Fast algorithms for convolutional neural networks"; Winograd (1980). The last row of Bᵀ and
    column of Aᵀ have the other sign here, so that Bᵀ needs no negation.
    """
    before, p, q = geometry(x, W, b, padding, 1)
    x, W, b = of_one_dtype(x, W, b)
    require_3x3(W)
    height, width = 2 * (-(-p // 2)) + 2, 2 * (-(-q // 2)) + 2
    U = kernels(W)
    z = np.empty((height - 2, width - 2, len(x), len(b)), x.dtype)
    np.add(convolve(framed(x, before, height, width), U), b, out=by_place(z))

    def pullback(dz):
        dz = places_first(dz)
        dR, dZ = gradient((height // 2 - 1, width // 2 - 1, *dz.shape[2:]), dz.dtype)
        dZ[...] = by_place(framed(batch_first(dz), 0, height - 2, width - 2))
        dframe, dU = pull_convolve(framed(x, before, height, width), U, dR, input_grad)
        dx = None if dframe is None else unframed(dframe, before, *x.shape[1:3])
        return dx, pull_kernels(dU), column_sums(dz)

    return batch_first(z[:p, :q]), pullback


def require_3x3(W: Array) -> None:
    """Require 3×3 kernels."""
    if len(W) != 3:
        raise ValueError(f"W must have 3×3 kernels, not {len(W)}×{len(W)}: use fast.conv2d_im2row for other sizes")


def kernels(W: Array) -> Array:
    """U = G w Gᵀ: (3, 3, c, o) → (4, 4, c, o)."""
    half = G.astype(W.dtype) @ W.reshape(3, -1)
    return (G.astype(W.dtype) @ half.reshape(4, 3, -1)).reshape(4, 4, *W.shape[2:])


def pull_kernels(dU: Array) -> Array:
    """dw = Gᵀ dU G."""
    half = G.T.astype(dU.dtype) @ dU.reshape(4, -1)
    return (G.T.astype(dU.dtype) @ half.reshape(3, 4, -1)).reshape(3, 3, *dU.shape[2:])


def convolve(frame: Array, U: Array) -> Array:
    """Z (2, 2, p/2, q/2, n, o), without the bias: the outputs, by their place in a tile.

    It computes one row of the 4×4 places at a time and uses it while it is in the cache.
    """
    tiles = len(frame) // 2 - 1, frame.shape[1] // 2 - 1, frame.shape[2]
    R = np.empty((2, 4, *tiles, U.shape[3]), frame.dtype)  # Aᵀ m, still without the A on the right
    m = np.empty_like(R[0])
    for i, out in enumerate((R[0], R[1], m, m)):
        V = _transformed(frame, i)
        np.matmul(V.reshape(4, -1, U.shape[2]), U[i], out=out.reshape(4, -1, U.shape[3]))
        if i == 1:
            R[0] += R[1]
        elif i == 2:
            R[0] += m
            R[1] -= m
    R[1] += m
    Z = np.empty((2, 2, *tiles, U.shape[3]), frame.dtype)
    np.add(R[:, 0], R[:, 1], out=Z[:, 0])
    np.subtract(R[:, 1], R[:, 2], out=Z[:, 1])
    Z[:, 0] += R[:, 2]
    Z[:, 1] += R[:, 3]
    return Z


def gradient(tiles: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
    """Return an empty dR (2, 4, ...) for `pull_convolve`, and a view of it, (2, 2, ...), to fill with dZ."""
    dR = np.empty((2, 4, *tiles), dtype)
    return dR, dR[:, ::3]


def pull_convolve(frame: Array, U: Array, dR: Array, input_grad: bool = True) -> tuple[Array | None, Array]:
    """The gradients of the frame and of U, from a dR that holds dZ."""
    channels, outputs = U.shape[2:]
    np.add(dR[:, 0], dR[:, 3], out=dR[:, 1])  # dZ A
    np.subtract(dR[:, 0], dR[:, 3], out=dR[:, 2])
    dU, columns = np.empty_like(U), frame.shape[1]
    sent = np.empty((4, columns, len(frame) // 2 - 1, *frame.shape[2:]), frame.dtype)
    for i, dm in enumerate((dR[0], dR[0] + dR[1], dR[0] - dR[1], dR[1])):
        dm = dm.reshape(4, -1, outputs)
        V = _transformed(frame, i)
        np.matmul(V.reshape(4, -1, channels).transpose(0, 2, 1), dm, out=dU[i])
        if input_grad:
            np.matmul(dm, U[i].transpose(0, 2, 1), out=V.reshape(4, -1, channels))
            _pull_tiles(V.swapaxes(1, 2), sent[i])
    if not input_grad:
        return None, dU
    dframe = np.empty_like(frame)
    _pull_tiles(sent.swapaxes(1, 2), dframe)
    return dframe, dU


def _transformed(frame: Array, i: int) -> Array:
    """Row i of Bᵀ x B for every tile: (4, tile rows, tile columns, n, c)."""
    first, combine, second = INPUT[i]
    rows = combine(_at(first, frame), _at(second, frame)).swapaxes(0, 1)
    V = np.empty((4, rows.shape[1], len(rows) // 2 - 1, *rows.shape[2:]), rows.dtype)
    for v, (first, combine, second) in zip(V, INPUT, strict=True):
        combine(_at(first, rows), _at(second, rows), out=v.swapaxes(0, 1))
    return V


def _at(place: int, x: Array) -> Array:
    """The rows of x at this place of a tile: tiles start at every second row and are four rows high."""
    return x[place : place + len(x) - 3 : 2]


def _pull_tiles(d: Array, dx: Array) -> None:
    """Write into dx the gradient from the four rows Bᵀ x of tiles, which overlap by two rows."""
    even, odd = dx[0::2], dx[1::2]
    even[0] = odd[-1] = 0
    np.add(d[1], d[2], out=even[1:])
    even[1:] -= d[0]
    even[:-1] += d[0]
    np.subtract(d[1], d[2], out=odd[:-1])
    odd[:-1] -= d[3]
    odd[1:] += d[3]
