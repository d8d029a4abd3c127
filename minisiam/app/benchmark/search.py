"""The constants that the search tries for a method: the package's, the paper's, and random draws around each of them.

    trial 0      the package's constants, the defaults of `minisiam train`
    trial 1      the paper's constants, if they are known and differ; otherwise a draw
    trial 2, 3…  draws: the even ones keep the paper's form of the loss (its distance, its mining), the odd ones ours

Every draw is log-uniform, over the learning rate and over the constants that its loss has, one from each of as many
equal parts of the range as there are draws, in random order (a Latin hypercube). The generator is seeded with the name
of the method, so no two methods share a draw.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import losses, miners, require
from ...analysis.registry import LOSSES, constants_of, kind_of
from ...op import op
from ..config import Config
from ..loss_options import MARGINS
from .methods import fixed, loss_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Array, Float, Int, Op

    Ranges = dict[str, tuple[float, float]]

BATCH = 256  # images a step, whatever the loss
SEED = 1_000_000  # the seed of every trial, which no run has
RATE = (3e-4, 3e-2)
TEMPERATURE = (0.02, 0.5)
OF_CONFIG = ("learning_rate", "distance", "normalize", "miner")  # constants that `Config` has, as it has some margins
ALWAYS: dict[str, dict[str, Any]] = {"circle": {"detached": True}}  # the paper's gradient, in every trial


class Space(NamedTuple):
    """The constants that can be tried for one loss.

    ranges : the range of each constant besides the learning rate; whole numbers give whole numbers
    paper : the paper's constants that differ from the package's; empty if it prints none, or the same
    paper_ranges : the ranges of draws in the paper's form, if they differ
    source : the paper, and notes about its constants
    checked : how they were checked
    """

    ranges: Ranges
    paper: dict[str, Any]
    source: str
    checked: str
    paper_ranges: Ranges | None = None


# how the paper's constants were checked
READ = "read in the paper or the authors' code"
REFERENCE = "default of pytorch-metric-learning 2.9.0"
MEMORY = "not checked"
NONE = "nothing to check"

SPACES = {
    "contrastive": Space({"margin": (1.25, 20.0)}, {}, "Hadsell et al. 2006; we know of no printed margin", MEMORY),
    "double-margin": Space(
        {"positive_margin": (0.05, 0.4), "negative_margin": (0.5, 8.0)},
        {},
        "Lin et al. 2015; we know of no printed margins",
        MEMORY,
    ),
    "pair-hinge": Space(
        {"negative_margin": (0.25, 4.0)}, {"normalize": True}, "no paper; margins 0 and 1 on the unit sphere", REFERENCE
    ),
    "margin-loss": Space(
        {"margin": (0.05, 0.8)},
        {"normalize": True, "miner": "distance-weighted"},
        "Wu et al. 2017; margin 0.2, β from 1.2",
        REFERENCE,
    ),
    "cosine-embedding": Space({"margin": (0.05, 0.6)}, {}, "no paper; margin 0 in PyTorch", NONE),
    "soft-margin": Space({}, {}, "Hermans et al. 2017; it has no constant", NONE),
    "hinge": Space(
        {"margin": (0.25, 4.0)},
        {"distance": "squared-l2", "normalize": True, "miner": "semi-hard-facenet", "margin": 0.2},
        "Schroff et al. 2015 (FaceNet)",
        READ,
        {"margin": (0.05, 0.8)},
    ),
    "ratio": Space({}, {"miner": "random-triplets"}, "Hoffer, Ailon 2015; it has no constant", READ),
    "supcon": Space({"temperature": TEMPERATURE}, {"temperature": 0.1}, "Khosla et al. 2020", REFERENCE),
    "nt-xent": Space(
        {"temperature": TEMPERATURE}, {"temperature": 0.1}, "Chen et al. 2020, in the authors' code", READ
    ),
    "nca": Space(
        {"temperature": TEMPERATURE},
        {"distance": "squared-l2", "temperature": 1.0},
        "Goldberger et al. 2005; it has no temperature",
        REFERENCE,
        {},
    ),
    "n-pair": Space({}, {}, "Sohn 2016; its penalty on the length of the embeddings is left out", MEMORY),
    "lifted": Space({"margin": (0.25, 4.0)}, {}, "Song et al. 2016; margin 1, as here", REFERENCE),
    "generalised-lifted": Space({"margin": (0.25, 4.0)}, {}, "Hermans et al. 2017; margin 1, as here", REFERENCE),
    "multi-similarity": Space(
        {"alpha": (0.5, 10.0), "beta": (5.0, 100.0), "threshold": (0.1, 0.9)},
        {"alpha": 2.0, "beta": 50.0, "threshold": 0.0, "mining": 0.1},
        "Wang et al. 2019; λ = 1, so threshold 0 (in the authors' code λ = 0.5 and β = 40)",
        "α and ε in the authors' code, β as " + REFERENCE + ", λ from its documentation",
    ),
    "circle": Space(
        {"margin": (0.1, 0.6), "scale": (8.0, 256.0)},
        {"margin": 0.4, "scale": 80.0},
        "Sun et al. 2020, for fine-grained retrieval; 0.25 and 256 for faces; weights detached in every trial",
        REFERENCE,
    ),
    "tuplet-margin": Space({"margin": (2.0, 20.0), "scale": (4.0, 64.0)}, {"scale": 64.0}, "Yu, Tao 2019", REFERENCE),
    "angular": Space({"angle": (25.0, 55.0)}, {}, "Wang et al. 2017; 40°, as here", REFERENCE),
    "histogram": Space({"bins": (25, 200)}, {}, "Ustinova, Lempitsky 2016; 100 bins, as here", REFERENCE),
    "fast-ap": Space({"bins": (5, 40)}, {}, "Cakir et al. 2019; 10 bins, as here", REFERENCE),
    "proxy-nca": Space(
        {"temperature": TEMPERATURE},
        {"temperature": 0.5},
        "Movshovitz-Attias et al. 2017; squared L2 of unit vectors is twice the cosine distance",
        REFERENCE,
    ),
    "proxy-nca++": Space(
        {"temperature": TEMPERATURE},
        {"temperature": 1 / 18},
        "Teh et al. 2020; 1/9 on the squared L2 of unit vectors",
        READ,
    ),
    "proxy-anchor": Space(
        {"margin": (0.025, 0.4), "scale": (8.0, 128.0)},
        {},
        "Kim et al. 2020; margin 0.1 and scale 32, as here",
        READ,
    ),
    "normalised-softmax": Space({"temperature": TEMPERATURE}, {}, "Zhai, Wu 2019; 0.05, as here", REFERENCE),
    "cosface": Space(
        {"temperature": (1 / 128, 1 / 8), "margin": (0.05, 0.6)},
        {"temperature": 1 / 64, "margin": 0.35},
        "Wang et al. 2018; s = 64, so temperature 1/64",
        REFERENCE,
    ),
    "arcface": Space(
        {"margin": (5.0, 45.0), "scale": (8.0, 128.0)},
        {"margin": 28.6, "scale": 64.0},
        "Deng et al. 2019; 0.5 radians",
        REFERENCE,
    ),
    "soft-triple": Space(
        {"temperature": (1 / 80, 1 / 5), "margin": (0.0025, 0.2)},
        {},
        "Qian et al. 2019; λ = 20 and margin 0.01, as here; its ten centres a class are four here",
        REFERENCE,
    ),
    "prototypical": Space(
        {"temperature": TEMPERATURE},
        {"distance": "squared-l2", "temperature": 1.0},
        "Snell et al. 2017; squared L2, and no temperature",
        READ,
        {},
    ),
    "matching": Space(
        {"temperature": TEMPERATURE}, {"temperature": 1.0}, "Vinyals et al. 2016; it has no temperature", MEMORY
    ),
    "info-nce": Space(
        {"temperature": TEMPERATURE}, {}, "Radford et al. 2021 (CLIP); begins at 0.07, as here, and learns it", READ
    ),
    "vicreg": Space(
        {"invariance": (5.0, 100.0), "variance": (5.0, 100.0)}, {}, "Bardes et al. 2022; 25, 25, 1, as here", REFERENCE
    ),
    "cross-entropy": Space({}, {"distance": "weighted-l1"}, "Koch et al. 2015; a learned weight a feature", READ),
}


def space_of(method: str) -> Space:
    """The space of its loss, without the settings that the name of the method determines."""
    space, own = SPACES[loss_of(method)], fixed(method)
    return space._replace(paper={name: value for name, value in space.paper.items() if name not in own})


def trial(method: str, number: int, search: int) -> tuple[str, dict[str, Any]]:
    """Trial `number` of `search`: "package", "paper" or "drawn", and the constants that differ from the package's."""
    space = space_of(method)
    if number == 0:
        return "package", {}
    if number == 1 and space.paper:
        return "paper", dict(space.paper)
    fixed, ranges = {}, space.ranges
    if number % 2 == 0 and space.paper:
        ranges = space.ranges if space.paper_ranges is None else space.paper_ranges
        fixed = {name: value for name, value in space.paper.items() if name not in ranges}
    first = 2 if space.paper else 1
    places = _places(method, search - first)
    return "drawn", fixed | {
        name: _between(*ends, places[name][number - first]) for name, ends in ({"learning_rate": RATE} | ranges).items()
    }


