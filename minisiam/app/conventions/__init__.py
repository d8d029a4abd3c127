"""Losses on embeddings by the names that libraries and papers give them.

    value, pullback = conventions.loss("triplet", convention="facenet")(z, labels)
    conventions.loss("supcon", convention="pml", temperature=0.07)      pytorch-metric-learning's arguments and defaults
    conventions.known()                                                 every name, and its conventions

    libraries.py       "triplet" and "contrastive" of papers, Keras, TensorFlow Similarity, sentence-transformers, …
    pml.py             all losses of pytorch-metric-learning 2.9.0 that this package has
    compare.py         the table of `minisiam compare`

A `NamedLoss` is made of what this package has: `ops.normalize`, a distance of `pairwise`, a loss with its constants and
reduction, and a miner. It describes itself: `.formula`, `.distance`, `.margin`, `.reduction`, `.source`.

Values and gradients agree with pytorch-metric-learning 2.9.0 to 10⁻⁹ (`tests/interop/test_oracle.py`). The differences
are listed here, that library first, then this package.

Reproduced by a `NamedLoss`, but not in `losses`
    angular loss                 negatives are not normalised: AngularLoss(3 z) ≠ AngularLoss(z); the paper's are
    supcon, circle, MeanReducer  over all anchors, those without a positive with the value 0; `losses` leaves these out
    proxy-NCA                    a label without a proxy is ignored; `losses.softmax_cross_entropy` refuses it
    n_pair of one class          0; `losses.n_pair` raises

Differences that remain
    losses on pairs, with miner  0 where at most one pair of each kind is found; here a single pair counts
    triplets from a miner        as pairs, each counts as often as it occurs; here `Triplets.pairs` are distinct
    no positive or no negative   0, or what is left of the formula; here an error that says how to draw the batch
    AvgNonZero                   a term that should be 0 counts if it came out as 10⁻¹⁷, and log(1 + x) of x < 10⁻¹⁶ is
                                 0; here it is x. Where a term is at 0, so at every corner, value and gradient jump
    circle, smooth triplets      torch's softplus is a straight line above 20: 2·10⁻⁹ of the slope apart
    NT-Xent                      −log(p + 10⁻³⁰⁸): where p underflows the value is 708, without a gradient; here exact
    NCA, proxy-NCA               an anchor whose probability underflows to 0 is left out; here it counts
    histogram loss               bins are found in float32, and s = 1 falls off the end; here in the dtype of z
    tuplet margin                no gradient at θ = 0 and π (infinite, NaN); here the cosine's own
    swap, at a tie               half the gradient each; here the anchor's
    coinciding points            the same: slope 0. `torch.cdist` makes them 0.04 apart above 25 rows in float32
    angular miner                10⁻⁶ is added to every difference (torch's pairwise_distance)
    HDC miner                    of two equal distances either, and 0.07 · 100 pairs are 8; here the first, and 7
"""

from __future__ import annotations

from typing import Any

from ... import require
from . import libraries, pml
from .compose import NamedLoss, on, on_proxies
from .libraries import CONVENTIONS

__all__ = ["CONVENTIONS", "NamedLoss", "known", "loss", "on", "on_proxies"]


def loss(name: str, convention: str = "pml", **overrides: Any) -> NamedLoss:
    """The loss of that name in one library or paper.

    Parameters
    ----------
    name
        "triplet" or "contrastive", and in "pml" also "nt_xent", "supcon", "n_pair" and all others of `known()`.
    convention
        "pml" (pytorch-metric-learning 2.9.0); for "triplet" and "contrastive" one of those that `known()` lists.
    overrides
        What to change: `margin`, `reduction`, `distance` (a name of `pairwise`), `normalize` and `miner` (a function of
        `minisiam.miners`); in "pml" its own arguments instead of `margin`, see `pml.named_loss`.

    Returns
    -------
    NamedLoss
        An op, `value, pullback = loss(z, /, labels)`; its `variables` say whether it takes proxies as well.

    Examples
    --------
    >>> loss("triplet", convention="facenet").margin
    'margin 0.2'
    >>> loss("triplet", convention="facenets")
    Traceback (most recent call last):
    ValueError: unknown convention 'facenets': did you mean 'facenet'?
    """
    require.one_of("loss", name, known())
    require.one_of("convention", convention, known()[name])
    if convention == "pml":
        return pml.named_loss(name, **overrides)
    return libraries.named_loss(CONVENTIONS[name][convention], **overrides)


def known() -> dict[str, list[str]]:
    """Every name, and its conventions."""
    return {name: ["pml", *CONVENTIONS.get(name, ())] for name in pml.BY_NAME}
