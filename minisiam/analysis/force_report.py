"""The result of an X-ray, and its table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array, Float, Int

LAW_MEANINGS = {
    "translation": "the forces sum to zero: D depends on differences only",
    "radial": "every force is at right angles to its z: D does not depend on lengths",
    "rotation": "no torque about the origin: D stays the same when all points turn",
    "symmetry": "one coefficient per pair: Fᵢⱼ = Fⱼᵢ",
    "reconstruction": "the pullback's net force is the sum of the forces of all pairs",
}


class Strongest(NamedTuple):
    """partner : (n,) index of the point that acts most strongly, −1 if none;   strength : (n,) size of its force."""

    partner: Int[Array, "n"]
    strength: Float[Array, "n"]


class Counts(NamedTuple):
    """The number of pairs, of active pairs (∂ℓ/∂D ≠ 0), and of triplets by difficulty.

    A triplet is easy if d₋ > d₊ + margin, semi-hard if d₊ < d₋ ≤ d₊ + margin, hard otherwise.
    """

    positive: int
    active_positive: int
    negative: int
    active_negative: int
    easy: int
    semi_hard: int
    hard: int


class Check(NamedTuple):
    """residue : 0 if the law holds, relative to the sizes of all forces;   applies : whether the distance has it."""

    residue: float
    applies: bool
    holds: bool


class XRay(NamedTuple):
    """The result of `forces.xray`.

    value : the loss;   labels, z, D : the batch and its distances;   dD : ∂ℓ/∂D, (n, n)
    F : (n, n) symmetric coefficients, > 0 together, < 0 apart
    net : (n, d) net force −∂ℓ/∂z, from the distance's pullback
    strength : (n, n) the size of the force that j exerts on i
    pulls, pushes : for each point the strongest pull and the strongest push
    counts, conservation : numbers of pairs and triplets; for each conservation law its check
    loss, distance, margin : their names, and the margin by which the triplets are counted
    """

    value: float
    labels: Int[Array, "n"]
    z: Float[Array, "n d"]
    D: Float[Array, "n n"]
    dD: Float[Array, "n n"]
    F: Float[Array, "n n"]
    net: Float[Array, "n d"]
    strength: Float[Array, "n n"]
    pulls: Strongest
    pushes: Strongest
    counts: Counts
    conservation: dict[str, Check]
    loss: str
    distance: str
    margin: float

    def __str__(self) -> str:
        return self.table()

    def table(self, rows: int = 12) -> str:
        """For a terminal: the loss, its counts, the conservation laws, and the points with the largest net forces."""
        return "\n".join([*_heading(self), *_laws(self), "", *_points(self, rows)])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every array as lists, and the counts and checks as records."""
        arrays = {name: getattr(self, name).tolist() for name in ("labels", "z", "D", "dD", "F", "net", "strength")}
        return {
            "value": self.value,
            "loss": self.loss,
            "distance": self.distance,
            "margin": self.margin,
            **arrays,
            "pulls": {"partner": self.pulls.partner.tolist(), "strength": self.pulls.strength.tolist()},
            "pushes": {"partner": self.pushes.partner.tolist(), "strength": self.pushes.strength.tolist()},
            "counts": self.counts._asdict(),
            "conservation": {name: check._asdict() for name, check in self.conservation.items()},
        }


def _heading(x: XRay) -> list[str]:
    counts, n, classes = x.counts, len(x.labels), len(np.unique(x.labels))
    return [
        f"{x.loss} on {x.distance}: {x.value:.4g}   ({n} points of {classes} classes in {x.z.shape[1]} dimensions)",
        f"pairs     {counts.active_positive} of {counts.positive} positive and "
        f"{counts.active_negative} of {counts.negative} negative pairs are active",
        f"triplets  {counts.easy} easy, {counts.semi_hard} semi-hard, {counts.hard} hard at margin {x.margin:g}",
    ]


def _laws(x: XRay) -> list[str]:
    lines = []
    for law, check in x.conservation.items():
        if check.applies:
            verdict = f"{'holds ' if check.holds else 'BROKEN'}  {LAW_MEANINGS[law]}"
        else:
            verdict = f"        not a law of {x.distance}"
        lines.append(f"{law:16}{check.residue:7.1g}  {verdict}")
    return lines


def _points(x: XRay, rows: int) -> list[str]:
    size = np.linalg.norm(x.net, axis=1)
    order = np.argsort(-size, kind="stable")
    lines = ["point class   |net|   strongest pull            strongest push            partners"]
    for i in order[:rows]:
        pull, push = (_partner(x, strongest, i) for strongest in (x.pulls, x.pushes))
        partners = (np.delete(x.strength[i], i) > 0).sum()
        lines.append(f"{i:5} {x.labels[i]:5} {size[i]:9.3g} {pull:26}{push:26}{partners:5}")
    left = order[rows:]
    if len(left):
        lines.append(f"and {len(left)} more points, with net forces up to {size[left[0]]:.3g}")
    return lines


def _partner(x: XRay, strongest: Strongest, i: int) -> str:
    j = strongest.partner[i]
    return f"{j:5} (class {x.labels[j]}) {strongest.strength[i]:.3g}" if j >= 0 else "    –"
