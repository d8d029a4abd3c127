"""The evaluation of a run on its test set, beside controls that need no training, as numbers and as a table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import datasets, pairwise, samplers
from .. import evaluate as evaluation
from ..analysis import diagnosis
from ..analysis.statistics import paired_difference
from ..evaluate import Score
from . import thresholds

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..typing import Array, PairwiseDistance, Params
    from .build import Method
    from .data_spec import Data
    from .run import Run

WAY, SHOT, EPISODES = 20, 1, 400
PAIRS = 4000  # of verification
# the test set, by what in it is new (`Data.new`): in a sentence, after a number of classes, and in "these …"
TESTED_ON = {
    "alphabets": ("held-out alphabets", "letters of held-out alphabets", "alphabets"),
    "classes": ("held-out classes", "held-out classes", "classes"),
    "images": ("held-out images of the training classes", "training classes, on held-out images", "classes"),
    "nothing": ("the training data", "training classes: nothing was held out", "classes"),
}
LABELS = {  # of what is evaluated: its name in JSON, and in a table
    "network": "this network",
    "averaged": "this network, mean of 25 views",
    "nearest_view": "this network, nearest of 25 × 25 views",
    "started": "the network it started from",
    "untrained": "the same network, untrained",
    "centred_blurred_pixels": "centred and blurred pixels",
    "pixels": "pixels",
}


def evaluate(run: Run, data: Data, way: int | None = None, shot: int = SHOT) -> dict[str, Any]:
    """One-shot accuracy and verification on the test set, as report.json has them.

    Without `way` it is `default_way`.
    """
    found = one_shot(run, data.test, way or default_way(data.test, shot), shot) | {"new": data.new}
    explained = set(run.training.get("trouble", [])) - {
        "loss-at-floor",
        "overfitting",
    }  # a collapsed network is worse, too
    new_classes = data.new in ("alphabets", "classes")
    found["trouble"] = (
        []
        if explained
        else diagnosis.no_gain(
            found["gain"],
            found["accuracy"]["network"],
            run.config.classes,
            new_classes,
            started=run.started is not None,
        )
    )
    return {
        "one_shot": found,
        "verification": verification(run.method, run.params, data.validation, data.test),
    }


def about_distance(distance: str | None, network: str) -> str:
    """What the distance of a method shows, in a sentence, if it is no distance in the usual sense; else nothing."""
    if network == "verification":
        return (
            "d is a score, not a length: d = −logit of p(same), so p(same) = σ(−d), and a d below 0 means that same is "
            "the likelier answer"
        )
    return {
        "dot": "d is minus the inner product, so it may be negative; a smaller d means more similar images",
        "weighted-l1": "d is a learned score, so it may be negative; a smaller d means more similar images",
    }.get(distance or "", "")


def default_way(data: Dataset, shot: int = SHOT) -> int:
    """20, or `largest_way` if that is fewer."""
    return min(WAY, largest_way(data, shot))


def largest_way(data: Dataset, shot: int = SHOT) -> int:
    """How many classes an episode can have: those of the largest alphabet with more than `shot` images."""
    _, first, count = np.unique(data.labels, return_index=True, return_counts=True)
    alphabets = np.unique(data.groups[first[count > shot]], return_counts=True)[1]
    return int(alphabets.max(initial=0))


def require_episodes(data: Data) -> None:
    """Raise ValueError if the validation or the test set is too small for the easiest episode."""
    for name in ("validation", "test"):
        largest = largest_way(getattr(data, name))
        if largest < 2:
            raise ValueError(
                f"the {name} set needs two classes of two images or more, in one alphabet if there are alphabets, and "
                f"has {largest}: add images, or select another test set with --holdout"
            )


def few_shot(
    z: Array, data: Dataset, episodes: int, distance: PairwiseDistance, way: int | None = None, shot: int = SHOT
) -> Score:
    """Few-shot accuracy: classes of one alphabet; support and queries by two different drawers, if they are known."""
    predicted, true = few_shot_answers(z, data, episodes, distance, way, shot)
    return evaluation.mean_score((predicted == true).mean(axis=1))


def few_shot_answers(
    z: Array, data: Dataset, episodes: int, distance: PairwiseDistance, way: int | None = None, shot: int = SHOT
) -> tuple[Array, Array]:
    """The predicted and the true classes of the same episodes; every call has the same episodes."""
    rng = np.random.default_rng(0)
    way = way or default_way(data, shot)
    return evaluation.few_shot_answers(
        z, data.labels, rng, distance, way, shot, episodes, data.groups, data.known_drawers
    )


def one_shot(run: Run, data: Dataset, way: int, shot: int) -> dict[str, Any]:
    """Accuracy of the network and of the controls on the same episodes, each with its 95 % interval.

    The gain is the interval of the difference that training made, paired by episode.
    """
    method, prepared = run.method, run.method.prepared(data)
    networks = {"network": run.params, "started": run.started, "untrained": run.untrained}
    embeddings = {
        name: (method.embed(params, prepared.images), method.matrix(params))
        for name, params in networks.items()
        if params is not None
    } | {
        "centred_blurred_pixels": (centred_blurred_pixels(data.images), pairwise.l2),
        "pixels": (evaluation.pixels(data.images), pairwise.l2),
    }
    answers = {name: few_shot_answers(z, data, EPISODES, d, way, shot) for name, (z, d) in embeddings.items()}
    right = {name: (predicted == true).mean(axis=1) for name, (predicted, true) in answers.items()}
    before = right.get("started", right["untrained"])
    found = {name: evaluation.mean_score(values) for name, values in right.items()}
    named = bool(data.classes) and not data.has_alphabets
    return {
        "way": way,
        "shot": shot,
        "chance": 1 / way,
        "accuracy": {name: score.accuracy for name, score in found.items()},
        "intervals": {name: [score.low, score.high] for name, score in found.items()},
        "ties": float((answers["network"][0] < 0).mean()),
        "gain": list(paired_difference(before, right["network"])),
        "episodes": EPISODES,
        "classes": len(np.unique(data.labels)),
        "alphabets": len(np.unique(data.groups)) if data.has_alphabets else 0,
        "by_class": by_class(*answers["network"], data, way, shot) if named else {},
    }


def by_class(predicted: Array, true: Array, data: Dataset, way: int, shot: int) -> dict[str, Any]:
    """For each class in the episodes of `few_shot_answers`: its accuracy, and what it is most often taken for."""
    drawn = samplers.episode_indices(
        data.labels, np.random.default_rng(0), way, shot, 1, data.groups, data.known_drawers
    )
    labels = np.stack([data.labels[episode.support[::shot]] for episode in islice(drawn, EPISODES)])
    known, number = np.unique(labels, return_inverse=True)
    number = number.reshape(labels.shape)
    row, column = np.take_along_axis(number, true, 1), np.take_along_axis(number, predicted, 1)
    decided = predicted >= 0  # the others are ties
    counts = np.zeros((len(known), len(known)), int)
    np.add.at(counts, (row[decided], column[decided]), 1)
    right, total = np.diag(counts).copy(), np.bincount(row.ravel(), minlength=len(known))
    np.fill_diagonal(counts, 0)
    taken_for = [
        data.class_name(known[other]) if some[other] else None
        for some, other in zip(counts, counts.argmax(1), strict=True)
    ]
    return {
        data.class_name(label): {"accuracy": float(a / n), "taken_for": other}
        for label, a, n, other in zip(known, right, total, taken_for, strict=True)
    }


def centred_blurred_pixels(images: Array) -> Array:
    """Centred and blurred images as embeddings: the stronger control."""
    return evaluation.pixels(datasets.blurred(datasets.centred(images)))


def verification(method: Method, params: Params, validation: Dataset, test: Dataset) -> dict[str, Any]:
    """Same class or not? A threshold of equal errors is chosen on the validation set, and evaluated on the test set.

    It comes from as many pairs as the test, in all reports; `thresholds.of_validation` adds others for use, from more.
    """
    chosen = evaluation.equal_error(*pair_distances(method, params, validation)).threshold
    d, same = pair_distances(method, params, test)
    return {
        "threshold": chosen,
        "accuracy": float(((d <= chosen) == same).mean()),
        "equal_error": evaluation.equal_error(d, same).rate,
        "auc": evaluation.auc(d, same),
    } | thresholds.of_validation(method, params, validation)


def pair_distances(method: Method, params: Params, data: Dataset) -> tuple[Array, Array]:
    """Distances of random pairs, half of them of one class, the others of two classes of one alphabet."""
    return thresholds.draw_pairs(method, params, data, PAIRS)[:2]


def scores(results: dict[str, Any]) -> dict[str, Score]:
    """The one-shot accuracies of a report with their intervals, by label."""
    found = results["one_shot"]
    return {LABELS[name]: Score(value, *found["intervals"][name]) for name, value in found["accuracy"].items()}


def _hardest(classes: dict[str, Any]) -> list[str]:
    """The classes with the lowest accuracy, as a line."""
    wrong = sorted((one["accuracy"], name, one["taken_for"]) for name, one in classes.items() if one["accuracy"] < 1)
    shown = [f"{name} {100 * a:.1f} %" + (f" (taken for {other})" if other else "") for a, name, other in wrong[:3]]
    return [f"hardest classes: {', '.join(shown)}"] if shown else []


def table(results: dict[str, Any]) -> str:
    """The report as text."""
    found, verified = results["one_shot"], results["verification"]
    _, tested_on, these = TESTED_ON[found["new"]]
    task = f"{found['way']}-way {found['shot']}-shot, {found['classes']} {tested_on}"
    lines = [f"{task:50} accuracy    95 % interval"]
    for name, score in scores(results).items():
        lines.append(f"  {name:49}{100 * score.accuracy:6.1f} %    {100 * score.low:.1f} to {100 * score.high:.1f}")
    lines.append(f"  {'chance':49}{100 * found['chance']:6.1f} %")
    lines.append(f"  (intervals over {found['episodes']} episodes: they hold for these {these}, not for others)")
    if found.get("ties", 0) > 0:
        lines.append(
            f"  ({100 * found['ties']:.1f} % of the answers of this network are ties: several classes are at the same "
            "distance. A tie counts as wrong, so a collapsed network has 0 %, below chance)"
        )
    lines += _hardest(found.get("by_class", {}))
    chosen_on = "validation alphabets" if these == "alphabets" else "validation set"
    lines.append(
        f"same class or not: {100 * verified['accuracy']:.1f} % correct at the threshold {verified['threshold']:.3g}, "
        f"which was chosen on the {chosen_on} (equal error {100 * verified['equal_error']:.1f} %)"
    )
    if sentence := about_distance(results["config"]["distance"], results["config"]["network"]):
        lines.append(f"  ({sentence})")
    measured = {name: value for name, value in results.get("metrics", {}).items() if isinstance(value, float)}
    lines += [f"  {name.replace('_', ' '):47}{value:9.4f}" for name, value in measured.items()]
    if found["trouble"]:
        low, high = (100 * change for change in found["gain"])
        lines.append(
            f"training on {results['config']['classes']} classes changed the accuracy by {low:+.1f} to {high:+.1f} "
            "percentage points (95 % interval, paired by episode)"
        )
    names = dict.fromkeys([*results.get("trouble", []), *found["trouble"]])
    return "\n".join(lines + [f"trouble: {diagnosis.MESSAGES.get(name, name)}" for name in names])
