"""What a run can do on alphabets it has never seen: numbers beside numbers that need no learning, a table, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import datasets, evaluate, miners, pairwise, samplers, tree
from ..analysis import diagnosis, forces
from ..checkpoint import replacing
from ..evaluate import Score
from ..op import init_params
from . import statistics
from .config import AUGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..analysis.forces import XRay
    from ..datasets import Dataset, OneShotRun
    from ..typing import Array, Params
    from .build import Method
    from .data_spec import Data
    from .trainer import Run

WAY, SHOT, EPISODES = 20, 1, 400
NEW = {  # what it is examined on, by what of it is new (`Data.new`): to be said, and after a number of classes
    "alphabets": ("alphabets it has never seen", "letters of unseen alphabets"),
    "classes": ("classes it has never seen", "classes never seen in training"),
    "images": ("new images of what it knows", "classes, other images of which it has seen"),
    "nothing": ("what it has learnt from", "classes: it has learnt from all of them"),
}
HELD = {
    "alphabets": "these alphabets",
    "classes": "these classes",
    "images": "these classes",
    "nothing": "these classes",
}
CONTROLS = {  # in the report, in the table
    "untrained": "the same network, untrained",
    "centred_blurred_pixels": "centred and blurred pixels",
    "pixels": "pixels",
}


def examine(run: Run, data: Data, way: int | None = None, shot: int = SHOT) -> dict[str, Any]:
    """One-shot accuracy and verification on the test alphabets, as report.json holds them.

    Without `way` it is 20, or as many as the largest test alphabet has.
    """
    return {
        "one_shot": one_shot(run, data.test, way or fitting_way(data.test), shot) | {"new": data.new},
        "verification": verification(run.method, run.params, data.validation, data.test),
    }


def fitting_way(data: Dataset) -> int:
    """20, or as many classes as the largest alphabet has."""
    classes, first = np.unique(data.labels, return_index=True)
    return min(WAY, int(np.unique(data.groups[first], return_counts=True)[1].max())) if len(classes) else WAY


def few_shot(
    z: Array, data: Dataset, episodes: int, distance: Callable[..., Any], way: int | None = None, shot: int = SHOT
) -> Score:
    """The protocol of this package: classes of one alphabet, shown by one drawer and asked by another, if known."""
    given, right = few_shot_answers(z, data, episodes, distance, way, shot)
    return evaluate.mean_score((given == right).mean(axis=1))


def few_shot_answers(
    z: Array, data: Dataset, episodes: int, distance: Callable[..., Any], way: int | None = None, shot: int = SHOT
) -> tuple[Array, Array]:
    """The same questions: what was answered, and what is right."""
    rng = np.random.default_rng(0)  # the same questions for everyone
    way = way or fitting_way(data)
    return evaluate.few_shot_answers(
        z, data.labels, rng, distance, way, shot, episodes, data.groups, data.known_drawers
    )


def one_shot(run: Run, data: Dataset, way: int, shot: int) -> dict[str, Any]:
    """Accuracy of the network and of the controls on the same episodes, each with its 95 % interval."""
    method, prepared = run.method, run.method.prepared(data)
    plain = datasets.blurred(datasets.centred(data.images))
    contestants = {
        "accuracy": (method.embed(run.params, prepared.images), method.matrix(run.params)),
        "untrained": (method.embed(run.untrained, prepared.images), method.matrix(run.untrained)),
        "centred_blurred_pixels": (evaluate.pixels(plain), pairwise.l2),
        "pixels": (evaluate.pixels(data.images), pairwise.l2),
    }
    scores = {name: few_shot(z, data, EPISODES, d, way, shot) for name, (z, d) in contestants.items()}
    return {
        "way": way,
        "shot": shot,
        "chance": 1 / way,
        "interval": [scores["accuracy"].low, scores["accuracy"].high],
        **{name: score.accuracy for name, score in scores.items()},
        "intervals": {name: [scores[name].low, scores[name].high] for name in CONTROLS},
        "episodes": EPISODES,
        "classes": len(np.unique(data.labels)),
        "alphabets": len(np.unique(data.groups)) if data.has_alphabets else 0,
    }


def averaged(run: Run, images: Array) -> Array:
    """The mean embedding of each prepared image and of `views` distortions of it, such as the run was trained with."""
    settings = run.settings
    distort = AUGMENTS[settings.augment if settings.augment != "none" else "affine"]
    embed = partial(run.method.embed, run.params)
    return evaluate.averaged(embed, images, np.random.default_rng(0), settings.views, distort)


class Official(NamedTuple):
    """Official questions: a score, and how it compares with this network, which answers the same questions.

    questions : McNemar's test, question by question;   runs : the p-value of a paired t-test of the runs' accuracies
    """

    score: Score
    questions: statistics.McNemar
    runs: float


def official(run: Run, asked: list[OneShotRun], against: Sequence[Run] = ()) -> dict[str, Official]:
    """Omniglot's official questions, to the network, to the controls and to other runs: a name and what it scores."""
    right = _official_answers(run, asked)
    untrained = run._replace(params=run.untrained, settings=replace(run.settings, views=0))
    right[CONTROLS["untrained"]] = _official_answers(untrained, asked)["this network"]
    right[CONTROLS["centred_blurred_pixels"]] = evaluate.official_answers(_plain, asked)
    right[CONTROLS["pixels"]] = evaluate.official_answers(evaluate.pixels, asked)
    for other in against:
        answers = _official_answers(other, asked)
        right[str(other.folder)] = answers.pop("this network")
        right |= {f"{other.folder}, {name}": more for name, more in answers.items()}
    mine = right["this network"]
    return {
        name: Official(
            evaluate.clustered(theirs, statistics.t_quantile(0.95, len(theirs) - 1)),
            statistics.mcnemar(mine, theirs),
            statistics.paired_p(mine.mean(axis=1), theirs.mean(axis=1)),
        )
        for name, theirs in right.items()
    }


