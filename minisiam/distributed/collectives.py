"""Communication as ops: the pullback of a copy is a sum, and the pullback of a sum is a copy.

The objective of R ranks is the sum of what each of them computes, L = ℓ₀ + … + ℓ_{R−1}. An upstream gradient is that of
this rank's own ℓᵣ; a pullback returns the gradient of L.

    op            value on rank r                pullback
    all_gather    z₀, …, z_{R−1}, as rows        the sum of the ranks' gradients, of the own rows (reduce-scatter)
    all_reduce    x₀ + … + x_{R−1}               the sum of the ranks' gradients
    broadcast     x of one rank                  the sum of the ranks' gradients on that rank, 0 on the others
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .ranks import places, reduce_scatter, require_equal, total

if TYPE_CHECKING:
    from ..typing import Array, Float, Op
    from .ranks import Ranks


def all_gather(z: Float[Array, "b ..."], /, ranks: Ranks) -> Op[Float[Array, "n ..."]]:
    """Z = the rows of all ranks, in their order.

    Parameters
    ----------
    z
        (bᵣ, …) numbers of this rank. The number of rows may differ between ranks, but not the rest of the shape, nor
        the dtype.
    ranks
        From `distributed.mpi`, `distributed.run` or `distributed.Single`.

    Returns
    -------
    value, pullback
        `value` is Z. The objective is the sum of what the ranks compute. If dZ is the gradient of what this rank
        computes, `pullback(dZ)` gives `(dz,)`, that of the objective: Σ over ranks of dZ, at the own rows.
    """
    parts = ranks.gather(z)
    require_alike(parts)
    own_rows = places(map(len, parts))
    # every row is copied to every rank, and each copy can change the objective
    return np.concatenate(parts), lambda dZ: (reduce_scatter(ranks, dZ, own_rows),)


def all_reduce(x: Float[Array, "..."], /, ranks: Ranks) -> Op[Float[Array, "..."]]:
    """y = Σ over ranks of x; `pullback(dy)` gives `(dx,)`, Σ over ranks of dy.

    Each rank has a copy of the sum, and each copy can change the objective.
    """
    return total(ranks, x), lambda dy: (total(ranks, dy),)


def broadcast(x: Float[Array, "..."], /, ranks: Ranks, root: int = 0) -> Op[Float[Array, "..."]]:
    """y = x of rank `root`; `pullback(dy)` gives `(dx,)`, Σ over ranks of dy on `root`, and 0 on the others."""
    root = require.whole("root", root, 0)
    if root >= ranks.size:
        raise ValueError(f"root must be a rank, 0 to {ranks.size - 1}; it is {root}")
    nothing = np.empty(0, np.asarray(x).dtype)
    received = ranks.exchange([x if ranks.rank == root else nothing] * ranks.size)[root]

    def pullback(dy: Array) -> tuple[Array]:
        sums = total(ranks, dy)
        return (sums if ranks.rank == root else np.zeros_like(sums),)

    return received, pullback


def require_alike(parts: list[Array], axes: int | None = None) -> None:
    """Require rows of one shape, up to the axis `axes`, and dtype on all ranks, and at least one row on each."""
    empty = [str(rank) for rank, part in enumerate(parts) if len(part) == 0]
    if empty:
        raise ValueError(f"rank {', '.join(empty)} has no images: give each rank at least one, or use fewer ranks")
    remedy = "Give all ranks images and parameters of one kind"
    require_equal("the shape of a row", [str(part.shape[1:axes]) for part in parts], remedy)
    require_equal("the dtype", [str(part.dtype) for part in parts], remedy)
