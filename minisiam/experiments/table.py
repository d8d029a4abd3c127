"""The experiments. An entry says what is trained, in words of the command line, and what the paper claims of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import drlim, judges

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runs import Run
    from ..sources import Data


class Claim(NamedTuple):
    """A number of a paper, and the one beside it.

    what : in words;   published : the paper's number, as it is to be read
    found : where ours is in report.json, "verification.accuracy"
    least, most : ours agrees with the claim if it lies between them
    percent : whether ours is a share, to be shown as a percentage
    """

    what: str
    published: str
    found: str
    least: float = float("-inf")
    most: float = float("inf")
    percent: bool = True


class Order(NamedTuple):
    """A claim about several experiments: each does better than the one before, by `gap`, on the same number."""

    what: str
    published: str
    names: tuple[str, ...]
    found: str
    gap: float = 0.0
    percent: bool = True


class Experiment(NamedTuple):
    """about : what it is, in a line;   paper : whose;   data : what `--data` takes;   settings : what is not as usual.

    judge, figures : functions of a run and its data, to numbers and to pictures by name
    page : the figures that stand in the page of results
    """

    about: str
    paper: str
    data: str
    settings: dict[str, Any]
    claims: tuple[Claim, ...] = ()
    judge: Callable[[Run, Data], dict[str, Any]] | None = None
    figures: Callable[[Run, Data], dict[str, Any]] | None = None
    page: tuple[str, ...] = ()


LAKE = "Lake, Salakhutdinov & Tenenbaum 2015, 2019"
KOCH = "Koch, Zemel & Salakhutdinov 2015"
HOFFER = "Hoffer & Ailon 2015"
HADSELL = "Hadsell, Chopra & LeCun 2006"
OMNIGLOT: dict[str, Any] = {
    "encoder": "conv3",
    "embedding_size": 0,
    "norm": "batch",
    "temperature": 0.03,
    "augment": "wide",
    "views": 10,
    "batch": 128,
    "learning_rate": 3e-3,
    "unseen": "none",
}
VERIFIED: dict[str, Any] = {  # after Koch: `DIFFERENCES` says what is not his
    "network": "verification",
    "encoder": "koch28",
    "distance": "weighted-l1",
    "embedding_size": 1024,
    "poses": 1,
    "optimizer": "sgd",
    "batch": 256,
    "learning_rate": 0.04,
    "minutes": 60,
}
EPOCHS = 1
TRIPLETS: dict[str, Any] = {
    "encoder": "hoffer",
    "embedding_size": 0,
    "unseen": "images",
    "poses": 1,
    "batch": 130,
    "per_class": 13,
    "steps": 2500,
    "minutes": 30,
    "learning_rate": 1e-3,
}
MAPPED: dict[str, Any] = {  # neighbours are similar, everything else is not, and the embedding is a map
    "network": "siamese",
    "loss": "contrastive",
    "margin": 1.0,
    "embedding_size": 2,
    "poses": 1,
    "centre": False,
    "unseen": "images",
    "norm": "batch",
    "learning_rate": 1e-2,
    "minutes": 4,
}


def _koch(thousands: int, copies: int, published: float) -> Experiment:
    """Koch's table of verification: so many thousand pairs, and so many distorted copies added to each."""
    return Experiment(
        f"Verification of letters from {thousands},000 pairs{f' and {copies} distorted copies of each' * bool(copies)}",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | _epochs(thousands, copies),
        (Claim("same letter or not, unseen alphabets", f"{published}", "verification.accuracy"),),
    )


