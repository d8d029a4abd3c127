"""Figures of the gradient of a distance or a loss: the value, its slope, and the force on a point in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .. import distances, losses, require
from .style import COLOURS, finished, heading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

    from ..typing import Array, Distance

REACH = 2.2  # the plane is drawn from −REACH to REACH
LABEL_BOX = {"boxstyle": "round", "fc": "white", "ec": "none", "alpha": 0.8}
PAIRS = ("contrastive", "binary_cross_entropy")
TRIPLETS = ("triplet_hinge", "triplet_soft_margin", "triplet_ratio")
DISTANCES = ("l2", "squared_l2", "l1", "cosine")
PAGES = (*DISTANCES, *PAIRS, *TRIPLETS)
FIXED = np.array([1.0, 0.0])  # the other point of a cosine pair, and the positive of a triplet


def gradient_page(name: str) -> Figure:
    """The figure of one op: `minisiam check --figure NAME` saves it."""
    require.one_of("figure", name, PAGES)
    draw = _distance_page if name in DISTANCES else _pair_page if name in PAIRS else _triplet_page
    return finished(draw(name))


def _distance_page(name: str) -> Figure:
    """Contour lines of d(a, b) over the position of a, and the direction in which each a decreases it."""
    distance = getattr(distances, name)
    b = FIXED if name == "cosine" else np.zeros(2)
    figure = Figure(figsize=(6.0, 5.6), layout="constrained")
    axes = figure.add_subplot()

    def force(a):
        d, pull = distance(a, np.broadcast_to(b, a.shape).copy())
        return d, -pull(np.ones(len(a)))[0]

    _field(axes, force, f"d = {name}(a, b): arrows show −∂d/∂a, towards b")
    if name == "cosine":
        axes.plot([0, 2 * REACH], [0, 0], color="0.5", linewidth=1, zorder=0)
        _mark(axes, np.zeros(2), "kink at a = 0: no direction", "X", (-80, -22))
        _mark(axes, b, "b", "o", (8, 8))
    else:
        _mark(
            axes,
            b,
            {"l1": "b; kinks on the dashed lines", "squared_l2": "b, no kink"}.get(name, "b, and the kink: slope 0"),
            "o",
        )
    if name == "l1":
        axes.axhline(0, color="black", linestyle="--", linewidth=1.4)
        axes.axvline(0, color="black", linestyle="--", linewidth=1.4)
    return figure


def distance_fields(fields: Mapping[str, tuple[Distance, Sequence[float]]]) -> Figure:
    """Distances side by side: the unit ball around b, contour lines, and the arrows −∂d/∂a towards b.

    Parameters
    ----------
    fields
        For each title a distance, `d, pullback = distance(a, b, /)`, and the position (x, y) of b. Each panel scales
        its arrows separately.
    """
    if not fields:
        raise ValueError("fields is empty: name at least one distance")
    figure = Figure(figsize=(2.6 * len(fields), 3.0), layout="constrained")
    fine = np.linspace(-REACH, REACH, 201)
    grid = np.stack(np.meshgrid(fine, fine), axis=-1).reshape(-1, 2)
    for axes, (title, (distance, place)) in zip(
        figure.subplots(1, len(fields), squeeze=False, sharey=True)[0], fields.items(), strict=True
    ):
        b = np.asarray(place, float)

        def force(a, distance=distance, b=b):
            d, pull = distance(a, np.broadcast_to(b, a.shape).copy())
            return d, -pull(np.ones(len(a)))[0]

        _field(axes, force, heading(title, 2.6), bar=False)
        axes.contour(fine, fine, force(grid)[0].reshape(201, 201), [1.0], colors="black", linewidths=2.2)
        _mark(axes, b, "b", "o")
    return finished(figure)


def _pair_page(name: str) -> Figure:
    """Loss and slope against the distance, and the plane for a same and a different pair; b is at the origin."""
    margin = 1.0

    def loss(d, same):
        flags = np.full(1, same)
        rows = [
            losses.contrastive(x[None], flags, margin)
            if name == "contrastive"
            else losses.binary_cross_entropy(margin - x[None], flags)
            for x in d
        ]
        sign = 1 if name == "contrastive" else -1
        return np.array([v for v, _ in rows]), sign * np.array([pull(1.0)[0][0] for _, pull in rows])

    figure = Figure(figsize=(14.0, 4.9), layout="constrained")
    curve, *planes = figure.subplots(1, 3)
    d = np.linspace(0, REACH, 200)
    for same, style, colour in ((True, "-", COLOURS[1]), (False, "--", COLOURS[2])):
        value, slope = loss(d, same)
        kind = "same" if same else "different"
        curve.plot(d, value, style, color=colour, linewidth=2.2, label=f"ℓ, {kind}")
        curve.plot(d, slope, style, color=colour, linewidth=1.0, label=f"∂ℓ/∂d, {kind}")
    curve.axvline(margin, color="0.4", linestyle=":", label="margin" if name == "contrastive" else "threshold")
    curve.axhline(0, color="0.7", linewidth=0.8)
    curve.set(title=f"{name} of one pair", xlabel="d", ylabel="loss, slope")
    curve.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    for axes, same in zip(planes, (True, False), strict=True):

        def force(a, same=same):
            d, pull_d = distances.l2(a, np.zeros_like(a))
            value, slope = loss(d, same)
            return value, -pull_d(slope)[0]

        _field(axes, force, "same class: a is pulled to b" if same else "different classes: a is pushed away from b")
        _mark(axes, np.zeros(2), "kink at a = b: no force" if not same else "b", "X" if not same else "o")
        if not (same and name == "contrastive"):
            _circle(axes, np.zeros(2), margin, "d = " + ("margin" if name == "contrastive" else "threshold"))
    return figure


def _triplet_page(name: str) -> Figure:
    """Loss and slope against d₊ − d₋, and the forces on a negative: anchor at the origin, positive at (1, 0)."""
    loss = getattr(losses, name)
    constants = {"margin": 0.6} if name == "triplet_hinge" else {}

    def rows(near, far):
        found = [loss(p[None], n[None], **constants) for p, n in zip(near, far, strict=True)]
        return np.array([v for v, _ in found]), np.array([pull(1.0)[1][0] for _, pull in found])

    figure = Figure(figsize=(10.4, 5.0), layout="constrained")
    curve, plane = figure.subplots(1, 2)
    x = np.linspace(-2.5, 2.5, 201)
    value, slope = rows(x, np.zeros_like(x))
    curve.plot(x, value, color=COLOURS[1], linewidth=2.2, label="ℓ")
    curve.plot(x, -slope, "--", color=COLOURS[2], linewidth=1.6, label="∂ℓ/∂d₊ = −∂ℓ/∂d₋")
    if constants:
        curve.axvline(-constants["margin"], color="0.4", linestyle=":", label="kink: d₋ = d₊ + margin, slope 0")
    curve.set(title=f"{name} of one triplet", xlabel="d₊ − d₋   (left: the negative is farther)", ylabel="loss, slope")
    curve.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    near = float(np.linalg.norm(FIXED))

    def force(n):
        far, pull_far = distances.l2(np.zeros_like(n), n)
        value, slope = rows(np.full(len(n), near), far)
        return value, -pull_far(slope)[1]

    _field(plane, force, "the force on the negative")
    _mark(plane, np.zeros(2), "anchor: no force on a negative here", "X", (-85, -24))
    _mark(plane, FIXED, "positive", "o", (9, 7))
    _circle(plane, np.zeros(2), near, "d₋ = d₊: hard inside")
    if constants:
        _circle(
            plane, np.zeros(2), near + constants["margin"], "d₋ = d₊ + margin: semi-hard inside, easy outside", "-."
        )
    return figure


def _field(axes: Axes, force: Callable[[Array], tuple[Array, Array]], title: str, bar: bool = True) -> None:
    """Contour lines of a value over the plane, and arrows."""
    fine = np.linspace(-REACH, REACH, 201)
    grid = np.stack(np.meshgrid(fine, fine), axis=-1)
    value = force(grid.reshape(-1, 2))[0].reshape(201, 201)
    shades = axes.contourf(fine, fine, value, 12, cmap="Greys", alpha=0.55)
    axes.contour(fine, fine, value, 12, colors="0.55", linewidths=0.5)
    coarse = np.linspace(-2, 2, 11)
    places = np.stack(np.meshgrid(coarse, coarse), axis=-1).reshape(-1, 2)
    arrows = force(places)[1]
    strength = np.linalg.norm(arrows, axis=1)
    long = max(1e-12, float(np.quantile(strength, 0.95)))  # not the maximum, which may be much longer
    pushed = strength > 1e-9 * long
    x, y, right, up = np.concatenate([places, arrows], axis=1)[pushed].T
    axes.quiver(x, y, right, up, color=COLOURS[1], angles="xy", scale_units="xy", scale=long / 0.38, width=0.005)
    axes.set(title=title, aspect="equal", xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    if bar:
        axes.figure.colorbar(shades, ax=axes, shrink=0.8, label="value")


def _mark(axes: Axes, place: Array, text: str, marker: str, at: tuple[float, float] = (9, -15)) -> None:
    """A point with a label, offset by `at` typographic points."""
    x, y = place.tolist()
    axes.plot(x, y, marker, color=COLOURS[2], markersize=10, markeredgecolor="white")
    axes.annotate(text, (x, y), xytext=at, textcoords="offset points", fontsize=9, bbox=LABEL_BOX)


def _circle(axes: Axes, centre: Array, radius: float, text: str, style: str = "--") -> None:
    """A labelled circle on which the formula of the loss changes."""
    turn = np.linspace(0, 2 * np.pi, 200)
    x, y = centre.tolist()
    axes.plot(x + radius * np.cos(turn), y + radius * np.sin(turn), color="black", linestyle=style, linewidth=1.4)
    top = (x - radius / 2, y + radius * 0.87)
    axes.annotate(text, top, xytext=(0, 5), textcoords="offset points", fontsize=8, ha="center", bbox=LABEL_BOX)
