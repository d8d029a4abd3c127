"""What is wrong with a training: `trouble` names it, and `SENTENCES` says of each name what it is and what helps.

    for name in trouble(d, same, loss=0.2, kind="hinge", margin=0.2):
        print(SENTENCES[name])

It looks at numbers and arrays: the loss, the distances of some pairs, how many triplets are active, how some few-shot
questions were answered. Each diagnosis is a function of a few of them and can be asked alone. A healthy network has no
trouble from its first step on: a loss that begins near ln 2 is none as long as the distances differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require

if TYPE_CHECKING:
    from ..typing import Array, Bool, Float, Int

CLOSE = 0.01  # two numbers that differ by less than this share of their size are called equal
UNSEEN = 0.001  # as are distances that differ by less than this share of what the loss notices
FAINT = 0.05  # a difference of distances that a softmax notices: the lowest temperature in use
FEWEST = 5  # classes in a question: of fewer, chance alone often gives most answers to one

_SAME_POINT = "all images have the same embedding and the gradient there is 0, so more steps do not help"
_OTHERS = (  # a smaller rate comes last: where a loss falls as the embedding shrinks, it only delays the collapse
    "train again with triplets that are less hard (--miner semi-hard-facenet) or, on a batch, with --loss supcon; "
    "a smaller --learning-rate helps only if the steps were too large"
)
SENTENCES = {
    "loss-is-margin": f"the loss is the margin and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "loss-is-ln-2": f"the loss is ln 2 = 0.693 and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "loss-is-half": f"the loss is ½ and all distances are equal: {_SAME_POINT}; {_OTHERS}",
    "equal-distances": "all distances are equal, so the embedding tells no image from another: "
    f"see whether the images differ at all; if they do, {_OTHERS}",
    "no-active-triplets": "no triplet is active, so there is no gradient, and yet unseen classes are told apart "
    "poorly: use harder triplets (--network batch --miner batch-hard), a larger --margin or --augment affine, and see "
    "that the labels fit the images",
    "no-positives": "no two images of the batch are of one class, so nothing is drawn together: "
    "draw batches with samplers.pk, which has several images of each class",
    "no-negatives": "all images of the batch are of one class, so nothing is pushed apart and one point for all is "
    "the best answer: draw batches with samplers.pk, which has several classes",
    "same-move-apart": "images of one class are farther apart than images of two, and more so than before: "
    "the loss is told the labels the wrong way round, so give it same = True for two images of one class",
    "one-class-wins": "most questions are answered with one and the same class, whatever is asked: "
    "its embedding is long, or near everything, so use --normalize or --distance cosine",
}


def trouble(
    d: Float[Array, "n"],
    same: Bool[Array, "n"],
    *,
    loss: float | None = None,
    kind: str = "",
    margin: float | None = None,
    active: float | None = None,
    accuracy: float | None = None,
    chance: float = 0.0,
    answers: Int[Array, "episodes queries"] | None = None,
    before: tuple[float, float] | None = None,
) -> list[str]:
    """The names of everything that is wrong: keys of `SENTENCES`, none for a healthy network.

    Parameters
    ----------
    d, same
        (n,) distances of pairs, and (n,) booleans, True where a pair shows one class.
    loss, kind, margin
        The mean loss, its word on the command line (hinge, soft-margin, ratio, cross-entropy …), and its margin.
    active
        Share in [0, 1] of the triplets that still have a gradient; leave it out where the loss never lets go.
    accuracy, chance
        Of one-shot or of recall@1 on unseen classes, in [0, 1].
    answers
        (episodes, queries) classes 0 … way − 1 that few-shot questions were answered with, −1 for a tie.
    before
        Mean distances (same, different) at an earlier look.
    """
    lonely = batch(same)
    if lonely:
        return lonely
    require.dimensions(1, "(n,)", d=d)
    require.same_or_not(same, len(d))
    found = at_rest(loss, d, kind, margin) or (["equal-distances"] if equal(d, unit(kind, margin)) else [])
    if not found and before is not None:
        found += order(before, (float(d[same].mean()), float(d[~same].mean())))
    if active is not None and accuracy is not None:
        found += idle(active, accuracy, chance)
    return found + ([] if answers is None else winner(answers))


def unit(kind: str, margin: float | None = None) -> float:
    """How large a difference of distances has to be for the loss to notice: its margin, or the scale of its softmax."""
    return margin or (1.0 if kind in ("soft-margin", "ratio", "cross-entropy") else FAINT)


def equal(d: Array, unit: float = 0.0) -> bool:
    """Whether all distances are one number: std(d) ≤ 1 % of |mean(d)|, or 1 ‰ of what the loss notices.

    Distances on a random network in m dimensions spread by about 1/√(2m) of their mean, far more than this.
    """
    mean, spread = float(np.mean(d, dtype=np.float64)), float(np.std(d, dtype=np.float64))
    return spread <= max(CLOSE * abs(mean), UNSEEN * unit)


def at_rest(loss: float | None, d: Array, kind: str, margin: float | None = None) -> list[str]:
    """Whether the loss is what it is where all distances are equal, within 1 %, and they are.

    That is the margin for the hinge, ln 2 for the soft margin and for the cross-entropy, and ½ for the ratio.
    """
    rests = {
        "hinge": ("loss-is-margin", margin),
        "soft-margin": ("loss-is-ln-2", np.log(2)),
        "cross-entropy": ("loss-is-ln-2", np.log(2)),
        "ratio": ("loss-is-half", 0.5),
    }
    name, rest = rests.get(kind, ("", None))
    if loss is None or rest is None or abs(loss - rest) > CLOSE * rest:
        return []
    return [name] if equal(d, unit(kind, margin)) else []


def batch(same: Bool[Array, "n"]) -> list[str]:
    """Whether the pairs of a batch lack those of one class, or those of two."""
    require.same_or_not(same, len(same))
    return [name for name, there in (("no-positives", same.any()), ("no-negatives", not same.all())) if not there]


def idle(active: float, accuracy: float, chance: float = 0.0) -> list[str]:
    """Whether the loss has no gradient left, though the accuracy is nearer to chance than to 1."""
    return ["no-active-triplets"] if active == 0 and accuracy < (1 + chance) / 2 else []


def order(before: tuple[float, float], now: tuple[float, float]) -> list[str]:
    """Whether pairs of one class are farther apart than those of two, by more than 1 %, and were less so before."""
    (same_then, different_then), (same, different) = before, now
    wrong = same - different > CLOSE * (abs(same) + abs(different))
    return ["same-move-apart"] if wrong and same > same_then and same - different > same_then - different_then else []


def winner(answers: Int[Array, "episodes queries"]) -> list[str]:
    """Whether in an average episode, of as many queries as classes, one class is the answer to most of them."""
    queries = answers.shape[1]
    if queries < FEWEST:
        return []
    most = [np.bincount(row[row >= 0], minlength=1).max() for row in answers]
    return ["one-class-wins"] if np.mean(most) > queries / 2 else []
