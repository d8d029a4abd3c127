"""Losses of two towers, such as images and their texts: row i and column i of D are a pair, all others are not.

`softmax.info_nce` is the other loss of this kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..distance_matrix import as_matrix
from ..op import op
from .pairs import binary_cross_entropy
from .per_anchor import check_finite

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def pairwise_sigmoid(D: Float[Array, "n n"], /) -> Op[Float[Array, ""]]:
    """ℓ = (1/n) Σᵢⱼ log(1 + exp(tᵢⱼ Dᵢⱼ)), where t is 1 on the diagonal and −1 elsewhere: SigLIP's loss.

    Parameters
    ----------
    D
        (n, n) distances of n images to n texts, with a learned bias: −Dᵢⱼ is the logit of "i and j are a pair". The
        pairs are on the diagonal.

    Returns
    -------
    value, pullback
        `value` ≥ 0 is in nats, n log 2 if all logits are 0; `pullback(dl)` gives `(dD,)` = (I − σ(−D)) / n.

    Notes
    -----
    No kink, and no overflow. Each of the n² entries is a separate verification, so no row or column is normalised,
    and a matrix may be computed block by block on many machines. The sum is divided by n, not by n²: per image there is
    one pair and n − 1 others. So the loss needs a learned bias, `distances.tempered`: with logits near 0 the value is
    n log 2, and the n − 1 others decide the first steps.

    SigLIP begins with the logits 10 cos − 10, which is `pairwise.tempered(pairwise.dot, scale=10, bias=-10)` of unit
    vectors. open_clip begins there with its option `--siglip`.

    References
    ----------
    Zhai, Mustafa, Kolesnikov & Beyer (2023), "Sigmoid loss for language image pre-training", eq. 2 and algorithm 1.
    """
    D = as_matrix(D).whole("pairwise_sigmoid")
    require.square(D=D)
    require.rows(D=D)
    n = len(D)
    total, pull = binary_cross_entropy(-D.ravel(), np.eye(n, dtype=bool).ravel(), "sum")

    def pullback(dl):
        return (-pull(dl / n)[0].reshape(D.shape),)

    return check_finite(total / D.dtype.type(n), D), pullback
