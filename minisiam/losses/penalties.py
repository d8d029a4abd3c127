"""What the weights themselves should cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Float, Op


@op
def l2_penalty(W: Float[Array, "..."], /, strength: float = 1e-4) -> Op[Float[Array, ""]]:
    """ℓ = strength · Σ W².

    Parameters
    ----------
    W
        Weights of any shape.
    strength
        λ ≥ 0.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dW,)` = 2 λ W.

    Notes
    -----
    No kink. The gradient points away from 0, so a step against it shrinks the weights; the paper prints the update
    with + 2 λ |w|, which would grow them.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    require.floating(W=W)
    strength = require.between("strength", strength, 0)

    def pullback(dl):
        return (W.dtype.type(2 * strength * dl) * W,)

    return strength * np.sum(W * W), pullback
