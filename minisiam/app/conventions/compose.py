"""From a distance, a loss on a matrix and a miner to one op on embeddings:     value, pullback = loss(z, /, labels)

What the distances and losses of this package do not say by themselves is said here, once: other powers and norms,
a margin for each kind of pair, and sums of two losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import ops, pairwise, require
from ...op import op

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array, Float, Op

    Operation = Callable[..., Any]


REDUCED_OVER = {
    "mean": "all terms",
    "mean_active": "the terms above 0",
    "sum": "a sum",
    "terms": "the terms above 0",
    "own": "as the formula says",
}


class Preset(NamedTuple):
    """A loss on embeddings by the name that somebody gave it, and what it is.

    apply : the op, `value, pullback = preset(z, /, labels)`; with proxies `(z, proxies, /, targets)`, which number the
        proxies' classes from 0; of two views `(z1, z2, /)`. `variables` says which of the three
    formula : in words
    distance, squared, normalized : what d is, whether it is a square, and whether of points on the unit sphere
    margin : the margin, or the other constants by name
    reduction : over what
    source : where the facts are from
    note : what differs all the same
    """

    apply: Operation
    formula: str
    distance: str
    squared: bool
    normalized: bool
    margin: str
    reduction: str
    source: str
    variables: tuple[str, ...] = ("z",)
    note: str = ""

    def __call__(self, *variables_and_labels: Any) -> Any:  # noqa: D102
        return self.apply(*variables_and_labels)


def on(distance: Operation, loss: Operation, normalize: bool | Operation = False) -> Operation:
    """ℓ(D(z, z); labels): a loss on a distance matrix becomes a loss on embeddings.

    Parameters
    ----------
    distance
        One of `minisiam.pairwise`, without parameters of its own (`networks.batch` knows those).
    loss
        One on (D, /, labels): `losses.supcon`, `losses.all_triplets(losses.triplet_hinge)`, `losses.with_miner(…)`.
    normalize
        True puts the embeddings on the unit sphere first; an op in its place does what it does.

    Returns
    -------
    op
        `value, pullback = op(z, /, labels, **constants)`; `pullback(dl)` gives `(dz,)`, the sum of two gradients: an
        image is in a row and in a column. The parameters of a learned loss stand between z and labels.
    """
    placed = placing(normalize)

    @op
    def embedded(z, /, *params_and_labels, **constants):
        unit, pull_unit = placed(z)
        D, pull_D = distance(unit, unit)
        value, pull_value = loss(D, *params_and_labels, **constants)

        def pullback(dl):
            dD, *dparams = pull_value(dl)
            in_rows, in_columns = pull_D(dD)
            (dz,) = pull_unit(in_rows + in_columns)
            return dz, *dparams

        return value, pullback

    return embedded


def on_proxies(
    distance: Operation,
    loss: Operation,
    normalize: bool | Operation = False,
    normalize_proxies: bool | Operation = False,
) -> Operation:
    """ℓ(D(z, proxies); targets): the same for a loss that compares images with proxies.

    `value, pullback = op(z, proxies, /, targets)`, where targets number the proxies' classes from 0; `pullback(dl)`
    gives `(dz, dproxies)`.
    """
    place_z, place_proxies = placing(normalize), placing(normalize_proxies)

    @op
    def embedded(z, proxies, /, targets, **constants):
        (a, pull_a), (b, pull_b) = place_z(z), place_proxies(proxies)
        D, pull_D = distance(a, b)
        value, pull_value = loss(D, targets, **constants)

        def pullback(dl):
            da, db = pull_D(*pull_value(dl))
            return *pull_a(da), *pull_b(db)

        return value, pullback

    return embedded


def placing(normalize: bool | Operation) -> Operation:
    """The op that puts the embeddings where they are compared."""
    if callable(normalize):
        return normalize
    return ops.normalize if normalize else lambda z: (z, lambda dz: (dz,))


def moved(loss: Operation, same: float = 0.0, different: float = 0.0) -> Operation:
    """loss(D − same) where two are of one class, loss(D − different) where they are not: a margin for each kind."""

    def shifted(D, /, labels, **constants):
        kind = np.where(labels[:, None] == labels, D.dtype.type(same), D.dtype.type(different))
        return loss(D - kind, labels, **constants)

    return shifted


def over_all(loss: Operation) -> Operation:
    """The mean over all anchors of a batch, where the loss would leave out those without a positive."""

    def averaged(D, /, labels, reduction="mean", **constants):
        if reduction != "mean":
            return loss(D, labels, reduction=reduction, **constants)
        value, pull = loss(D, labels, reduction="sum", **constants)
        n = D.dtype.type(len(labels))
        return value / n, lambda dl: pull(dl / n)

    return averaged


def weighted_sum(*weights_and_losses: tuple[float, Operation]) -> Operation:
    """Σ w ℓ of losses with the same arguments."""

    def total(*arguments, **constants):
        parts = [(w, *loss(*arguments, **constants)) for w, loss in weights_and_losses]

        def pullback(dl):
            grads = [pull(dl * w) for w, _, pull in parts]
            return tuple(sum(g[1:], start=g[0]) for g in zip(*grads, strict=True))

        return sum(w * value for w, value, _ in parts), pullback

    return total


def scaled(loss: Operation, factor: float) -> Operation:
    """Factor · loss."""
    return weighted_sum((factor, loss)) if factor != 1 else loss


# distances that a reference knows and pairwise does not


def raised(distance: Operation, power: float, sign: int = 1) -> Operation:
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


def minkowski(p: float) -> Operation:
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


def normalize_lp(p: float) -> Operation:
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
