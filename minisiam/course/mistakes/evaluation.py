"""Mistakes in lessons 11 and later: evaluation, and using what was trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate, samplers
from ...evaluate import threshold_at
from ...evaluate.thresholds import t_975
from ..bugs import smallest
from ..ranking import measures
from . import common, formulas

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function
    from .common import Mistake, Mistakes


def recall_with_favourable_ties(z: Any, labels: Any, k: int = 1) -> float:
    """A tie counts in favour of the model."""
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    nearest = np.where(own, D, np.inf).min(axis=1, keepdims=True)
    rivals = ((labels[:, None] != labels) & (nearest > D)).sum(axis=1)
    return float((rivals < k)[own.any(axis=1)].mean())


def recall_of_all(z: Any, labels: Any, k: int = 1) -> float:
    """An image that is alone in its class counts as an error."""
    share = np.isin(labels, [c for c in labels if (labels == c).sum() > 1]).mean()
    return evaluate.recall_at_k(z, labels, k) * share


def sampler_from(draw: Function) -> Function:
    """A sampler that draws the images of each class with `draw`."""

    def pk_indices(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
        while True:
            yield np.concatenate(
                [
                    draw(np.flatnonzero(labels == c), rng, per_class)
                    for c in rng.permutation(np.unique(labels))[:classes]
                ]
            )

    return pk_indices


def rng_not_used(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """The same batches for every seed."""
    return samplers.pk_indices(labels, np.random.default_rng(0), classes, per_class)


def other_rng(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """Different batches each time, whatever the seed."""
    return samplers.pk_indices(labels, np.random.default_rng(), classes, per_class)


def unseen_rates(choose: Callable[..., float], spread: Callable[[Any], float]) -> Function:
    """A threshold with intervals x̄ ± spread(rates); `choose` chooses the threshold for each group."""

    def choose_threshold(d: Any, same: Any, groups: Any, rate: float = 0.01) -> Any:
        value = evaluate.threshold_at(d, same, rate)

        def errors(some: Any, threshold: float) -> list[float]:
            return [(d[some & ~same] <= threshold).mean(), (d[some & same] > threshold).mean()]

        rates = np.array([errors(g == groups, choose(d, same, g == groups, rate)) for g in np.unique(groups)])
        low, high = (rates.mean(axis=0) + sign * np.apply_along_axis(spread, 0, rates) for sign in (-1, 1))
        known = errors(d == d, value)
        return value, *((k, max(0.0, a), min(1.0, b)) for k, a, b in zip(known, low, high, strict=True))

    return choose_threshold


def of_the_others(d: Any, same: Any, own: Any, rate: float) -> float:
    """The threshold of the other groups."""
    return evaluate.threshold_at(d[~own], same[~own], rate)


def prediction(rates: Any) -> float:
    """Half of the prediction interval of one more group."""
    return t_975(len(rates) - 1) * float(rates.std(ddof=1)) * np.sqrt(1 / len(rates) + 1)


def identify_by(known: Callable[..., bool], power: int = 1) -> Function:
    """The name of the nearest entry if `known(distances, names, threshold)`; distances to a power."""

    def identify(gallery: Any, z: Any, threshold: float) -> list[str | None]:
        answers = []
        for query in z:
            d = np.sqrt(((gallery.embeddings - query) ** 2).sum(axis=1)) ** power
            answers.append(str(gallery.names[d.argmin()]) if known(d, gallery.names, threshold) else None)
        return answers

    return identify


def names_of_nearest(d: Any, names: Any) -> int:
    """How many names have the smallest distance."""
    return len(set(names[d == d.min()].tolist()))


def gathered_with(back: Callable[..., Any]) -> Function:
    """all_gather with another pullback, `back(ranks, dZ, ends)`: rank k has rows ends[k] to ends[k + 1]."""

    def all_gather(z: Any, ranks: Any) -> Any:
        parts = ranks.gather(z)
        ends = np.cumsum([0, *map(len, parts)]).tolist()
        return np.concatenate(parts), lambda dZ: (back(ranks, dZ, ends),)

    return all_gather


def own_rows(ranks: Any, dZ: Any, ends: list[int]) -> Any:
    """The rows of this rank."""
    return dZ[ends[ranks.rank] : ends[ranks.rank + 1]].copy()


def measured_with(**changes: Any) -> Mistake:
    """The measures of retrieval with a mistake."""
    return lambda _: partial(measures, **changes)


def inputs_with(name: str, **answer: Any) -> Function:
    """The smallest inputs with one replaced."""
    return lambda: smallest() | {name: answer}


MISTAKES: Mistakes = {
    "recall": {
        "image as its own neighbour": lambda _: lambda z, labels, k: 1.0,
        "ties in favour of the model": lambda _: recall_with_favourable_ties,
        "one neighbour too many": lambda op: lambda z, labels, k: op(z, labels, k + 1),
        "images without positives count": lambda _: recall_of_all,
    },
    "average-precision": {
        "ties in favour of the model": measured_with(ties_for=True),
        "image as its own neighbour": measured_with(itself=True),
        "images without positives count": measured_with(alone=True),
        "divided by the images found": measured_with(by_found=True),
        "the order ignored": common.result(lambda found: found._replace(map_at_r=found.r_precision)),
        "another order of the measures": common.result(lambda found: tuple(found[::-1])),
    },
    "sampler": {
        "with replacement": lambda _: sampler_from(lambda rows, rng, K: rng.choice(rows, K)),
        "always the first images": lambda _: sampler_from(lambda rows, rng, K: rows[:K]),
        "independent batches": lambda _: sampler_from(lambda rows, rng, K: rng.permutation(rows)[:K]),
        "rng not used": lambda _: rng_not_used,
        "another generator": lambda _: other_rng,
        "only one batch": lambda op: lambda *args: iter([next(op(*args))]),
    },
    "find-the-bug": {
        "input without the mistake": lambda _: inputs_with("l2, equal points not handled", a=[[1.0]], b=[[0.0]]),
        "larger than necessary": lambda _: inputs_with("contrastive, hinge missing", d=[2.0, 3.0], same=[False, False]),
    },
    "threshold-interval": {
        "one threshold for all groups": lambda _: unseen_rates(
            lambda d, same, own, rate: threshold_at(d, same, rate), prediction
        ),
        "each group chooses its own": lambda _: unseen_rates(
            lambda d, same, own, rate: threshold_at(d[own], same[own], rate), prediction
        ),
        "interval of the mean": lambda _: unseen_rates(
            of_the_others, lambda rates: prediction(rates) / np.sqrt(len(rates) + 1)
        ),
        "normal instead of t": lambda _: unseen_rates(
            of_the_others, lambda rates: 1.96 * prediction(rates) / t_975(len(rates) - 1)
        ),
        "below 0": common.result(lambda found: found._replace(false_accept=found.false_accept._replace(low=-0.5))),
        "kinds exchanged": common.result(lambda found: (found[0], found[2], found[1])),
    },
    "open-set": {
        "no threshold": lambda _: identify_by(lambda d, names, threshold: names_of_nearest(d, names) == 1),
        "below the threshold": lambda _: identify_by(
            lambda d, names, threshold: d.min() < threshold and names_of_nearest(d, names) == 1
        ),
        "the first of a tie": lambda _: identify_by(lambda d, names, threshold: d.min() <= threshold),
        "two examples of a name are a tie": lambda _: identify_by(
            lambda d, names, threshold: d.min() <= threshold and (d == d.min()).sum() == 1
        ),
        "squared distances": lambda _: identify_by(
            lambda d, names, threshold: d.min() <= threshold and names_of_nearest(d, names) == 1, power=2
        ),
    },
    "all-gather": {
        "own copy only": lambda _: gathered_with(own_rows),
        "multiplied by R": common.changed(lambda args, gradients: (args[1].size * gradients[0],)),
        "mean of the copies": common.changed(lambda args, gradients: (gradients[0] / args[1].size,)),
        "the copy on rank 0 only": lambda _: gathered_with(
            lambda ranks, dZ, ends: own_rows(ranks, ranks.gather(dZ)[0], ends)
        ),
        "the first rows": lambda _: gathered_with(
            lambda ranks, dZ, ends: sum(ranks.gather(dZ))[: len(own_rows(ranks, dZ, ends))]
        ),
        "equal numbers of rows": lambda _: gathered_with(
            lambda ranks, dZ, ends: np.array_split(sum(ranks.gather(dZ)), ranks.size)[ranks.rank]
        ),
        "input modified": common.input_modified,
    },
    "sigmoid": common.GRADIENT | common.MEAN | formulas.every(formulas.SIGMOID) | {
        "overflow": common.overflow,
        "the gradient of the diagonal only": formulas.gradient_of(partial(formulas.sigmoid, others=False)),
        "the gradient of a softmax": formulas.gradient_of(partial(formulas.sigmoid, softmax=True)),
    },
}  # fmt: skip
