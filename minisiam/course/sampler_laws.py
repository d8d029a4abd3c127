"""The laws of a P×K sampler, and which of them a learner's breaks."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..gradcheck import Case
    from ..typing import Array

BATCHES = 12


class Broken(NamedTuple):
    """A law that does not hold, where it shows, and a clue."""

    law: str
    columns: dict[str, Any]
    clue: str = ""


def broken_law(function: Callable[..., Any], case: Case) -> Broken | None:
    """The first law that a dozen batches break."""
    labels, P, K = case.variables["labels"], case.constants["classes"], case.constants["per_class"]

    def deal(seed: int, count: int = BATCHES) -> list[Any]:
        return list(islice(function(np.copy(labels), np.random.default_rng(seed), P, K), count))

    seen = deal(0)
    if len(seen) < BATCHES:
        return Broken(f"it must go on for ever, and it ended after {len(seen)} batches", {})
    for batch in seen:
        broken = _of_one(batch, labels, P, K)
        if broken:
            return broken
    images = np.zeros(len(labels), int)
    for batch in seen:
        np.add.at(images, batch, 1)
        broken = _of_all(images, labels, batch)
        if broken:
            return broken
    if not all(np.array_equal(a, b) for a, b in zip(seen, deal(0), strict=True)):
        return Broken("the same seed gives other batches", {}, "does all chance come from rng?")
    if len(labels) > 6 and all(np.array_equal(a, b) for a, b in zip(seen, deal(1), strict=True)):
        return Broken("another seed gives the same batches", {}, "is rng used?")
    return None


def _of_one(batch: Any, labels: Array, P: int, K: int) -> Broken | None:
    """What is wrong with a batch by itself."""
    rows = np.asarray(batch)
    if rows.shape != (P * K,) or rows.dtype.kind not in "iu":
        return Broken(f"a batch must be ({P * K},) rows of the data set, integers", {"yours": batch})
    if rows.min() < 0 or rows.max() >= len(labels):
        return Broken("a batch has a row that the data set has not", {"yours": batch})
    if len(set(rows.tolist())) < len(rows):
        clue = "drawn with replacement? Or left over in one pile, and dealt again from the next?"
        return Broken("an image is twice in a batch", {"yours": batch}, clue)
    by_class = labels[rows].reshape(P, K)
    if (by_class != by_class[:, :1]).any():
        return Broken(f"a batch must go class by class, {K} images of each", {"yours": batch, "classes": labels[rows]})
    if len(set(by_class[:, 0].tolist())) < P:
        return Broken(f"a batch must have {P} different classes", {"yours": batch, "classes": labels[rows]})
    return None


def _of_all(images: Array, labels: Array, batch: Array) -> Broken | None:
    """What is wrong with all batches so far; `images` says how often each image was dealt."""
    dealt = np.array([images[labels == c].sum() for c in np.unique(labels)])
    per_class = (labels[batch] == labels[batch[0]]).sum()
    if dealt.max() - dealt.min() > per_class:
        return Broken("a class comes again before every class has come", {"times dealt": dealt // per_class})
    for c in np.unique(labels):
        own = images[labels == c]
        if own.max() - own.min() > 1:
            clue = "are the images of a class dealt until none is left?"
            return Broken(f"an image of class {c} comes again before all of its class have come", {"dealt": own}, clue)
    return None
