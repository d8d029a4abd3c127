"""The graders of the exercises for which the universal check alone is not enough."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...gradcheck import kinks
from .. import clues, ranking, small_inputs
from ..adapters import branches, chunks, ranks, small
from ..mistakes import formulas, norms
from .capstone import by_steps
from .checked import by_check, moderate
from .compared import by_difference
from .laws import by_chunks, by_counterexamples, by_laws, by_training
from .results import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function
    from .results import Grader

PAIRS = "Pairs(rows, columns, same), with integers, integers and booleans"
TRIPLETS = "Triplets(anchor, positive, negative)"
BRANCHES = "the weights are used twice: does the gradient include both uses?"
CHUNKS = "the chunks share the weights, so dparams is a sum; each image has its own dx"
COPIES = "each rank has a copy of these rows: does dz contain the gradient of every copy, and are these its rows of dZ?"
PARAMETERS = "the distance and the loss have parameters: pull_d gives (dz1, dz2, *ddistance), and the loss (dd, *dloss)"
IDENTITIES = "a list of names and None, one for each row of z"
SCORES = "Scores(precision_at_1, r_precision, map_at_r), three numbers"
STATISTICS = (
    "which entries of y does an entry of x change, through its mean and its variance? And one of scale or shift?"
)
ROWS = "write down the loss of one anchor: which of its candidates are in the sum, and does each row of dD sum to 0?"
COLUMN = "the proxy is the anchor: write down the sum of one proxy, which is over the images, down a column of D"
ANGLE = "only the target's logit has a margin: what is the slope of cos(θ + m) in D, where cos θ = 1 − D?"
ENTRIES = "each entry of D is a question of its own: what is the probability of a pair there, and what should it be?"
RATES = "Threshold(value, Rate(rate, low, high), Rate(rate, low, high))"
WINDOWS = "write down one entry of z: which entries of x and W does it contain?"
SOFTMAX = "the slope is the softmax: does each of its rows sum to 1?"
margins = partial(small_inputs.batches, margins=(1.0, 2.0))

SPECIAL: dict[str, Callable[[Function], Grader]] = {
    "squared-distance": lambda op: by_check(op, partial(small.value_only, op), value_only=True),
    "two-branches": lambda f: in_turn(
        by_check(f, branches.as_op_of_weights, branches.two_branches, [], BRANCHES),
        by_check(f, branches.as_op_of_all_parameters, branches.learned_branches, [], PARAMETERS),
    ),
    "convolution": lambda op: by_check(op, definition=small.small_convolution, rows=[], default_clue=WINDOWS),
    "max-pool": lambda op: in_turn(by_check(op), by_check(op, definition=small.larger_pool, rows=[])),
    "log-sum-exp": lambda f: by_check(f, small.as_op_of_rows, None, small.EXTREME_INPUTS, SOFTMAX),
    "softmax-cross-entropy": lambda op: by_check(op, rows=[*kinks.of(op), small.ALL_FAR]),
    "batch-norm": lambda op: by_check(
        op, rows=moderate(kinks.of(op)), default_clue=STATISTICS, wrong_values=norms.BATCH_NORM
    ),
    "group-norm": lambda op: by_check(op, default_clue=STATISTICS, wrong_values=norms.GROUP_NORM),
    "supcon": lambda op: by_check(op, default_clue=ROWS, wrong_values=formulas.SUPCON),
    "proxy-anchor": lambda op: by_check(op, default_clue=COLUMN, wrong_values=formulas.PROXY_ANCHOR),
    "arcface": lambda op: by_check(op, default_clue=ANGLE, wrong_values=formulas.ARCFACE),
    "sigmoid": lambda op: by_check(op, default_clue=ENTRIES, wrong_values=formulas.SIGMOID),
    "all-pairs": lambda f: by_difference(f, small_inputs.batches, clues.pair_rows, PAIRS, clues.pairs),
    "batch-hard": lambda f: by_difference(f, small_inputs.batches, clues.triplet_rows, TRIPLETS, clues.hardest),
    "semi-hard": lambda f: by_difference(f, margins, clues.triplet_rows, TRIPLETS, clues.semi_hard),
    "recall": lambda f: by_difference(f, small_inputs.embeddings, float, "a number", clues.recall),
    "average-precision": lambda f: by_difference(f, small_inputs.queries, ranking.three_numbers, SCORES, ranking.clue),
    "threshold": lambda f: by_difference(f, small_inputs.pair_distances, float, "a number", clues.threshold),
    "threshold-interval": lambda f: by_difference(
        f, small_inputs.grouped_pairs, clues.seven_numbers, RATES, clues.promise
    ),
    "open-set": lambda f: by_difference(
        small.of_gallery(f), small_inputs.galleries, clues.identities, IDENTITIES, clues.identity, small.of_gallery
    ),
    "cached": lambda f: in_turn(by_check(f, chunks.as_op_of_chunks, chunks.in_chunks, [], CHUNKS), by_chunks),
    "all-gather": lambda f: in_turn(
        *(by_check(f, adapt, ranks.on_every_rank, [], COPIES, share=n) for adapt, n in ranks.ON_RANKS.items())
    ),
    "sampler": lambda _: by_laws,
    "collapse": lambda _: by_training,
    "find-the-bug": lambda _: by_counterexamples,
    "capstone": lambda _: by_steps,
}
