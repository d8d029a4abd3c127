"""The laws of a P×K sampler, and the first that a learner's sampler violates."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..gradcheck import Case
    from ..typing import Array

    Sampler = Callable[..., Iterator[Array]]  # (labels, rng, classes, per_class) ↦ batches of rows

BATCHES = 12


class Violation(NamedTuple):
    """A violated law, the numbers that show it, and a clue."""

    law: str
    columns: dict[str, Any]
    clue: str = ""


def first_violation(function: Sampler, case: Case) -> Violation | None:
    """The first law that a dozen batches violate."""
    labels, P, K = case.variables["labels"], case.constants["classes"], case.constants["per_class"]
    given = np.copy(labels)

    def draw(seed: int) -> list[Any]:
        return list(islice(function(given, np.random.default_rng(seed), P, K), BATCHES))

    batches = draw(0)
    if len(batches) < BATCHES:
        return Violation(f"the generator must not end, but it ended after batch {len(batches)}", {})
    if not np.array_equal(given, labels):
        return Violation("it changes its input labels", {})
    found = _first(_in_batch(batch, labels, P, K) for batch in batches)
    if not found and len({id(batch) for batch in batches}) < BATCHES:
        found = Violation("it yields the same array again, so a batch changes later", {}, "make a new array each time")
    return found or _of_sequence(batches, labels) or _of_seeds(batches, draw, labels)


def _first(violations: Iterable[Violation | None]) -> Violation | None:
    return next(filter(None, violations), None)


def _of_sequence(batches: list[Any], labels: Array) -> Violation | None:
    """The laws of the batches one after the other."""
    count = np.zeros(len(labels), int)

    def counted(batch: Any) -> Violation | None:
        np.add.at(count, batch, 1)
        return _across_batches(count, labels, batch)

    return _first(map(counted, batches))


def _of_seeds(batches: list[Any], draw: Callable[[int], list[Any]], labels: Array) -> Violation | None:
    """The laws of randomness: a seed repeats the batches, and everything is shuffled, each time."""
    if not all(np.array_equal(a, b) for a, b in zip(batches, draw(0), strict=True)):
        return Violation("the same seed gives different batches", {}, "do you draw all random numbers from rng?")
    if len(labels) <= 6:
        return None
    others = [draw(seed) for seed in (1, 2, 3)]
    if all(np.array_equal(a, b) for other in others for a, b in zip(batches, other, strict=True)):
        return Violation("another seed gives the same batches", {}, "do you use rng?")
    orders = [_passes(np.concatenate(each), labels) for each in (batches, *others)]
    if len(np.unique(labels)) <= 6:
        return None  # few things have few orders
    for place, what in enumerate(("classes", "images of each class")):
        if all(order[place] == orders[0][place] for order in orders):
            return Violation(f"the {what} come in the same order for every seed", {}, "do you shuffle them, with rng?")
        if all(_repeats(sequence) for order in orders for sequence in order[place]):
            return Violation(f"the {what} come in the same order again and again", {}, "do you shuffle them each time?")
    return None


def _passes(rows: Array, labels: Array) -> tuple[list[list[list[int]]], ...]:
    """In which order the classes came, and the images of each class: for each, the first time and the second time."""
    drawn = labels[rows]
    classes = [int(c) for c, before in zip(drawn, [None, *drawn[:-1]], strict=True) if c != before]
    images = [[int(i) for i in rows[drawn == c]] for c in np.unique(labels)]
    return [_two_passes(classes)], [_two_passes(own) for own in images]


def _two_passes(sequence: list[int]) -> list[list[int]]:
    size = len(set(sequence))
    return [sequence[:size], sequence[size : 2 * size]]


def _repeats(passes: list[list[int]]) -> bool:
    return passes[0] == passes[1]


def _in_batch(batch: Any, labels: Array, P: int, K: int) -> Violation | None:
    """The laws of a single batch."""
    rows = np.asarray(batch)
    if rows.shape != (P * K,) or rows.dtype.kind not in "iu":
        return Violation(
            f"a batch must be an integer array of shape ({P * K},): rows of the data set", {"yours": batch}
        )
    if rows.min() < 0 or rows.max() >= len(labels):
        return Violation("a batch has a row outside the data set", {"yours": batch})
    if len(set(rows.tolist())) < len(rows):
        clue = "do you draw with replacement, or add a remaining image again after a new shuffle?"
        return Violation("an image occurs twice in a batch", {"yours": batch}, clue)
    by_class = labels[rows].reshape(P, K)
    if (by_class != by_class[:, :1]).any():
        return Violation(
            f"a batch must be ordered by class, {K} images of each", {"yours": batch, "classes": labels[rows]}
        )
    if len(set(by_class[:, 0].tolist())) < P:
        return Violation(f"a batch must have {P} different classes", {"yours": batch, "classes": labels[rows]})
    return None


def _across_batches(count: Array, labels: Array, batch: Array) -> Violation | None:
    """The laws of all batches so far; `count` is the number of times each image occurred."""
    drawn = np.array([count[labels == c].sum() for c in np.unique(labels)])
    per_class = (labels[batch] == labels[batch[0]]).sum()
    if drawn.max() - drawn.min() > per_class:
        return Violation("a class is repeated before every class has occurred", {"times drawn": drawn // per_class})
    for c in np.unique(labels):
        own = count[labels == c]
        if own.max() - own.min() > 1:
            clue = "do you use every image of a class before you shuffle them again?"
            return Violation(
                f"an image of class {c} is repeated before every image of the class has occurred",
                {"times drawn": own},
                clue,
            )
    return None
