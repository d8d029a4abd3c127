"""Losses on mined pairs and triplets as pytorch-metric-learning has them: a pair of two triplets counts twice."""

from functools import partial

import numpy as np

from minisiam import losses
from minisiam.app.conventions import on, pml_losses
from minisiam.app.conventions.swapped import swapped
from minisiam.distance_matrix import as_matrix
from minisiam.miners import Pairs
from minisiam.op import op
from pml_names.distances import NotMapped

PAIRS = 2  # how many a loss on pairs needs: with a single mined pair the value is 0 in the reference


def with_its_miner(name, options, choose):
    """The loss of that name on what `choose(z, labels)` finds."""
    if name not in MINED:
        raise NotMapped("how a miner's choice weighs this loss is not mapped")
    loss, least = MINED[name](options)
    return mined(options.measure.distance, loss, choose, options.measure.normalize, least)


def _contrastive(q):
    loss = losses.balanced(partial(pml_losses.pair_hinge(q), reduction=q.reduction))
    return at_entries(loss, as_pairs), PAIRS


def _triplet(q):
    loss = partial(pml_losses.triplet_terms(q, mined=True), reduction=q.reduction)
    return at_entries(loss, as_triplets, q.a["swap"]), 1


def _margin(q):
    return at_entries(pml_losses.both_sides(q), as_triplets), 1


def _nt_xent(q):
    temperature, reduction = q.a["temperature"], q.reduction
    return lambda D, found, labels: each_against_its_negatives(D, found, temperature, reduction), PAIRS


def _multi_similarity(q):
    constants = {"alpha": q.a["alpha"], "beta": q.a["beta"], "threshold": q.measure.at(q.a["base"])}
    return only(partial(losses.multi_similarity, reduction=q.reduction, **constants)), PAIRS


def _generalised_lifted(q):
    return only(pml_losses.both_margins(q, losses.generalised_lifted)), PAIRS


def _variance(q):
    return at_entries(pml_losses.variance_terms(q), as_pairs), PAIRS


MINED = {
    "ContrastiveLoss": _contrastive,
    "SignalToNoiseRatioContrastiveLoss": _contrastive,
    "TripletMarginLoss": _triplet,
    "MarginLoss": _margin,
    "NTXentLoss": _nt_xent,
    "MultiSimilarityLoss": _multi_similarity,
    "GeneralizedLiftedStructureLoss": _generalised_lifted,
    "IntraPairVarianceLoss": _variance,
}


def mined(distance, loss, choose, normalize=False, least=1):
    """ℓ(what choose(z, labels) finds in D(z, z)): the miner looks at the embeddings by a distance of its own.

    `loss(D, found, labels)` gives value and pullback; `at_entries` makes one of any loss on pairs or triplets. Where
    neither kind of pair is found `least` times the value is 0.
    """

    @op
    def chosen(z, /, labels):
        found = choose(z, labels)
        same = as_pairs(found).same
        if max(same.sum(), (~same).sum()) < least:
            return z.dtype.type(0), lambda dl: (np.zeros_like(z),)
        return on(distance, lambda D, labels: loss(D, found, labels), normalize)(z, labels)

    return chosen


def at_entries(loss, kind, swap=False):
    """A loss on pairs or triplets, at what was found, once it is turned into that kind."""
    way = swapped if swap else lambda miner: miner
    return lambda D, found, labels: losses.with_miner(loss, way(lambda *_: kind(found)))(D, labels)


def as_pairs(found):
    """Triplets as (a, p) and (a, n), each as often as it comes; pairs as they are."""
    if isinstance(found, Pairs):
        return found
    same = np.arange(2 * len(found.anchor)) < len(found.anchor)
    return Pairs(np.tile(found.anchor, 2), np.concatenate([found.positive, found.negative]), same)


def as_triplets(found):
    """Each positive pair with each negative pair of the same anchor; triplets as they are."""
    return found.triplets if isinstance(found, Pairs) else found


def only(loss):
    """A loss that sums exponentials, over the found pairs only: the others are put where they weigh nothing."""

    def of_found(D, found, labels, **constants):
        pairs = as_pairs(found)
        kept = np.zeros(D.shape, bool)
        kept[pairs.rows, pairs.columns] = True
        nowhere = np.where(labels[:, None] == labels, D.dtype.type(-np.inf), D.dtype.type(np.inf))
        return loss(np.where(kept, D, nowhere), labels, **constants)

    return of_found


def each_against_its_negatives(D, found, temperature, reduction):
    """NT-Xent over the found pairs: each positive a column of its own, beside the found negatives of its anchor."""
    pairs = as_pairs(found)
    a, p = pairs.rows[pairs.same], pairs.columns[pairs.same]
    b, n = pairs.rows[~pairs.same], pairs.columns[~pairs.same]
    if not (len(a) and len(b)):
        return D.dtype.type(0), lambda dl: (np.zeros_like(D),)
    mine = a[:, None] == b
    (near, far), pull_entries = as_matrix(D).entries((a, p), (b, n))
    table = np.concatenate([near[:, None], np.where(mine, far, D.dtype.type(np.inf))], axis=1)
    value, pull = losses.softmax_cross_entropy(table, np.zeros(len(a), int), temperature, reduction=reduction)

    def pullback(dl):
        (dtable,) = pull(dl)
        return (pull_entries(dtable[:, 0], np.where(mine, dtable[:, 1:], 0).sum(axis=0)),)

    return value, pullback
