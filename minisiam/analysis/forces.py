"""The X-ray of a loss: the forces on each point of a batch.     x = forces.xray(loss, z, labels)     print(x)

    ∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ)          F > 0 pulls i and j together, F < 0 pushes them apart

Picture each pair of points as joined by a spring. One symmetric matrix F of spring constants then describes any loss on
distances. Training moves the points along the net force −∂ℓ/∂z. The pullback of the distance computes this force, and F
must reproduce it. Each symmetry of a distance makes a sum of forces vanish, which reveals a wrong gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pairwise, require
from .._numerics import unit_rows
from . import counts
from .force_laws import Law, law_of, name_of, uncalibrated
from .force_report import Check, Counts, Strongest, XRay

if TYPE_CHECKING:
    from ..typing import Array, Float, Generator, Int, Loss, PairwiseDistance


def xray(
    loss: Loss,
    z: Float[Array, "n d"],
    labels: Int[Array, "n"],
    distance: PairwiseDistance = pairwise.l2,
    params: tuple[Array, ...] = (),
    loss_params: tuple[Array, ...] = (),
    margin: float = 1.0,
    law: Law | None = None,
) -> XRay:
    """Compute F with ∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ), and the quantities derived from it.

    Parameters
    ----------
    loss
        An op on a distance matrix, `value, pullback = loss(D, /, *loss_params, labels)`, for example
        `losses.with_miner(...)`. Set constants with `functools.partial(loss, margin=0.3)`.
    z, labels
        (n, d) finite embeddings and their (n,) classes.
    distance, params
        A distance of `minisiam.pairwise`, calibrated or not, and its parameters if it has any.
    loss_params
        The parameters of a loss that has any.
    margin
        The margin that separates easy from semi-hard triplets, in the units of the distance.
    law
        How your own distance turns ∂ℓ/∂D into forces; the distances of `minisiam.pairwise` have theirs in `force_laws`.

    Returns
    -------
    XRay
        `print` shows it as a table, `minisiam.plots.xray` draws it, `summary` reduces it to one record of a log.

    Notes
    -----
    Every Fᵢⱼ = Gᵢⱼ + Gⱼᵢ, since each pair appears twice in D. `force_laws` lists G and the direction of the force for
    each distance. Where eᵢ = eⱼ there is no direction, hence no force, whatever F is. F is computed in float64 from the
    results of the ops.
    """
    law = law or law_of(distance)
    _check(z, labels)
    margin = require.between("margin", margin, 0)
    D, pull_D = distance(z, z, *params)
    value, pull_value = loss(D, *loss_params, labels)
    dD = pull_value(1.0)[0]
    require.finite(dD=dD)
    dz_row, dz_column, *_ = pull_D(dD.copy())
    net = -(dz_row + dz_column)  # a point has a row and a column
    F, strength, total = _forces(distance, law, z, D, dD, params)
    return XRay(
        float(value),
        labels,
        z,
        D,
        dD,
        F,
        net,
        strength,
        _strongest(np.where(F > 0, strength, 0)),
        _strongest(np.where(F < 0, strength, 0)),
        _counts(D, dD, labels, margin),
        _conservation(law, z, F, net, strength, total),
        name_of(loss),
        name_of(distance),
        margin,
    )


def summary(x: XRay) -> dict[str, float]:
    """An X-ray as a few numbers for a training log.

    forces : mean size of the net force on a point
    pull, push : mean over points of the sum of all pulls, and of all pushes; far above `forces` if they cancel
    active_positive, active_negative : share of these pairs that are active
    easy, semi_hard, hard : shares of the triplets
    drift : residue of the first conservation law of the distance, 0 up to rounding
    """
    counts = x.counts
    triplets = counts.easy + counts.semi_hard + counts.hard
    return {
        "forces": float(np.linalg.norm(x.net.astype(np.float64), axis=1).mean()),
        "pull": float(np.where(x.F > 0, x.strength, 0).sum(axis=1).mean()),
        "push": float(np.where(x.F < 0, x.strength, 0).sum(axis=1).mean()),
        "active_positive": _ratio(counts.active_positive, counts.positive),
        "active_negative": _ratio(counts.active_negative, counts.negative),
        "easy": _ratio(counts.easy, triplets),
        "semi_hard": _ratio(counts.semi_hard, triplets),
        "hard": _ratio(counts.hard, triplets),
        "drift": next(check.residue for check in x.conservation.values() if check.applies),
    }


class Example(NamedTuple):
    """z : (n, d) float64;   labels : (n,) integers."""

    z: Array
    labels: Array


def example(rng: Generator, classes: int = 3, per_class: int = 4, dimensions: int = 2) -> Example:
    """A batch of clusters on a circle, as wide as the gaps between them, so that triplets of every kind occur."""
    require.generator(rng)
    require.whole("classes", classes, 2)
    require.whole("per_class", per_class, 2)
    require.whole("dimensions", dimensions, 2)
    labels = np.repeat(np.arange(classes), per_class)
    angle = 2 * np.pi * labels / classes + 0.5
    radius = 0.75 / np.sin(np.pi / classes)  # neighbouring centres are 1.5 apart
    spread = 0.64 / np.maximum(1, np.arange(dimensions))  # equal spread in many dimensions would equalise all distances
    z = spread * rng.normal(size=(len(labels), dimensions))
    z[:, :2] += radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Example(z, labels)


def _check(z: Array, labels: Array) -> None:
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.rows(z=z)
    require.finite(z=z)
    require.class_labels(labels, len(z))


def _forces(
    distance: PairwiseDistance, law: Law, z: Array, D: Array, dD: Array, params: tuple[Array, ...]
) -> tuple[Array, Array, Array]:
    """F (n, n), the size of the force of j on i (n, n), and ∂ℓ/∂z = Σⱼ Fᵢⱼ armᵢⱼ (n, d); a row at a time."""
    e, D, dD = (x.astype(np.float64) for x in (z, D, dD))
    base = uncalibrated(distance)
    if base is not distance:  # scale · D + bias: the law of D, with ∂ℓ/∂D times the scale
        D, dD, params = base(e, e)[0], dD * params[0], ()
    G = law.G(dD, D)
    F = G + G.T
    arm = law.arms(e, *params)
    strength, total = np.empty_like(F), np.empty_like(e)
    for i in range(len(e)):
        forces = F[i][:, None] * arm(i)
        strength[i] = np.linalg.norm(forces, axis=1)
        total[i] = forces.sum(axis=0)
    own = np.diag(strength) > 0  # only for a dot product can the distance of a point to itself change
    np.fill_diagonal(F, np.where(own, np.diag(F), 0))
    return F, strength, total


def _strongest(strength: Array) -> Strongest:
    """The strongest other point of each row."""
    others = np.where(np.eye(len(strength), dtype=bool), 0, strength)
    most = others.max(axis=1)
    return Strongest(np.where(most > 0, others.argmax(axis=1), -1), most)


def _counts(D: Array, dD: Array, labels: Array, margin: float) -> Counts:
    """Pairs i < j, and triplets."""
    i, j = np.triu_indices(len(labels), k=1)
    same = labels[i] == labels[j]
    active = (dD[i, j] != 0) | (dD[j, i] != 0)
    population = counts.population(labels)
    return Counts(
        population.positive_pairs,
        int((same & active).sum()),
        population.negative_pairs,
        int((~same & active).sum()),
        *counts.count(D, labels, margin),
    )


def _conservation(law: Law, z: Array, F: Array, net: Array, strength: Array, total: Array) -> dict[str, Check]:
    """Each residue relative to the forces in it, and whether it is within the rounding of the dtype of z."""
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
    conserved = (*law.conserved, "symmetry", "reconstruction")
    return {name: Check(residue, name in conserved, bool(residue <= tolerance)) for name, residue in residues.items()}


def _ratio(part: Any, whole: Any) -> float:
    """part / whole, where 0 / 0 is 0."""
    return float(part / whole) if whole > 0 else float(part)
