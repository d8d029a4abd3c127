"""Points in the plane under any distance, loss and miner: the page draws what `forces` returns."""

from __future__ import annotations

import base64
from functools import cache, partial
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minisiam import losses, miners, pairwise
from minisiam.analysis.force_laws import law_of
from minisiam.analysis.registry import MATRIX, MINERS, PAIRS, TRIPLETS, constants_of, kind_of
from minisiam.analysis.zones import pair_zones, triplet_zones
from minisiam.app.config import Config
from minisiam.op import has_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from minisiam.typing import Array, Loss, Miner

DISTANCES = ("l2", "squared-l2", "l1", "cosine", "dot")
LOSSES = {name: loss for name, loss in {**PAIRS, **TRIPLETS, **MATRIX}.items() if not has_parameters(loss)}
SPHERICAL = "distance-weighted"  # this miner needs embeddings on the unit sphere
USUAL_MINER = {"pairs": "all-pairs", "triplets": "batch-hard"}
RANGES = {  # of the slider of each constant: least, greatest and step
    "margin": (0, 2.5, 0.05),
    "positive_margin": (0, 2.5, 0.05),
    "negative_margin": (0, 2.5, 0.05),
    "temperature": (0.02, 1, 0.01),
    "threshold": (0, 2, 0.05),
    "alpha": (0.5, 30, 0.5),
    "beta": (0.5, 30, 0.5),
    "scale": (1, 64, 1),
    "angle": (5, 60, 1),
}
DEGREES = {"tuplet-margin": {"margin": (0, 30, 0.01)}}  # whose margin is an angle


class Scene(NamedTuple):
    """What the page shows.

    points, labels : (n, 2) and (n,)
    distance, loss : of `DISTANCES` and `LOSSES`
    miner : a key of `MINERS`; None for a loss on the whole batch
    constants : those of the loss, by name
    anchor : the point around which the zones are drawn
    """

    points: list[list[float]]
    labels: list[int]
    distance: str
    loss: str
    miner: str | None
    constants: dict[str, float]
    anchor: int = 0


def choices() -> dict[str, Any]:
    """What can be selected: the distances, the miners by kind, and of each loss its kind, distance and constants."""
    kinds: dict[str, list[str]] = {"pairs": [], "triplets": []}
    for name, miner in MINERS.items():
        if name != SPHERICAL:
            kinds[str(signature(miner).return_annotation).lower()].append(name)
    return {
        "distances": list(DISTANCES),
        "miners": kinds,
        "usualMiner": USUAL_MINER,
        "losses": {
            name: {"kind": kind_of(name), "distance": Config(loss=name).distance, "constants": sliders(name)}
            for name in LOSSES
        },
    }


def sliders(loss: str) -> dict[str, list[float]]:
    """The default, least and greatest value and the step of each constant of a loss."""
    ranges = RANGES | DEGREES.get(loss, {})
    return {name: [value, *ranges[name]] for name, value in constants_of(loss).items() if name in ranges}


def forces(settings: dict[str, Any]) -> dict[str, Any]:
    """The value of the loss, the force on each point, the matrix F, and the pairs that the miner chose.

    F is base64 of (n, n) little-endian float32, which is faster than JSON.

    The library's own message, as {"error": …}, if the parts do not go together or the batch lacks positives or
    negatives.
    """
    scene = Scene(**settings)
    try:
        return _forces(scene)
    except ValueError as error:
        return {"error": str(error)}


def _forces(scene: Scene) -> dict[str, Any]:
    check(scene.loss, scene.distance, scene.miner)
    z, labels = np.array(scene.points, float), np.array(scene.labels)
    distance = distance_of(scene)
    D, pull_D = distance(z, z)
    found = miners.all_pairs(D, labels) if scene.miner is None else miner_of(scene)(D, labels)
    value, pull_value = loss_of(scene, lambda D, labels: found)(D, labels)
    (dD,) = pull_value(1.0)
    dz_row, dz_column = pull_D(dD)
    G = law_of(distance).G(dD, D)
    return {
        "value": float(value),
        "forces": (-dz_row - dz_column).tolist(),
        "F": base64.b64encode((G + G.T).astype("<f4").tobytes()).decode(),
        "lines": chosen(found, len(labels)),
        "zones": zones(scene, D, labels),
    }


