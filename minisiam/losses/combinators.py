"""Losses on pairs and triplets become losses on the distance matrix of a batch.

with_miner(loss, miner)   the pairs or triplets that a miner chooses
all_pairs(loss)           all pairs, without a list of them
all_triplets(loss)        all triplets, without a list of them: a batch has n² K triplets, but only n² distances
balanced(loss)            same pairs and different pairs averaged separately, so that neither kind outnumbers the other
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays, require, tree
from ..distance_matrix import RowLoss, as_matrix
from ..op import op, with_parameters_of
from .per_anchor import check_finite, reduce_rows, require_positives_and_negatives
from .reductions import REDUCTIONS, reduced, terms_counted
from .terms import PAIR_TERMS, TRIPLET_LOSSES, TRIPLET_TERMS
from .triplet_rows import hinge_rows, one_positive_at_a_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..distance_matrix import DistanceMatrix
    from ..typing import Array, Float, Int, Loss, Miner
    from .per_anchor import AnchorBlock

# with this many positives, sorting a row is faster than comparing it with each: benchmarks/losses.py --crossover
MANY = 72


def with_miner(loss: Loss, miner: Miner, swap: bool = False) -> Loss:
    """loss(D[mined entries]; targets): a loss on pairs or triplets, applied to those that a miner chooses.

    Parameters
    ----------
    loss
        Any loss of this package on pairs or triplets.
    miner
        One of `minisiam.miners`: it returns the entries of D for each distance that the loss takes, and its targets.
        The gradient treats the choice as a constant.
    swap
        For triplets: take the distance of the negative to the anchor or to the positive, whichever is smaller
        (Balntas et al. 2016, §3.2); to the anchor if they are equal.

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
        _check_kind(found, loss, miner, swap)
        chosen = _swapped(matrix, found) if swap else found.entries
        distances, pull_entries = matrix.entries(*chosen)
        if len(distances[0]) == 0:
            nothing, _ = reduced(distances[0], constants.get("reduction", "mean"))
            return nothing, lambda dl: (pull_entries(*distances), *map(np.zeros_like, params))
        value, pull = loss(*distances, *params, **found.targets, **constants)

        def pullback(dl):
            grads = pull(dl)
            return pull_entries(*grads[: len(chosen)]), *grads[len(chosen) :]

        return value, pullback

    mined.__name__ = f"{_name(loss)}_over_{_name(miner)}"
    return with_parameters_of(loss)(mined)


def _check_kind(found: Any, loss: Loss, miner: Miner, swap: bool) -> None:
    """Require mined pairs for a loss on pairs, and mined triplets for a loss on triplets."""
    reads, triplets = signature(loss).parameters, len(found.entries) == 2
    if ("same" in reads and triplets) or ("negative" in reads and not triplets):
        wanted, got = ("pairs", "triplets") if triplets else ("triplets", "pairs")
        raise TypeError(
            f"{_name(loss)} reads {wanted}, and miners.{_name(miner)} chooses {got}: take its .{wanted}, as in "
            f"lambda D, labels: miner(D, labels).{wanted}"
        )
    if swap and not triplets:
        raise TypeError(f"swap exchanges two ends of a triplet, and {_name(miner)} chooses pairs: leave swap out")


def _swapped(D: DistanceMatrix, found: Any) -> list[tuple[Array, Array]]:
    """The entries of triplets, where a negative is compared with the nearer of anchor and positive."""
    a, p, n = found
    (to_positive, to_anchor), _ = D.entries((p, n), (a, n))
    return [(a, p), (np.where(to_positive < to_anchor, p, a), n)]