def _official_answers(run: Run, asked: list[OneShotRun]) -> dict[str, Array]:
    """Which questions a run answers correctly, from one view, and from several if it has them."""
    method, views = run.method, run.settings.views
    distance = method.matrix(run.params)

    def one(images: Array) -> Array:
        return method.embed(run.params, method.prepared(_bare(images)).images)

    def several(images: Array) -> Array:
        return averaged(run, method.prepared(_bare(images)).images)

    found = {"this network": evaluate.official_answers(one, asked, distance)}
    if views:
        found[f"the mean of {views + 1} views"] = evaluate.official_answers(several, asked, distance)
    return found


def official_table(found: dict[str, Official]) -> str:
    """The official questions for a person."""
    lines = [
        "Omniglot's official one-shot classification, 20-way: 20 runs of 20 questions",
        f"  {'':40}{'accuracy, 95 % interval':28}{'correct alone':>14}{'this alone':>12}   p by question, by run",
    ]
    for name, (score, questions, runs) in found.items():
        line = f"  {name:40}{score!s:28}"
        if name != "this network":
            line += f"{questions.second:14}{questions.first:12}   {questions.p:.2g}, {runs:.2g}"
        lines.append(line.rstrip())
    return "\n".join(
        [
            *lines,
            "The intervals are over runs, and hold for these alphabets. All rows answer the same questions, and they",
            "are compared by p: McNemar's exact test against this network, from the questions that only one of the two",
            "answers correctly, and a paired t-test of the accuracies of the runs.",
        ]
    )


def _plain(images: Array) -> Array:
    return evaluate.pixels(datasets.blurred(datasets.centred(images)))


def _bare(images: Array) -> Dataset:
    """Images of which nothing is known."""
    nothing = np.zeros(len(images), int)
    return datasets.Dataset(images, nothing, nothing, nothing + datasets.UNKNOWN, ("images",))


def verification(method: Method, params: Params, validation: Dataset, test: Dataset) -> dict[str, float]:
    """Same letter or not? A threshold chosen on the validation alphabets, and how it does on the test alphabets."""
    chosen = evaluate.equal_error(*_pair_distances(method, params, validation)).threshold
    d, same = _pair_distances(method, params, test)
    return {
        "threshold": chosen,
        "accuracy": float(((d <= chosen) == same).mean()),
        "equal_error": evaluate.equal_error(d, same).rate,
        "auc": evaluate.auc(d, same),
    }


