"""A loss on pairs over all pairs of a batch, block by block of the distance matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require, tree
from ..distance_matrix import RowLoss, as_matrix
from ..losses.combinators import without_partial
from ..losses.per_anchor import check_finite, require_positives_and_negatives
from ..losses.reductions import REDUCTIONS, terms_counted
from ..op import op
from .terms import PAIR_TERMS, check_known

if TYPE_CHECKING:
    from ..typing import Array, Float, Int, Loss


def all_pairs(loss: Loss, separately: bool = False) -> Loss:
    """`losses.all_pairs`: a loss on pairs, over all ordered pairs of a batch, without a list of them.

    Parameters
    ----------
    loss
        contrastive, double_margin, pair_hinge or cosine_embedding.
    separately
        Reduce same and different pairs separately and add the two values, as
        `losses.all_pairs(losses.balanced(loss))` does.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may come from `blockwise`. The reduction
        "none" is not available.
    """
    function, filled_in = without_partial(loss)
    check_known(function, PAIR_TERMS)

    @op
    def every_pair(D: Float[Array, "n n"], /, labels: Int[Array, "n"], reduction="mean", **constants):
        require.one_of("reduction", reduction, REDUCTIONS[:3])
        attract, repel = PAIR_TERMS[function](**(filled_in | constants))
        matrix: Any = as_matrix(D)
        positives = require_positives_and_negatives(D, labels)
        # if a blockwise matrix compares a set with itself, only pairs i < j are computed, and each counts twice
        twice = getattr(matrix, "symmetric", False)

        def rows(block_D, some):
            block = positives.of_rows(some)
            first = len(labels) - block_D.shape[1]
            here = block.j >= first
            values, slope = repel(block_D)
            for a in (values, slope):
                a[block.i[here], block.j[here] - first] = 0
                a[np.arange(len(a)), block.own - first] = 0
                if twice:
                    a[:, : len(a)] = 2 * np.triu(a[:, : len(a)])
                    a[:, len(a) :] *= 2
            active = np.count_nonzero(values > 0, axis=1)
            return RowLoss(values.sum(axis=1), block.negatives, (1 + twice) * active, slope)

        far = matrix.sum_rows(rows, upper=True) if twice else matrix.sum_rows(rows)
        once = positives.i < positives.j if twice else slice(None)
        (d,), pull_near = matrix.entries((positives.i[once], positives.j[once]))
        near, pull = ((1 + twice) * a for a in attract(d))
        terms = np.array([[len(positives.i), (1 + twice) * np.count_nonzero(near > 0)], [far.terms, far.active]])
        if not separately:
            terms[:] = terms.sum(axis=0)
        n, m = (terms_counted(reduction, *kind) for kind in terms)
        push = matrix.dtype.type

        def pullback(dl):
            dD = tree.map(lambda g: push(dl / m) * g, far.gradient)
            return (tree.add(dD, pull_near(push(dl / n) * pull)),)

        return check_finite(push(near.sum() / n + far.value / m), matrix), pullback

    every_pair.__name__ = f"{function.__name__}_over_all_pairs"
    return every_pair