def without_partial(function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function of a `functools.partial` and the constants that it fills in: none for another function."""
    return (function.func, function.keywords) if isinstance(function, partial) else (function, {})


def _name(function: Callable[..., Any]) -> str:
    return without_partial(function)[0].__name__


def _check_known(loss: Loss, losses: Collection[Loss]) -> None:
    """Require a loss whose terms are known."""
    if loss not in losses:
        known = {each.__name__: each for each in losses}
        require.one_of("loss", loss.__name__, known)
        raise ValueError(
            f"loss must be losses.{loss.__name__} itself, not a function made from it; "
            "instead of balanced(loss), pass separately=True"
        )


def balanced(loss: Loss) -> Loss:
    """loss(same pairs) + loss(different pairs), each reduced separately.

    A batch of 32 classes with 4 images each has 41 different pairs for each same pair, so different pairs dominate a
    common mean. A kind without a pair adds 0. With reduction="none" this is the loss itself.
    """

    @op
    def separately(d: Float[Array, "n"], /, *params_and_same, **constants):
        if "same" in constants:  # `with_miner` passes it by name
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


def all_pairs(loss: Loss, separately: bool = False) -> Loss:
    """A loss on pairs over all ordered pairs of a batch: `with_miner(loss, miners.ordered_pairs)`, without the list.

    Parameters
    ----------
    loss
        contrastive, double_margin, pair_hinge or cosine_embedding.
    separately
        Reduce same and different pairs separately and add the two values, as `balanced` does.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may come from `fast.blockwise`. The reduction
        "none" is not available.
    """
    function, filled_in = without_partial(loss)
    _check_known(function, PAIR_TERMS)

    @op
    def every_pair(D: Float[Array, "n n"], /, labels: Int[Array, "n"], reduction="mean", **constants):
        require.one_of("reduction", reduction, REDUCTIONS[:3])
        attract, repel = PAIR_TERMS[function](**(filled_in | constants))
        matrix = as_matrix(D)
        positives = require_positives_and_negatives(D, labels)
        twice = matrix.symmetric  # then only pairs i < j are computed, and each counts twice

        def rows(block_D, some):
            block = positives.of_rows(some)
            first = len(labels) - block_D.shape[1]
            here = block.j >= first
            values, slope = repel(block_D)
            for a in (values, slope):
                a[block.i[here], block.j[here] - first] = 0
                a[np.arange(len(a)), block.own - first] = 0
                if twice:
                    a[:, : len(a)] = 2 * np.triu(a[:, : len(a)])
                    a[:, len(a) :] *= 2
            active = np.count_nonzero(values > 0, axis=1)
            return RowLoss(values.sum(axis=1), block.negatives, (1 + twice) * active, slope)

        far = matrix.sum_rows(rows, upper=twice)
        once = positives.i < positives.j if twice else slice(None)
        (d,), pull_near = matrix.entries((positives.i[once], positives.j[once]))
        near, pull = ((1 + twice) * a for a in attract(d))
        terms = np.array([[len(positives.i), (1 + twice) * np.count_nonzero(near > 0)], [far.terms, far.active]])
        if not separately:
            terms[:] = terms.sum(axis=0)
        n, m = (terms_counted(reduction, *kind) for kind in terms)
        push = matrix.dtype.type

        def pullback(dl):
            dD = tree.map(lambda g: push(dl / m) * g, far.gradient)
            return (tree.add(dD, pull_near(push(dl / n) * pull)),)

        return check_finite(push(near.sum() / n + far.value / m), matrix), pullback

    every_pair.__name__ = f"{function.__name__}_over_all_pairs"
    return every_pair


def all_triplets(loss: Loss, many: int = MANY) -> Loss:
    """A loss on triplets over all triplets of a batch: `with_miner(loss, miners.all_triplets)`, without the list.

    Parameters
    ----------
    loss
        triplet_hinge, triplet_soft_margin or triplet_ratio.
    many
        The hinge sorts the rows if an anchor has at least this many positives.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may come from `fast.blockwise`. With
        reduction="none" there is one value for each anchor, the sum over its triplets.

    Notes
    -----
    With n images, K of each class, there are about n² K triplets, but only n² distances. Each row is compared with one
    of its positives at a time: O(n² K) time, and O(n²) memory. The hinge is piecewise linear, so counts are enough:
    for each positive the number c of negatives that violate it, and for each negative the number C of positives that
    it violates:

        Σ max(0, d₊ − d₋ + m) = Σ c (d₊ + m) − Σ C d₋,        ∂/∂d₊ = c,        ∂/∂d₋ = −C.

    Sorting gives the same counts in O(n² log n), whatever K. The soft margin has no such form, since log(1 + e^x) is
    not a sum of a function of d₊ and a function of d₋: it computes its n² K exponentials, in the same memory.
    """
    function, filled_in = without_partial(loss)
    _check_known(function, TRIPLET_LOSSES)

    @op
    def every_triplet(D: Float[Array, "n n"], /, labels: Int[Array, "n"], reduction="mean", **constants):
        options = filled_in | constants
        rows: Callable[[Array, AnchorBlock], RowLoss]
        if function in TRIPLET_TERMS:
            rows = partial(one_positive_at_a_time, term=TRIPLET_TERMS[function](**options))
        else:
            rows = hinge_rows(many, **options)
        return reduce_rows(rows, D, labels, reduction)

    every_triplet.__name__ = f"{function.__name__}_over_all_triplets"
    return every_triplet
