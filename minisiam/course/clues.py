"""What a wrong answer that is no gradient looks like to someone who has seen many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..gradcheck import Case
    from ..typing import Array
    from .collapse import Outcome


def index_rows(found: Any) -> Array:
    """Pairs or triplets, one a row, sorted: their order means nothing."""
    first, second, third = (np.asarray(part) for part in found)
    if not (first.ndim == 1 and first.shape == second.shape == third.shape):
        raise ValueError("three arrays of one length are needed")
    if not all(part.dtype.kind in "iub" or part.size == 0 for part in (first, second, third)):
        raise TypeError("indices are integers")
    rows = np.stack([first, second, third], axis=1).astype(int)
    return rows[np.lexsort(rows.T[::-1])]


def _others(ours: Array, truth: Array) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """What should not be there, and what is missing."""
    mine, right = [tuple(row) for row in ours.tolist()], [tuple(row) for row in truth.tolist()]
    return [row for row in mine if row not in right], [row for row in right if row not in mine]


def pairs(ours: Array, truth: Array, case: Case) -> str:
    """A clue to wrong pairs."""
    extra, missing = _others(ours, truth)
    if any(i == j for i, j, _ in extra):
        return "an image is no pair with itself"
    if any((j, i, s) in set(map(tuple, truth.tolist())) for i, j, s in extra):
        return "each pair once, i < j: (j, i) is (i, j) again"
    if extra and any((i, j, 1 - s) in missing for i, j, s in extra):
        return "same is True where the two labels are equal"
    return _missing(missing) or "a pair comes twice"


def _missing(missing: list[tuple[int, ...]]) -> str:
    return f"{', '.join(map(str, missing[:2]))} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def triplets(extra: list[tuple[int, ...]], case: Case) -> str:
    """A clue to triplets that are none."""
    labels = case.variables["labels"]
    for a, p, n in extra:
        if a == p:
            return f"image {a} is its own positive"
        if labels[a] != labels[p]:
            return f"{p} is not of the class of {a}, so it is no positive"
        if labels[a] == labels[n]:
            return f"{n} is of the class of {a}, so it is no negative"
    return ""


def hardest(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not the hardest."""
    D = case.variables["D"]
    extra, missing = _others(ours, truth)
    right = {row[0]: row for row in truth.tolist()}
    known = triplets(extra, case)
    if known or not extra:
        return known or _missing(missing) or "a triplet comes twice"
    for a, p, n in extra:
        if a not in right:
            return f"anchor {a} has no triplet"
        if D[a, p] < D[a, right[a][1]]:
            return f"{right[a][1]} is a positive of {a} that is farther than {p}"
        if D[a, n] > D[a, right[a][2]]:
            return f"{right[a][2]} is a negative of {a} that is nearer than {n}"
        if D[a, p] > D[a, right[a][1]] or D[a, n] < D[a, right[a][2]]:
            return "an anchor is a row of D, not a column"
    return "of equals the first"


def semi_hard(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not semi-hard."""
    D, margin = case.variables["D"], case.constants["margin"]
    extra, missing = _others(ours, truth)
    known = triplets(extra, case)
    if known or not extra:
        return known or _missing(missing) or "a triplet comes twice"
    for a, p, n in extra:
        gap = D[a, n] - D[a, p]
        if gap <= 0:
            return (
                f"{n} is {'as near' if gap == 0 else 'nearer'} to {a} {'as' if gap == 0 else 'than'} {p}: not semi-hard"
            )
        if gap > margin:
            return f"{n} is farther from {a} than {p} by {gap:g}, more than the margin of {margin:g}"
    return "the nearest of the semi-hard negatives; of equals the first"


def recall(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong recall."""
    z, labels = case.variables["z"], case.variables["labels"]
    count = len(labels)
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(count, dtype=bool)
    asked = own.any(axis=1)
    nearest = np.where(own, D, np.inf).min(axis=1)
    if not asked.all() and np.isclose(ours * count, truth * asked.sum()):
        return "an image that is alone in its class is not asked"
    if ours > truth and ((labels[:, None] != labels) & (nearest[:, None] == D))[asked].any():
        return "a tie counts against the model, not for it"
    if ours > truth:
        return "too high: is an image its own neighbour, or one neighbour too many looked at?"
    return "too low: does the image itself take a place among the k?"


def threshold(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong threshold."""
    d, same, most = case.variables["d"], case.variables["same"], case.constants["false_accept"]
    share = (d[~same] <= ours).mean()
    if share > most:
        return f"it accepts {share:.0%} of the different pairs"
    if ours < truth:
        return f"{truth:g} is larger, and it still accepts no more than {most:.0%} of the different pairs"
    return "the same pairs are accepted, and a distance that occurs is asked for"


def collapse(outcome: Outcome) -> str:
    """A clue to a run that still collapses."""
    return f"a loss that stays at {outcome.loss:.2f} and no distance to be seen: who pulls everything together?"
