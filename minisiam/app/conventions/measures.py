"""The distances of pytorch-metric-learning: a similarity s enters as d = zero − s, a margin m on it as zero − m."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import pairwise
from .compose import minkowski, normalize_lp, on, placing, raised, signal_to_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]


class NotMapped(ValueError):
    """Nothing of ours equals it; the message says why."""


class Measure(NamedTuple):
    """A distance of the reference: an op of ours, where it puts the embeddings first, and how it is told to people."""

    distance: Operation
    normalize: bool | Operation = False
    similarity: bool = False
    zero: float = 0.0
    words: str = "L2"
    squared: bool = False
    normalized: bool = False
    power: float = 1

    def at(self, margin: float) -> float:
        """A margin of the reference in the units of our distance."""
        return self.zero - margin if self.similarity else margin

    @property
    def place(self) -> Operation:
        """The op that normalises, or does nothing."""
        return placing(self.normalize)

    def on(self, loss: Operation) -> Operation:
        """The loss on embeddings."""
        return on(self.distance, loss, self.normalize)


class Asked(NamedTuple):
    """What a name asks for: arguments by name, the distance, the reduction, and a miner on embeddings or None."""

    a: dict[str, Any]
    measure: Measure
    reduction: str
    miner: Operation | None


def lp(normalize_embeddings: bool = True, p: float = 2, power: float = 1) -> Measure:
    """LpDistance: the rows are normalised in the same norm."""
    if not np.isfinite(p) or p < 1:
        raise NotMapped(f"LpDistance(p={p}) has no counterpart: p must be at least 1, and finite")
    known: dict[float, Operation] = {1: pairwise.l1, 2: pairwise.l2}
    distance = known[p] if p in known else minkowski(p)
    if p == 2 and power == 2:
        distance = pairwise.squared_l2
    elif power != 1:
        distance = raised(distance, power)
    words = (f"L{p:g}" if p in known else f"Lp, p = {p:g}") + ("" if power == 1 else f" to the power {power:g}")
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, False, 0.0, words, power == 2, normalize_embeddings, power)


def dot(normalize_embeddings: bool = True, p: float = 2, power: float = 1) -> Measure:
    """DotProductSimilarity: s = a·b, of normalised rows unless told otherwise."""
    distance = pairwise.dot if power == 1 else raised(pairwise.dot, power, -1)
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, True, 0.0, "minus the dot product", False, normalize_embeddings, power)


def cosine(p: float = 2, power: float = 1) -> Measure:
    """CosineSimilarity: s = cos θ, which enters as d = 1 − s."""
    if power != 1 or p != 2:
        return dot(True, p, power)
    return Measure(pairwise.cosine, False, True, 1.0, "cosine", False, True, 1)


def snr(normalize_embeddings: bool = True, p: float = 2, power: float = 1) -> Measure:
    """SNRDistance: var(a − b) / var(a) over the features."""
    distance = signal_to_noise if power == 1 else raised(signal_to_noise, power)
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, False, 0.0, "signal to noise", False, normalize_embeddings, power)


DISTANCES: dict[str, Callable[..., Measure]] = {
    "LpDistance": lp,
    "DotProductSimilarity": dot,
    "CosineSimilarity": cosine,
    "SNRDistance": snr,
}
