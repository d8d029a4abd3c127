"""From losses on pairs and triplets to losses on a batch: which entries of the distance matrix count.

with_miner(loss, miner)   the pairs or triplets that a miner selects
all_pairs(loss)           every pair, without a list of them
all_triplets(loss)        every triplet, without a list of them: there are n² K triplets, but only n² distances
balanced(loss)            same and different pairs averaged separately, so that neither kind outnumbers the other
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require, tree
from ..distance_matrix import DistanceMatrix, RowLoss, distance_matrix
from ..op import op, with_parameters_of
from .per_anchor import Block, by_rows, check_finite, require_positives_and_negatives
from .reductions import REDUCTIONS, reduced, terms_counted
from .terms import PAIR_TERMS, TRIPLET_TERMS, function_and_constants, terms_of, triplet_hinge_term

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Loss, Miner
    from .terms import Term

# with this many positives per anchor, sorting a row is faster than comparing it with each positive
# (benchmarks/losses.py --crossover)
MANY = 72


def with_miner(loss: Loss, miner: Miner, swap: bool = False) -> Loss:
    """loss(D[mined entries]; targets): turn a loss on pairs or triplets into a loss on a distance matrix.

    Parameters
    ----------
    loss
        Any loss of this package on pairs or triplets.
    miner
        As in `minisiam.miners`: it selects the entries for each distance that the loss takes, and its targets. The
        selection is constant in the gradient.
    swap
        For triplets: measure the negative's distance from the anchor or from the positive, whichever is nearer
        (Balntas et al. 2016, §3.2); from the anchor if both are equally near.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, **constants)` with D (n, n) and labels (n,) integers;
        `pullback(dl)` gives `(dD,)`. The parameters of a learned loss stand between D and labels, and their gradients
        after dD. The gradients of an entry that is used twice add. If the miner selects nothing, the value and the
        gradients are 0.
    """

    @op
    def mined(D, /, *params_and_labels, **constants):
        *params, labels = params_and_labels
        matrix = distance_matrix(D)
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

    mined.__name__ = f"{loss_name(loss)}_over_{loss_name(miner)}"
    return with_parameters_of(loss)(mined)


def _check_kind(found: Any, loss: Loss, miner: Miner, swap: bool) -> None:
    """Require mined pairs for a loss on pairs, and mined triplets for a loss on triplets."""
    reads, triplets = signature(loss).parameters, len(found.entries) == 2
    if ("same" in reads and triplets) or ("negative" in reads and not triplets):
        wanted, got = ("pairs", "triplets") if triplets else ("triplets", "pairs")
        raise TypeError(
            f"{loss_name(loss)} reads {wanted}, and miners.{loss_name(miner)} chooses {got}: take its .{wanted}, as in "
            f"lambda D, labels: miner(D, labels).{wanted}"
        )
    if swap and not triplets:
        raise TypeError(f"swap exchanges two ends of a triplet, and {loss_name(miner)} chooses pairs: leave swap out")


def _swapped(matrix: DistanceMatrix, found: Any) -> list[tuple[Array, Array]]:
    """Return the entries of triplets, with the negative's distance from the nearer of anchor and positive."""
    a, p, n = found
    (to_positive, to_anchor), _ = matrix.entries((p, n), (a, n))
    return [(a, p), (np.where(to_positive < to_anchor, p, a), n)]


def loss_name(loss: Any) -> str:
    """Return the name of a function, also of one inside a `functools.partial`."""
    return function_and_constants(loss)[0].__name__


def balanced(loss: Loss) -> Loss:
    """loss(the same pairs) + loss(the different pairs), each reduced separately.

    A batch of 32 × 4 has 41 different pairs per same pair, so that they dominate a common mean. A kind without pairs
    adds 0. With reduction="none" the result is the loss itself.
    """

    @op
    def separately(d, /, *params_and_same, **constants):
        if "same" in constants:  # `with_miner` gives it by name
            params_and_same = (*params_and_same, constants.pop("same"))
        *params, same = params_and_same
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

    separately.__name__ = loss_name(loss)
    return with_parameters_of(loss)(separately)


def all_pairs(loss: Loss, separately: bool = False) -> Loss:
    """Apply a loss on pairs to every ordered pair of a batch: `with_miner(loss, miners.ordered_pairs)`, without a list.

    Parameters
    ----------
    loss
        contrastive, double_margin, pair_hinge or cosine_embedding.
    separately
        Reduce same and different pairs separately and add the two, as `balanced` does.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may be blockwise, and the
        reduction "none" is not available.
    """
    terms_for, filled_in = terms_of(loss, PAIR_TERMS)

    @op
    def every_pair(D, /, labels, reduction="mean", **constants):
        require.one_of("reduction", reduction, REDUCTIONS[:3])
        attract, repel = terms_for(**(filled_in | constants))
        matrix = distance_matrix(D)
        positives = require_positives_and_negatives(matrix, labels)
        twice = matrix.symmetric  # then each pair is computed once and counted twice

        def rows(block_D, some):
            block = positives.block(some)
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

        far = matrix.scan(rows, above=twice)
        once = positives.i < positives.j if twice else slice(None)
        (d,), pull_near = matrix.entries((positives.i[once], positives.j[once]))
        near, pull = ((1 + twice) * a for a in attract(d))
        terms = np.array([[len(positives.i), (1 + twice) * np.count_nonzero(near > 0)], [far.terms, far.active]])
        if not separately:
            terms[:] = terms.sum(axis=0)
        n, m = (terms_counted(reduction, *kind) for kind in terms)
        push = D.dtype.type

        def pullback(dl):
            dD = tree.map(lambda g: push(dl / m) * g, far.gradient)
            return (tree.add(dD, pull_near(push(dl / n) * pull)),)

        return check_finite(push(near.sum() / n + far.value / m), D), pullback

    every_pair.__name__ = f"{loss_name(loss)}_over_all_pairs"
    return every_pair


def all_triplets(loss: Loss, many: int = MANY) -> Loss:
    """Apply a loss on triplets to every triplet of a batch: `with_miner(loss, miners.all_triplets)`, without a list.

    Parameters
    ----------
    loss
        triplet_hinge, triplet_soft_margin or triplet_ratio.
    many
        The number of positives per anchor from which on the hinge sorts its rows.

    Returns
    -------
    op
        `value, pullback = op(D, /, labels, reduction=…, **constants)`; D may be blockwise. "none" gives one value per
        anchor: the sum over its triplets.

    Notes
    -----
    With n images, K per class, there are n² K triplets and only n² distances. Each anchor's row is compared with one
    of its positives at a time: O(n² K) time, and no more memory than the row. The hinge is piecewise linear, so it
    needs only counts: c, the number of negatives that violate each positive, and C, the number of positives that each
    negative violates:

        Σ max(0, d₊ − d₋ + m) = Σ c (d₊ + m) − Σ C d₋,        ∂/∂d₊ = c,        ∂/∂d₋ = −C.

    Sorting gives the same counts in O(n² log n) for any K. A soft margin has no such form: log(1 + e^x) is not the sum
    of a function of d₊ and one of d₋, so it computes n² K exponentials, exactly, in the same memory.
    """
    term_for, filled_in = terms_of(loss, TRIPLET_TERMS)

    @op
    def every_triplet(D, /, labels, reduction="mean", **constants):
        options = filled_in | constants
        term = term_for(**options)

        def rows(block_D, block):
            if term_for is not triplet_hinge_term:
                return _one_positive_at_a_time(block_D, block, term)
            counted = _sorted if block.positives.max(initial=0) >= many else _compared
            return _hinge_by_counts(block_D, block, options.get("margin", 1.0), counted)

        return by_rows(rows, D, labels, reduction)

    every_triplet.__name__ = f"{loss_name(loss)}_over_all_triplets"
    return every_triplet


def _table(D: Array, block: Block) -> tuple[Array, Array]:
    """(r, K) the position of each row's k-th positive in the block's list, and whether there is one."""
    K = int(block.positives.max(initial=0))
    k = np.arange(K)
    first = np.cumsum(block.positives) - block.positives
    there = k < block.positives[:, None]
    return np.where(there, first[:, None] + k, 0), there


def _one_positive_at_a_time(D: Array, block: Block, term: Term) -> RowLoss:
    place, there = _table(D, block)
    near = D[block.i, block.j]
    slope, pull = np.zeros_like(D), np.zeros_like(near)
    values, active = np.zeros(len(D), D.dtype), np.zeros(len(D), np.int64)
    negative = np.ones(D.shape, bool)
    negative[block.i, block.j] = False
    negative[np.arange(len(D)), block.own] = False
    for k in range(place.shape[1]):
        r, at = np.flatnonzero(there[:, k]), place[there[:, k], k]
        value, push = term(near[at][:, None] - D[r])
        value *= negative[r]
        push *= negative[r]
        values[r] += value.sum(axis=1)
        active[r] += np.count_nonzero(value > 0, axis=1)
        pull[at] = push.sum(axis=1)
        slope[r] -= push
    slope[block.i, block.j] = pull
    return RowLoss(values, block.positives * block.negatives, active, slope)


def _hinge_by_counts(D: Array, block: Block, margin: float, counted: Callable[..., tuple[Array, Array]]) -> RowLoss:
    place, there = _table(D, block)
    base = np.zeros(len(D), D.dtype)
    base[block.i] = D[block.i, block.j]  # differences from a positive keep more digits
    far = D - base[:, None]
    far[block.i, block.j] = far[np.arange(len(far)), block.own] = np.inf
    near = D[block.i, block.j] - base[block.i]
    reach = np.where(there, near[place] + D.dtype.type(margin), D.dtype.type(-np.inf))
    by_positive, by_negative = counted(far, reach)
    slope = by_negative.astype(D.dtype)
    far[block.i, block.j] = far[np.arange(len(far)), block.own] = 0
    pulled = np.einsum("rk,rk->r", by_positive, np.where(there, reach, 0))
    pushed = np.einsum("rn,rn->r", slope, far)
    np.negative(slope, out=slope)
    slope[block.i, block.j] = by_positive[there]
    active = by_positive.sum(axis=1).astype(np.int64)
    return RowLoss(pulled - pushed, block.positives * block.negatives, active, slope)


def _compared(far: Array, reach: Array) -> tuple[Array, Array]:
    """Count the negatives within each positive's reach, and the reaches that contain each negative."""
    by_positive = np.empty(reach.shape, far.dtype)
    by_negative = np.zeros(far.shape, np.uint8 if reach.shape[1] < 256 else np.uint16)
    within = np.empty(far.shape, bool)
    for k in range(reach.shape[1]):
        np.less(far, reach[:, k, None], out=within)
        by_positive[:, k] = within.view(np.uint8).sum(axis=1, dtype=np.uint32)  # np.count_nonzero, four times faster
        np.add(by_negative, within, out=by_negative)
    return by_positive, by_negative


def _sorted(far: Array, reach: Array) -> tuple[Array, Array]:
    """Return the counts of `_compared`, by sorting each row once for all its positives."""
    by_positive, by_negative = np.empty(reach.shape, far.dtype), np.empty(far.shape, far.dtype)
    K = reach.shape[1]
    for row, (d, t) in enumerate(zip(far, reach, strict=True)):
        by_positive[row] = np.searchsorted(np.sort(d), t)
        by_negative[row] = K - np.searchsorted(np.sort(t), d, side="right")
    return by_positive, by_negative
