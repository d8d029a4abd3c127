"""An anchor, four other points in the plane, and a loss: its value and gradient, from the library's pullbacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import distances, require
from ..analysis.registry import PAIRS, TRIPLETS
from ..analysis.zones import triplet_zones, zone_of

if TYPE_CHECKING:
    from ..typing import Array, Float, Loss


LOSSES: dict[str, dict[str, Loss]] = {
    "contrastive": {name: PAIRS[name] for name in ("contrastive", "pair-hinge")},
    "triplet": {name: TRIPLETS[name] for name in ("hinge", "soft-margin", "ratio")},
    "cosine": {"cosine-embedding": PAIRS["cosine-embedding"]},
}
MARGINS = {"contrastive": 1.4, "pair-hinge": 1.4, "hinge": 0.5, "cosine-embedding": 0.5}
NAMES = {
    "contrastive": ("anchor", "same", "same", "different", "different"),
    "triplet": ("anchor", "positive", "negative", "negative", "negative"),
    "cosine": ("anchor", "same", "same", "different", "different"),
}
POINTS = {
    "contrastive": ((-0.3, 0.0), (1.5, 0.9), (-0.65, 0.6), (0.35, -0.5), (-1.3, -1.3)),
    "triplet": ((0.0, 0.0), (1.0, 0.45), (0.5, -0.45), (-0.45, -1.25), (-1.6, 0.95)),
    "cosine": ((1.41, 0.51), (-0.12, 0.69), (0.95, -1.65), (1.23, -0.22), (-1.39, 0.8)),
}
CAPTIONS = {
    "contrastive": "A spring joins points of the same class: the longer it is, the harder it pulls. Different points\n"
    "only push, and only inside the margin. The anchor is in every pair, so its arrow is the sum.",
    "pair-hinge": "Same pairs pull and different pairs push, with equal force at every distance,\n"
    "until the margin is reached. The anchor is in every pair, so its arrow is the sum.",
    "hinge": "Only the order of the distances matters. A negative nearer than the positive is hard, one up to a margin "
    "beyond it\nis semi-hard, and one farther out is easy and has no force. All others are pushed with equal force.",
    "soft-margin": "Only the order of the distances matters. A negative nearer than the positive gets more than half "
    "of the largest\nforce, one farther out gets less. There is no margin, and the force never becomes 0.",
    "ratio": "Only the order of the distances matters. The force is largest at d₋ = d₊ − ln 2. It decreases for\n"
    "negatives farther out and also for negatives much nearer than the positive.",
    "cosine-embedding": "Only the angle to the anchor matters, so every arrow is a tangent: it turns a vector without "
    "changing its\nlength. The shorter the vector, the larger the force. Negatives are pushed only in the wedge.",
}
REACH = 2.4  # the plane goes from −REACH to REACH
ZERO_FORCE = 1e-9  # smaller forces count as 0


class State(NamedTuple):
    """What to draw: the first of the (5, 2) points is the anchor; margin is None for a loss without one."""

    kind: str
    loss: str
    margin: float | None
    points: Float[Array, "5 2"]


class Evaluation(NamedTuple):
    """The loss, summed over pairs or triplets; the (4,) distances to the anchor; the (5, 2) gradient."""

    value: float
    d: Array
    gradient: Array


def state(kind: str, points: Any = None, margin: float | None = None, loss: str | None = None) -> State:
    """A valid state: defaults replace missing arguments, and wrong arguments raise a ValueError."""
    require.one_of("kind", kind, LOSSES)
    loss = loss or next(iter(LOSSES[kind]))
    require.one_of("loss", loss, LOSSES[kind])
    if margin is not None:
        if loss not in MARGINS:
            others = [name for name in LOSSES[kind] if name in MARGINS]
            raise ValueError(f"loss {loss} has no margin: leave margin out, or use loss {' or '.join(others)}")
        margin = require.between("margin", margin, -1 if kind == "cosine" else 0, 1 if kind == "cosine" else REACH)
    places = np.array(POINTS[kind] if points is None else points, float)
    if places.shape != (len(NAMES[kind]), 2):
        raise ValueError(f"points must have the shape {(len(NAMES[kind]), 2)}, {', '.join(NAMES[kind])}")
    require.finite(points=places)
    return State(kind, loss, MARGINS.get(loss) if margin is None else margin, places)


def evaluate(s: State) -> Evaluation:
    """Value and gradient, through the pullbacks of the loss and of the distance."""
    loss = loss_of(s)
    anchors = np.repeat(s.points[:1], 4, axis=0)
    d, pull_d = (distances.cosine if s.kind == "cosine" else distances.l2)(anchors, s.points[1:])
    if s.kind == "triplet":
        value, pull = loss(np.repeat(d[0], 3), d[1:])
        dpositive, dnegative = pull(1.0)
        dd = np.concatenate([[dpositive.sum()], dnegative])
    else:
        value, pull = loss(d, np.array([True, True, False, False]))
        (dd,) = pull(1.0)
    danchors, dothers = pull_d(dd)
    return Evaluation(float(value), d, np.vstack([danchors.sum(axis=0), dothers]))


def loss_of(s: State) -> Loss:
    """The loss of a state: a sum, so that an arrow does not shrink with the number of other pairs."""
    name = "negative_margin" if s.loss == "pair-hinge" else "margin"
    return partial(LOSSES[s.kind][s.loss], reduction="sum", **({} if s.margin is None else {name: s.margin}))


def angles_of(d: Array) -> Array:
    """Degrees, from cosine distances."""
    return np.rad2deg(np.arccos(np.clip(1 - d, -1, 1)))


def distance_labels(s: State, reading: Evaluation) -> list[str]:
    """The distances or angles as text."""
    return [f"{a:.0f}°" for a in angles_of(reading.d)] if s.kind == "cosine" else [f"{d:.2f}" for d in reading.d]


def descriptions(s: State, reading: Evaluation) -> list[str]:
    """The force on each point in a word or two."""
    at_rest = np.linalg.norm(reading.gradient[1:], axis=1) <= ZERO_FORCE
    anchor = "turned by all of them" if s.kind == "cosine" else "minus the sum of these"
    if s.kind != "triplet":
        words = ("pulled", "pulled", "pushed", "pushed")
        return [anchor, *("no force" if rests else word for rests, word in zip(at_rest, words, strict=True))]
    gap, pushed = reading.d[1:] - reading.d[0], ~at_rest[1:]
    names = [zone_of(g, triplet_zones(0.0, s.margin)) for g in gap]
    negatives = [f"{name}: {'pushed' if moves else 'no force'}" for name, moves in zip(names, pushed, strict=True)]
    return [anchor, f"pulled by {pushed.sum()} triplets" if pushed.any() else "no force", *negatives]
