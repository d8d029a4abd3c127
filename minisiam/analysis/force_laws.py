"""How each distance turns ∂ℓ/∂D into forces on the points, and which quantities its symmetries conserve.

With F = G + Gᵀ, the gradient of a point is ∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ armᵢⱼ:

============  =================  ===============================================================
distance      G                  arm
============  =================  ===============================================================
l2            dD / D (0 at 0)    eᵢ − eⱼ
squared_l2    2 dD               eᵢ − eⱼ
cosine        dD                 the part of êᵢ − êⱼ at right angles to eᵢ, divided by ‖eᵢ‖
dot           dD                 −eⱼ: not a difference, so the forces do not sum to zero
l1            dD                 sign(eᵢ − eⱼ): the force does not point along eᵢ − eⱼ
weighted_l1   dD                 w sign(eᵢ − eⱼ): a negative weight turns a pull into a push
============  =================  ===============================================================
"""

from __future__ import annotations

from inspect import unwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pairwise
from .._numerics import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp, Array, PairwiseDistance

    Arms = Callable[[int], Array]  # i ↦ (n, d): row j is the direction on which Fᵢⱼ acts


class Law(NamedTuple):
    """How a distance turns ∂ℓ/∂D into forces.

    G : (dD, D) ↦ (n, n), with F = G + Gᵀ
    arms : (z, *params) ↦ i ↦ (n, d), the directions on which F acts
    conserved : the conservation laws that follow from the symmetries of the distance
    """

    G: Callable[[Array, Array], Array]
    arms: Callable[..., Arms]
    conserved: tuple[str, ...]


def _differences(z: Array) -> Arms:
    return lambda i: z[i] - z


def _signs(z: Array, w: Any = 1.0, bias: Any = 0.0) -> Arms:
    return lambda i: w * np.sign(z[i] - z)


def _tangents(z: Array) -> Arms:
    unit, inverse = unit_rows(z)

    def arm(i):
        difference = unit[i] - unit
        return inverse[i] * (difference - (difference @ unit[i])[:, None] * unit[i])

    return arm


def _opposites(z: Array) -> Arms:
    return lambda i: -z


def _per_length(dD: Array, D: Array) -> Array:
    """dD / D, and 0 where D is 0 or too small to divide by."""
    return np.divide(dD, D, out=np.zeros_like(dD), where=np.finfo(D.dtype).tiny < D)


LAWS = {
    unwrap(distance): law
    for distance, law in (
        (pairwise.l2, Law(_per_length, _differences, ("translation", "rotation"))),
        (pairwise.squared_l2, Law(lambda dD, D: 2 * dD, _differences, ("translation", "rotation"))),
        (pairwise.l1, Law(lambda dD, D: dD, _signs, ("translation",))),
        (pairwise.weighted_l1, Law(lambda dD, D: dD, _signs, ("translation",))),
        (pairwise.cosine, Law(lambda dD, D: dD, _tangents, ("radial", "rotation"))),
        (pairwise.dot, Law(lambda dD, D: dD, _opposites, ("rotation",))),
    )
}


def law_of(distance: PairwiseDistance) -> Law:
    """The law of a distance of `minisiam.pairwise`, calibrated or not."""
    law = LAWS.get(unwrap(uncalibrated(distance)))
    if law is None:
        known = ", ".join(f"pairwise.{function.__name__}" for function in LAWS)
        raise ValueError(f"there is no force law for distance {name_of(distance)!r}: use {known}, or pass law=")
    return law


def uncalibrated(distance: PairwiseDistance) -> PairwiseDistance:
    """D, where the distance is scale · D + bias; otherwise the distance itself."""
    return getattr(distance, "uncalibrated", distance)


def name_of(function: AnyOp) -> str:
    """The name of a function or of the function in a partial, for titles and messages."""
    return getattr(getattr(function, "func", function), "__name__", type(function).__name__)
