"""Losses on pairs and triplets become losses on the distance matrix of a batch.

with_miner(loss, miner)   the pairs or triplets that a miner chooses
all_pairs(loss)           all pairs
all_triplets(loss)        all triplets
nested(loss)              the matrices of `pairwise.nested`, one for each size of the embedding
balanced(loss)            same pairs and different pairs averaged separately, so that neither kind outnumbers the other
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays, miners, require, tree
from ..distance_matrix import as_matrix
from ..op import op, with_parameters_of
from .reductions import reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import Array, Float, Loss, Miner


def with_miner(loss: Loss, miner: Miner) -> Loss:
    """loss(D[mined entries]; targets): a loss on pairs or triplets, applied to those that a miner chooses.

    Parameters
    ----------
    loss
        Any loss of this package on pairs or triplets.
    miner
        One of `minisiam.miners`: it returns the entries of D for each distance that the loss takes, and its targets.
        The gradient treats the choice as a constant.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, **constants)` with D (n, n) and labels (n,) integers;
        `pullback(dl)` gives `(dD,)`. The parameters of a learned loss come between D and labels, and their gradients
        after dD. The gradients of an entry that is used twice add up. If the miner finds nothing, the value and the
        gradients are 0.
    """

    @op
    def mined(D: Float[Array, "n n"], /, *params_and_labels, **constants):
        *params, labels = params_and_labels
        labels = _arrays.labels("labels", labels)
        matrix = as_matrix(D)
        require.square(D=matrix)
        require.class_labels(labels, matrix.shape[0])
        found: Any = miner(D, labels)
        _check_kind(found, loss, miner)
        distances, pull_entries = matrix.entries(*found.entries)
        if len(distances[0]) == 0:
            nothing, _ = reduced(distances[0], constants.get("reduction", "mean"))
            return nothing, lambda dl: (pull_entries(*distances), *map(np.zeros_like, params))
        value, pull = loss(*distances, *params, *found.targets, **constants)

        def pullback(dl):
            grads = pull(dl)
            return pull_entries(*grads[: len(distances)]), *grads[len(distances) :]

        return value, pullback

    mined.__name__ = f"{_name(loss)}_over_{_name(miner)}"
    return with_parameters_of(loss)(mined)


def _check_kind(found: Any, loss: Loss, miner: Miner) -> None:
    """Require mined pairs for a loss on pairs, and mined triplets for a loss on triplets."""
    reads, triplets = signature(loss).parameters, len(found.entries) == 2
    if ("same" in reads and triplets) or ("negative" in reads and not triplets):
        wanted, got = ("pairs", "triplets") if triplets else ("triplets", "pairs")
        raise TypeError(
            f"{_name(loss)} reads {wanted}, and miners.{_name(miner)} chooses {got}: take its .{wanted}, as in "
            f"lambda D, labels: miner(D, labels).{wanted}"
        )


def without_partial(function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function of a `functools.partial` and the constants that it fills in: none for another function."""
    return (function.func, function.keywords) if isinstance(function, partial) else (function, {})


def _name(function: Callable[..., Any]) -> str:
    return without_partial(function)[0].__name__


def balanced(loss: Loss) -> Loss:
    """loss(same pairs) + loss(different pairs), each reduced separately.

    A batch of 32 classes with 4 images each has 41 different pairs for each same pair, so different pairs dominate a
    common mean. A kind without a pair adds 0. With reduction="none" this is the loss itself.
    """

    @op
    def separately(d: Float[Array, "n"], /, *params_and_same, **constants):
        if "same" in constants:  # by name, as every loss on pairs takes it
            params_and_same = (*params_and_same, constants.pop("same"))
        *params, same = params_and_same
        same = _arrays.booleans("same", same)
        require.rows(d=d)
        require.same_or_not(same, len(d))
        if constants.get("reduction") == "none":
            return loss(d, *params, same, **constants)
        kinds = [kind for kind in (same, ~same) if kind.any()]
        parts = [(kind, *loss(d[kind], *params, same[kind], **constants)) for kind in kinds]

        def pullback(dl):
            dd = np.zeros_like(d)
            dparams = []
            for kind, _, pull in parts:
                dd[kind], *rest = pull(dl)
                dparams.append(tuple(rest))
            return dd, *tree.add(*dparams)

        return sum(value for _, value, _ in parts), pullback

    separately.__name__ = _name(loss)
    return with_parameters_of(loss)(separately)


def nested(loss: Loss, weights: Sequence[float] | None = None) -> Loss:
    """Σₖ wₖ loss(Dₖ): a loss on one distance matrix becomes one on the matrices of `pairwise.nested`.

    Parameters
    ----------
    loss
        Any loss of this package on a distance matrix, with its parameters and targets.
    weights
        wₖ, one for each size. By default all are 1, as in the paper and in sentence-transformers' `MatryoshkaLoss`.

    Returns
    -------
    op
        `value, pullback = op(D, /, ...)` with D (k, n, m); `pullback(dl)` gives `(dD,)`, and after it the sums of the
        gradients of the parameters, if the loss has some.

    Notes
    -----
    Every size has its own loss, so the first features, which are in all sizes, get the sum of k gradients.

    References
    ----------
    Kusupati et al. (2022), "Matryoshka representation learning", eq. 1.
    """
    weights = None if weights is None else [require.between("weights", weight, -np.inf) for weight in weights]

    @op
    def over_sizes(D: Float[Array, "k n m"], /, *params_and_targets, **constants):
        require.matrices(D, weights)
        each = np.ones(len(D)).tolist() if weights is None else weights
        parts = [loss(matrix, *params_and_targets, **constants) for matrix in D]

        def pullback(dl):
            grads = [pull(each[k] * dl) for k, (_, pull) in enumerate(parts)]
            return np.stack([dD for dD, *_ in grads]), *tree.add(*(tuple(rest) for _, *rest in grads))

        return sum(each[k] * value for k, (value, _) in enumerate(parts)), pullback

    over_sizes.__name__ = f"nested_{_name(loss)}"
    return with_parameters_of(loss)(over_sizes)


def all_pairs(loss: Loss) -> Loss:
    """A loss on pairs, over all ordered pairs of a batch: each image with every other. `fast.all_pairs` is faster."""
    return with_miner(loss, miners.ordered_pairs)


def all_triplets(loss: Loss) -> Loss:
    """A loss on triplets, over all triplets of a batch: n² K of them, if a class has K images.

    `fast.all_triplets` computes the same from the n² distances, without a list of the triplets.
    """
    return with_miner(loss, miners.all_triplets)
