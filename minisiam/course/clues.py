"""Clues to common mistakes in functions without a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import miners
from ..evaluate.thresholds import t_975
from ..evaluate.verification import threshold_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..gradcheck import Case
    from ..typing import Array
    from .collapse import Outcome


COLUMNS = "these are the triplets of the columns of D, but an anchor is a row"


def pair_rows(found: Any) -> Array:
    """Pairs, one per row, sorted, because their order does not matter."""
    return _sorted_rows(found, "iib")


def triplet_rows(found: Any) -> Array:
    """Triplets, one per row, sorted."""
    return _sorted_rows(found, "iii")


def _sorted_rows(found: Any, kinds: str) -> Array:
    first, second, third = parts = [np.asarray(part) for part in found]
    if not (first.ndim == 1 and first.shape == second.shape == third.shape):
        raise ValueError("three arrays of equal length are needed")
    if first.size and "".join(part.dtype.kind.replace("u", "i") for part in parts) != kinds:
        raise TypeError("indices must be integers, and same must be booleans")
    rows = np.stack(parts, axis=1).astype(int)
    return rows[np.lexsort(rows.T[::-1])]


def _differences(ours: Array, truth: Array) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The extra rows and the missing rows."""
    given, correct = [tuple(row) for row in ours.tolist()], [tuple(row) for row in truth.tolist()]
    return [row for row in given if row not in correct], [row for row in correct if row not in given]


def pairs(ours: Array, truth: Array, case: Case) -> str:
    """A clue to wrong pairs."""
    extra, missing = _differences(ours, truth)
    if any(i == j for i, j, _ in extra):
        return "an image does not form a pair with itself"
    if any((j, i, s) in set(map(tuple, truth.tolist())) for i, j, s in extra):
        return "list each pair once, with i < j: (j, i) is the same pair as (i, j)"
    if extra and any((i, j, 1 - s) in missing for i, j, s in extra):
        return "same must be True where the two labels are equal"
    return _missing(missing) or "a pair occurs twice"


def _missing(missing: list[tuple[int, ...]]) -> str:
    return f"{', '.join(map(str, missing[:2]))} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def triplets(extra: list[tuple[int, ...]], case: Case) -> str:
    """A clue to triplets that break the definition."""
    labels = case.variables["labels"]
    for a, p, n in extra:
        if min(a, p, n) < 0:
            raise IndexError(f"{min(a, p, n)} is not an index of the batch")
        if a == p:
            return f"image {a} is its own positive"
        if labels[a] != labels[p]:
            return f"image {p} has another class than anchor {a}, so it is not a positive"
        if labels[a] == labels[n]:
            return f"image {n} has the class of anchor {a}, so it is not a negative"
    return ""


