"""What "the triplet loss" and "the contrastive loss" are by default in well-known code and papers.

Each is one row: a distance, whether embeddings are normalised, a loss, which pairs or triplets it sees, and over what
it is averaged. Code that takes pairs or triplets as arguments is given all of the batch here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses, miners, pairwise, require
from ...miners import Pairs, Triplets
from .compose import REDUCED_OVER, NamedLoss, on, scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array

    Operation = Callable[..., Any]

DISTANCES: dict[str, Operation] = {
    "l2": pairwise.l2,
    "squared_l2": pairwise.squared_l2,
    "l1": pairwise.l1,
    "cosine": pairwise.cosine,
    "dot": pairwise.dot,
}


@dataclass(frozen=True)
class Convention:
    """One meaning of a loss's name.

    calls : the loss's name in its library
    formula : in words
    loss, miner : functions of `losses` and `miners`
    distance, normalize : a name of `DISTANCES`, and whether embeddings are normalised first
    margin : None for a loss that has none
    reduction, per : the reduction, and over what the mean is, in words
    source, note : the code or paper, and remaining differences
    factor : by which the value is multiplied
    """

    calls: str
    formula: str
    loss: Operation
    miner: Operation
    distance: str
    normalize: bool
    margin: float | None
    reduction: str
    per: str
    source: str
    note: str = ""
    factor: float = 1.0


def named_loss(convention: Convention, **overrides: Any) -> NamedLoss:
    """The op of a convention.

    Parameters
    ----------
    convention
        A row of `CONVENTIONS["triplet"]` or `CONVENTIONS["contrastive"]`.
    overrides
        margin, reduction, distance (a key of `DISTANCES`), normalize, and miner (a function of `minisiam.miners`).

    Returns
    -------
    NamedLoss
    """
    for key in overrides:
        require.one_of("override", key, ("margin", "reduction", "distance", "normalize", "miner"))
    c = replace(convention, **overrides)
    require.one_of("distance", c.distance, DISTANCES)
    require.one_of("reduction", c.reduction, ("mean", "mean_active", "sum"))
    if c.loss is losses.triplet_ratio and c.margin is not None:
        raise ValueError("the ratio loss has no margin: leave margin out")
    constants = {"reduction": c.reduction} | ({} if c.margin is None else {"margin": c.margin})
    loss = losses.with_miner(partial(c.loss, **constants), c.miner)
    op = on(DISTANCES[c.distance], scaled(loss, c.factor), c.normalize)
    words = c.distance.removeprefix("squared_").upper() if c.distance.endswith(("l1", "l2")) else c.distance
    kept = not {"reduction", "miner"} & set(overrides)
    per = c.per if kept else REDUCED_OVER[c.reduction]
    margin = "none" if c.margin is None else f"margin {c.margin:g}"
    squared, normalized = c.distance.startswith("squared"), c.normalize or c.distance == "cosine"
    return NamedLoss(op, c.formula, words, squared, normalized, margin, per, c.source, note=c.note)


# which pairs or triplets each of them sees


def anchor_first(D: Array, labels: Array) -> Triplets:
    """Every triplet whose anchor comes before its positive in the batch: each pair of a class is used one way round."""
    a, p, n = miners.all_triplets(D, labels)
    first = a < p
    return Triplets(a[first], p[first], n[first])


def batch_hard_of_all(D: Array, labels: Array) -> Triplets:
    """Batch-hard with a triplet for every anchor: one without a positive is its own, at the distance 0."""
    found = miners.batch_hard(D, labels)
    alone = np.setdiff1d(np.arange(len(labels)), found.anchor)
    nearest = np.where(labels[alone][:, None] == labels, np.inf, D[alone]).argmin(axis=1)
    parts = zip(found, (alone, alone, nearest), strict=True)
    return Triplets(*(np.concatenate(both) for both in parts))


def hard_with_semi_hard(D: Array, labels: Array) -> Triplets:
    """The farthest positive, and the nearest negative beyond it; the farthest negative where none is."""
    every = miners.batch_easy_hard(D, labels, "hard", "easy")
    some = miners.batch_easy_hard(D, labels, "hard", "semi-hard")
    negative = every.negative.copy()
    negative[np.searchsorted(every.anchor, some.anchor)] = some.negative
    return every._replace(negative=negative)


def hard_pairs(D: Array, labels: Array) -> Pairs:
    """Same pairs beyond the nearest different pair, and different pairs within the farthest same pair."""
    i, j, same = miners.all_pairs(D, labels)
    d = D[i, j]
    limit = lambda kind, extreme: getattr(d[kind], extreme)() if kind.sum() > 1 else d[~kind].mean()
    keep = np.where(same, d > limit(~same, "min"), d < limit(same, "max"))
    return Pairs(i[keep], j[keep], same[keep])


HINGE = "max(0, d₊ − d₋ + m)"
SQUARES = "½ d² where same, ½ max(0, m − d)² where not"
WITHOUT_HALF = "d² where same, max(0, m − d)² where not"
ACTIVE = "the triplets above 0"
ALONE = "an anchor without a positive counts with d₊ = 0"
SIAMESE_TRIPLET = "github.com/adambielski/siamese-triplet"
OMOINDROT = "github.com/omoindrot/tensorflow-triplet-loss"
SENTENCES = "github.com/UKPLab/sentence-transformers"
SIMILARITY = "github.com/tensorflow/similarity"
KERAS = "github.com/keras-team/keras-io"

TRIPLET: dict[str, Convention] = {
    "facenet": Convention(
        "the triplet loss",
        HINGE,
        losses.triplet_hinge,
        miners.semi_hard_facenet,
        "squared_l2",
        True,
        0.2,
        "mean",
        "pairs with a semi-hard negative",
        "Schroff, Kalenichenko & Philbin (2015), eq. 3 and 4",
        "the paper prints a sum, and does not say which semi-hard negative: here the nearest",
    ),
    "hermans": Convention(
        "batch-hard triplet loss, soft margin",
        "log(1 + e^(d₊ − d₋))",
        losses.triplet_soft_margin,
        miners.batch_hard,
        "l2",
        False,
        None,
        "mean",
        "the anchors",
        "Hermans, Beyer & Leibe (2017), eq. 5 and §2",
        "the paper prints a sum over a P × K batch",
    ),
    "hoffer": Convention(
        "triplet network",
        "2 s₊², s₊ = e^d₊ / (e^d₊ + e^d₋)",
        losses.triplet_ratio,
        miners.all_triplets,
        "l2",
        False,
        None,
        "mean",
        "the triplets it is given",
        "Hoffer & Ailon (2015), §2",
        "their code, github.com/eladhoffer/TripletNet, takes Torch's MSE of (s₊, s₋) and (0, 1): half the value",
    ),
    "keras": Convention(
        "triplet loss",
        HINGE,
        losses.triplet_hinge,
        miners.all_triplets,
        "squared_l2",
        False,
        0.5,
        "mean",
        "the triplets it is given",
        f"{KERAS}, examples/vision/siamese_network.py",
        "its tape differentiates the sum over the batch; a negative may be the anchor's own image",
    ),
    "tensorflow-similarity": Convention(
        "TripletLoss()",
        "log(1 + e^(d₊ − d₋))",
        losses.triplet_soft_margin,
        hard_with_semi_hard,
        "cosine",
        True,
        None,
        "mean",
        "the anchors",
        f"{SIMILARITY}, losses/triplet_loss.py and losses/utils.py",
        "1 − a·b of rows that the model is to normalise; an anchor without a positive, left out here, counts there",
    ),
    "sentence-transformers": Convention(
        "TripletLoss",
        HINGE,
        losses.triplet_hinge,
        miners.all_triplets,
        "l2",
        False,
        5.0,
        "mean",
        "the triplets it is given",
        f"{SENTENCES}, losses/TripletLoss.py",
        "torch's pairwise_distance adds 10⁻⁶ to every difference",
    ),
    "sentence-transformers-batch-hard": Convention(
        "BatchHardTripletLoss",
        HINGE,
        losses.triplet_hinge,
        batch_hard_of_all,
        "l2",
        False,
        5.0,
        "mean",
        "all anchors",
        f"{SENTENCES}, losses/BatchHardTripletLoss.py",
        ALONE,
    ),
    "sentence-transformers-semi-hard": Convention(
        "BatchSemiHardTripletLoss",
        HINGE,
        losses.triplet_hinge,
        miners.semi_hard_tensorflow,
        "l2",
        False,
        5.0,
        "mean",
        "the ordered positive pairs",
        f"{SENTENCES}, losses/BatchSemiHardTripletLoss.py",
    ),
    "sentence-transformers-batch-all": Convention(
        "BatchAllTripletLoss",
        HINGE,
        losses.triplet_hinge,
        miners.all_triplets,
        "l2",
        False,
        5.0,
        "mean_active",
        ACTIVE,
        f"{SENTENCES}, losses/BatchAllTripletLoss.py",
    ),
    "omoindrot": Convention(
        "batch_all_triplet_loss",
        HINGE,
        losses.triplet_hinge,
        miners.all_triplets,
        "l2",
        False,
        0.5,
        "mean_active",
        ACTIVE,
        f"{OMOINDROT}, model/triplet_loss.py; margin from experiments/base_model/params.json",
        "squared=True is a flag",
    ),
    "omoindrot-batch-hard": Convention(
        "batch_hard_triplet_loss",
        HINGE,
        losses.triplet_hinge,
        batch_hard_of_all,
        "l2",
        False,
        0.5,
        "mean",
        "all anchors",
        f"{OMOINDROT}, model/triplet_loss.py",
        ALONE,
    ),
    "siamese-triplet": Convention(
        "OnlineTripletLoss, AllTripletSelector",
        HINGE,
        losses.triplet_hinge,
        anchor_first,
        "squared_l2",
        False,
        1.0,
        "mean",
        "the selected triplets",
        f"{SIAMESE_TRIPLET}, losses.py and utils.py",
        "the user gives the margin (1 here); other selectors fall back on one easy triplet where they find none",
    ),
}
CONTRASTIVE: dict[str, Convention] = {
    "hadsell": Convention(
        "the contrastive loss",
        SQUARES,
        losses.contrastive,
        miners.all_pairs,
        "l2",
        False,
        1.0,
        "mean",
        "the pairs it is given",
        "Hadsell, Chopra & LeCun (2006), eq. 3 and 4",
        "Y = 0 is similar; the paper prints a sum, and no value of the margin",
    ),
    "siamese-triplet": Convention(
        "ContrastiveLoss",
        SQUARES,
        losses.contrastive,
        miners.all_pairs,
        "l2",
        False,
        1.0,
        "mean",
        "the pairs it is given",
        f"{SIAMESE_TRIPLET}, losses.py",
        "target 1 is same; the user gives the margin (1 here)",
    ),
    "siamese-triplet-online": Convention(
        "OnlineContrastiveLoss",
        WITHOUT_HALF,
        losses.contrastive,
        miners.all_pairs,
        "l2",
        False,
        1.0,
        "mean",
        "the selected pairs",
        f"{SIAMESE_TRIPLET}, losses.py and utils.py",
        "here all pairs, AllPositivePairSelector(balance=False); its default draws as many different as same pairs",
        2.0,
    ),
    "sentence-transformers": Convention(
        "ContrastiveLoss",
        SQUARES,
        losses.contrastive,
        miners.all_pairs,
        "cosine",
        False,
        0.5,
        "mean",
        "the pairs it is given",
        f"{SENTENCES}, losses/ContrastiveLoss.py",
        "label 1 is same",
    ),
    "sentence-transformers-online": Convention(
        "OnlineContrastiveLoss",
        WITHOUT_HALF,
        losses.contrastive,
        hard_pairs,
        "cosine",
        False,
        0.5,
        "sum",
        "a sum over the hard pairs",
        f"{SENTENCES}, losses/OnlineContrastiveLoss.py",
        "same pairs beyond the nearest different pair, different pairs within the farthest same pair",
        2.0,
    ),
    "keras": Convention(
        "contrastive_loss",
        WITHOUT_HALF,
        losses.contrastive,
        miners.all_pairs,
        "l2",
        False,
        1.0,
        "mean",
        "the pairs it is given",
        f"{KERAS}, examples/vision/siamese_contrastive.py",
        "label 1 is different (pull request 1050); d was a sigmoid, never above 1, until January 2026 (2261)",
        2.0,
    ),
}
CONVENTIONS = {"triplet": TRIPLET, "contrastive": CONTRASTIVE}
