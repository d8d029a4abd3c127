"""What is compared: a loss, or a loss over a miner, as in "hinge over batch-hard".

    METHODS                           every loss and every miner of the command line
    loss_of("hinge over hard")        "hinge"
    fixed("hinge over hard")          {"miner": "hard"}, which no trial changes

A miner needs a loss. Here `contrastive` has each miner of pairs and `hinge` each miner of triplets. Any other loss on
pairs or triplets has a miner by default, or that of its paper, as one of the constants of the search.
"""

from __future__ import annotations

from typing import Any

from ... import require
from ...analysis.registry import LOSSES, MINERS, kind_of

OVER = " over "
OF_PAIRS = ("all-pairs", "ordered-pairs", "pair-margin", "multi-similarity", "hardest-pairs")
MINED = {"contrastive": OF_PAIRS, "hinge": tuple(miner for miner in MINERS if miner not in OF_PAIRS)}
METHODS = tuple(
    method
    for loss in LOSSES
    for method in ([f"{loss}{OVER}{miner}" for miner in MINED[loss]] if loss in MINED else [loss])
)
# what the formula of a miner assumes about the distance that it reads
ASSUMED: dict[str, dict[str, Any]] = {
    "distance-weighted": {"distance": "l2", "normalize": True},
    "angular": {"distance": "l2"},
}


def loss_of(method: str) -> str:
    """The loss of a method."""
    return method.partition(OVER)[0]


def miner_of(method: str) -> str | None:
    """The miner in the name of a method; None if its loss reads no miner's choice, or if the search chooses it."""
    return method.partition(OVER)[2] or None


def fixed(method: str) -> dict[str, Any]:
    """The settings that the name of a method determines."""
    miner = miner_of(method)
    return {} if miner is None else {"miner": miner} | ASSUMED.get(miner, {})


def check(method: str) -> None:
    """Raise ValueError if there is no such method."""
    loss, miner = loss_of(method), miner_of(method)
    require.one_of("loss", loss, LOSSES)
    if miner is None:
        return
    require.one_of("miner", miner, MINERS)
    if kind_of(loss) not in ("pairs", "triplets"):
        raise ValueError(
            f"{loss} uses no miner: compare {loss} without one, or a loss on pairs or triplets, such as "
            f"hinge{OVER}{miner}"
        )


def options(method: str) -> list[str]:
    """The options with which `minisiam train` trains this method with the package's constants."""
    network = ["--network", "verification"] if kind_of(loss_of(method)) == "verification" else []
    own = fixed(method)
    if not own:
        return [*network, "--loss", loss_of(method)]
    more = [word for name in ("miner", "distance") if name in own for word in (f"--{name}", str(own[name]))]
    return ["--loss", loss_of(method), *more, *(["--normalize"] if own.get("normalize") else [])]