def _places(method: str, count: int) -> dict[str, Array]:
    """For each constant of a method, `count` numbers in (0, 1), one in each of `count` equal parts, in random order."""
    space, rng = space_of(method), np.random.default_rng(list(method.encode()))
    names = dict.fromkeys(["learning_rate", *space.ranges, *(space.paper_ranges or {})])
    return {name: (rng.permutation(count) + rng.random(count)) / count for name in names}


def _between(low: float, high: float, place: float) -> float:
    """From low to high on a logarithmic scale, to three digits, so that a page can print exactly what was run."""
    value = float(f"{low * (high / low) ** place:.3g}")
    return round(value) if isinstance(low, int) else value


def config_of(method: str, constants: dict[str, Any], **more: Any) -> Config:
    """The settings of a method with these constants: a whole batch if its loss can read one, `BATCH` images a step."""
    loss = loss_of(method)
    network = "verification" if kind_of(loss) == "verification" else "batch"
    own = {name: value for name, value in constants.items() if _of_config(loss, name)}
    return Config(network=network, loss=loss, batch=BATCH, **(own | fixed(method)), **more)


def function_of(method: str, constants: dict[str, Any]) -> Callable[..., Any]:
    """The loss of a method with those of the constants that are its parameters."""
    loss = loss_of(method)
    own = {name: value for name, value in constants.items() if not _of_config(loss, name)}
    own = ALWAYS.get(loss, {}) | own
    return partial(mined_multi_similarity if "mining" in own else LOSSES[loss], **own)


