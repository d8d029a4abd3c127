"""Definitions of the softmax losses; D is (n, n) with one anchor per row, or (n, m) for two sets."""

from __future__ import annotations

import autograd.numpy as np

from .specification import specify
from .terms import BATCH, TARGETS, TAU, anchors, each_way, log_softmax, lse, reduce, reduce_anchors, reduce_pairs


@specify(**TARGETS, cases=each_way({}, {"temperature": 0.7, "margin": 0.35}, {"others_only": True}))
def softmax_cross_entropy(D, targets, temperature=1.0, margin=0.0, others_only=False, reduction="mean"):  # noqa: D103
    def term(d, t):
        right = -(d[t] + margin) / temperature
        wrong = [-d[j] / temperature for j in range(len(d)) if j != t]
        return lse(wrong if others_only else [right, *wrong]) - right

    return reduce(np.array([term(d, t) for d, t in zip(D, targets)]), reduction)  # noqa: B905


@specify(sizes={"n": (1, 4)}, scales=(-1, 0), unit=1.0, cases=({}, {"temperature": 0.7}))
def info_nce(D, temperature=0.07):  # noqa: D103
    n = len(D)
    rows = sum(log_softmax([-D[i, j] / temperature for j in range(n)], i) for i in range(n))
    columns = sum(log_softmax([-D[j, i] / temperature for j in range(n)], i) for i in range(n))
    return (rows + columns) / (2 * n)


@specify(sizes={"n": (4, 6)}, scales=(-1, 1), unit=1.0, labels=(0, 0, 1, 1), cases=each_way({}))
def n_pair(D, labels, reduction="mean"):  # noqa: D103
    pairs = [
        (i, i + 1 + later.index(c))
        for i, c in enumerate(labels)
        if c not in labels[:i]
        for later in [list(labels[i + 1 :])]
        if c in later
    ]
    pairs.sort(key=lambda pair: labels[pair[0]])
    return reduce(np.array([log_softmax([-D[a, p] for _, p in pairs], k) for k, (a, _) in enumerate(pairs)]), reduction)


@specify(**BATCH, cases=each_way(TAU, {"temperature": 2.0}))
def supcon(D, labels, temperature=0.1, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        return sum(
            D[i, p] / temperature + lse([-D[i, j] / temperature for j in positives + negatives]) for p in positives
        ) / len(positives)

    return reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)


@specify(**BATCH, cases=each_way(TAU, {"temperature": 2.0}))
def nt_xent(D, labels, temperature=0.07, reduction="mean"):  # noqa: D103
    def term(i, p, negatives):
        return log_softmax([-D[i, j] / temperature for j in [p, *negatives]], 0)

    return reduce_pairs(
        [[term(i, p, negatives) for p in positives] for i, positives, negatives in anchors(labels)], reduction
    )


@specify(**BATCH, cases=each_way({}, TAU))
def nca(D, labels, temperature=1.0, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        logit = lambda among: [-D[i, j] / temperature for j in among]
        return lse(logit(positives + negatives)) - lse(logit(positives))

    return reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)


@specify(sizes={"n": (1, 3), "m": (1, 4)}, scales=(-1, 0), unit=1.0, cases=each_way({}, TAU))
def matching(D, same, temperature=1.0, reduction="mean"):  # noqa: D103
    def term(x, own):
        return lse(list(x)) - lse([v for v, mine in zip(x, own) if mine])  # noqa: B905

    terms = [term(x, own) if own.any() else None for x, own in zip(-D / temperature, same)]  # noqa: B905
    return reduce_anchors(terms, reduction) if same.any() else 0.0 * np.sum(D, axis=1 if reduction == "none" else None)
