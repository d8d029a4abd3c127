"""How each loss of pytorch-metric-learning is put together from ours: one function a loss, from `Asked` to an op."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses, miners, ops, pairwise
from ...op import op
from .compose import moved, on_proxies, over_all, scaled, weighted_sum
from .measures import Asked, NotMapped
from .mined import as_pairs, as_triplets, at_entries, both_sides, each_against_its_negatives, mined, only

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]

PAIRS = 2  # how many a loss on pairs asks for; a single mined pair has the value 0 in the reference
NEVER = 1e6  # a margin beyond every cosine distance: the hinge on that kind of pair is at rest


def contrastive(q: Asked) -> Operation:
    """all_pairs(pair_hinge), same and different apart; on what a miner found, apart(pair_hinge)."""
    near, far = q.measure.at(q.a["pos_margin"]), q.measure.at(q.a["neg_margin"])
    hinge = partial(losses.pair_hinge, positive_margin=near, negative_margin=far)
    if q.miner is None:
        return q.measure.on(partial(losses.all_pairs(hinge, separately=True), reduction=q.reduction))
    loss = losses.balanced(partial(hinge, reduction=q.reduction))
    return mined(q.measure.distance, at_entries(loss, as_pairs), q.miner, q.measure.normalize, PAIRS)


def triplet(q: Asked) -> Operation:
    """all_triplets of the hinge or the soft margin; a negative margin moves the same instead."""
    margin, name = q.a["margin"], "triplet_soft_margin" if q.a["smooth_loss"] else "triplet_hinge"
    if q.a["triplets_per_anchor"] != "all":
        raise NotMapped("triplets_per_anchor draws triplets by chance")
    loss: Operation = partial(getattr(losses, name), margin=max(margin, 0))
    if q.miner is not None:
        if margin < 0:
            raise NotMapped("a negative margin goes with no miner here")
        loss = at_entries(partial(loss, reduction=q.reduction), as_triplets, q.a["swap"])
        return mined(q.measure.distance, loss, q.miner, q.measure.normalize)
    every = losses.with_miner(loss, miners.all_triplets, swap=True) if q.a["swap"] else losses.all_triplets(loss)
    return q.measure.on(moved(partial(every, reduction=q.reduction), same=max(-margin, 0)))


def margin(q: Asked) -> Operation:
    """margin_loss on both distances of every triplet, with a β that is held fixed."""
    if q.a["learn_beta"] or q.a["num_classes"] or q.a["triplets_per_anchor"] != "all":
        raise NotMapped("only one fixed β and all triplets: a learned β is losses.margin_loss under networks.batch")
    loss = both_sides(q.measure.at(q.a["beta"]), q.a["margin"], q.reduction)
    if q.miner is None:
        return q.measure.on(losses.with_miner(loss, miners.all_triplets))
    return mined(q.measure.distance, at_entries(loss, as_triplets), q.miner, q.measure.normalize)


def nt_xent(q: Asked) -> Operation:
    """nt_xent; on what a miner found, one softmax a positive."""
    if q.miner is None:
        return _plain(q, losses.nt_xent, temperature=q.a["temperature"])
    temperature, reduction = q.a["temperature"], q.reduction
    loss = lambda D, found, labels: each_against_its_negatives(D, found, temperature, reduction)
    return mined(q.measure.distance, loss, q.miner, q.measure.normalize, PAIRS)


def _plain(q: Asked, loss: Operation, **constants: Any) -> Operation:
    _no_miner(q)
    return q.measure.on(partial(loss, reduction=q.reduction, **constants))


def supcon(q: Asked) -> Operation:
    """supcon; its mean is over all anchors, also those that have no positive and the value 0."""
    return _plain(q, over_all(losses.supcon), temperature=q.a["temperature"])


def n_pair(q: Asked) -> Operation:
    """n_pair; one class alone has the value 0."""

    def loss(D, labels, **constants):
        if (np.unique(labels, return_counts=True)[1] > 1).sum() < 2:
            return D.dtype.type(0), lambda dl: (np.zeros_like(D),)  # one class against itself: log 1
        return losses.n_pair(D, labels, **constants)

    return _plain(q, loss)


def multi_similarity(q: Asked) -> Operation:
    """multi_similarity, with the threshold in the units of d."""
    constants = {"alpha": q.a["alpha"], "beta": q.a["beta"], "threshold": q.measure.at(q.a["base"])}
    loss = partial(losses.multi_similarity, reduction=q.reduction, **constants)
    return _of_sums(q, loss)


def _of_sums(q: Asked, loss: Operation) -> Operation:
    if q.miner is None:
        return q.measure.on(loss)
    return mined(q.measure.distance, only(loss), q.miner, q.measure.normalize, PAIRS)


def circle(q: Asked) -> Operation:
    """circle; its mean is over all anchors."""
    _cosine_only(q)
    return _plain(q, over_all(losses.circle), margin=q.a["m"], scale=q.a["gamma"])


def _both_margins(q: Asked, loss: Operation) -> Operation:
    """J = (d₊ − m₊) … (m₋ − d₋): each kind of distance is moved by its own margin, which may be negative."""
    margins = {"same": q.measure.at(q.a["pos_margin"]), "different": q.measure.at(q.a["neg_margin"])}
    return moved(partial(loss, margin=0.0, reduction=q.reduction), **margins)


def lifted(q: Asked) -> Operation:
    """lifted, each kind of distance moved by its margin."""
    _no_miner(q)
    return q.measure.on(_both_margins(q, losses.lifted))


def generalised_lifted(q: Asked) -> Operation:
    """generalised_lifted, each kind of distance moved by its margin."""
    return _of_sums(q, _both_margins(q, losses.generalised_lifted))


def nca(q: Asked) -> Operation:
    """nca; the scale is 1/τ."""
    return _plain(q, losses.nca, temperature=1 / q.a["softmax_scale"])


def angular(q: Asked) -> Operation:
    """angular, given products with negatives as long as they are."""
    _no_miner(q)
    if (q.measure.words, q.measure.normalized) != ("L2", True):
        raise NotMapped("the reference takes no other distance here")
    return raw_negatives(partial(losses.angular, angle=q.a["alpha"], reduction=q.reduction))


def raw_negatives(loss: Operation) -> Operation:
    """A loss on products of unit vectors, given â·p̂ for the same and â·n, not normalised, for the others."""

    @op
    def blended(z, /, labels):
        unit, pull_unit = ops.normalize(z)
        (C, pull_C), (M, pull_M) = pairwise.dot(unit, unit), pairwise.dot(unit, z)
        same = labels[:, None] == labels
        value, pull = loss(1 + np.where(same, C, M), labels)

        def pullback(dl):
            (dD,) = pull(dl)
            in_rows, in_columns = pull_C(dD * same)
            to_unit, dz = pull_M(dD * ~same)
            return (dz + pull_unit(in_rows + in_columns + to_unit)[0],)

        return value, pullback

    return blended


def tuplet_margin(q: Asked) -> Operation:
    """tuplet_margin."""
    _cosine_only(q)
    return _plain(q, losses.tuplet_margin, margin=q.a["margin"], scale=q.a["scale"])


def fast_ap(q: Asked) -> Operation:
    """fast_ap, up to the largest distance on the sphere: 2 to the power."""
    if not (q.measure.words.startswith("L2") and q.measure.normalized):
        raise NotMapped("the reference takes no other distance here")
    return _plain(q, losses.fast_ap, bins=int(q.a["num_bins"]), largest=2.0**q.measure.power)


def histogram(q: Asked) -> Operation:
    """histogram."""
    _no_miner(q)
    _cosine_only(q)
    bins = q.a["n_bins"] or (round(2 / q.a["delta"]) if q.a["delta"] else 100)
    if q.a["delta"] and not np.isclose(bins * q.a["delta"], 2):
        raise NotMapped("delta must cut [−1, 1] into whole steps")
    return q.measure.on(partial(losses.histogram, bins=bins))


def threshold_consistent(q: Asked) -> Operation:
    """pair_hinge on cosine distances, once for each kind, so that each can have a weight."""
    _no_miner(q)
    _cosine_only(q)
    near, far = 1 - q.a["margin_plus"], 1 - q.a["margin_minus"]
    hinge = lambda positive, negative: partial(
        losses.all_pairs(
            partial(losses.pair_hinge, positive_margin=positive, negative_margin=negative), separately=True
        ),
        reduction="mean_active",
    )
    parts = (q.a["lambda_plus"], hinge(near, -NEVER)), (q.a["lambda_minus"], hinge(NEVER, far))
    return q.measure.on(weighted_sum(*parts))


def variance(q: Asked) -> Operation:
    """double_margin, twice since it has a ½, with margins that follow the mean."""
    sign, zero = (1, q.measure.zero) if q.measure.similarity else (-1, 0.0)
    near, far = 1 - sign * q.a["pos_eps"], 1 + sign * q.a["neg_eps"]
    loss = scaled(losses.balanced(partial(around_the_mean, zero=zero, near=near, far=far, reduction=q.reduction)), 2)
    if q.miner is None:
        return q.measure.on(losses.with_miner(loss, miners.ordered_pairs))
    return mined(q.measure.distance, at_entries(loss, as_pairs), q.miner, q.measure.normalize, PAIRS)


@op
def around_the_mean(d, /, same, zero=0.0, near=1.0, far=1.0, reduction="mean"):
    """½ max(0, d − m₊)² and ½ max(0, m₋ − d)² with margins that lie by the mean of d: m = zero − factor (zero − mean).

    For pairs of one kind, as `losses.balanced` gives them.
    """
    factor = near if same[0] else far
    margin = float(zero - factor * (zero - d.mean()))
    value, pull = losses.double_margin(d, same, margin, margin, reduction)

    def pullback(dl):
        (dd,) = pull(dl)
        return (dd - d.dtype.type(factor / len(d)) * dd.sum(),)  # the margin moves with every d

    return value, pullback


# with proxies


def _proxies(q: Asked, loss: Operation, always: bool = False) -> Operation:
    _no_miner(q)
    normalize = q.measure.normalize
    return on_proxies(q.measure.distance, loss, normalize, ops.normalize if always and not normalize else normalize)


def proxy_nca(q: Asked) -> Operation:
    """matching against the proxies."""
    temperature = 1 / q.a["softmax_scale"]

    def loss(D, labels):  # a label that has no proxy is left out
        same = labels[:, None] == np.arange(D.shape[1])
        return losses.matching(D, same, temperature, reduction=q.reduction)

    return _proxies(q, loss)


def proxy_anchor(q: Asked) -> Operation:
    """proxy_anchor, taken apart into its two sums where another reducer divides them otherwise."""
    if not q.measure.similarity:
        raise NotMapped("only with a similarity")
    loss = partial(losses.proxy_anchor, margin=q.a["margin"], scale=q.a["alpha"])

    def divided(D, targets):
        D = D + (1 - q.measure.zero)
        own = targets[:, None] == np.arange(D.shape[1])
        n, present, others = D.shape[1], own.any(axis=0).sum(), (~own).any(axis=0).sum()
        near = {"own": 1.0, "mean": present / n, "mean_active": 1.0, "sum": present}[q.reduction]
        far = {"own": 1.0, "mean": 1.0, "mean_active": n / max(others, 1), "sum": n}[q.reduction]
        return weighted_sum(
            (float(near), lambda D: loss(np.where(own, D, D.dtype.type(np.inf)), targets)),
            (float(far), lambda D: loss(np.where(own, D.dtype.type(-np.inf), D), targets)),
        )(D)

    return _proxies(q, divided)


def arcface(q: Asked) -> Operation:
    """arcface."""
    _cosine_only(q)
    return _proxies(q, partial(losses.arcface, margin=q.a["margin"], scale=q.a["scale"], reduction=q.reduction))


def _cross_entropy(q: Asked, temperature: float, margin: float = 0.0, always: bool = False) -> Operation:
    loss = partial(losses.softmax_cross_entropy, temperature=temperature, margin=margin, reduction=q.reduction)
    return _proxies(q, loss, always)


def cosface(q: Asked) -> Operation:
    """softmax_cross_entropy with a margin on cosine distances."""
    _cosine_only(q)
    return _cross_entropy(q, 1 / q.a["scale"], q.a["margin"])


def normalized_softmax(q: Asked) -> Operation:
    """softmax_cross_entropy; the proxies are put on the sphere whatever the distance says."""
    return _cross_entropy(q, q.a["temperature"], always=True)


def soft_triple(q: Asked) -> Operation:
    """softmax_cross_entropy of soft_classes."""
    constants = {"temperature": 1 / q.a["la"], "margin": q.a["margin"], "reduction": q.reduction}
    centres, gamma = q.a["centers_per_class"], q.a["gamma"]
    if not q.measure.similarity:
        raise NotMapped("only with a similarity")

    def loss(D, targets):
        classes, pull_classes = losses.soft_triple_distance(D, centres, gamma)
        value, pull = losses.softmax_cross_entropy(classes, targets, **constants)
        return value, lambda dl: pull_classes(*pull(dl))

    return _proxies(q, loss)


def vicreg(q: Asked) -> Operation:
    """vicreg."""
    _no_miner(q)
    if q.reduction != "mean":
        raise NotMapped("only with the mean")
    names = {"invariance": "invariance_lambda", "variance": "variance_mu", "covariance": "covariance_v"}
    return partial(losses.vicreg, epsilon=q.a["eps"], **{ours: q.a[theirs] for ours, theirs in names.items()})


def _no_miner(q: Asked) -> None:
    if q.miner is not None:
        raise NotMapped("how a miner's choice weighs this loss is not mapped")


def _cosine_only(q: Asked) -> None:
    if q.measure.distance is not pairwise.cosine:
        raise NotMapped("the reference takes no other distance than CosineSimilarity() here")
