"""All distances of pytorch-metric-learning, with their powers and norms."""

import numpy as np

from minisiam import ops, pairwise, require
from minisiam.app.conventions.pml_distances import Measure, signal_to_noise
from minisiam.op import op


class NotMapped(ValueError):
    """This package has no counterpart; the message says why."""


def lp(normalize_embeddings=True, p=2, power=1):
    """LpDistance: the rows are normalised in the same norm."""
    if not np.isfinite(p) or p < 1:
        raise NotMapped(f"LpDistance(p={p}) has no counterpart: p must be at least 1, and finite")
    known = {1: pairwise.l1, 2: pairwise.l2}
    distance = known[p] if p in known else minkowski(p)
    if p == 2 and power == 2:
        distance = pairwise.squared_l2
    elif power != 1:
        distance = raised(distance, power)
    words = (f"L{p:g}" if p in known else f"Lp, p = {p:g}") + ("" if power == 1 else f" to the power {power:g}")
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, False, 0.0, words, power == 2, normalize_embeddings, power)


def dot(normalize_embeddings=True, p=2, power=1):
    """DotProductSimilarity: s = a·b, of normalised rows by default."""
    distance = pairwise.dot if power == 1 else raised(pairwise.dot, power, -1)
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, True, 0.0, "minus the dot product", False, normalize_embeddings, power)


def cosine(p=2, power=1):
    """CosineSimilarity: s = cos θ, which enters as d = 1 − s."""
    if power != 1 or p != 2:
        return dot(True, p, power)
    return Measure(pairwise.cosine, False, True, 1.0, "cosine", False, True, 1)


def snr(normalize_embeddings=True, p=2, power=1):
    """SNRDistance: var(a − b) / var(a) over the features."""
    distance = signal_to_noise if power == 1 else raised(signal_to_noise, power)
    normalize = normalize_lp(p) if normalize_embeddings else False
    return Measure(distance, normalize, False, 0.0, "signal to noise", False, normalize_embeddings, power)


DISTANCES = {
    "LpDistance": lp,
    "DotProductSimilarity": dot,
    "CosineSimilarity": cosine,
    "SNRDistance": snr,
}


def raised(distance, power, sign=1):
    """± (± D)ᵖ: a power of a distance or, with the sign −1, of the similarity −D. Slope 0 where D = 0."""

    @op
    def powered(a, b, /):
        D, pull = distance(a, b)
        base = sign * D

        def pullback(dD):
            steep = np.power(base, power - 1, out=np.zeros_like(base), where=base != 0)
            return pull(dD * (D.dtype.type(power) * steep))

        return sign * base**power, pullback

    return powered


def minkowski(p):
    """Dᵢⱼ = (Σₖ |aᵢₖ − bⱼₖ|ᵖ)^(1/p), for a p that is neither 1 nor 2. Memory n·m·d; slope 0 where D = 0."""
    p = require.between("p", p, 1)

    @op
    def lp(a, b, /):
        u = a[:, None] - b
        D = (np.abs(u) ** p).sum(axis=2) ** (1 / p)

        def pullback(dD):
            share = np.divide(np.abs(u), D[..., None], out=np.zeros_like(u), where=D[..., None] > 0)
            du = dD[..., None] * np.sign(u) * share ** (p - 1)
            return du.sum(axis=1), -du.sum(axis=0)

        return D, pullback

    return lp


def normalize_lp(p):
    """y = x / ‖x‖ₚ, row by row; 0 where x = 0."""
    if p == 2:
        return ops.normalize
    p = require.between("p", p, 1)

    @op
    def normalized(x, /):
        norm = (np.abs(x) ** p).sum(axis=1, keepdims=True) ** (1 / p)
        inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
        y = x * inverse

        def pullback(dy):
            radial = (y * dy).sum(axis=1, keepdims=True)
            return ((dy - radial * np.sign(y) * np.abs(y) ** (p - 1)) * inverse,)

        return y, pullback

    return normalized
