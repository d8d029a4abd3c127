"""The metrics of the papers: functions of a run and its data, to numbers by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate, pairwise, samplers
from ...datasets import rotated
from .. import official, report, thresholds
from . import regression
from .questions import questions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...datasets import Dataset
    from ...typing import Array, PairwiseDistance
    from ..data_spec import Data
    from ..run import Run

WAY = 20
EPISODES = 1000  # of Snell's protocol
PAIRS = 400  # of each alphabet, half of them of the same letter
EPISODES_BY_ALPHABET = 40  # of each alphabet, with 20 queries each


def omniglot(run: Run, data: Data) -> dict[str, Any]:
    """One-shot errors on `questions` about held-out alphabets, from one view and from several; and Snell's protocol.

    The error is the mean over alphabets.
    """
    found: dict[str, Any] = {}
    asked = questions(data.test)
    for name, (embed, distance) in official.ways(run).items():
        errors = {
            alphabet: 1 - float(official.answers(embed, runs, distance).mean()) for alphabet, runs in asked.items()
        }
        found |= _over_alphabets("error" if name == "network" else f"{name}_error", errors)
    test = run.method.prepared(data.test)
    return found | unstructured(partial(run.method.embed, run.params), test, run.method.matrix(run.params))


def _over_alphabets(name: str, values: dict[str, float]) -> dict[str, Any]:
    """The mean over alphabets, and the value of each alphabet."""
    return {name: float(np.mean(list(values.values()))), f"{name}_by_alphabet": values}


def letters(run: Run, data: Data) -> dict[str, Any]:
    """Koch's two metrics, as means over test alphabets: verification accuracy and one-shot accuracy.

    The threshold of verification is chosen on the validation alphabets, as in `report.verification`. The two letters
    of a different pair are of one alphabet, or for "verification_any" of any: the paper does not say which.
    """
    method = run.method
    threshold = report.verification(method, run.params, data.validation, data.test)["threshold"]
    test = method.prepared(data.test)
    z = method.embed(run.params, test.images)
    verified = {}
    for group in np.unique(test.groups):
        of_alphabet, labels = z[test.groups == group], test.labels[test.groups == group]
        first, second, same = next(samplers.pair_indices(labels, np.random.default_rng(0), PAIRS))
        d, _ = method.distance(of_alphabet[first], of_alphabet[second], *run.params["distance"])
        verified[test.names[group]] = float(((d <= threshold) == same).mean())
    errors = by_alphabet(z, test, method.matrix(run.params))
    one_shot = {name: 1 - error for name, error in errors.items()}
    found = _over_alphabets("verification", verified) | _over_alphabets("one_shot", one_shot)
    return found | _over_alphabets("verification_any", _verified_among_all(run, data.validation, data.test))


def _verified_among_all(run: Run, validation: Dataset, test: Dataset) -> dict[str, float]:
    """The verification accuracy of each alphabet, where the second letter of a different pair is of any alphabet."""

    def pairs(part: Dataset) -> thresholds.Pairs:
        as_one = part._replace(groups=np.zeros_like(part.groups))
        return thresholds.draw_pairs(run.method, run.params, as_one, PAIRS * len(np.unique(part.groups)))

    chosen = pairs(validation)
    threshold = evaluate.equal_error(chosen.d, chosen.same).threshold
    asked = pairs(test)
    right, alphabets = (asked.d <= threshold) == asked.same, test.groups[asked.first]
    return {test.names[group]: float(right[alphabets == group].mean()) for group in np.unique(alphabets)}


def omniglot_figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The errors of each alphabet."""
    from ... import plots

    found = run.report["metrics"]
    names = {"one view": "error", "nearest of 25 × 25 views": "nearest_view_error"}
    errors = {label: found[f"{name}_by_alphabet"] for label, name in names.items() if name in found}
    trained_on = len(np.unique(data.train.groups))
    title = f"{len(errors['one view'])} held-out alphabets, after training on {trained_on}"
    return {"by_alphabet": lambda: plots.alphabet_errors(errors, title)}


def by_alphabet(z: Array, data: Dataset, distance: PairwiseDistance) -> dict[str, float]:
    """The one-shot error on each alphabet of twenty letters or more."""
    errors = {}
    for group in np.unique(data.groups):
        rows = data.groups == group
        if len(np.unique(data.labels[rows])) >= WAY:
            rng = np.random.default_rng(0)
            drawers = data.known_drawers
            score = evaluate.few_shot(
                z[rows],
                data.labels[rows],
                rng,
                distance,
                WAY,
                1,
                EPISODES_BY_ALPHABET,
                drawers=None if drawers is None else drawers[rows],
            )
            errors[data.names[group]] = 1 - score.accuracy
    if not errors:
        raise ValueError(f"no test alphabet has {WAY} letters: use a --holdout with larger alphabets")
    return errors


def unstructured(embed: Callable[[Array], Array], data: Dataset, distance: PairwiseDistance) -> dict[str, Any]:
    """Snell's protocol: letters of any alphabet by any drawer, each quarter turn as its own class.

    It is much easier than episodes within one alphabet, and the two must not be compared. The intervals are over
    episodes, so they hold for these letters (Vinyals et al. 2016; Snell, Swersky & Zemel 2017).
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
    """Hoffer & Ailon's metrics: accuracy of the nearest training image, and of a linear classifier on the embedding.

    The classifier is ridge regression with one output per class, in closed form.
    """
    train, test = (run.method.prepared(part) for part in (data.train, data.test))
    z, queries = (run.method.embed(run.params, part.images) for part in (train, test))
    return {
        "nearest": evaluate.knn_accuracy(z, train.labels, queries, test.labels, 1, pairwise.squared_l2, chunk=256),
        "linear": regression.linear_accuracy(z, train.labels, queries, test.labels),
        "nearest_of": len(queries),
        "linear_of": len(queries),
    }