def _of_config(loss: str, name: str) -> bool:
    return name in OF_CONFIG or (name == "margin" and loss in MARGINS)


def package_constants(method: str) -> dict[str, Any]:
    """The package's values of every constant that the search may change."""
    loss, space = loss_of(method), space_of(method)
    config, defaults = config_of(method, {}), constants_of(loss)
    names = dict.fromkeys([*space.ranges, *space.paper])
    return {
        name: getattr(config, name) if _of_config(loss, name) else defaults[name] for name in names if name != "mining"
    }


@op
def mined_multi_similarity(
    D: Float[Array, "n n"],
    /,
    labels: Int[Array, "n"],
    mining: float = 0.1,
    alpha: float = 2.0,
    beta: float = 50.0,
    threshold: float = 0.5,
) -> Op[Float[Array, ""]]:
    """`losses.multi_similarity` over the pairs that `miners.multi_similarity` selects, as in the paper.

    Parameters
    ----------
    D, labels
        (n, n) cosine distances of a batch to itself, and (n,) classes.
    mining
        ε ≥ 0 of the miner.
    alpha, beta, threshold
        As for `losses.multi_similarity`.

    Returns
    -------
    value, pullback
        `pullback(dl)` gives `(dD,)`, 0 at the pairs that are not selected. The selection has no gradient.
    """
    require.floating(D=D)
    kept = miners.multi_similarity(D, labels, mining)
    left_out = np.ones(D.shape, bool)
    left_out[kept.rows, kept.columns] = False
    satisfied = np.where(labels[:, None] == labels, D.dtype.type(-1e4), D.dtype.type(1e4))  # e^(α (d - t)) is 0 there
    value, pull = losses.multi_similarity(np.where(left_out, satisfied, D), labels, alpha, beta, threshold)

    def pullback(dl):
        (dD,) = pull(dl)
        dD[left_out] = 0
        return (dD,)

    return value, pullback
