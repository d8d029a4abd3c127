"""Each loss of pytorch-metric-learning made of this package's: one function per loss, from `Options` to an op."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import fast, losses, miners, ops, pairwise
from ...losses.reductions import reduced
from ...op import op
from .compose import moved, on_proxies, over_all, scaled, weighted_sum
from .pml_distances import Measure
from .swapped import swapped

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]

NEVER = 1e6  # a margin beyond every cosine distance: the hinge on that kind of pair is at rest


class Options(NamedTuple):
    """Arguments by pytorch-metric-learning's names, the distance, the reduction, and a miner on (D, labels) or None."""

    a: dict[str, Any]
    measure: Measure
    reduction: str
    miner: Operation | None = None


def contrastive(q: Options) -> Operation:
    """all_pairs(pair_hinge), same and different averaged separately; with a miner, balanced(pair_hinge)."""
    hinge = pair_hinge(q)
    if q.miner is not None:
        return q.measure.on(losses.with_miner(losses.balanced(partial(hinge, reduction=q.reduction)), q.miner))
    return q.measure.on(partial(fast.all_pairs(hinge, separately=True), reduction=q.reduction))


def pair_hinge(q: Options) -> Operation:
    """pair_hinge, with both margins in the units of d."""
    near, far = q.measure.at(q.a["pos_margin"]), q.measure.at(q.a["neg_margin"])
    return partial(losses.pair_hinge, positive_margin=near, negative_margin=far)


def triplet(q: Options) -> Operation:
    """all_triplets of the hinge or the soft margin; a negative margin moves the same instead."""
    margin, loss = q.a["margin"], triplet_terms(q)
    if q.miner is not None:
        miner = swapped(q.miner) if q.a["swap"] else q.miner
        return q.measure.on(losses.with_miner(partial(loss, reduction=q.reduction), miner))
    every = losses.with_miner(loss, swapped(miners.all_triplets)) if q.a["swap"] else fast.all_triplets(loss)
    return q.measure.on(moved(partial(every, reduction=q.reduction), same=max(-margin, 0)))


def triplet_terms(q: Options, mined: bool = False) -> Operation:
    """triplet_hinge or triplet_soft_margin with its margin."""
    if q.a["triplets_per_anchor"] != "all":
        raise ValueError("triplets_per_anchor draws random triplets: use 'all', or miners.random_triplets")
    if q.a["margin"] < 0 and (mined or q.miner is not None):
        raise ValueError("no loss of this package has a negative margin together with a miner")
    loss = losses.triplet_soft_margin if q.a["smooth_loss"] else losses.triplet_hinge
    return partial(loss, margin=max(q.a["margin"], 0))


def margin(q: Options) -> Operation:
    """margin_loss on both distances of every triplet, with a β that is held fixed."""
    return q.measure.on(losses.with_miner(both_sides(q), miners.all_triplets))


def both_sides(q: Options) -> Operation:
    """The margin loss on triplets: max(0, d₊ − β + m) + max(0, β − d₋ + m).

    The reduction "terms" divides by the number of terms above 0, in all triplets; the others reduce each triplet's sum.
    """
    if q.a["learn_beta"] or q.a["num_classes"] or q.a["triplets_per_anchor"] != "all":
        raise ValueError("only one fixed β and all triplets: a learned β is losses.margin_loss with networks.batch")
    beta, reduction = q.measure.at(q.a["beta"]), q.reduction
    pair_loss = partial(losses.margin_loss, margin=q.a["margin"], reduction="none")

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


def nt_xent(q: Options) -> Operation:
    """nt_xent."""
    return _plain(q, losses.nt_xent, temperature=q.a["temperature"])


def _plain(q: Options, loss: Operation, **constants: Any) -> Operation:
    return q.measure.on(partial(loss, reduction=q.reduction, **constants))


def supcon(q: Options) -> Operation:
    """supcon; its mean is over all anchors, also those that have no positive and the value 0."""
    return _plain(q, over_all(losses.supcon), temperature=q.a["temperature"])


def n_pair(q: Options) -> Operation:
    """n_pair; one class alone has the value 0."""

    def loss(D, labels, **constants):
        if (np.unique(labels, return_counts=True)[1] > 1).sum() < 2:
            return D.dtype.type(0), lambda dl: (np.zeros_like(D),)  # one class against itself: log 1
        return losses.n_pair(D, labels, **constants)

    return _plain(q, loss)


def multi_similarity(q: Options) -> Operation:
    """multi_similarity, with the threshold in the units of d."""
    threshold = q.measure.at(q.a["base"])
    return _plain(q, losses.multi_similarity, alpha=q.a["alpha"], beta=q.a["beta"], threshold=threshold)


def circle(q: Options) -> Operation:
    """circle with its weights held fixed; its mean is over all anchors."""
    _cosine_only(q)
    return _plain(q, over_all(losses.circle), margin=q.a["m"], scale=q.a["gamma"])


def both_margins(q: Options, loss: Operation) -> Operation:
    """J = (d₊ − m₊) … (m₋ − d₋): each kind of distance is moved by its own margin, which may be negative."""
    margins = {"same": q.measure.at(q.a["pos_margin"]), "different": q.measure.at(q.a["neg_margin"])}
    return moved(partial(loss, margin=0.0, reduction=q.reduction), **margins)


def lifted(q: Options) -> Operation:
    """lifted, each kind of distance moved by its margin."""
    return q.measure.on(both_margins(q, losses.lifted))


def generalised_lifted(q: Options) -> Operation:
    """generalised_lifted, each kind of distance moved by its margin."""
    return q.measure.on(both_margins(q, losses.generalised_lifted))


