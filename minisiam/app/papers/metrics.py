"""What an experiment measures beyond the usual report: a function of a run and its data, to numbers by their names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate, pairwise, samplers
from ...datasets import rotated
from .. import report
from . import regression

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...datasets import Dataset
    from ...typing import Array
    from ..data_spec import Data
    from ..trainer import Run

WAY = 20
EPISODES = 1000  # of Snell's protocol
PAIRS = 400  # of each alphabet, half of them of the same letter
QUESTIONS = 40  # episodes of each alphabet, with 20 questions each


def omniglot(run: Run, data: Data) -> dict[str, Any]:
    """One-shot errors within alphabets, each alphabet counting alike, plain and averaged; and Snell's protocol.

    The protocol is that of the official runs: 20 letters of one alphabet, shown by one drawer, asked by another.
    """
    test = run.method.prepared(data.test)
    distance = run.method.matrix(run.params)
    ways = {"error": run.method.embed(run.params, test.images)}
    if run.settings.views:
        ways["averaged_error"] = report.averaged(run, test.images)
    found: dict[str, Any] = {}
    for name, z in ways.items():
        found |= _over_alphabets(name, by_alphabet(z, test, distance))
    found |= unstructured(partial(run.method.embed, run.params), test, distance)
    return found


def _over_alphabets(name: str, values: dict[str, float]) -> dict[str, Any]:
    """The mean in which each alphabet counts alike, and what it is the mean of."""
    return {name: float(np.mean(list(values.values()))), f"{name}_by_alphabet": values}


def letters(run: Run, data: Data) -> dict[str, Any]:
    """Koch's two measurements on test alphabets, each alphabet counting alike: verification, and one-shot accuracy.

    The threshold of verification is chosen on the validation alphabets, as in `report.verification`.
    """
    method = run.method
    threshold = report.verification(method, run.params, data.validation, data.test)["threshold"]
    test = method.prepared(data.test)
    z = method.embed(run.params, test.images)
    verified = {}
    for group in np.unique(test.groups):
        mine, labels = z[test.groups == group], test.labels[test.groups == group]
        first, second, same = next(samplers.pair_indices(labels, np.random.default_rng(0), PAIRS))
        d, _ = method.distance(mine[first], mine[second], *run.params["distance"])
        verified[test.names[group]] = float(((d <= threshold) == same).mean())
    errors = by_alphabet(z, test, method.matrix(run.params))
    one_shot = {name: 1 - error for name, error in errors.items()}
    return _over_alphabets("verification", verified) | _over_alphabets("one_shot", one_shot)


def omniglot_figures(run: Run, data: Data) -> dict[str, Any]:
    """The errors of each alphabet."""
    from ... import plots

    found = run.report["found"]
    errors = {"one view": found["error_by_alphabet"]}
    if "averaged_error" in found:
        errors[f"mean of {run.settings.views + 1} views"] = found["averaged_error_by_alphabet"]
    learnt = len(np.unique(data.train.groups))
    title = f"{len(errors['one view'])} alphabets never seen, after {learnt} that were"
    return {"by_alphabet": plots.alphabet_errors(errors, title)}


def by_alphabet(z: Array, data: Dataset, distance: Callable[..., Any]) -> dict[str, float]:
    """The one-shot error on each alphabet of twenty letters or more."""
    errors = {}
    for group in np.unique(data.groups):
        mine = data.groups == group
        if len(np.unique(data.labels[mine])) >= WAY:
            rng = np.random.default_rng(0)
            drawers = data.known_drawers
            score = evaluate.few_shot(
                z[mine],
                data.labels[mine],
                rng,
                distance,
                WAY,
                1,
                QUESTIONS,
                drawers=None if drawers is None else drawers[mine],
            )
            errors[data.names[group]] = 1 - score.accuracy
    if not errors:
        raise ValueError(f"no alphabet to be judged by has {WAY} letters: use --unseen with larger ones")
    return errors


def unstructured(embed: Callable[[Array], Array], data: Dataset, distance: Callable[..., Any]) -> dict[str, Any]:
    """Snell's protocol: letters of any alphabet, by anyone, and their quarter turns as more letters. Much easier.

    Never to be compared with letters of one alphabet. The intervals are over episodes: they hold for these letters.
    (Vinyals et al. 2016; Snell, Swersky & Zemel 2017.)
    """
    quarter = np.arange(4).repeat(len(data.images))
    images = rotated(np.tile(data.images, (4, 1, 1, 1)), quarter)
    labels = 4 * np.tile(data.labels, 4) + quarter
    z = embed(images)
    found: dict[str, Any] = {}
    for way in (5, 20):
        score = evaluate.few_shot(z, labels, np.random.default_rng(0), distance, way, 1, EPISODES)
        name = f"unstructured_{way}_way_error"
        found |= {name: 1 - score.accuracy, f"{name}_interval": [1 - score.high, 1 - score.low]}
        found[f"{name}_over"] = f"{EPISODES:,} episodes of these letters"
    return found


def digits(run: Run, data: Data) -> dict[str, float]:
    """Hoffer & Ailon's judge: the nearest neighbour among all training images, and a linear classifier on top.

    The classifier is ridge regression on one number a class, in closed form.
    """
    train, test = (run.method.prepared(part) for part in (data.train, data.test))
    z, asked = (run.method.embed(run.params, part.images) for part in (train, test))
    matrix = pairwise.cosine if run.settings.distance == "cosine" else pairwise.squared_l2
    return {
        "nearest": evaluate.knn_accuracy(z, train.labels, asked, test.labels, 1, matrix, chunk=256),
        "linear": regression.linear_accuracy(z, train.labels, asked, test.labels),
        "nearest_of": len(asked),
        "linear_of": len(asked),
    }