def _pair_distances(method: Method, params: Params, data: Dataset, count: int = 4000) -> tuple[Array, Array]:
    """Distances of random pairs, half of them the same, the others two letters of one alphabet."""
    data = method.prepared(data)
    x1, x2, same = next(samplers.pairs(data.images, data.labels, np.random.default_rng(1), count, groups=data.groups))
    return method.distance(method.embed(params, x1), method.embed(params, x2), *params["distance"])[0], same


def scores(results: dict[str, Any]) -> dict[str, Score]:
    """The rows of the table: a name and its score."""
    found = results["one_shot"]
    rows = {"this network": Score(found["accuracy"], *found["interval"])}
    return rows | {name: Score(found[key], *found["intervals"][key]) for key, name in CONTROLS.items()}


def table(results: dict[str, Any]) -> str:
    """The report for a person."""
    found, verified = results["one_shot"], results["verification"]
    new = found.get("new", "alphabets" if found.get("alphabets", 1) else "classes")
    watched = "alphabets" if new == "alphabets" else "set"
    task = f"{found['way']}-way {found['shot']}-shot, {found['classes']} {NEW[new][1]}"
    lines = [f"{task:48} accuracy    95 % interval"]
    for name, score in scores(results).items():
        lines.append(f"  {name:47}{100 * score.accuracy:6.1f} %    {100 * score.low:.1f} to {100 * score.high:.1f}")
    lines.append(f"  {'chance':47}{100 * found['chance']:6.1f} %")
    lines.append(f"  (intervals over {found['episodes']} episodes: they hold for {HELD[new]}, not for others)")
    lines.append(
        f"same letter or not: {100 * verified['accuracy']:.1f} % right at the threshold {verified['threshold']:.3g}, "
        f"which was chosen on the validation {watched} (equal error {100 * verified['equal_error']:.1f} %)"
    )
    measured = {name: value for name, value in results.get("found", {}).items() if isinstance(value, float)}
    lines += [f"  {name.replace('_', ' '):47}{value:9.4f}" for name, value in measured.items()]
    return "\n".join(lines + [f"trouble: {diagnosis.MESSAGES.get(name, name)}" for name in results.get("trouble", [])])


def write(path: Path, results: dict[str, Any]) -> None:
    """Write JSON; after a crash the file is the old one or the new one."""
    with replacing(path) as file:
        file.write(json.dumps(results, indent=2, allow_nan=False).encode() + b"\n")


def xray_in(method: Method, z: Array, labels: Array, params: Params | None = None, margin: float = 1.0) -> XRay:
    """The X-ray of a method's loss on embeddings; `params` are the network's, or else those that it starts with."""
    if method.matrix_loss is None:
        raise ValueError("this loss compares no image with every other, so there are no forces between them to show")
    if params is None:
        rng = np.random.default_rng(0)
        params = {
            "distance": init_params(method.pairwise, rng, z.shape[1]),
            "loss": init_params(method.matrix_loss, rng, z.shape[1]),
        }
    return forces.xray(
        method.matrix_loss, z, labels, method.pairwise, tuple(params["distance"]), tuple(params["loss"]), margin
    )