def _epochs(thousands: int, copies: int, epochs: int = EPOCHS) -> dict[str, Any]:
    """The pairs, their copies, and the steps of that many epochs."""
    pairs = 1000 * thousands
    steps = round(epochs * pairs * (1 + copies) / (VERIFIED["batch"] // 2))
    return {"pairs": pairs, "copies": copies, "augment": "affine" if copies else "none", "steps": steps}


EXPERIMENTS: dict[str, Experiment] = {
    "omniglot-minimal": Experiment(
        "One-shot classification of letters, learnt from five alphabets",
        LAKE,
        "omniglot:images_background_small1.zip",
        OMNIGLOT | {"steps": 1800, "minutes": 10},
        (
            Claim(
                "20-way one-shot error within an alphabet",
                "23.2 % ConvNet, 30.1 % prototypes",
                "found.error",
                most=0.15,
            ),
            Claim("the same, averaged at test time", "–", "found.averaged_error", most=0.15),
            Claim("20-way, unstructured (not to be compared)", "–", "found.unstructured_20_way_error"),
        ),
        judges.omniglot,
        judges.omniglot_figures,
        page=("by_alphabet",),
    ),
    "omniglot-30": Experiment(
        "One-shot classification of letters, learnt from all background alphabets",
        LAKE,
        "omniglot:images_background.zip",
        OMNIGLOT | {"steps": 7000, "minutes": 60},
        (
            Claim(
                "20-way one-shot error within an alphabet",
                "13.5 % ConvNet, 13.7 % prototypes, 8.0 % Koch",
                "found.error",
                most=0.07,
            ),
            Claim("the same, averaged at test time", "–", "found.averaged_error", most=0.07),
            Claim(
                "20-way, unstructured, 4 turns as classes",
                "4.0 % (Snell 2017)",
                "found.unstructured_20_way_error",
                most=0.04,
            ),
            Claim(
                "5-way, unstructured, 4 turns as classes",
                "1.2 % (Snell 2017)",
                "found.unstructured_5_way_error",
                most=0.012,
            ),
        ),
        judges.omniglot,
        judges.omniglot_figures,
        page=("by_alphabet",),
    ),
    **{
        f"koch-{thousands}k{'-affine' * distorted}": _koch(thousands, 8 * distorted, published)
        for (thousands, distorted), published in {
            (30, False): 0.9061,
            (90, False): 0.9154,
            (150, False): 0.9163,
            (30, True): 0.9190,
            (90, True): 0.9315,
            (150, True): 0.9342,
        }.items()
    },
    "koch-30k-long": Experiment(
        "Verification of letters from 30,000 pairs without copies, in as many steps as with eight copies",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | _epochs(30, 0, epochs=9 * EPOCHS),
    ),
    "koch-dense": Experiment(
        "Verification of letters by two dense layers in place of convolutions, from 30,000 pairs and their copies",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | {"encoder": "mlp"} | _epochs(30, 8),
    ),
    "hoffer-triplet": Experiment(
        "Digits embedded by the ratio loss of triplets",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "ratio", "miner": "all-triplets"},
        (
            Claim("nearest neighbour", "99.54 %", "found.nearest", least=0.992),
            Claim("linear classifier, closed form", "99.54 %", "found.linear", least=0.992),
        ),
        judges.digits,
    ),
    "hoffer-siamese": Experiment(
        "Digits embedded by the contrastive loss of pairs, by the same network in the same time",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "contrastive", "miner": "all-pairs"},
        (Claim("nearest neighbour", "97.9 %", "found.nearest"), Claim("linear classifier", "97.9 %", "found.linear")),
        judges.digits,
    ),
    "drlim-digits": Experiment(
        "A map of fours and nines, learnt from which images are near in pixels",
        HADSELL,
        "mnist-4-9:FOLDER",
        MAPPED
        | {
            "network": "batch",
            "encoder": "bielski",
            "similar": "neighbours",
            "margin": 3.0,
            "batch": 512,
            "steps": 1500,
            "minutes": 10,
        },
        (Claim("unseen digits, by five neighbours in the map", "a figure", "found.neighbours", least=0.97),),
        drlim.digits,
        drlim.digit_figures,
        ("map",),
    ),
    "drlim-shifted": Experiment(
        "A map of fours at five places, learnt from which images are near in pixels",
        HADSELL,
        "mnist-4-shifted:FOLDER",
        MAPPED | {"similar": "neighbours", "steps": 2000},
        (
            Claim(
                "distance by a shift / between digits, neighbours in pixels",
                "clusters by shift (a figure)",
                "found.ratio",
                least=1.0,
                percent=False,
            ),
        ),
        drlim.shifts,
        drlim.shift_figures,
        ("map",),
    ),
    "drlim-shifted-aware": Experiment(
        "A map of fours at five places, learnt from which digits are near, wherever they are",
        HADSELL,
        "mnist-4-shifted:FOLDER",
        MAPPED | {"network": "batch", "similar": "shift-aware", "batch": 256, "steps": 1500},
        (
            Claim(
                "distance by a shift / between digits, neighbours at any shift",
                "invariant (a figure)",
                "found.ratio",
                most=0.1,
                percent=False,
            ),
        ),
        drlim.shifts,
        drlim.shift_figures,
        ("map",),
    ),
    "drlim-object": Experiment(
        "A map of an aeroplane from all sides, learnt from which views are next to each other, in whatever light",
        HADSELL,
        "rendered",
        MAPPED
        | {
            "data": "rendered",
            "similar": "pose",
            "encoder": "mlp",
            "embedding_size": 3,
            "norm": "none",
            "learning_rate": 3e-3,
            "unseen": "fifth",
            "steps": 3000,
        },
        (
            Claim("pose of unseen views, R²", "a cylinder (a figure)", "found.pose", least=0.98, percent=False),
            Claim("light of unseen views, R²", "does not matter (a figure)", "found.light", most=0.05, percent=False),
        ),
        drlim.views,
        drlim.view_figures,
        ("map", "views"),
    ),
}
ORDERS: tuple[Order, ...] = (
    Order(
        "more pairs verify better",
        "90.61 < 91.54 < 91.63 %",
        ("koch-30k", "koch-90k", "koch-150k"),
        "verification.accuracy",
    ),
    Order(
        "more pairs verify better, distorted",
        "91.90 < 93.15 < 93.42 %",
        ("koch-30k-affine", "koch-90k-affine", "koch-150k-affine"),
        "verification.accuracy",
    ),
    *(
        Order(
            f"distortions help, {n},000 pairs", published, (f"koch-{n}k", f"koch-{n}k-affine"), "verification.accuracy"
        )
        for n, published in ((30, "90.61 < 91.90 %"), (90, "91.54 < 93.15 %"), (150, "91.63 < 93.42 %"))
    ),
    Order(
        "convolutions above dense layers, one-shot, by 25 points",
        "58.3 < 92.0 %",
        ("koch-dense", "koch-150k-affine"),
        "one_shot.accuracy",
        gap=0.25,
    ),
    Order("triplets above pairs", "97.9 < 99.54 %", ("hoffer-siamese", "hoffer-triplet"), "found.nearest"),
)
