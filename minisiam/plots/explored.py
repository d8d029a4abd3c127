"""An anchor, four other points in the plane, and a loss: its value and gradient, by the library's own pullbacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import distances, require
from ..losses.registry import PAIRS, TRIPLETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Float

LOSSES: dict[str, dict[str, Callable[..., Any]]] = {
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
    "contrastive": "A pair of one class is a spring: the longer it is, the harder it pulls. A pair of two classes only "
    "pushes,\nand only inside the margin. The anchor is in every pair, so its arrow is the sum.",
    "pair-hinge": "Pairs of one class pull and pairs of two push with the same force at every distance,\n"
    "until the margin is kept. The anchor is in every pair, so its arrow is the sum.",
    "hinge": "Order counts, not distance. A negative nearer than the positive is hard; up to a margin beyond it "
    "semi-hard;\nfarther out easy, and then nothing moves on its account. All that are not easy push equally.",
    "soft-margin": "Order counts, not distance. A negative nearer than the positive is pushed with more than half the "
    "force,\none farther out with less; there is no margin, and the force never quite ends.",
    "ratio": "Order counts, not distance. The push fades where the negative is far enough, and also where the order "
    "is\nhopelessly wrong: it is strongest where d₋ = d₊ − ln 2.",
    "cosine-embedding": "Only the angle to the anchor counts, so every arrow is a tangent: it turns a point and does "
    "not shorten it.\nThe shorter the vector, the harder it is turned. Different points are pushed in the wedge only.",
}
REACH = 2.4  # the plane goes from −REACH to REACH
NONE = 1e-9  # a force below is none


class State(NamedTuple):
    """What is to be drawn: the first of the (5, 2) points is the anchor; margin is None where the loss has none."""

    kind: str
    loss: str
    margin: float | None
    points: Float[Array, "5 2"]


class Reading(NamedTuple):
    """The loss, summed over pairs or triplets; the (4,) distances to the anchor; the (5, 2) gradient."""

    value: float
    d: Array
    gradient: Array


def state(kind: str, points: Any = None, margin: float | None = None, loss: str | None = None) -> State:
    """A state, with what is left out filled in and what cannot be refused."""
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


def measure(s: State) -> Reading:
    """Value and gradient as the library has them: through the distance's pullback and the loss's."""
    loss = loss_of(s)
    anchors = np.repeat(s.points[:1], 4, axis=0)
    d, pull_d = (distances.cosine if s.kind == "cosine" else distances.l2)(anchors, s.points[1:])
    if s.kind == "triplet":
        value, pull = loss(np.repeat(d[0], 3), d[1:])
        near, far = pull(1.0)
        dd = np.concatenate([[near.sum()], far])
    else:
        value, pull = loss(d, np.array([True, True, False, False]))
        (dd,) = pull(1.0)
    danchors, dothers = pull_d(dd)
    return Reading(float(value), d, np.vstack([danchors.sum(axis=0), dothers]))


def loss_of(s: State) -> Callable[..., Any]:
    """The loss of a state: a sum, so that an arrow does not shrink with the number of other pairs."""
    word = "negative_margin" if s.loss == "pair-hinge" else "margin"
    return partial(LOSSES[s.kind][s.loss], reduction="sum", **({} if s.margin is None else {word: s.margin}))


def angles_of(d: Array) -> Array:
    """Degrees, from cosine distances."""
    return np.rad2deg(np.arccos(np.clip(1 - d, -1, 1)))


def far(s: State, reading: Reading) -> list[str]:
    """The distances or angles, as text."""
    return [f"{a:.0f}°" for a in angles_of(reading.d)] if s.kind == "cosine" else [f"{d:.2f}" for d in reading.d]


def told(s: State, reading: Reading) -> list[str]:
    """What happens to each point, in a word or two."""
    still = np.linalg.norm(reading.gradient[1:], axis=1) <= NONE
    anchor = "turned by them all" if s.kind == "cosine" else "minus the sum of these"
    if s.kind != "triplet":
        words = ("pulled", "pulled", "pushed", "pushed")
        return [anchor, *("no force" if rest else word for rest, word in zip(still, words, strict=True))]
    gap, pushed = reading.d[1:] - reading.d[0], ~still[1:]
    if s.margin is None:
        zones = ["wrong order" if g <= 0 else "right order" for g in gap]
    else:
        zones = ["hard" if g <= 0 else "semi-hard" if g <= s.margin else "easy" for g in gap]
    negatives = [f"{zone}: {'pushed' if moves else 'no force'}" for zone, moves in zip(zones, pushed, strict=True)]
    return [anchor, f"pulled by {pushed.sum()} triplets" if pushed.any() else "no force", *negatives]
