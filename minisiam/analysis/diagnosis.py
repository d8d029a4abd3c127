"""Problems of a training run: `diagnose` finds them by name, and `MESSAGES` explains each name and gives a remedy.

    for name in diagnose(d, same, loss=0.2, kind="hinge", margin=0.2):
        print(MESSAGES[name])

The inputs are numbers and arrays: the loss, the distances of some pairs, the share of active triplets, the predictions
of some few-shot episodes. Each problem has its own function of a few of these. A healthy network has no problem from
its first step on: a loss that starts near ln 2 is healthy as long as the distances differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .statistics import difference

if TYPE_CHECKING:
    from ..evaluate import Score
    from ..typing import Array, Bool, Float, Int

RELATIVE = 0.01  # numbers closer than this share of their size count as equal
ABSOLUTE = 0.001  # so do distances closer than this share of the scale of the loss
TEMPERATURE = 0.05  # the scale of a softmax: the lowest temperature in use
FEW_CLASSES = 20  # training on 5 or 6 made most networks worse on new classes, training on 32 better
GOOD = 0.95  # an accuracy that training need not improve
MIN_WAY = 5  # with fewer classes, random predictions often give a majority to one class

_SAME_POINT = "all images have the same embedding and the gradient there is 0, so more steps do not help"
_OTHERS = (  # a smaller rate comes last: where a loss falls as the embedding shrinks, it only delays the collapse
    "train again with less hard triplets (--miner semi-hard-facenet) or, on a batch, with --loss supcon; "
    "a smaller --learning-rate helps only if the steps were too large"
)
MESSAGES = {
    "loss-is-margin": f"the loss is the margin and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "loss-is-ln-2": f"the loss is ln 2 = 0.693 and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "loss-is-half": f"the loss is ½ and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "equal-distances": "all distances are equal, so the embedding does not distinguish any images: "
    f"check that the images differ at all; if they do, {_OTHERS}",
    "no-active-triplets": "no triplet is active, so there is no gradient, but the accuracy on held-out classes is "
    "low: use harder triplets (--network batch --miner batch-hard), a larger --margin or --augment affine, and check "
    "that the labels match the images",
    "loss-at-floor": "the loss no longer changes, because the network distinguishes its training classes completely or "
    "does not learn at all, so more steps do not help: if its accuracy is too low, train on more classes, begin with a "
    "trained network (--start RUN), or make the examples harder (--augment affine, or --margin with a hinge)",
    "overfitting": "the accuracy on the validation classes was higher earlier in the run, by more than the episodes "
    "vary, so the network fits its training images more and more closely: use fewer --steps, --augment affine, a "
    "larger --weight-decay, or more classes",
    "worse-than-untrained": "the network is worse than before its training, by more than the episodes vary, so it has "
    "learned what holds for its training images only: begin with a network trained on many classes "
    "(--start RUN), add classes, use --augment affine, or make fewer --steps",
    "worse-than-start": "the network is worse than the trained one that it started from, by more than the episodes "
    "vary: use that one as it is (`minisiam evaluate` takes other data with --data), or train with more classes, a "
    "smaller --learning-rate or --freeze",
    "few-classes": "the training classes are too few to learn what distinguishes new ones: add classes, or train a "
    "network on letters, `minisiam train --out runs/letters`, and use it as it is (`minisiam evaluate runs/letters`, "
    "with the same --data) or as a start (--start runs/letters)",
    "no-positives": "no two images of the batch have the same class, so the loss has no positive pair: "
    "draw batches with samplers.pk, which takes several images of each class",
    "no-negatives": "all images of the batch have the same class, so the loss has no negative pair and is smallest "
    "if all embeddings are equal: draw batches with samplers.pk, which takes several classes",
    "same-move-apart": "images of the same class are farther apart than images of different classes, and increasingly "
    "so: the labels of the loss are reversed, so pass same = True for two images of the same class",
    "one-class-wins": "most queries are assigned to the same class: its embedding is long, or near all others, so use "
    "--normalize or --distance cosine",
}


def diagnose(
    d: Float[Array, "n"],
    same: Bool[Array, "n"],
    *,
    loss: float | None = None,
    kind: str = "",
    margin: float | None = None,
    active: float | None = None,
    accuracy: float | None = None,
    chance: float = 0.0,
    predictions: Int[Array, "episodes queries"] | None = None,
    before: tuple[float, float] | None = None,
    constant: bool = False,
) -> list[str]:
    """The names of all problems found: keys of `MESSAGES`; an empty list for a healthy network.

    Parameters
    ----------
    d, same
        (n,) distances of pairs, and (n,) booleans, True for a pair of the same class.
    loss, kind, margin
        The mean loss, its name on the command line (hinge, soft-margin, ratio, cross-entropy …), and its margin.
    active
        Share in [0, 1] of the triplets with a gradient; omit it for a loss whose gradient never becomes 0.
    accuracy, chance
        Accuracy on held-out classes, one-shot or recall@1, and that of random predictions; both in [0, 1].
    predictions
        (episodes, queries) predicted classes 0 … way − 1 of few-shot episodes, −1 for a tie.
    before
        Mean distances (same, different) at an earlier step.
    constant
        Whether the loss has stopped changing, as `plateau.is_over` says.
    """
    missing = missing_pairs(same)
    if missing:
        return missing
    require.dimensions(1, "(n,)", d=d)
    require.same_or_not(same, len(d))
    found = collapsed(loss, d, kind, margin) or (["equal-distances"] if equal(d, scale_of(kind, margin)) else [])
    if accuracy is not None and accuracy > (1 + chance) / 2:  # small differences, but they distinguish the classes
        found = []
    if not found and before is not None:
        found += reversed_labels(before, (float(d[same].mean()), float(d[~same].mean())))
    if constant and not found:
        found += ["loss-at-floor"]
    if active is not None and accuracy is not None:
        found += no_gradient(active, accuracy, chance)
    return found + ([] if predictions is None else dominant_class(predictions))


def scale_of(kind: str, margin: float | None = None) -> float:
    """The scale on which the loss depends on distances: its margin, 1, or the temperature of its softmax."""
    return margin or (1.0 if kind in ("soft-margin", "ratio", "cross-entropy") else TEMPERATURE)


def equal(d: Array, scale: float = 0.0) -> bool:
    """Whether all distances are equal: std(d) ≤ 1 % of |mean(d)|, or ≤ 0.1 % of the scale of the loss.

    The distances of a random network in m dimensions vary by about 1/√(2m) of their mean, which is far more.
    """
    mean, spread = float(np.mean(d, dtype=np.float64)), float(np.std(d, dtype=np.float64))
    return spread <= max(RELATIVE * abs(mean), ABSOLUTE * scale)


def collapsed(loss: float | None, d: Array, kind: str, margin: float | None = None) -> list[str]:
    """Whether all distances are equal and the loss has, within 1 %, the value that follows from this.

    This value is the margin for the hinge, ln 2 for the soft margin and the cross-entropy, and ½ for the ratio.
    """
    values = {
        "hinge": ("loss-is-margin", margin),
        "soft-margin": ("loss-is-ln-2", np.log(2)),
        "cross-entropy": ("loss-is-ln-2", np.log(2)),
        "ratio": ("loss-is-half", 0.5),
    }
    name, value = values.get(kind, ("", None))
    if loss is None or value is None or abs(loss - value) > RELATIVE * value:
        return []
    return [name] if equal(d, scale_of(kind, margin)) else []


def missing_pairs(same: Bool[Array, "n"]) -> list[str]:
    """Whether a batch has no positive pair, or no negative pair."""
    require.same_or_not(same, len(same))
    return [name for name, present in (("no-positives", same.any()), ("no-negatives", not same.all())) if not present]


def no_gradient(active: float, accuracy: float, chance: float = 0.0) -> list[str]:
    """Whether no triplet has a gradient although the accuracy is nearer to chance than to 1."""
    return ["no-active-triplets"] if active == 0 and accuracy < (1 + chance) / 2 else []


def no_gain(
    gain: tuple[float, float], accuracy: float, classes: int, new_classes: bool = True, started: bool = False
) -> list[str]:
    """What is wrong if training did not improve a network.

    Parameters
    ----------
    gain
        The 95 % interval of the accuracy after training minus that before it (`statistics.paired_difference`).
    accuracy
        The accuracy after training.
    classes
        The number of training classes.
    new_classes
        Whether the accuracy is on classes that are not among them.
    started
        Whether the network was trained before, on other classes.
    """
    low, high = gain
    if started:
        return ["worse-than-start"] if high < 0 else []
    worse = ["worse-than-untrained"] if high < 0 else []
    unhelpful = high < 0 or (low <= 0 and accuracy < GOOD)
    return worse + (["few-classes"] if unhelpful and new_classes and classes < FEW_CLASSES else [])


def overfitted(best: Score, now: Score) -> list[str]:
    """Whether the accuracy on held-out classes is lower than its best before, by the interval of their difference."""
    return ["overfitting"] if difference(best, now)[1] < 0 else []


def reversed_labels(before: tuple[float, float], now: tuple[float, float]) -> list[str]:
    """Whether same pairs are more than 1 % farther apart than different pairs, and increasingly so."""
    (same_then, different_then), (same, different) = before, now
    wrong = same - different > RELATIVE * (abs(same) + abs(different))
    return ["same-move-apart"] if wrong and same > same_then and same - different > same_then - different_then else []


def dominant_class(predictions: Int[Array, "episodes queries"]) -> list[str]:
    """Whether on average over episodes (as many queries as classes) one class is predicted for most queries."""
    queries = predictions.shape[1]
    if queries < MIN_WAY:
        return []
    most = [np.bincount(row[row >= 0], minlength=1).max() for row in predictions]
    return ["one-class-wins"] if np.mean(most) > queries / 2 else []
