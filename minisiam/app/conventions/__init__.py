"""Losses on embeddings by the names that others gave them.     value, pullback = preset(z, /, labels)

    presets.loss("triplet", convention="facenet")                   what a library or a paper means by a name
    presets.loss("supcon", convention="pml", temperature=0.07)      pytorch-metric-learning's own arguments and defaults
    presets.from_reference("NTXentLoss(0.5)")                       the same, from a name as it stands in its code

A preset is put together from what this package has: a place for the embeddings (`ops.normalize`, or where they are), a
distance of `pairwise`, a loss with its constants and its reduction, and a miner. It says what it is: `preset.formula`,
`.distance`, `.margin`, `.reduction`, `.source`, so that a number can be carried from one library to another.

With pytorch-metric-learning 2.9.0 values and gradients agree to 10⁻⁹ (`tests/test_oracle.py`), but for what is listed
here: first what is there, then what is here.

Reproduced by a preset, otherwise here than in `losses`
    angular loss                 negatives are not normalised: AngularLoss(3 z) ≠ AngularLoss(z); the paper's are
    supcon, circle, MeanReducer  over all anchors, those without a positive with the value 0; `losses` leaves these out
    proxy-NCA                    a label without a proxy is left out; `losses.softmax_cross_entropy` refuses it
    n_pair of one class          0; `losses.n_pair` raises
    losses on pairs, with miner  0 where at most one pair of each kind is found; `losses.with_miner` takes a single pair
    triplets from a miner        as pairs each counts as often as it comes; `Triplets.pairs` are distinct

Differences that remain
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
from .compose import Preset, on, on_proxies
from .conventions import CONVENTIONS, preset
from .pml import LOSSES
from .reading import Found, from_reference, miner_from_reference, of_reference

__all__ = [
    "CONVENTIONS",
    "Found",
    "Preset",
    "from_reference",
    "known",
    "loss",
    "miner_from_reference",
    "on",
    "on_proxies",
]


def loss(name: str, convention: str = "pml", **overrides: Any) -> Preset:
    """The loss that goes by a name, as one library or paper means it.

    Parameters
    ----------
    name
        "triplet", "contrastive", and in "pml" also nt_xent, supcon, n_pair and all that `known()` lists.
    convention
        Whose: "pml" (pytorch-metric-learning 2.9.0), and for the first two those of `known()`.
    overrides
        In "pml" its own arguments, and distance, reducer and miner in its words: `temperature=0.5`,
        `distance="LpDistance(power=2)"`, `reducer="Mean"`, `miner="BatchHardMiner()"`. Elsewhere margin, reduction,
        distance (a name of `pairwise`), normalize and miner (one of `minisiam.miners`).

    Returns
    -------
    Preset
        An op, `value, pullback = preset(z, /, labels)`; `preset.variables` says whether it wants proxies as well.

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
        return of_reference(BY_NAME[name], overrides)
    return preset(CONVENTIONS[name][convention], **overrides)


BY_NAME = {row.name: reference for reference, row in LOSSES.items()}


def known() -> dict[str, list[str]]:
    """Every name, and the conventions it has."""
    return {name: ["pml", *CONVENTIONS.get(name, ())] for name in BY_NAME}
