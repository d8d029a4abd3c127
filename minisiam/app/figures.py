"""The figures of a run, drawn into RUN/figures."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import evaluate as evaluation
from .. import miners, samplers, tree
from . import report
from .config import AUGMENTS
from .report import TESTED_ON
from .run_xray import xray_of_run

if TYPE_CHECKING:
    from pathlib import Path

    from ..datasets import Dataset
    from ..typing import Array
    from .data_spec import Data
    from .run import Run

EXAMPLES = 16  # training examples in a sheet


def draw(run: Run, data: Data, more: dict[str, Any] | None = None) -> list[Path]:
    """Save all figures of a run, and `more` by name; return their paths."""
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    figures = _figures(run, data) | (more or {})
    paths = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=130)
    return paths


def _figures(run: Run, data: Data) -> dict[str, Any]:
    from .. import plots

    test = run.method.prepared(data.test)
    z = run.method.embed(run.params, test.images)
    d, same = report.pair_distances(run.method, run.params, data.test)
    has_plane = z.shape[1] > 1  # an embedding of one number has none
    figures = {"clusters": _clusters(data.test, z, data.new)} if has_plane else {}
    figures |= {
        "distances": plots.distances(d, same, *_threshold(run), name=_distance_name(run)),
        "few_shot": _few_shot_sheet(run, data.test, z),
        "shown": _training_examples(run, data.train),
    }
    if run.report:
        one_shot = run.report["one_shot"]
        title = f"{one_shot['way']}-way one-shot on {TESTED_ON[data.new][0]}"
        figures["one_shot"] = plots.one_shot_bars(report.scores(run.report), one_shot["chance"], title)
    if run.method.matrix_loss is not None and run.config.network == "batch" and has_plane:
        figures["xray"] = plots.xray(xray_of_run(run, data.test), f"The X-ray of {run.config.title}")
    if run.log:
        figures["curves"] = plots.curves(run.log, 1 / report.default_way(data.validation), run.config.title)
    return figures


def _threshold(run: Run) -> tuple[float | None, str]:
    """The line in the histogram: the margin of a contrastive loss, else the threshold chosen on validation."""
    if run.config.loss == "contrastive":
        return run.config.margin, "margin"
    return run.report.get("verification", {}).get("threshold"), "threshold"


def _distance_name(run: Run) -> str:
    """The label of the histogram's horizontal axis."""
    learned = tree.size(run.params["distance"]) > 0
    return f"{run.config.distance} distance" + (", learned: a score that may be negative" if learned else "")


def _clusters(data: Dataset, z: Array, new: str) -> Any:
    """Eight letters of the first test alphabet, at most twenty images of each."""
    from .. import plots

    first = data.groups == data.groups[0]
    letters = np.unique(data.labels[first])
    letters = (letters[::3] if len(letters) > 8 else letters)[:8]
    rows = np.concatenate([np.flatnonzero(data.labels == letter)[:20] for letter in letters])
    title = f"{len(letters)} {TESTED_ON[new][1]}"
    if new == "alphabets":
        title = f"{len(letters)} letters of {_readable(data.names[data.groups[0]])}, a held-out alphabet"
    if data.classes and not data.has_alphabets:  # a legend with their names, where letters show what they are
        return plots.clusters(z[rows], data.labels[rows], None, title, [data.class_name(letter) for letter in letters])
    return plots.clusters(z[rows], data.labels[rows], data.images[rows], title)


def _readable(alphabet: str) -> str:
    return alphabet.replace("_", " ")


def _few_shot_sheet(run: Run, data: Dataset, z: Array, count: int = 3) -> Any:
    """The first test episodes that are of different alphabets."""
    from .. import plots

    stream = samplers.episode_indices(
        data.labels, np.random.default_rng(0), report.default_way(data), groups=data.groups, drawers=data.known_drawers
    )
    episodes: dict[str, Any] = {}
    for episode in islice(stream, 100):
        episodes.setdefault(data.names[data.groups[episode.support[0]]], episode)
    chosen = list(episodes.values())[:count]
    predicted = [evaluation.answer(z, episode, run.method.matrix(run.params)) for episode in chosen]
    names = [_readable(name) for name in episodes][:count]
    return plots.few_shot_sheet(data.images, chosen, predicted, names, data.has_alphabets)


def _training_examples(run: Run, data: Dataset) -> Any:
    """Pairs or triplets as this network reads them in training."""
    from .. import plots

    rng, distortions = np.random.default_rng(0), np.random.default_rng(1)
    data = run.method.prepared(data)
    distort = AUGMENTS[run.config.augment]
    if run.config.network in ("siamese", "verification"):
        x1, x2, same = (part[:EXAMPLES] for part in next(run.method.batches(data, rng)))
        z1, z2 = (run.method.embed(run.params, x) for x in (x1, x2))
        return plots.pairs_sheet(x1, x2, same, run.method.distance(z1, z2, *run.params["distance"])[0])
    if run.config.network == "triplet":
        images = next(samplers.triplets(data.images, data.labels, rng, EXAMPLES, data.groups))
        return plots.triplets_sheet(*(distort(x, distortions) for x in images))
    classes = min(32, len(np.unique(data.labels)))
    x, labels = next(samplers.pk(data.images, data.labels, rng, classes=classes, per_class=4))
    x = distort(x, distortions)
    z = run.method.embed(run.params, x)
    anchor, positive, negative = miners.batch_hard(run.method.matrix(run.params)(z, z)[0], labels)
    rows = rng.choice(len(anchor), min(EXAMPLES, len(anchor)), replace=False)
    title = "The hardest triplets of a batch"
    return plots.triplets_sheet(x[anchor[rows]], x[positive[rows]], x[negative[rows]], title=title)
