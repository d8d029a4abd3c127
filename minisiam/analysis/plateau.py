"""Has the loss stopped changing? Then no step changes what the network has learned, and training can stop.

Batches differ, so their losses differ while there is something to learn. A loss that is the same for every batch is at
its lowest value (0 for a hinge, ln(K − 1) for supcon with K images per class), or all embeddings are equal. Only losses
are compared, never times: a run stops at the same step on every machine, and also if it is interrupted and resumed.
"""

from __future__ import annotations

from typing import NamedTuple

PATIENCE = 200  # steps, the default
SHARE = 1e-3  # of the first loss: smaller differences count as none


class Plateau(NamedTuple):
    """How long the loss has been constant.

    first : the loss of the first batch, the scale of a difference
    level : the loss that later ones are compared with
    steps : the number of steps since then
    """

    first: float
    level: float
    steps: int


def extended(before: Plateau | None, loss: float) -> Plateau:
    """The plateau after one more loss; `before` is None at the first step."""
    if before is None:
        return Plateau(loss, loss, 0)
    if abs(loss - before.level) > SHARE * abs(before.first):
        return before._replace(level=loss, steps=0)
    return before._replace(steps=before.steps + 1)


def is_over(plateau: Plateau | None, patience: int) -> bool:
    """Whether the loss has been constant for `patience` steps; never if that is 0."""
    return plateau is not None and 0 < patience <= plateau.steps