def hardest(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not the hardest."""
    D = case.variables["D"]
    extra, missing = _differences(ours, truth)
    correct = {row[0]: row for row in truth.tolist()}
    invalid = triplets(extra, case)
    if invalid or not extra:
        return invalid or _missing(missing) or "a triplet occurs twice"
    if np.array_equal(ours, triplet_rows(miners.batch_hard(D.T, case.variables["labels"]))):
        return COLUMNS
    for a, p, n in extra:
        if a not in correct:
            return f"anchor {a} has no positive, so it has no triplet"
        if D[a, p] < D[a, correct[a][1]]:
            return f"{correct[a][1]} is a positive of {a} and farther than {p}"
        if D[a, n] > D[a, correct[a][2]]:
            return f"{correct[a][2]} is a negative of {a} and nearer than {n}"
    return "of equal distances take the first"


def semi_hard(ours: Array, truth: Array, case: Case) -> str:
    """A clue to triplets that are not semi-hard."""
    D, margin = case.variables["D"], case.constants["margin"]
    extra, missing = _differences(ours, truth)
    invalid = triplets(extra, case)
    if invalid or not extra:
        return invalid or _missing(missing) or "a triplet occurs twice"
    if np.array_equal(ours, triplet_rows(miners.semi_hard_facenet(D.T, case.variables["labels"], margin))):
        return COLUMNS
    for a, p, n in extra:
        gap = D[a, n] - D[a, p]
        if gap <= 0:
            return (
                f"{n} is {'as near' if gap == 0 else 'nearer'} to {a} {'as' if gap == 0 else 'than'} {p}: not semi-hard"
            )
        if gap > margin:
            return f"{n} is farther from {a} than {p} by {gap:g}, more than the margin {margin:g}"
    return "take the nearest semi-hard negative; of equal distances the first"


def recall(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong recall: the mistakes that give this number."""
    found = [words for words, value in _wrong_recalls(case).items() if value != truth and np.isclose(ours, value)]
    return f"this is the result if {' or '.join(found)}" if found else ""


def _wrong_recalls(case: Case) -> dict[str, float]:
    """The recalls of common mistakes."""
    z, labels, k = case.variables["z"], case.variables["labels"], case.constants["k"]
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    nearest = np.where(own, D, np.inf).min(axis=1, keepdims=True)
    counted, other = own.any(axis=1), labels[:, None] != labels
    rivals, nearer = (other & (nearest >= D)).sum(axis=1), (other & (nearest > D)).sum(axis=1)
    return {
        "a tie counts for the model, but it counts against it": float((nearer < k)[counted].mean()),
        "an image that is alone in its class counts as an error, but it does not count": float(
            (counted & (rivals < k)).mean()
        ),
        "an image is its own neighbour": 1.0,
        "one neighbour too many counts": float((rivals < k + 1)[counted].mean()),
        "one neighbour too few counts, perhaps because an image is its own neighbour": float(
            (rivals < k - 1)[counted].mean()
        ),
    }


def threshold(ours: float, truth: float, case: Case) -> str:
    """A clue to a wrong threshold."""
    d, same, most = case.variables["d"], case.variables["same"], case.constants["false_accept"]
    share = (d[~same] <= ours).mean()
    if share > most:
        return f"it accepts {_percent(share)} of the different pairs, more than {_percent(most)}"
    if ours < truth:
        return f"{truth:g} is larger and also accepts at most {_percent(most)} of the different pairs"
    if ours > truth and np.array_equal(d <= ours, d <= truth):
        return "it accepts the same pairs, but the threshold must be one of the distances, or −∞ to accept no pair"
    return ""


def seven_numbers(found: Any) -> Array:
    """A `Threshold` as seven numbers, without the digits that rounding may change."""
    value, accept, reject = found
    numbers = np.array([value, *accept, *reject], float)
    if numbers.shape != (7,):
        raise ValueError("a threshold has seven numbers")
    return np.round(numbers, 9)


PLACES = ("value", *(f"{rate}.{part}" for rate in ("false_accept", "false_reject") for part in ("rate", "low", "high")))


def promise(ours: Array, truth: Array, case: Case) -> str:
    """A clue to a wrong threshold with intervals: the first number that is wrong, and the mistakes that give it."""
    place = int(np.flatnonzero(ours != truth)[0])
    name = PLACES[place]
    if name == "value":
        return "value is not the largest threshold with at most this share of false accepts (as in threshold)"
    if name.endswith("rate"):
        return f"{name} must be the share of all pairs of its kind, at the threshold that all pairs choose"
    if not 0 <= ours[place] <= 1:
        return f"{name} must be between 0 and 1"
    if np.array_equal(ours, truth[[0, 4, 5, 6, 1, 2, 3]]):
        return "false accepts are those of different pairs: the two rates are exchanged"
    rates = [2, 3, 5, 6]
    found = [words for words, numbers in _wrong_promises(case).items() if np.allclose(numbers[rates], ours[rates])]
    return f"{name} is the result if {' or '.join(found)}" if found else f"{name} is wrong"


def _wrong_promises(case: Case) -> dict[str, Array]:
    """What common mistakes make of the seven numbers."""
    d, same, groups = case.variables.values()
    rate, kinds = case.constants["rate"], np.unique(groups)
    value = threshold_at(d, same, rate)

    def numbers(
        choose: Callable[[Array], float], t: float, ddof: int = 1, more: float = 1.0, middle: Any = None
    ) -> Array:
        rates = np.array([_errors_at(d[own], same[own], choose(own)) for own in kinds[:, None] == groups])
        middle = rates.mean(axis=0) if middle is None else np.array(middle)
        half = t * rates.std(axis=0, ddof=ddof) * np.sqrt(1 / len(kinds) + more)
        low, high = np.maximum(middle - half, 0), np.minimum(middle + half, 1)
        return np.array([value, 0, low[0], high[0], 0, low[1], high[1]])

    def others(own: Array) -> float:
        return threshold_at(d[~own], same[~own], rate)

    t = t_975(len(kinds) - 1)
    known = _errors_at(d, same, value)
    return {
        "the interval is around the rate of all pairs, not around the mean of the groups": numbers(
            others, t, middle=known
        ),
        "the threshold of all pairs is tried on each group": numbers(lambda own: value, t),
        "each group chooses its own threshold": numbers(lambda own: threshold_at(d[own], same[own], rate), t),
        "only the mean of the rates is uncertain: the new group varies as well": numbers(others, t, more=0.0),
        "1.96 stands for Student's t": numbers(others, 1.96),
        "t has G instead of G − 1 degrees of freedom": numbers(others, t_975(len(kinds))),
        "the standard deviation divides by G instead of G − 1": numbers(others, t, ddof=0),
    }


def _errors_at(d: Array, same: Array, threshold: float) -> tuple[float, float]:
    return float((d[~same] <= threshold).mean()), float((d[same] > threshold).mean())


def identities(found: Any) -> Array:
    """Names and None, one for each query."""
    if not isinstance(found, (list, tuple, np.ndarray)):
        raise TypeError("a list is needed")
    if not all(name is None or isinstance(name, str) for name in found):
        raise TypeError("each answer is a name or None")
    answers = np.empty(len(found), object)
    answers[:] = [None if name is None else str(name) for name in found]
    return answers


def identity(ours: Array, truth: Array, case: Case) -> str:
    """A clue to a wrong name."""
    embeddings, names, z = case.variables.values()
    if len(ours) != len(truth):
        return f"z has {len(truth)} row{'s' * (len(truth) > 1)}: one answer for each"
    i = next(i for i, (a, b) in enumerate(zip(ours, truth, strict=True)) if a != b)
    d = np.sqrt(((embeddings - z[i]) ** 2).sum(axis=1))
    nearest, threshold = sorted({str(name) for name in names[d == d.min()]}), case.constants["threshold"]
    if d.min() > threshold:
        return f"query {i}: its nearest entry is at {d.min():.3g}, farther than the threshold: None"
    if len(nearest) > 1:
        return f"query {i}: {' and '.join(nearest)} are equally near: None"
    if ours[i] is not None:
        return f"query {i}: {truth[i]} is nearer than {ours[i]}" if ours[i] in names else f"{ours[i]} is not enrolled"
    if (d == d.min()).sum() > 1:
        return f"query {i}: all entries at {d.min():.3g} have one name, {truth[i]}, so there is no tie of names"
    if d.min() == threshold:
        return f"query {i}: {truth[i]} is at exactly the threshold, which is near enough"
    return f"query {i}: {truth[i]} is at {d.min():.3g}, nearer than the threshold"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def collapse(outcome: Outcome) -> str:
    """A clue to a run that still collapses."""
    return (
        f"the loss stays at {outcome.loss:.2f} and all distances are near 0: which triplets pull all images together?"
    )
