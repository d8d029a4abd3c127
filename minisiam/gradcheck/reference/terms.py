"""Parts that the definitions of several losses share: reductions, anchors, log Σ e^x."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify

BATCH = {"sizes": {"n": (3, 5)}, "scales": (-1, 0), "unit": 1.0}
TARGETS = {"sizes": {"n": (1, 4), "m": (2, 4)}, "scales": (-1, 0), "unit": 1.0}
TAU = {"temperature": 0.7}
COSINES = {"domain": (0.0, 2.0), "unit": 1.0}  # cosine distances; an angle has no slope at either end


def reduce(terms, reduction):
    """mean, mean_active, sum or none of an array of terms."""
    if reduction == "mean_active":
        return np.sum(terms) / max(1, sum(bool(t > 0) for t in np.ravel(terms)))
    return {"mean": np.mean, "sum": np.sum, "none": lambda terms: terms}[reduction](terms)


def each_way(*cases):
    """The cases of a loss, each combined with some of the reductions."""
    reductions = ("mean", "sum", "mean_active", "none")
    return tuple({**cases[i % len(cases)], "reduction": reduction} for i, reduction in enumerate(reductions))


def anchors(labels):
    """(i, its positives, its negatives) for every anchor."""
    everyone = range(len(labels))
    return [
        (i, [j for j in everyone if labels[j] == labels[i] and j != i], [j for j in everyone if labels[j] != labels[i]])
        for i in everyone
    ]


def lse(terms):
    """log Σ e^x; for no terms it is 0."""
    return np.log(sum(np.exp(x) for x in terms)) if len(terms) else 0.0


@specify(scales=(-1, 1), unit=1.0)
def log_sum_exp(x):  # noqa: D103
    return np.array([lse(list(row)) for row in x])


def log_softmax(logits, j):
    """−log softmax of a list, at one place."""
    return lse(logits) - logits[j]


def reduce_anchors(terms, reduction):
    """Reduce terms per anchor; None marks an anchor that is left out, which is 0 in "none" and in no mean."""
    if reduction == "none":
        return np.array([0.0 if t is None else t for t in terms])
    return reduce(np.array([t for t in terms if t is not None]), reduction)


def reduce_pairs(terms, reduction):
    """Reduce terms per positive pair, in one list per anchor; "none" is the sum of each list."""
    if reduction == "none":
        return np.array([sum(own) + 0.0 for own in terms])
    return reduce(np.array([t for own in terms for t in own]), reduction)
