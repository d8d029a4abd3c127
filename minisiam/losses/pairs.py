"""Losses on pairs: a distance, and whether the two are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from ..numerics import logistic, softplus
from ..op import op

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float, Op


@op
def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0) -> Op[Float[Array, ""]]:
    """ℓ = mean ½ d² where same, ½ max(0, margin − d)² where not.

    Parameters
    ----------
    d
        (n,) distances.
    same
        (n,) booleans, True where the pair shows one class. (Hadsell prints Y = 0 for these; here there is no Y.)
    margin
        How far apart different pairs should be, > 0, in the units of d.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0; `pullback(dl)` gives `(dd,)`: d / n where same, −max(0, margin − d) / n where not.

    Notes
    -----
    A spring of rest length 0 for the same pairs, and one that only pushes, up to the margin, for the others.
    No kink in d: both slopes are 0 at d = margin. Composed with L2, two identical points of different classes feel no
    push, since the distance has no direction there; a little noise on the images separates them.

    References
    ----------
    Hadsell, Chopra & LeCun (2006), "Dimensionality reduction by learning an invariant mapping", eq. 4.
    """
    require.dimensions(1, "(n,)", d=d)
    require.rows(d=d)
    require.same_or_not(same, len(d))
    margin = require.between("margin", margin, 0, open_low=True)
    stretch = np.where(same, d, np.maximum(margin - d, 0))

    def pullback(dl):
        share = d.dtype.type(dl / len(d))
        return (np.where(same, share, -share) * stretch,)

    return (stretch * stretch).mean() / 2, pullback


@op
def cross_entropy(logits: Float[Array, "n"], /, same: Bool[Array, "n"]) -> Op[Float[Array, ""]]:
    """ℓ = mean −log p, where p = σ(logit) if same and 1 − σ(logit) if not.

    Parameters
    ----------
    logits
        (n,) log-odds of being the same: positive says same, negative says different.
    same
        (n,) booleans, True where the pair shows one class.

    Returns
    -------
    value, pullback
        `value` is a number ≥ 0, in nats (log 2 = 0.693 says nothing was learnt); `pullback(dl)` gives
        `(dlogits,)` = (σ(logit) − same) / n.

    Notes
    -----
    No kink, and no overflow for any finite logit: ℓ = log(1 + e^−logit) for the same, log(1 + e^logit) for the others.
    The paper prints the cross-entropy without its minus sign; this one shrinks as the network learns.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", §3.2.
    """
    require.dimensions(1, "(n,)", logits=logits)
    require.rows(logits=logits)
    require.same_or_not(same, len(logits))
    wrongness = np.where(same, -logits, logits)

    def pullback(dl):
        share = logits.dtype.type(dl / len(logits))
        return (np.where(same, -share, share) * logistic(wrongness),)

    return softplus(wrongness).mean(), pullback
