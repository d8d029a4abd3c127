"""The mistakes that each grader must detect: for each, its name and what makes it from the correct function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import miners, tree
from ..evaluate import threshold_at
from ..evaluate.thresholds import t_975
from ..miners import Pairs
from . import mistakes as make
from .bugs import smallest
from .collapse import COLLAPSING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exercises import Function


def settings_with(**changes: Any) -> Function:
    """The collapsing settings with some changed."""
    return lambda: COLLAPSING | changes


def inputs_with(name: str, **answer: Any) -> Function:
    """The smallest inputs with one replaced."""
    return lambda: smallest() | {name: answer}


GRADIENT = {
    "wrong sign": make.wrong_sign,
    "twice": make.twice,
    "half": make.half,
    "input modified": make.input_modified,
}
MEAN = {"sum instead of mean": make.sum_for_mean}
SECOND = {"first variable only": make.first_only}
AXIS = {"wrong axis": make.wrong_axis}
POINTS = {"equal points not handled": make.equal_points_not_handled}
MISTAKES: dict[str, dict[str, Callable[[Function], Function]]] = {
    "squared-distance": {
        "wrong sign": make.value_of(make.result(lambda both: (-both[0], None))),
        "twice": make.value_of(make.result(lambda both: (2 * both[0], None))),
        "half": make.value_of(make.result(lambda both: (both[0] / 2, None))),
        "wrong axis": make.value_of(make.wrong_axis),
        "input modified": make.overwritten_input,
    },
    "squared-distance-gradient": GRADIENT | SECOND | AXIS,
    "l2": GRADIENT | SECOND | AXIS | POINTS,
    "contrastive": GRADIENT
    | MEAN
    | {"hinge missing": make.contrastive_without_hinge, "divided by active terms": make.divided_by_active},
    "triplet": GRADIENT
    | MEAN
    | SECOND
    | {"hinge missing": make.triplet_without_hinge, "divided by active terms": make.divided_by_active},
    "soft-margin": GRADIENT | MEAN | SECOND | {"overflow": make.overflow},
    "two-branches": {
        "only one branch": lambda _: make.one_branch,
        "wrong sign": lambda _: make.siamese_with(partial(tree.map, lambda dW: -dW)),
        "twice": lambda _: make.siamese_with(partial(tree.map, lambda dW: 2 * dW)),
        "half": lambda _: make.siamese_with(partial(tree.map, lambda dW: dW / 2)),
        "transposed": lambda _: make.siamese_with(partial(tree.map, lambda dW: dW.T)),
    },
    "dense": GRADIENT | {"transposed": make.transposed, "bias missing": make.no_bias},
    "relu": GRADIENT | {"hinge missing": make.relu_without_hinge},
    "normalize": GRADIENT | AXIS | POINTS,
    "cosine": GRADIENT | SECOND | AXIS | POINTS,
    "cross-entropy": GRADIENT | MEAN | {"overflow": make.overflow},
    "pairwise": GRADIENT | {"gradient of the rows only": make.first_only} | POINTS,
    "all-pairs": {
        "each pair twice": lambda _: miners.ordered_pairs,
        "images paired with themselves": lambda _: lambda D, labels: Pairs(
            *(both := np.triu_indices(len(labels))), labels[both[0]] == labels[both[1]]
        ),
        "same inverted": make.result(lambda found: Pairs(found.rows, found.columns, ~found.same)),
        "one pair missing": make.result(lambda found: Pairs(*(part[1:] for part in found))),
    },
    "batch-hard": {
        "the nearest positive": lambda _: partial(miners.batch_easy_hard, positive="easy", negative="hard"),
        "the farthest negative": lambda _: partial(miners.batch_easy_hard, positive="hard", negative="easy"),
        "anchor as its own positive": lambda _: make.own_positive,
        "column instead of row": lambda op: lambda D, labels: op(D.T, labels),
    },
    "semi-hard": {
        "negative nearer than the positive": lambda _: make.nearest_negatives,
        "margin ignored": lambda op: lambda D, labels, margin: op(D, labels, 1e9),
        "margin excluded": lambda op: lambda D, labels, margin: op(D, labels, margin * (1 - 1e-9)),
        "column instead of row": lambda op: lambda D, labels, margin: op(D.T, labels, margin),
    },
    "log-sum-exp": {
        "overflow": lambda _: make.naive_log_sum_exp,
        "wrong axis": lambda op: lambda x: tuple(part.T for part in op(x.T.copy())),
        "wrong sign": make.result(lambda both: (both[0], -both[1])),
        "slope not divided": make.result(lambda both: (both[0], both[1] * np.exp(both[0])[:, None])),
    },
    "softmax-cross-entropy": GRADIENT | MEAN,
    "convolution": GRADIENT | {
        "bias missing": make.no_bias,
        "kernel flipped": make.changed(lambda _, g: (g[0], g[1][::-1, ::-1], g[2])),
    },
    "max-pool": GRADIENT | {"shared among ties": make.equal_points_not_handled},
    "recall": {
        "image as its own neighbour": lambda _: lambda z, labels, k: 1.0,
        "ties in favour of the model": lambda _: make.recall_with_favourable_ties,
        "one neighbour too many": lambda op: lambda z, labels, k: op(z, labels, k + 1),
        "images without positives count": lambda _: make.recall_of_all,
    },
    "sampler": {
        "with replacement": lambda _: make.sampler_from(lambda rows, rng, K: rng.choice(rows, K)),
        "always the first images": lambda _: make.sampler_from(lambda rows, rng, K: rows[:K]),
        "independent batches": lambda _: make.sampler_from(lambda rows, rng, K: rng.permutation(rows)[:K]),
        "rng not used": lambda _: make.rng_not_used,
        "another generator": lambda _: make.other_rng,
        "only one batch": lambda op: lambda *args: iter([next(op(*args))]),
    },
    "threshold": {
        "next larger distance": lambda _: make.next_above,
        "strictly below": lambda _: make.strictly_below,
        "same pairs counted": lambda op: lambda d, same, false_accept: op(d, ~same, false_accept),
        "largest distance": lambda _: lambda d, same, false_accept: float(d.max()),
    },
    "threshold-interval": {
        "one threshold for all groups": lambda _: make.unseen_rates(
            lambda d, same, own, rate: threshold_at(d, same, rate), make.prediction
        ),
        "each group chooses its own": lambda _: make.unseen_rates(
            lambda d, same, own, rate: threshold_at(d[own], same[own], rate), make.prediction
        ),
        "interval of the mean": lambda _: make.unseen_rates(
            make.of_the_others, lambda rates: make.prediction(rates) / np.sqrt(len(rates) + 1)
        ),
        "normal instead of t": lambda _: make.unseen_rates(
            make.of_the_others, lambda rates: 1.96 * make.prediction(rates) / t_975(len(rates) - 1)
        ),
        "below 0": make.result(lambda found: found._replace(false_accept=found.false_accept._replace(low=-0.5))),
        "kinds exchanged": make.result(lambda found: (found[0], found[2], found[1])),
    },
    "open-set": {
        "no threshold": lambda _: make.identify_by(lambda d, names, threshold: make.names_of_nearest(d, names) == 1),
        "below the threshold": lambda _: make.identify_by(
            lambda d, names, threshold: d.min() < threshold and make.names_of_nearest(d, names) == 1
        ),
        "the first of a tie": lambda _: make.identify_by(lambda d, names, threshold: d.min() <= threshold),
        "two examples of a name are a tie": lambda _: make.identify_by(
            lambda d, names, threshold: d.min() <= threshold and (d == d.min()).sum() == 1
        ),
        "squared distances": lambda _: make.identify_by(
            lambda d, names, threshold: d.min() <= threshold and make.names_of_nearest(d, names) == 1, power=2
        ),
    },
    "cached": {
        "all activations kept": lambda _: make.in_one_pass,
        "all chunks encoded, then pulled": lambda _: make.chunks_by(make.all_chunks_at_once),
        "the last chunk only": lambda _: make.chunks_by(
            lambda *given: ((both := make.one_by_one(*given))[0][-1], np.concatenate(both[1]))
        ),
        "the mean of the chunks": lambda _: make.chunks_by(
            lambda *given: (
                tree.map(lambda dW: dW / len(given[1]), tree.add(*(both := make.one_by_one(*given))[0])),
                np.concatenate(both[1]),
            )
        ),
        "the first rows of dz for every chunk": lambda _: make.chunks_by(
            lambda encode, parts, each: (
                tree.add(*(both := make.one_by_one(encode, parts, [each[0][: len(x)] for x in parts]))[0]),
                np.concatenate(both[1]),
            )
        ),
        "the whole batch again": lambda _: make.chunks_by(
            lambda encode, parts, each: encode(np.concatenate(parts))[1](np.concatenate(each))
        ),
    },
    "collapse": {
        "unchanged": lambda _: settings_with(),
        "smaller learning rate only": lambda _: settings_with(learning_rate=0.0003),
        "soft margin only": lambda _: settings_with(loss="soft-margin"),
    },
    "find-the-bug": {
        "input without the mistake": lambda _: inputs_with("l2, equal points not handled", a=[[1.0]], b=[[0.0]]),
        "larger than necessary": lambda _: inputs_with("contrastive, hinge missing", d=[2.0, 3.0], same=[False, False]),
    },
}  # fmt: skip