def nca(q: Options) -> Operation:
    """nca; the scale is 1/τ."""
    return _plain(q, losses.nca, temperature=1 / q.a["softmax_scale"])


def angular(q: Options) -> Operation:
    """angular, given products with negatives as long as they are."""
    if (q.measure.words, q.measure.normalized) != ("L2", True):
        raise ValueError("pytorch-metric-learning takes no other distance here")
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


def tuplet_margin(q: Options) -> Operation:
    """tuplet_margin."""
    _cosine_only(q)
    return _plain(q, losses.tuplet_margin, margin=q.a["margin"], scale=q.a["scale"])


def fast_ap(q: Options) -> Operation:
    """fast_ap, up to the largest distance on the sphere: 2 to the power."""
    if not (q.measure.words.startswith("L2") and q.measure.normalized):
        raise ValueError("pytorch-metric-learning takes no other distance here")
    return _plain(q, losses.fast_ap, bins=int(q.a["num_bins"]), largest=2.0**q.measure.power)


def histogram(q: Options) -> Operation:
    """histogram."""
    _cosine_only(q)
    bins = q.a["n_bins"] or (round(2 / q.a["delta"]) if q.a["delta"] else 100)
    if q.a["delta"] and not np.isclose(bins * q.a["delta"], 2):
        raise ValueError("delta must cut [−1, 1] into whole steps")
    return q.measure.on(partial(losses.histogram, bins=bins))


def threshold_consistent(q: Options) -> Operation:
    """pair_hinge on cosine distances, once for each kind, so that each can have a weight."""
    _cosine_only(q)
    near, far = 1 - q.a["margin_plus"], 1 - q.a["margin_minus"]
    hinge = lambda positive, negative: partial(
        fast.all_pairs(partial(losses.pair_hinge, positive_margin=positive, negative_margin=negative), separately=True),
        reduction="mean_active",
    )
    parts = (q.a["lambda_plus"], hinge(near, -NEVER)), (q.a["lambda_minus"], hinge(NEVER, far))
    return q.measure.on(weighted_sum(*parts))


def variance(q: Options) -> Operation:
    """double_margin, twice since it has a ½, with margins that follow the mean."""
    return q.measure.on(losses.with_miner(variance_terms(q), miners.ordered_pairs))


def variance_terms(q: Options) -> Operation:
    """The loss on given pairs."""
    sign, zero = (1, q.measure.zero) if q.measure.similarity else (-1, 0.0)
    near, far = 1 - sign * q.a["pos_eps"], 1 + sign * q.a["neg_eps"]
    return scaled(losses.balanced(partial(around_the_mean, zero=zero, near=near, far=far, reduction=q.reduction)), 2)


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


def _proxies(q: Options, loss: Operation, always: bool = False) -> Operation:
    normalize = q.measure.normalize
    return on_proxies(q.measure.distance, loss, normalize, ops.normalize if always and not normalize else normalize)


def proxy_nca(q: Options) -> Operation:
    """matching against the proxies."""
    temperature = 1 / q.a["softmax_scale"]

    def loss(D, labels):  # a label that has no proxy is left out
        same = labels[:, None] == np.arange(D.shape[1])
        return losses.matching(D, same, temperature, reduction=q.reduction)

    return _proxies(q, loss)


def proxy_anchor(q: Options) -> Operation:
    """proxy_anchor, taken apart into its two sums where another reducer divides them otherwise."""
    if not q.measure.similarity:
        raise ValueError("only with a similarity")
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


def arcface(q: Options) -> Operation:
    """arcface."""
    _cosine_only(q)
    return _proxies(q, partial(losses.arcface, margin=q.a["margin"], scale=q.a["scale"], reduction=q.reduction))


def _cross_entropy(q: Options, temperature: float, margin: float = 0.0, always: bool = False) -> Operation:
    loss = partial(losses.softmax_cross_entropy, temperature=temperature, margin=margin, reduction=q.reduction)
    return _proxies(q, loss, always)


def cosface(q: Options) -> Operation:
    """softmax_cross_entropy with a margin on cosine distances."""
    _cosine_only(q)
    return _cross_entropy(q, 1 / q.a["scale"], q.a["margin"])


def normalized_softmax(q: Options) -> Operation:
    """softmax_cross_entropy; the proxies are put on the sphere whatever the distance says."""
    return _cross_entropy(q, q.a["temperature"], always=True)


def soft_triple(q: Options) -> Operation:
    """softmax_cross_entropy of soft_classes."""
    constants = {"temperature": 1 / q.a["la"], "margin": q.a["margin"], "reduction": q.reduction}
    centres, gamma = q.a["centers_per_class"], q.a["gamma"]
    if not q.measure.similarity:
        raise ValueError("only with a similarity")

    def loss(D, targets):
        classes, pull_classes = losses.soft_triple_distance(D, centres, gamma)
        value, pull = losses.softmax_cross_entropy(classes, targets, **constants)
        return value, lambda dl: pull_classes(*pull(dl))

    return _proxies(q, loss)


def vicreg(q: Options) -> Operation:
    """vicreg."""
    if q.reduction != "mean":
        raise ValueError("only with the mean")
    names = {"invariance": "invariance_lambda", "variance": "variance_mu", "covariance": "covariance_v"}
    return partial(losses.vicreg, epsilon=q.a["eps"], **{ours: q.a[theirs] for ours, theirs in names.items()})


def _cosine_only(q: Options) -> None:
    if q.measure.distance is not pairwise.cosine:
        raise ValueError("pytorch-metric-learning takes no other distance than the cosine here")
