"""The X-ray of a loss: what it does to each point of a batch.     x = xray.of(loss, z, labels)     print(x)

    ∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ)          F > 0 pulls i and j together, F < 0 pushes them apart

Whatever a loss on distances is, one symmetric matrix of spring constants says what it wants. Training moves the points
along the net force −∂ℓ/∂z, which the distance's own pullback computes and F must reproduce; and each symmetry of a
distance makes a sum of forces vanish, so that a wrong gradient shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import miners, pairwise, require
from .._numerics import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float, Generator, Int

    Arms = Callable[[int], Array]  # i ↦ (n, d): row j is the direction on which Fᵢⱼ acts

WORDS = {
    "translation": "the forces sum to zero: D sees differences only",
    "radial": "every force is at right angles to its z: D does not see lengths",
    "rotation": "no torque about the origin: D stays when all points turn",
    "symmetry": "one coefficient a pair: Fᵢⱼ = Fⱼᵢ",
    "reconstruction": "the pullback's net force is the sum of the forces of all pairs",
}


class Hardest(NamedTuple):
    """who : (n,) index of the partner, −1 where there is none;   strength : (n,) the size of its force."""

    who: Int[Array, "n"]
    strength: Float[Array, "n"]


class Counts(NamedTuple):
    """How many pairs there are and how many the loss moves (∂ℓ/∂D ≠ 0), and how hard the triplets are.

    A triplet is easy if d₋ is beyond d₊ + margin, semi-hard if d₋ lies between d₊ and there, hard if it is nearer.
    """

    positive: int
    active_positive: int
    negative: int
    active_negative: int
    easy: int
    semi_hard: int
    hard: int


class Check(NamedTuple):
    """residue : what should be 0, relative to the sizes of all forces;   applies : whether it should be."""

    residue: float
    applies: bool
    holds: bool


class XRay(NamedTuple):
    """All that `of` finds.

    value : the loss;   labels, z, D : the batch and its distances;   dD : ∂ℓ/∂D, (n, n)
    F : (n, n) symmetric coefficients, > 0 together, < 0 apart
    net : (n, d) net force −∂ℓ/∂z, from the distance's pullback
    strength : (n, n) the size of the force that j exerts on i
    pulls, pushes : for each point who pulls and who pushes it hardest
    counts, conservation : numbers of pairs and triplets; by name, what must vanish
    loss, distance, margin : their names; the margin by which the triplets were counted
    """

    value: float
    labels: Int[Array, "n"]
    z: Float[Array, "n d"]
    D: Float[Array, "n n"]
    dD: Float[Array, "n n"]
    F: Float[Array, "n n"]
    net: Float[Array, "n d"]
    strength: Float[Array, "n n"]
    pulls: Hardest
    pushes: Hardest
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
        """For JSON: every number, and a record for each point."""
        arrays = {name: getattr(self, name).tolist() for name in ("labels", "z", "D", "dD", "F", "net", "strength")}
        return {
            "value": self.value,
            "loss": self.loss,
            "distance": self.distance,
            "margin": self.margin,
            **arrays,
            "pulls": {"who": self.pulls.who.tolist(), "strength": self.pulls.strength.tolist()},
            "pushes": {"who": self.pushes.who.tolist(), "strength": self.pushes.strength.tolist()},
            "counts": self.counts._asdict(),
            "conservation": {name: check._asdict() for name, check in self.conservation.items()},
        }


def of(
    loss: Callable[..., Any],
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    distance: Callable[..., Any] = pairwise.l2,
    params: tuple[Array, ...] = (),
    loss_params: tuple[Array, ...] = (),
    margin: float = 1.0,
) -> XRay:
    """Fᵢⱼ such that ∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ), and what follows from it.

    Parameters
    ----------
    loss
        An op on a distance matrix, `value, pullback = loss(D, /, *loss_params, labels)`: `losses.with_miner(...)`, say.
        Constants go in by `functools.partial(loss, margin=0.3)`.
    z, labels
        (n, d) embeddings, finite, and their (n,) classes.
    distance, params
        A distance of `minisiam.pairwise` or another of that name, plain or `calibrated`; parameters, if it learns.
    loss_params
        The parameters of a learned loss.
    margin
        By which triplets are counted as easy, semi-hard and hard, in the units of the distance.

    Returns
    -------
    XRay
        `print` shows it as a table, `minisiam.plots.xray` draws it, `summary` shortens it to a line of a log.

    Notes
    -----
    Every Fᵢⱼ = Gᵢⱼ + Gⱼᵢ, since a pair stands in D twice. What G is, and on what F acts, depends on the distance:

    ============  =================  ===============================================================
    l2            dD / D (0 at 0)    eᵢ − eⱼ
    squared_l2    2 dD               eᵢ − eⱼ
    cosine        dD                 the part of êᵢ − êⱼ at right angles to eᵢ, divided by ‖eᵢ‖
    dot           dD                 −eⱼ: not a difference, so the forces do not sum to zero
    l1            dD                 sign(eᵢ − eⱼ): the force is along no straight line
    weighted_l1   dD                 w sign(eᵢ − eⱼ): a negative weight turns a pull into a push
    ============  =================  ===============================================================

    Where eᵢ = eⱼ there is no direction, hence no force, whatever F says. Computed in float64 from what the ops give.
    """
    name = _name(distance)
    _check(z, labels)
    margin = require.between("margin", margin, 0)
    D, pull_D = distance(z, z, *params)
    value, pull_value = loss(D, *loss_params, labels)
    dD = pull_value(1.0)[0]
    require.finite(dD=dD)
    dz_row, dz_column, *_ = pull_D(dD.copy())
    net = -(dz_row + dz_column)  # a point is in a row and in a column
    F, strength, total = _forces(name, z, D, dD, params)
    return XRay(
        float(value),
        labels,
        z,
        D,
        dD,
        F,
        net,
        strength,
        _hardest(np.where(F > 0, strength, 0)),
        _hardest(np.where(F < 0, strength, 0)),
        _counts(D, dD, labels, margin),
        _conservation(name, z, F, net, strength, total),
        getattr(getattr(loss, "func", loss), "__name__", "loss"),  # also of a partial
        name,
        margin,
    )


def summary(x: XRay) -> dict[str, float]:
    """An X-ray as a few numbers for a training log.

    forces : mean size of the net force on a point
    pull, push : mean over points of all that pulls on it, and of all that pushes; much more than `forces`: they cancel
    active_positive, active_negative : share of these pairs that the loss moves
    easy, semi_hard, hard : shares of the triplets
    drift : residue of the first conservation law of the distance, 0 but for rounding
    """
    counts = x.counts
    triplets = counts.easy + counts.semi_hard + counts.hard
    law = _law(x.distance).keeps[0]
    return {
        "forces": float(np.linalg.norm(x.net.astype(np.float64), axis=1).mean()),
        "pull": float(np.where(x.F > 0, x.strength, 0).sum(axis=1).mean()),
        "push": float(np.where(x.F < 0, x.strength, 0).sum(axis=1).mean()),
        "active_positive": _ratio(counts.active_positive, counts.positive),
        "active_negative": _ratio(counts.active_negative, counts.negative),
        "easy": _ratio(counts.easy, triplets),
        "semi_hard": _ratio(counts.semi_hard, triplets),
        "hard": _ratio(counts.hard, triplets),
        "drift": x.conservation[law].residue,
    }


class Example(NamedTuple):
    """z : (n, d) float64;   labels : (n,) integers."""

    z: Array
    labels: Array


def example(rng: Generator, classes: int = 3, per_class: int = 4, dimensions: int = 2) -> Example:
    """A batch to look at: clusters on a circle, as wide as they are apart, so that triplets of every kind occur."""
    require.generator(rng)
    require.whole("classes", classes, 2)
    require.whole("per_class", per_class, 2)
    require.whole("dimensions", dimensions, 2)
    labels = np.repeat(np.arange(classes), per_class)
    angle = 2 * np.pi * labels / classes + 0.5
    radius = 0.75 / np.sin(np.pi / classes)  # neighbouring centres are 1.5 apart
    spread = 0.64 / np.maximum(1, np.arange(dimensions))  # were all axes alike, many would make all distances alike
    z = spread * rng.normal(size=(len(labels), dimensions))
    z[:, :2] += radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Example(z, labels)


class Law(NamedTuple):
    """How a distance hands ∂ℓ/∂D on to the points.

    G : (dD, D) ↦ (n, n), with F = G + Gᵀ
    arms : (z, *params) ↦ i ↦ (n, d), what F acts on
    keeps : what its symmetries conserve, the most telling first
    """

    G: Callable[[Array, Array], Array]
    arms: Callable[..., Arms]
    keeps: tuple[str, ...]


def _differences(z: Array) -> Arms:
    return lambda i: z[i] - z


def _signs(z: Array, w: Any = 1.0, bias: Any = 0.0) -> Arms:
    return lambda i: w * np.sign(z[i] - z)


def _tangents(z: Array) -> Arms:
    unit, inverse = unit_rows(z)

    def arm(i):
        gap = unit[i] - unit
        return inverse[i] * (gap - (gap @ unit[i])[:, None] * unit[i])

    return arm


def _opposites(z: Array) -> Arms:
    return lambda i: -z


def _per_length(dD: Array, D: Array) -> Array:
    """dD / D, and 0 where D is 0 or too small to divide by."""
    return np.divide(dD, D, out=np.zeros_like(dD), where=np.finfo(D.dtype).tiny < D)


LAWS = {
    "l2": Law(_per_length, _differences, ("translation", "rotation")),
    "squared_l2": Law(lambda dD, D: 2 * dD, _differences, ("translation", "rotation")),
    "l1": Law(lambda dD, D: dD, _signs, ("translation",)),
    "weighted_l1": Law(lambda dD, D: dD, _signs, ("translation",)),
    "cosine": Law(lambda dD, D: dD, _tangents, ("radial", "rotation")),
    "dot": Law(lambda dD, D: dD, _opposites, ("rotation",)),
}
CALIBRATED = "calibrated_"  # scale · D + bias: the law of D, with ∂ℓ/∂D times the scale


def _name(distance: Callable[..., Any]) -> str:
    name = getattr(distance, "__name__", type(distance).__name__)
    require.one_of("distance", name.removeprefix(CALIBRATED), LAWS)
    return name


def _law(name: str) -> Law:
    return LAWS[name.removeprefix(CALIBRATED)]


def _check(z: Array, labels: Array) -> None:
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.rows(z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))


def _forces(name: str, z: Array, D: Array, dD: Array, params: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    """F (n, n), the size of the force of j on i (n, n), and ∂ℓ/∂z = Σⱼ Fᵢⱼ armᵢⱼ (n, d); a row at a time."""
    e, D, dD = (x.astype(np.float64) for x in (z, D, dD))
    if name.startswith(CALIBRATED):
        D, dD, params = getattr(pairwise, name.removeprefix(CALIBRATED))(e, e)[0], dD * params[0], ()
    G = _law(name).G(dD, D)
    F = G + G.T
    arm = _law(name).arms(e, *params)
    strength, total = np.empty_like(F), np.empty_like(e)
    for i in range(len(e)):
        forces = F[i][:, None] * arm(i)
        strength[i] = np.linalg.norm(forces, axis=1)
        total[i] = forces.sum(axis=0)
    own = np.diag(strength) > 0  # only a dot product has a distance to itself that can change
    np.fill_diagonal(F, np.where(own, np.diag(F), 0))
    return F, strength, total


def _hardest(strength: Array) -> Hardest:
    """The strongest other point of each row."""
    others = np.where(np.eye(len(strength), dtype=bool), 0, strength)
    most = others.max(axis=1)
    return Hardest(np.where(most > 0, others.argmax(axis=1), -1), most)


def _counts(D: Array, dD: Array, labels: Array, margin: float) -> Counts:
    """Pairs i < j, and triplets."""
    i, j = np.triu_indices(len(labels), k=1)
    same = labels[i] == labels[j]
    moved = (dD[i, j] != 0) | (dD[j, i] != 0)
    there = miners.population(labels)
    return Counts(
        there.positive_pairs,
        int((same & moved).sum()),
        there.negative_pairs,
        int((~same & moved).sum()),
        *miners.count(D, labels, margin),
    )


def _conservation(name: str, z: Array, F: Array, net: Array, strength: Array, total: Array) -> dict[str, Check]:
    """Each residue relative to the forces that make it up, and whether it is as small as the dtype of z lets it be."""
    tolerance = np.sqrt(np.finfo(z.dtype).eps)
    z, net = z.astype(np.float64), net.astype(np.float64)
    length, on_each = np.linalg.norm(z, axis=1), strength.sum(axis=1)
    radial = np.abs((net * unit_rows(z)[0]).sum(axis=1))
    torque = net.T @ z
    residues = {
        "translation": _ratio(np.linalg.norm(net.sum(axis=0)), on_each.sum()),
        "radial": max(map(_ratio, radial, on_each)),
        "rotation": _ratio(np.linalg.norm(torque - torque.T), (on_each * length).sum()),
        "symmetry": _ratio(np.abs(F - F.T).max(), np.abs(F).max()),
        "reconstruction": _ratio(np.linalg.norm(net + total), np.linalg.norm(on_each)),
    }
    keeps = (*_law(name).keeps, "symmetry", "reconstruction")
    return {law: Check(residue, law in keeps, bool(residue <= tolerance)) for law, residue in residues.items()}


def _ratio(part: Any, whole: Any) -> float:
    """part / whole, and 0 of nothing is 0."""
    return float(part / whole) if whole > 0 else float(part)


def _heading(x: XRay) -> list[str]:
    counts, n, classes = x.counts, len(x.labels), len(np.unique(x.labels))
    return [
        f"{x.loss} on {x.distance}: {x.value:.4g}   ({n} points of {classes} classes in {x.z.shape[1]} dimensions)",
        f"pairs     {counts.active_positive} of {counts.positive} positive and "
        f"{counts.active_negative} of {counts.negative} negative pairs are moved",
        f"triplets  {counts.easy} easy, {counts.semi_hard} semi-hard, {counts.hard} hard at the margin {x.margin:g}",
    ]


def _laws(x: XRay) -> list[str]:
    lines = []
    for law, check in x.conservation.items():
        if check.applies:
            verdict = f"{'holds ' if check.holds else 'BROKEN'}  {WORDS[law]}"
        else:
            verdict = f"        no law of {x.distance}"
        lines.append(f"{law:16}{check.residue:7.1g}  {verdict}")
    return lines


def _points(x: XRay, rows: int) -> list[str]:
    size = np.linalg.norm(x.net, axis=1)
    order = np.argsort(-size, kind="stable")
    lines = ["point class   |net|   hardest pull              hardest push              partners"]
    for i in order[:rows]:
        pull, push = (_partner(x, hardest, i) for hardest in (x.pulls, x.pushes))
        partners = (np.delete(x.strength[i], i) > 0).sum()
        lines.append(f"{i:5} {x.labels[i]:5} {size[i]:9.3g} {pull:26}{push:26}{partners:5}")
    left = order[rows:]
    if len(left):
        lines.append(f"and {len(left)} more points, with net forces up to {size[left[0]]:.3g}")
    return lines


def _partner(x: XRay, hardest: Hardest, i: int) -> str:
    j = hardest.who[i]
    return f"{j:5} (class {x.labels[j]}) {hardest.strength[i]:.3g}" if j >= 0 else "    –"
