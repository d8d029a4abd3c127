"""A loss on triplets over all triplets of a batch: n images have n² K triplets, but only n² distances."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..losses.combinators import without_partial
from ..losses.per_anchor import reduce_rows
from ..op import op
from .terms import TRIPLET_LOSSES, TRIPLET_TERMS, check_known
from .triplet_rows import hinge_rows, one_positive_at_a_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..distance_matrix import RowLoss
    from ..losses.per_anchor import AnchorBlock
    from ..typing import Array, Float, Int, Loss

# with this many positives, sorting a row is faster than comparing it with each: benchmarks/losses.py --crossover
MANY = 72


def all_triplets(loss: Loss, many: int = MANY) -> Loss:
    """`losses.all_triplets`: a loss on triplets, over all triplets of a batch, without a list of them.

    Parameters
    ----------
    loss
        triplet_hinge, triplet_soft_margin or triplet_ratio.
    many
        The hinge sorts the rows if an anchor has at least this many positives.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may come from `blockwise`. With
        reduction="none" there is one value for each anchor, the sum over its triplets, and not one for each triplet.

    Notes
    -----
    With n images, K of each class, there are about n² K triplets, but only n² distances. Each row is compared with one
    of its positives at a time: O(n² K) time, and O(n²) memory. The hinge is piecewise linear, so counts are enough:
    for each positive the number c of negatives that violate it, and for each negative the number C of positives that
    it violates:

        Σ max(0, d₊ − d₋ + m) = Σ c (d₊ + m) − Σ C d₋,        ∂/∂d₊ = c,        ∂/∂d₋ = −C.

    Sorting gives the same counts in O(n² log n), whatever K. The soft margin has no such form, since log(1 + e^x) is
    not a sum of a function of d₊ and a function of d₋: it computes its n² K exponentials, in the same memory.
    """
    function, filled_in = without_partial(loss)
    check_known(function, TRIPLET_LOSSES)

    @op
    def every_triplet(D: Float[Array, "n n"], /, labels: Int[Array, "n"], reduction="mean", **constants):
        options = filled_in | constants
        rows: Callable[[Array, AnchorBlock], RowLoss]
        if function in TRIPLET_TERMS:
            rows = partial(one_positive_at_a_time, term=TRIPLET_TERMS[function](**options))
        else:
            rows = hinge_rows(many, **options)
        return reduce_rows(rows, D, labels, reduction)

    every_triplet.__name__ = f"{function.__name__}_over_all_triplets"
    return every_triplet
