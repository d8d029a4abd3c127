"""Which mistakes each grader must notice: by their names, what makes the wrong function of the right one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import miners
from ..miners import Pairs
from . import mistakes as make
from .bugs import smallest
from .collapse import COLLAPSING

if TYPE_CHECKING:
    from collections.abc import Callable

    Op = Callable[..., Any]


def settings_with(**different: Any) -> Op:
    """The settings that collapse, but for some."""
    return lambda: COLLAPSING | different


def showing(name: str, **answer: Any) -> Op:
    """The smallest inputs, but for one."""
    return lambda: smallest() | {name: answer}


GRADIENT = {
    "wrong sign": make.wrong_sign,
    "twice": make.twice,
    "half": make.half,
    "input modified": make.input_modified,
}
MEAN = {"a sum for a mean": make.sum_for_mean}
SECOND = {"first variable only": make.first_only}
AXIS = {"wrong axis": make.wrong_axis}
POINTS = {"equal points forgotten": make.equal_points_forgotten}
OF: dict[str, dict[str, Callable[[Op], Op]]] = {
    "squared-distance": {
        "wrong sign": make.value_of(make.result(lambda both: (-both[0], None))),
        "twice": make.value_of(make.result(lambda both: (2 * both[0], None))),
        "half": make.value_of(make.result(lambda both: (both[0] / 2, None))),
        "wrong axis": make.value_of(make.wrong_axis),
        "input modified": make.spoiled,
    },
    "squared-distance-gradient": GRADIENT | SECOND | AXIS,
    "l2": GRADIENT | SECOND | AXIS | POINTS,
    "contrastive": GRADIENT | MEAN | {"no hinge": make.no_hinge, "active for valid": make.active_for_valid},
    "triplet": GRADIENT | MEAN | SECOND | {"no hinge": make.no_hinge, "active for valid": make.active_for_valid},
    "soft-margin": GRADIENT | MEAN | SECOND | {"overflow": make.overflow},
    "two-branches": {
        "one branch only": lambda _: make.one_branch,
        "wrong sign": lambda _: make.siamese_with(lambda dW: -dW),
        "twice": lambda _: make.siamese_with(lambda dW: 2 * dW),
        "half": lambda _: make.siamese_with(lambda dW: dW / 2),
        "transposed": lambda _: make.siamese_with(lambda dW: dW.T),
    },
    "dense": GRADIENT | {"transposed": make.transposed, "the bias forgotten": make.no_bias},
    "relu": GRADIENT | {"no hinge": make.no_hinge},
    "normalize": GRADIENT | AXIS | POINTS,
    "cosine": GRADIENT | SECOND | AXIS | POINTS,
    "cross-entropy": GRADIENT | MEAN | {"overflow": make.overflow},
    "pairwise": GRADIENT | {"the anchor's row only": make.first_only} | POINTS,
    "all-pairs": {
        "each twice": lambda _: miners.ordered_pairs,
        "with itself": lambda _: lambda D, labels: Pairs(
            *(both := np.triu_indices(len(labels))), labels[both[0]] == labels[both[1]]
        ),
        "same turned round": make.result(lambda found: Pairs(found.rows, found.columns, ~found.same)),
        "one missing": make.result(lambda found: Pairs(*(part[1:] for part in found))),
    },
    "batch-hard": {
        "the nearest positive": lambda _: partial(miners.batch_easy_hard, positive="easy", negative="hard"),
        "the farthest negative": lambda _: partial(miners.batch_easy_hard, positive="hard", negative="easy"),
        "its own positive": lambda _: make.own_positive,
        "the anchor's column": lambda op: lambda D, labels: op(D.T, labels),
    },
    "semi-hard": {
        "nearer than the positive": lambda _: make.nearest_negatives,
        "margin forgotten": lambda op: lambda D, labels, margin: op(D, labels, 1e9),
        "margin excluded": lambda op: lambda D, labels, margin: op(D, labels, margin * (1 - 1e-9)),
        "the anchor's column": lambda op: lambda D, labels, margin: op(D.T, labels, margin),
    },
    "log-sum-exp": {
        "overflow": lambda _: make.naive_log_sum_exp,
        "wrong axis": lambda op: lambda x: tuple(part.T for part in op(x.T.copy())),
        "wrong sign": make.result(lambda both: (both[0], -both[1])),
        "slope not divided": make.result(lambda both: (both[0], both[1] * np.exp(both[0])[:, None])),
    },
    "softmax-cross-entropy": GRADIENT | MEAN,
    "convolution": GRADIENT | {
        "the bias forgotten": make.no_bias,
        "the kernel turned round": make.changed(lambda _, g: (g[0], g[1][::-1, ::-1], g[2])),
    },
    "max-pool": GRADIENT | {"shared among equals": make.equal_points_forgotten},
    "recall": {
        "its own neighbour": lambda _: lambda z, labels, k: 1.0,
        "ties for the model": lambda _: make.recall_of_ties,
        "one too many": lambda op: lambda z, labels, k: op(z, labels, k + 1),
        "alone and asked": lambda _: make.asking_all,
    },
    "sampler": {
        "with replacement": lambda _: make.dealt(lambda rows, rng, K: rng.choice(rows, K)),
        "always the first images": lambda _: make.dealt(lambda rows, rng, K: rows[:K]),
        "any images, any time": lambda _: make.dealt(lambda rows, rng, K: rng.permutation(rows)[:K]),
        "rng not used": lambda _: make.seedless,
        "chance from elsewhere": lambda _: make.spread_seed,
        "one batch": lambda op: lambda *args: iter([next(op(*args))]),
    },
    "threshold": {
        "one too far": lambda _: make.next_above,
        "less than": lambda _: make.smaller,
        "the same pairs counted": lambda op: lambda d, same, false_accept: op(d, ~same, false_accept),
        "the largest there is": lambda _: lambda d, same, false_accept: float(d.max()),
    },
    "collapse": {
        "untouched": lambda _: settings_with(),
        "smaller steps alone": lambda _: settings_with(learning_rate=0.0003),
        "a soft margin alone": lambda _: settings_with(loss="soft-margin"),
    },
    "find-the-bug": {
        "an input that shows nothing": lambda _: showing("l2, equal points forgotten", a=[[1.0]], b=[[0.0]]),
        "larger than need be": lambda _: showing("contrastive without its hinge", d=[2.0, 3.0], same=[False, False]),
    },
}  # fmt: skip
