"""A network that embeds drawings of six letters in the plane; the page calls `begin`, and `advance` once per frame."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minisiam import encoders, evaluate, losses, miners, networks, optimizers, pairwise, samplers, train
from minisiam.analysis import diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minisiam.typing import Array, Encoder, Loss, PairwiseDistance, Params

PER_CLASS = 16  # drawings of each letter in a batch


class Drawings(NamedTuple):
    """images : (n, side, side, 1) float32;   labels : (n,) from 0;   held_out : (n,) bool, by other drawers."""

    images: Array
    labels: Array
    held_out: Array


class Method(NamedTuple):
    """A loss on the distance matrix, given the margin, and its distance.

    kind : its name in `diagnosis`, if that knows the value at which it stays in a collapse
    """

    loss: Callable[[float], Loss]
    distance: PairwiseDistance
    has_margin: bool = True
    kind: str = ""


def hinge(miner: Callable[..., Any], takes_margin: bool = False) -> Callable[[float], Loss]:
    """The triplet hinge over the triplets of a miner."""
    return lambda margin: losses.with_miner(
        partial(losses.triplet_hinge, margin=margin), partial(miner, margin=margin) if takes_margin else miner
    )


METHODS = {
    "contrastive, all pairs": Method(
        lambda margin: losses.all_pairs(partial(losses.contrastive, margin=margin)), pairwise.l2
    ),
    "triplet hinge, batch-hard": Method(hinge(miners.batch_hard), pairwise.l2, kind="hinge"),
    "triplet hinge, semi-hard": Method(hinge(miners.semi_hard_facenet, True), pairwise.l2, kind="hinge"),
    "triplet hinge, all triplets": Method(hinge(miners.all_triplets), pairwise.l2, kind="hinge"),
    "triplet soft margin, batch-hard": Method(
        lambda _: losses.with_miner(losses.triplet_soft_margin, miners.batch_hard), pairwise.l2, False, "soft-margin"
    ),
    "NT-Xent, cosine": Method(lambda _: losses.nt_xent, pairwise.cosine, False),
    "supcon, cosine": Method(lambda _: losses.supcon, pairwise.cosine, False),
}


@dataclass
class Run:
    """A run, and the step that it has reached."""

    method: Method
    margin: float
    encoder: Encoder
    params: Params
    steps: Iterator[tuple[int, float, Params]]
    step: int = 0


drawings: Drawings
run: Run


def load(images: str, labels: list[int], held_out: list[bool]) -> dict[str, Any]:
    """Take the drawings, base64 of one byte per pixel; returns the recall@1 of their pixels."""
    global drawings
    flat = np.frombuffer(base64.b64decode(images), np.uint8).astype(np.float32) / 255
    side = round((len(flat) / len(labels)) ** 0.5)
    drawings = Drawings(flat.reshape(-1, side, side, 1), np.array(labels), np.array(held_out))
    unseen = drawings.images[drawings.held_out]
    return {"pixels": recall(evaluate.pixels(unseen), pairwise.l2)}


def begin(settings: dict[str, Any]) -> dict[str, Any]:
    """Start a run with a method, margin, rate, width, normalize and seed; returns what `advance` returns."""
    global run
    rng = np.random.default_rng(settings["seed"])
    method, margin = METHODS[settings["method"]], settings["margin"]
    encoder = encoders.mlp(settings["width"], 2, normalize=settings["normalize"])
    network = networks.batch(encoder, method.distance, method.loss(margin))
    params = network.init(rng, drawings.images.shape[1:])
    images, labels = (part[~drawings.held_out] for part in drawings[:2])
    batches = samplers.pk(images, labels, rng, classes=int(labels.max()) + 1, per_class=PER_CLASS)
    run = Run(method, margin, encoder, params, train.fit(network, params, optimizers.adam(settings["rate"]), batches))
    return state([])


def advance(steps: int) -> dict[str, Any]:
    """Make some steps. The library's message as {"error": …}, if the training diverges."""
    values = []
    try:
        for step, value, params in islice(run.steps, steps):
            run.step, run.params = step, params
            values.append(value)
        return state(values)
    except (FloatingPointError, ValueError) as error:  # NaN in the loss, or in the distances that a miner reads
        return {"error": str(error)}


def state(values: list[float]) -> dict[str, Any]:
    """The losses of the last steps, all embeddings, and what holds for the held-out drawings."""
    z = evaluate.embed(run.encoder, run.params["encoder"], drawings.images)
    unseen, labels = z[drawings.held_out], drawings.labels[drawings.held_out]
    D, _ = run.method.distance(unseen, unseen)
    i, j, same = miners.all_pairs(D, labels)
    found = recall(unseen, run.method.distance)
    problems = diagnosis.diagnose(
        D[i, j],
        same,
        loss=values[-1] if values else None,
        kind=run.method.kind,
        margin=run.margin if run.method.kind == "hinge" else None,
        accuracy=found,
        chance=1 / (int(labels.max()) + 1),
    )
    return {
        "step": run.step,
        "losses": values,
        "z": np.round(z.astype(float), 5).tolist(),
        "spread": float(D[i, j].mean()),
        "recall": found,
        "problems": [diagnosis.MESSAGES[name] for name in problems],
    }


def recall(z: Array, distance: PairwiseDistance) -> float:
    """The share of held-out drawings whose nearest other one shows the same letter."""
    return evaluate.recall_at_k(z, drawings.labels[drawings.held_out], distance=distance)