@cache
def check(loss: str, distance: str, miner: str | None) -> None:
    """Raise ValueError if they do not go together."""
    Config(loss=loss, distance=distance, miner=miner)


def distance_of(scene: Scene) -> Any:
    """The distance of every point to every point."""
    return getattr(pairwise, scene.distance.replace("-", "_"))


def loss_of(scene: Scene, miner: Miner) -> Loss:
    """The loss on the distance matrix; a loss on the whole batch needs no miner."""
    loss = partial(LOSSES[scene.loss], **scene.constants)
    return loss if scene.miner is None else losses.with_miner(loss, miner)


def miner_of(scene: Scene) -> Miner:
    """The miner, with the margin of the loss if it has one; a random miner draws the same numbers each time."""
    miner = MINERS[str(scene.miner)]
    takes = parameters(miner)
    constants: dict[str, Any] = {name: value for name, value in scene.constants.items() if name in takes}
    return partial(miner, **constants, **({"rng": np.random.default_rng(0)} if "rng" in takes else {}))


@cache
def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters of a function."""
    return tuple(signature(function).parameters)


def chosen(found: miners.Pairs | miners.Triplets, n: int) -> list[list[int]]:
    """The pairs [i, j] with i < j that a miner chose, alone or in a triplet."""
    mark = np.zeros((n, n), bool)
    for rows, columns in found.entries:
        mark[rows, columns] = True
    return np.argwhere(np.triu(mark | mark.T)).tolist()


def zones(scene: Scene, D: Array, labels: Array) -> list[dict[str, Any]]:
    """The zones around the anchor; none for a loss on the whole batch. The last one, which has no end, has no level."""
    kind, a = kind_of(scene.loss), scene.anchor
    margin = scene.constants.get("margin", scene.constants.get("negative_margin"))
    found: tuple[Any, ...] = ()
    if kind == "pairs" and margin is not None:
        found = pair_zones(1 - margin if scene.loss == "cosine-embedding" else margin)  # its margin is a cosine
    positive = (labels == labels[a]) & (np.arange(len(labels)) != a)
    if kind == "triplets" and positive.any():
        found = triplet_zones(float(D[a, positive].max()), margin)
    return [{"name": zone.name, "level": zone.outer if np.isfinite(zone.outer) else None} for zone in found]


def code(settings: dict[str, Any]) -> str:
    """Python that computes the same scene, with the X-ray of the loss."""
    scene = Scene(**settings)
    function, constants = losses.combinators.without_partial(LOSSES[scene.loss])
    loss = filled_in(f"losses.{function.__name__}", constants | scene.constants)
    if scene.miner is not None:
        miner, constants = losses.combinators.without_partial(miner_of(scene))
        drawn = {"rng": "np.random.default_rng(0)"} if "rng" in constants else {}
        loss = f"losses.with_miner({loss}, {filled_in(f'miners.{miner.__name__}', constants | drawn)})"
    return (
        "from functools import partial\n\nimport numpy as np\n\nfrom minisiam import losses, miners, pairwise\n"
        "from minisiam.analysis import forces\n\n"
        f"z = np.array({np.round(scene.points, 3).tolist()})\nlabels = np.array({scene.labels})\n"
        f"loss = {loss}\n"
        f"x = forces.xray(loss, z, labels, pairwise.{distance_of(scene).__name__})\n"
        "print(x)       # the forces as a table; x.F is the matrix, x.net the arrows\n"
    )


def filled_in(function: str, constants: dict[str, Any]) -> str:
    """A function with constants, as Python.

    >>> filled_in("losses.nca", {"temperature": 0.1})
    'partial(losses.nca, temperature=0.1)'
    """
    fixed = "".join(f", {name}={value}" for name, value in constants.items())
    return f"partial({function}{fixed})" if fixed else function
