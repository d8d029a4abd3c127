"""The distances of pytorch-metric-learning: a similarity s enters as d = zero − s, a margin m on it as zero − m."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ... import pairwise, require
from ...op import op
from .compose import on, placing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array, Float, Op

    Operation = Callable[..., Any]


class Measure(NamedTuple):
    """A distance of pytorch-metric-learning as an op of this package.

    distance : the op, one of `minisiam.pairwise` or like them
    normalize : whether the embeddings are normalised first, or the op that does it
    similarity, zero : whether margins are on a similarity s, where d = zero − s
    words, squared, normalized : a description to read
    power : the exponent of the distance
    """

    distance: Operation
    normalize: bool | Operation = False
    similarity: bool = False
    zero: float = 0.0
    words: str = "L2"
    squared: bool = False
    normalized: bool = False
    power: float = 1

    def at(self, margin: float) -> float:
        """A margin of pytorch-metric-learning in the units of `distance`."""
        return self.zero - margin if self.similarity else margin

    @property
    def place(self) -> Operation:
        """The op that normalises, or does nothing."""
        return placing(self.normalize)

    def on(self, loss: Operation) -> Operation:
        """The loss on embeddings."""
        return on(self.distance, loss, self.normalize)


@op
def signal_to_noise(a: Float[Array, "n d"], b: Float[Array, "m d"], /) -> Op[Float[Array, "n m"]]:
    """Dᵢⱼ = var(aᵢ − bⱼ) / var(aᵢ), the variance over the features: not symmetric, the row is the anchor.

    Yuan, Deng, Tang, Tang & Chen (2019), "Signal-to-noise ratio: a robust distance metric for deep metric learning".
    """
    A, B = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    S, pull = pairwise.squared_l2(A, B)
    signal = (A * A).sum(axis=1, keepdims=True)
    D = S / signal

    def pullback(dD):
        dA, dB = pull(dD / signal)
        dA = dA - 2 * A * (dD * D).sum(axis=1, keepdims=True) / signal
        return dA - dA.mean(axis=1, keepdims=True), dB - dB.mean(axis=1, keepdims=True)

    return D, pullback


KNOWN = {
    "l2": Measure(pairwise.l2),
    "squared_l2": Measure(pairwise.squared_l2, squared=True, power=2),
    "l1": Measure(pairwise.l1, words="L1"),
    "cosine": Measure(pairwise.cosine, similarity=True, zero=1.0, words="cosine", normalized=True),
    "dot": Measure(pairwise.dot, similarity=True, words="minus the dot product"),
    "signal_to_noise": Measure(signal_to_noise, words="signal to noise"),
}


def measure(name: str, normalize: bool = True) -> Measure:
    """A distance by its name in this package, of points on the unit sphere unless `normalize` is False.

    Margins on "cosine" and "dot" are margins on the similarity, as in pytorch-metric-learning.
    """
    require.one_of("distance", name, KNOWN)
    if name == "cosine":  # it normalises by itself
        return KNOWN[name]
    return KNOWN[name]._replace(normalize=normalize, normalized=normalize)
