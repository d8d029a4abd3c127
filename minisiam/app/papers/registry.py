"""The experiments. An entry says what is trained, in words of the command line, and what the paper claims of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import drlim, metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data_spec import Data
    from ..trainer import Run


class Paper(NamedTuple):
    """A number that a paper prints; `of` says which of its models, where it has several."""

    value: float
    of: str = ""


class Claim(NamedTuple):
    """A measurement beside a paper's numbers, and beside this project's own target.

    what : in words
    found : where ours is in report.json, for instance "found.error"; `results.intervals` finds its intervals there
    papers : the paper's numbers for the same quantity; none where it shows a figure, or nothing
    target : this project's own threshold; None where there is none
    higher : whether higher is better
    percent : whether ours is a share, to be shown as a percentage
    """

    what: str
    found: str
    papers: tuple[Paper, ...] = ()
    target: float | None = None
    higher: bool = False
    percent: bool = True


class Order(NamedTuple):
    """A difference between two experiments: `better` is higher than `worse` in the same measurement.

    papers : the paper's two numbers, worse and better; None where it has no such comparison
    target : the least difference that this project aims at; None where there is none
    """

    what: str
    worse: str
    better: str
    found: str
    papers: tuple[float, float] | None = None
    target: float | None = None


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
EPOCHS = 1  # of every training set of pairs, with its copies
VERIFICATION = "accuracy of same letter or not, new alphabets"
ONE_SHOT = "accuracy of 20-way one-shot within an alphabet"
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
        (
            Claim(VERIFICATION, "found.verification", (Paper(published),), higher=True),
            Claim(ONE_SHOT, "found.one_shot", (Paper(0.92),) * ((thousands, copies) == (150, 8)), higher=True),
        ),
        metrics.letters,
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
                "found.error",
                (Paper(0.232, "ConvNet"), Paper(0.301, "prototypes")),
                target=0.15,
            ),
            Claim("the same, averaged over views at test time", "found.averaged_error", target=0.15),
            Claim("20-way error, unstructured (not to be compared)", "found.unstructured_20_way_error"),
        ),
        metrics.omniglot,
        metrics.omniglot_figures,
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
                "found.error",
                (Paper(0.135, "ConvNet"), Paper(0.137, "prototypes"), Paper(0.08, "Koch")),
                target=0.07,
            ),
            Claim("the same, averaged over views at test time", "found.averaged_error", target=0.07),
            Claim(
                "20-way error, unstructured, 4 turns as classes",
                "found.unstructured_20_way_error",
                (Paper(0.04, "Snell 2017"),),
            ),
            Claim(
                "5-way error, unstructured, 4 turns as classes",
                "found.unstructured_5_way_error",
                (Paper(0.012, "Snell 2017"),),
            ),
        ),
        metrics.omniglot,
        metrics.omniglot_figures,
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
        (
            Claim(VERIFICATION, "found.verification", higher=True),
            Claim(ONE_SHOT, "found.one_shot", higher=True),
        ),
        metrics.letters,
    ),
    "koch-dense": Experiment(
        "Verification of letters by two dense layers in place of convolutions, from 30,000 pairs and their copies",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | {"encoder": "mlp"} | _epochs(30, 8),
        (
            Claim(VERIFICATION, "found.verification", higher=True),
            Claim(ONE_SHOT, "found.one_shot", (Paper(0.583),), higher=True),
        ),
        metrics.letters,
    ),
    "hoffer-triplet": Experiment(
        "Digits embedded by the ratio loss of triplets",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "ratio", "miner": "all-triplets"},
        (
            Claim("accuracy of the nearest neighbour", "found.nearest", (Paper(0.9954),), 0.992, higher=True),
            Claim("accuracy of a linear classifier", "found.linear", (Paper(0.9954),), 0.992, higher=True),
        ),
        metrics.digits,
    ),
    "hoffer-siamese": Experiment(
        "Digits embedded by the contrastive loss of pairs, by the same network in the same time",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "contrastive", "miner": "all-pairs"},
        (
            Claim("accuracy of the nearest neighbour", "found.nearest", (Paper(0.979),), higher=True),
            Claim("accuracy of a linear classifier", "found.linear", (Paper(0.979),), higher=True),
        ),
        metrics.digits,
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
        (Claim("accuracy of five neighbours in the map, new digits", "found.neighbours", target=0.97, higher=True),),
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
                "distance by a shift / between digits, neighbours in pixels (figure: clusters by shift)",
                "found.ratio",
                target=1.0,
                higher=True,
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
                "distance by a shift / between digits, neighbours at any shift (figure: invariant)",
                "found.ratio",
                target=0.1,
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
            Claim("R² of the pose of new views (figure: a cylinder)", "found.pose", (), 0.98, True, False),
            Claim("R² of the light of new views (figure: does not matter)", "found.light", (), 0.05, False, False),
        ),
        drlim.views,
        drlim.view_figures,
        ("map", "views"),
    ),
}
ORDERS: tuple[Order, ...] = (
    *(
        Order(
            f"{more},000 pairs instead of {few},000{', each with 8 copies' * bool(tail)}: verification",
            f"koch-{few}k{tail}",
            f"koch-{more}k{tail}",
            "found.verification",
            papers,
        )
        for few, more, tail, papers in (
            (30, 90, "", (0.9061, 0.9154)),
            (90, 150, "", (0.9154, 0.9163)),
            (30, 150, "", (0.9061, 0.9163)),
            (30, 90, "-affine", (0.9190, 0.9315)),
            (90, 150, "-affine", (0.9315, 0.9342)),
        )
    ),
    *(
        Order(
            f"8 distorted copies added to {n},000 pairs, as many epochs: verification",
            f"koch-{n}k",
            f"koch-{n}k-affine",
            "found.verification",
            papers,
        )
        for n, papers in ((30, (0.9061, 0.9190)), (90, (0.9154, 0.9315)), (150, (0.9163, 0.9342)))
    ),
    Order(
        "8 distorted copies added to 30,000 pairs, as many steps: verification",
        "koch-30k-long",
        "koch-30k-affine",
        "found.verification",
        target=0.0,
    ),
    Order(
        "8 distorted copies added to 30,000 pairs, as many steps: 20-way one-shot",
        "koch-30k-long",
        "koch-30k-affine",
        "found.one_shot",
        target=0.0,
    ),
    Order(
        "convolutions instead of dense layers: 20-way one-shot",
        "koch-dense",
        "koch-30k-affine",
        "found.one_shot",
        (0.583, 0.92),
        target=0.25,
    ),
    Order(
        "triplets instead of pairs: nearest neighbour",
        "hoffer-siamese",
        "hoffer-triplet",
        "found.nearest",
        (0.979, 0.9954),
    ),
)
DIFFERENCES: dict[str, tuple[str, ...]] = {  # from the paper's experiment, to stand on the page beside its rows
    LAKE: (
        "The papers' numbers are for the ten evaluation alphabets and the official questions. Ours are estimates on "
        "background alphabets that were left out of training, with the same protocol: one drawer shows 20 letters of "
        "one alphabet, and another drawer's letters are asked. The temperature and the width of the network were "
        "chosen with results on some test alphabets of `omniglot-minimal` in view, so these estimates are optimistic.",
        "Koch's 8.0 % is with distortions.",
    ),
    KOCH: (
        "The rows are *after* Koch: weighted L1, cross-entropy, four valid convolutions and one dense layer with a "
        "sigmoid, 128 pairs a step, SGD with a rate that falls by 1 % an epoch and a momentum that rises from 0.5, and "
        "his ranges of distortions. The rest of this list differs.",
        "28 × 28 pixels, centred (his: 105 × 105); windows of 5, 3, 2 and 2 (10, 7, 4 and 4); two poolings (three); "
        "1,024 units (4,096); 2.6 million parameters (39 million).",
        "He's and Glorot's initialisation (his: N(0, 0.01²) for convolutions, N(0, 0.2²) for dense layers).",
        "16 alphabets for training, 4 for validation and 10 for the test, all of the background set and with all 20 "
        "drawers (his: 30 alphabets × 12 drawers for training).",
        "One epoch of the pairs (his: up to 200, stopped early by the validation error), and one learning rate and one "
        "L2 penalty for all layers.",
        "Distortions are added as he does: eight copies of each pair, drawn once, so an epoch has nine times as many "
        "steps. `koch-30k-long` trains on the 30,000 pairs alone for as many steps as `koch-30k-affine`, which "
        "separates the effect of the copies from that of longer training.",
    ),
    HOFFER: (
        "Each step of ours sees all triplets, or all pairs, of a batch of 130 images, for 2,500 steps of Adam; the "
        "paper draws 640,000 triplets each epoch and uses SGD. The linear classifier is ridge regression.",
    ),
}
