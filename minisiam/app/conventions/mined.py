"""Losses on what a miner has chosen, as a reference combines them: it repeats a pair that two triplets share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ...losses.per_anchor import entries
from ...losses.reductions import reduced
from ...miners import Pairs, Triplets
from ...op import op
from .compose import on

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]


def mined(
    distance: Operation, loss: Operation, choose: Operation, normalize: bool | Operation = False, least: int = 1
) -> Operation:
    """ℓ(what choose(z, labels) finds in D(z, z)): the miner looks at the embeddings by a distance of its own.

    `loss(D, found, labels)` gives value and pullback; `at_entries` makes one of any loss on pairs or triplets. Where
    neither kind of pair is found `least` times the value is 0: the reference's losses on pairs ask for two.
    """

    @op
    def chosen(z, /, labels):
        found = choose(z, labels)
        same = as_pairs(found).same
        if max(same.sum(), (~same).sum()) < least:
            return z.dtype.type(0), lambda dl: (np.zeros_like(z),)
        return on(distance, lambda D, labels: loss(D, found, labels), normalize)(z, labels)

    return chosen


def at_entries(loss: Operation, kind: Operation, swap: bool = False) -> Operation:
    """A loss on pairs or triplets, at what was found, once it is turned into that kind."""
    return lambda D, found, labels: losses.with_miner(loss, lambda *_: kind(found), swap)(D, labels)


def as_pairs(found: Pairs | Triplets) -> Pairs:
    """Triplets as (a, p) and (a, n), each as often as it comes; pairs as they are."""
    if isinstance(found, Pairs):
        return found
    same = np.arange(2 * len(found.anchor)) < len(found.anchor)
    return Pairs(np.tile(found.anchor, 2), np.concatenate([found.positive, found.negative]), same)


def as_triplets(found: Pairs | Triplets) -> Triplets:
    """Each positive pair with each negative pair of the same anchor; triplets as they are."""
    return found.triplets if isinstance(found, Pairs) else found


def only(loss: Operation) -> Operation:
    """A loss that sums exponentials, over the found pairs only: the others are put where they weigh nothing."""

    def of_found(D, found, labels, **constants):
        pairs = as_pairs(found)
        kept = np.zeros(D.shape, bool)
        kept[pairs.rows, pairs.columns] = True
        nowhere = np.where(labels[:, None] == labels, D.dtype.type(-np.inf), D.dtype.type(np.inf))
        return loss(np.where(kept, D, nowhere), labels, **constants)

    return of_found


def each_against_its_negatives(D: Any, found: Pairs | Triplets, temperature: float, reduction: str) -> Any:
    """NT-Xent over the found pairs: each positive a column of its own, beside the found negatives of its anchor."""
    pairs = as_pairs(found)
    a, p = pairs.rows[pairs.same], pairs.columns[pairs.same]
    b, n = pairs.rows[~pairs.same], pairs.columns[~pairs.same]
    if not (len(a) and len(b)):
        return D.dtype.type(0), lambda dl: (np.zeros_like(D),)
    mine = a[:, None] == b
    (near, far), pull_entries = entries(D, (a, p), (b, n))
    table = np.concatenate([near[:, None], np.where(mine, far, D.dtype.type(np.inf))], axis=1)
    value, pull = losses.softmax_cross_entropy(table, np.zeros(len(a), int), temperature, reduction=reduction)

    def pullback(dl):
        (dtable,) = pull(dl)
        return (pull_entries(dtable[:, 0], np.where(mine, dtable[:, 1:], 0).sum(axis=0)),)

    return value, pullback


def both_sides(beta: float, margin: float, reduction: str) -> Operation:
    """The margin loss on triplets: max(0, d₊ − β + m) + max(0, β − d₋ + m).

    `reduction` "terms" divides by how many of the terms of all triplets are above 0; the others take a triplet's sum.
    """
    pair_loss = partial(losses.margin_loss, margin=margin, reduction="none")

    def of_triplets(positive, negative, /):
        n, dtype = len(positive), positive.dtype
        d, same = np.concatenate([positive, negative]), np.arange(2 * len(positive)) < len(positive)
        values, pull = pair_loss(d, np.asarray(beta, dtype), same)
        terms = values if reduction == "terms" else values[:n] + values[n:]
        value, spread = reduced(terms, "mean_active" if reduction == "terms" else reduction)

        def pullback(dl):
            dd, _ = pull(np.broadcast_to(np.asarray(spread(dl), dtype), d.shape))
            return dd[:n], dd[n:]

        return value, pullback

    return of_triplets
