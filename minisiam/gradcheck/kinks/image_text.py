"""The kinks of the losses of two towers."""

from __future__ import annotations

from math import log

from .table import FAR, Z2, numbers, on

ROWS = [
    on(
        "pairwise_sigmoid",
        "all logits 0: n log 2, a pull of 1/(2n) on each pair and a push on each other",
        Z2,
        2 * log(2),
        numbers([0.25, -0.25], [-0.25, 0.25]),
    ),
    on("pairwise_sigmoid", "one pair, logit 0: log 2", [[0]], log(2), numbers([0.5])),
    on("pairwise_sigmoid", "pairs 10⁴ inside, others 10⁴ outside: 0 and flat", [[-FAR, FAR], [FAR, -FAR]], 0, 0 * Z2),
    on(
        "pairwise_sigmoid",
        "all 10⁴ on the wrong side: straight lines, no overflow",
        [[FAR, -FAR], [-FAR, FAR]],
        2 * FAR,
        numbers([0.5, -0.5], [-0.5, 0.5]),
    ),
    on(
        "pairwise_sigmoid",
        "a common bias of 10⁴, all far: only the pairs are pulled",
        [[FAR, FAR], [FAR, FAR]],
        FAR,
        numbers([0.5, 0], [0, 0.5]),
    ),
]
