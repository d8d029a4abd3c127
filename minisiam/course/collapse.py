"""A training run that collapses, and its repair; it is small and takes a second or two."""

from __future__ import annotations

from collections import deque
from functools import cache, lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import datasets, encoders, evaluate, losses, miners, networks, optimizers, pairwise, require, samplers, train
from ..analysis.registry import TRIPLETS

if TYPE_CHECKING:
    from ..typing import Array, Miner

COLLAPSING: dict[str, Any] = {
    "miner": "batch-hard",
    "loss": "hinge",
    "margin": 1.0,
    "distance": "l2",
    "normalize": False,
    "learning_rate": 0.03,
    "classes": 16,
    "per_class": 4,
}
MINERS: dict[str, Miner] = {
    "batch-hard": miners.batch_hard,
    "semi-hard": miners.semi_hard_facenet,
    "all-triplets": miners.all_triplets,
}
LOSSES = {name: TRIPLETS[name] for name in ("hinge", "soft-margin")}
DISTANCES = {"l2": pairwise.l2, "squared-l2": pairwise.squared_l2, "cosine": pairwise.cosine}
STEPS = 400


def settings() -> dict[str, Any]:
    """Settings of a small run that does not collapse.

    Returns
    -------
    dict
        miner          batch-hard, semi-hard or all-triplets
        loss           hinge or soft-margin
        margin         ≥ 0, in the units of the distance
        distance       l2, squared-l2 or cosine
        normalize      True to put the embeddings on the unit sphere
        learning_rate  > 0, of Adam
        classes        P, the classes of a batch, 2 to 24
        per_class      K, the images of each class, 2 to 6
    """
    return COLLAPSING | {"miner": "semi-hard", "margin": 0.2, "normalize": True, "learning_rate": 0.003}


class Outcome(NamedTuple):
    """The last loss, the mean distance of embeddings, and recall@1 on held-out letters: of the network, of pixels."""

    loss: float
    spread: float
    recall: float
    pixels: float

    @property
    def collapsed(self) -> bool:
        """Whether all images have nearly the same embedding."""
        return self.spread < 0.05

    @property
    def repaired(self) -> bool:
        """Whether the embeddings differ and are better than the pixels."""
        return not self.collapsed and self.recall > self.pixels


def run(chosen: dict[str, Any]) -> Outcome:
    """Train with these settings for a second or two, and evaluate on letters of held-out alphabets."""
    check_settings(chosen)
    kinds = {"margin": float, "learning_rate": float, "classes": int, "per_class": int}
    return _trained(**{name: kinds.get(name, lambda same: same)(value) for name, value in chosen.items()})


@lru_cache(256)
def _trained(**chosen: Any) -> Outcome:
    seen, held_out = _letters()
    rng = np.random.default_rng(0)
    loss = partial(LOSSES[chosen["loss"]], margin=chosen["margin"])
    miner = partial(MINERS[chosen["miner"]], **({"margin": chosen["margin"]} if chosen["miner"] == "semi-hard" else {}))
    encoder = encoders.mlp(128, 32, normalize=chosen["normalize"])
    network = networks.batch(encoder, DISTANCES[chosen["distance"]], losses.with_miner(loss, miner))
    batches = samplers.pk(seen.images, seen.labels, rng, chosen["classes"], chosen["per_class"])
    first = network.init(rng, seen.images.shape[1:])
    steps = train.fit(network, first, optimizers.adam(chosen["learning_rate"]), islice(batches, STEPS))
    ((_, value, params),) = deque(steps, maxlen=1)
    z = evaluate.embed(encoder, params["encoder"], held_out.images)
    return Outcome(value, _spread(z), evaluate.recall_at_k(z, held_out.labels), _recall_of_pixels())


def _spread(z: Array) -> float:
    """The mean distance of two embeddings, divided by their mean length if this exceeds 1."""
    D, _ = pairwise.l2(z[::7], z[::7])
    return float(D.mean() / max(1.0, np.linalg.norm(z, axis=1).mean()))


@cache
def _letters() -> tuple[Any, Any]:
    """Few drawers and few pixels, so that a network of one hidden layer learns in a second."""
    return datasets.split(datasets.pen_glyphs(drawers=6, size=14))


@cache
def _recall_of_pixels() -> float:
    _, held_out = _letters()
    return evaluate.recall_at_k(evaluate.pixels(held_out.images), held_out.labels)


def check_settings(chosen: Any) -> None:
    """Raise an error for a setting that is unknown, missing or out of range."""
    if not isinstance(chosen, dict):
        raise ValueError(f"settings must return a dict, not {type(chosen).__name__}")
    for name in chosen:
        require.one_of("setting", name, COLLAPSING)
    missing = [name for name in COLLAPSING if name not in chosen]
    if missing:
        raise ValueError(f"the setting {missing[0]!r} is missing: return all of {', '.join(COLLAPSING)}")
    for name, known in (("miner", MINERS), ("loss", LOSSES), ("distance", DISTANCES)):
        require.one_of(name, chosen[name], known)
    if not isinstance(chosen["normalize"], bool):
        raise ValueError(f"normalize must be True or False, not {chosen['normalize']!r}")
    require.between("margin", chosen["margin"], 0)
    require.between("learning_rate", chosen["learning_rate"], 0, open_low=True)
    for name, most in (("classes", 24), ("per_class", 6)):
        require.whole(name, chosen[name], 2)
        require.between(name, chosen[name], 2, most)
