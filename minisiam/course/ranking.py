"""The measures of retrieval with common mistakes, for clues: which mistake gives these numbers?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..gradcheck import Case
    from ..typing import Array

NAMES = ("precision_at_1", "r_precision", "map_at_r")


def three_numbers(found: Any) -> Array:
    """The measures as an array, without the digits that rounding may change."""
    numbers = np.array([float(x) for x in found])
    if numbers.shape != (3,):
        raise ValueError("there are three measures")
    return np.round(numbers, 12)


def measures(
    z: Array, labels: Array, ties_for: bool = False, itself: bool = False, alone: bool = False, by_found: bool = False
) -> Array:
    """P@1, R-precision and MAP@R, query by query.

    Parameters
    ----------
    z, labels
        Embeddings and their classes.
    ties_for
        Whether a tie counts for the model.
    itself
        Whether a query is its own neighbour.
    alone
        Whether an image that is alone in its class is a query, which finds nothing.
    by_found
        Whether the precisions are divided by the number of images found, not by R.
    """
    rows = []
    for i, (query, label) in enumerate(zip(z, labels, strict=True)):
        d, same = np.sqrt(((z - query) ** 2).sum(axis=1)), labels == label
        others = np.delete(np.arange(len(z)), [] if itself else [i])
        own, rivals = np.sort(d[others[same[others]]]), d[~same]
        R = int(same.sum()) - 1
        if R:
            nearer = (rivals[:, None] < own if ties_for else rivals[:, None] <= own).sum(axis=0)
            k = np.arange(1, len(own) + 1)
            rank = k + nearer
            hit = rank <= R
            divisor = max(int(hit.sum()), 1) if by_found else R
            rows.append((rank[0] == 1, hit.sum() / R, (hit * k / rank).sum() / divisor))
        elif alone:
            rows.append((0, 0, 0))
    return np.mean(rows, axis=0)


MISTAKES: dict[str, dict[str, bool]] = {
    "a tie counts for the model": {"ties_for": True},
    "an image is its own neighbour": {"itself": True},
    "an image that is alone in its class is a query": {"alone": True},
    "the precisions are divided by the number of images found, not by R": {"by_found": True},
}


def clue(ours: Array, truth: Array, case: Case) -> str:
    """The first measure that is wrong, and the mistakes that give all three numbers."""
    z, labels = case.variables["z"], case.variables["labels"]
    name = NAMES[int(np.flatnonzero(~np.isclose(ours, truth, atol=1e-9))[0])]
    if np.array_equal(np.sort(ours), np.sort(truth)):
        return f"the order is {', '.join(NAMES)}"
    found = [words for words, change in MISTAKES.items() if np.allclose(measures(z, labels, **change), ours, atol=1e-9)]
    if found:
        return f"{name} is the result if {' or '.join(found)}"
    if name == "map_at_r" and np.isclose(ours[2], truth[1]):
        return "map_at_r is the R-precision: the k-th image found, at rank r, counts k / r"
    return f"{name} is wrong"