def xray_of(run: Run, data: Dataset, seed: int = 0) -> XRay:
    """The X-ray of a run's loss on eight letters of an alphabet, four images of each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(np.unique(data.groups))
    some = run.method.prepared(data.where(data.groups == group))
    classes = min(8, len(np.unique(some.labels)))
    x, labels = next(samplers.pk(some.images, some.labels, rng, classes=classes, per_class=4))
    z = run.method.embed(run.params, x)
    return xray_in(run.method, z, labels, run.params, run.settings.margin or 0.5)


def draw(run: Run, data: Data, more: dict[str, Any] | None = None) -> list[Path]:
    """All figures of a run, and more, into its folder; returns their paths."""
    from .. import plots

    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    test = run.method.prepared(data.test)
    z = run.method.embed(run.params, test.images)
    d, same = _pair_distances(run.method, run.params, data.test)
    figures = {"clusters": _clusters(data.test, z, data.new)} if z.shape[1] > 1 else {}  # one number has no plane
    figures |= {
        "distances": plots.distances(d, same, *_threshold(run), name=_distance_name(run)),
        "few_shot": _few_shot_sheet(run, data.test, z),
        "shown": _shown(run, data.train),
    }
    if run.report:
        chance, way = run.report["one_shot"]["chance"], run.report["one_shot"]["way"]
        title = f"{way}-way one-shot on {NEW[data.new][0]}"
        figures["one_shot"] = plots.one_shot_bars(scores(run.report), chance, title)
    if run.method.matrix_loss is not None and run.settings.network == "batch" and z.shape[1] > 1:
        figures["xray"] = plots.xray(xray_of(run, data.test), f"The X-ray of {run.settings.title}")
    if run.log:
        figures["curves"] = plots.curves(run.log, 1 / fitting_way(data.validation), run.settings.title)
    figures |= more or {}
    paths = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=130)
    return paths


def _threshold(run: Run) -> tuple[float | None, str]:
    """The line in the histogram: the margin of a contrastive loss, else the threshold chosen on validation."""
    if run.settings.loss == "contrastive":
        return run.settings.margin, "margin"
    return run.report.get("verification", {}).get("threshold"), "threshold"


def _distance_name(run: Run) -> str:
    """What the horizontal axis of the histogram shows."""
    learned = tree.size(run.params["distance"]) > 0
    return f"{run.settings.distance} distance" + (", learned: a score that may be negative" if learned else "")


def _clusters(data: Dataset, z: Array, new: str) -> Any:
    """Eight letters of the first test alphabet, twenty images of each at most."""
    from .. import plots

    first = data.groups == data.groups[0]
    letters = np.unique(data.labels[first])
    letters = (letters[::3] if len(letters) > 8 else letters)[:8]
    mine = np.concatenate([np.flatnonzero(data.labels == letter)[:20] for letter in letters])
    title = f"{len(letters)} {NEW[new][1]}"
    if new == "alphabets":
        title = f"{len(letters)} letters of {_spoken(data.names[data.groups[0]])}, an alphabet never seen in training"
    return plots.clusters(z[mine], data.labels[mine], data.images[mine], title)


def _spoken(name: str) -> str:
    """The name of an alphabet as it is read."""
    return name.replace("_", " ")


def _few_shot_sheet(run: Run, data: Dataset, z: Array, count: int = 3) -> Any:
    """The first episodes of the examination that come from different alphabets."""
    from .. import plots

    stream = samplers.episode_indices(
        data.labels, np.random.default_rng(0), fitting_way(data), groups=data.groups, drawers=data.known_drawers
    )
    episodes: dict[str, Any] = {}
    for episode in islice(stream, 100):
        episodes.setdefault(data.names[data.groups[episode.support[0]]], episode)
    chosen = list(episodes.values())[:count]
    answers = [evaluate.answer(z, e, run.method.matrix(run.params)) for e in chosen]
    return plots.few_shot_sheet(
        data.images, chosen, answers, [_spoken(name) for name in episodes][:count], data.has_alphabets
    )


def _shown(run: Run, data: Dataset, count: int = 16) -> Any:
    """Training examples in the form in which this network is shown them."""
    from .. import plots

    rng, own = np.random.default_rng(0), np.random.default_rng(1)
    data = run.method.prepared(data)
    distort = AUGMENTS[run.settings.augment]
    if run.settings.network in ("siamese", "verification"):
        x1, x2, same = (part[:count] for part in next(run.method.batches(data, rng)))
        d = run.method.distance(
            run.method.embed(run.params, x1), run.method.embed(run.params, x2), *run.params["distance"]
        )[0]
        return plots.pairs_sheet(x1, x2, same, d)
    if run.settings.network == "triplet":
        images = next(samplers.triplets(data.images, data.labels, rng, count, data.groups))
        return plots.triplets_sheet(*(distort(x, own) for x in images))
    classes = min(32, len(np.unique(data.labels)))
    x, labels = next(samplers.pk(data.images, data.labels, rng, classes=classes, per_class=4))
    x = distort(x, own)
    D, _ = run.method.pairwise(*2 * [run.method.embed(run.params, x)], *run.params["distance"])
    anchor, positive, negative = miners.batch_hard(D, labels)
    some = rng.choice(len(anchor), min(count, len(anchor)), replace=False)
    title = "The hardest triplets of a batch"
    return plots.triplets_sheet(x[anchor[some]], x[positive[some]], x[negative[some]], title=title)
