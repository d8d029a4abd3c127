"""From a distance and a loss on a matrix to one op on embeddings:     value, pullback = loss(z, /, labels)

`on` and `on_proxies` make the op; `moved`, `over_all` and `weighted_sum` change a loss: a margin for each kind of pair,
a mean over all anchors, a sum of several losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import ops
from ...op import op

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]


REDUCED_OVER = {
    "mean": "all terms",
    "mean_active": "the terms above 0",
    "sum": "a sum",
    "terms": "the terms above 0",
    "own": "as the formula says",
}


class NamedLoss(NamedTuple):
    """A loss on embeddings under the name that a library or a paper gives it.

    apply : the op, `value, pullback = loss(z, /, labels)`; with proxies `(z, proxies, /, targets)`, where targets
        number the proxies' classes from 0; of two views `(z1, z2, /)`. `variables` says which of the three
    formula : in words
    distance, squared, normalized : the distance d, whether it is a square, and whether embeddings are normalised
    margin : the margin, or the other constants by name
    reduction : over what the mean or sum is
    source : the code or paper from which these facts are
    note : remaining differences
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
        One of `minisiam.pairwise` without learned parameters (for those use `networks.batch`).
    loss
        A loss on (D, /, labels): `losses.supcon`, `losses.all_triplets(losses.triplet_hinge)`, `losses.with_miner(…)`.
    normalize
        True normalises the embeddings first; an op is applied instead of `ops.normalize`.

    Returns
    -------
    op
        `value, pullback = op(z, /, labels, **constants)`; `pullback(dl)` gives `(dz,)`, the sum of two gradients, since
        every image is in a row and in a column. The parameters of a learned loss come between z and labels.
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
    """ℓ(D(z, proxies); targets): a loss that compares images with proxies becomes a loss on both.

    Parameters
    ----------
    distance, loss, normalize
        As in `on`; the loss is on (D, targets), where targets number the proxies' classes from 0.
    normalize_proxies
        The same as `normalize`, for the proxies.

    Returns
    -------
    op
        `value, pullback = op(z, proxies, /, targets)`; `pullback(dl)` gives `(dz, dproxies)`.
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
    """The op that is applied to the embeddings before they are compared."""
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
    """The mean over all anchors of a batch, also where the loss leaves out those without a positive."""

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
