"""The figures of a run, drawn into RUN/figures."""

from __future__ import annotations

from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import evaluate as evaluation
from .. import miners, samplers, tree
from . import outputs, papers, report
from .config import AUGMENTS
from .report import TESTED_ON
from .run_xray import largest_batches, xray_of_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..datasets import Dataset
    from ..typing import Array
    from .data_spec import Data
    from .run import Run

EXAMPLES = 16  # training examples in a sheet


def draw(run: Run, data: Data, log: Callable[[Any], object]) -> list[str]:
    """Save all figures of a run, and show the path of each; return the names of those that could not be drawn.

    Each figure is drawn on its own: one that fails is named, with the reason, and the others are drawn.
    """
    failed = []
    for name, figure in (_figures(run, data) | papers.figures(run, data)).items():
        path = run.folder / "figures" / f"{name}.png"
        try:
            outputs.save_figure(figure(), path, dpi=130)
        except Exception as error:  # whatever it is, it concerns this figure alone
            reason = outputs.explained(error) if isinstance(error, (ValueError, OSError)) else repr(error)
            log(f"  {path} was not drawn: {reason}")
            failed.append(name)
        else:
            log(f"  {path}")
    return failed


def _figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The figures that apply to a run, by name, each as a function that draws it."""
    from .. import plots

    @cache
    def z() -> Array:
        return run.method.embed(run.params, run.method.prepared(data.test).images)

    def distances() -> Any:
        d, same = report.pair_distances(run.method, run.params, data.test)
        return plots.distances(d, same, *_threshold(run), name=_distance_name(run))

    figures: dict[str, Callable[[], Any]] = {
        "clusters": lambda: _clusters(data.test, z(), data.new),
        "distances": distances,
        "few_shot": lambda: _few_shot_sheet(run, data.test, z()),
        "shown": partial(_training_examples, run, data.train),
    }
    if run.report:
        figures["one_shot"] = partial(_one_shot, run, data.new)
    if run.method.matrix_loss is not None and run.config.network == "batch":
        figures["xray"] = lambda: plots.xray(xray_of_run(run, data.test), f"The X-ray of {run.config.title}")
    if run.log:
        figures["curves"] = lambda: plots.curves(run.log, 1 / report.default_way(data.validation), run.config.title)
    if run.config.embedding_size == 1:  # there is no plane to draw
        figures = {name: figure for name, figure in figures.items() if name not in ("clusters", "xray")}
    return figures


def _one_shot(run: Run, new: str) -> Any:
    from .. import plots

    found = run.report["one_shot"]
    title = f"{found['way']}-way one-shot on {TESTED_ON[new][0]}"
    return plots.one_shot_bars(report.scores(run.report), found["chance"], title)


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
    x, labels = next(largest_batches(data, rng, classes=32))
    x = distort(x, distortions)
    z = run.method.embed(run.params, x)
    anchor, positive, negative = miners.batch_hard(run.method.matrix(run.params)(z, z)[0], labels)
    rows = rng.choice(len(anchor), min(EXAMPLES, len(anchor)), replace=False)
    title = "The hardest triplets of a batch"
    return plots.triplets_sheet(x[anchor[rows]], x[positive[rows]], x[negative[rows]], title=title)
