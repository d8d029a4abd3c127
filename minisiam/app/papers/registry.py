"""The experiments: how each differs from the default training, and which numbers of the paper it is compared with."""

from __future__ import annotations

from typing import Any

from . import drlim, metrics
from .types import Claim, Comparison, Experiment, Published

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
    "views": True,
    "batch": 128,
    "learning_rate": 3e-3,
    "holdout": "none",
}
VERIFIED: dict[str, Any] = {  # after Koch; `DEVIATIONS` lists what differs
    "network": "verification",
    "encoder": "koch28",
    "distance": "weighted-l1",
    "embedding_size": 1024,
    "dihedral": 1,
    "optimizer": "sgd",
    "batch": 256,
    "learning_rate": 0.04,
}
EPOCHS = 1  # of every training set of pairs and copies
VERIFICATION = "verification accuracy, different letters from one alphabet"
AMONG_ALL = "verification accuracy, different letters from all alphabets"
ONE_SHOT = "accuracy of 20-way one-shot within an alphabet"
TRIPLETS: dict[str, Any] = {
    "encoder": "hoffer",
    "embedding_size": 0,
    "holdout": "images",
    "dihedral": 1,
    "batch": 130,
    "per_class": 13,
    "steps": 2500,
    "learning_rate": 1e-3,
}
MAPPED: dict[str, Any] = {  # pairs of neighbours are positive, all others negative, and the embedding is a map
    "network": "siamese",
    "loss": "contrastive",
    "margin": 1.0,
    "embedding_size": 2,
    "dihedral": 1,
    "centre": False,
    "holdout": "images",
    "norm": "batch",
    "learning_rate": 1e-2,
}


def _koch(thousands: int, copies: int, published: float) -> Experiment:
    """A row of Koch's table of verification: thousands of pairs, and distorted copies added to each."""
    return Experiment(
        f"Verification of letters from {thousands},000 pairs{f' and {copies} distorted copies of each' * bool(copies)}",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | _epochs(thousands, copies),
        (
            Claim(VERIFICATION, "verification", (Published(published),), higher=True),
            Claim(AMONG_ALL, "verification_any", (Published(published),), higher=True),
            Claim(ONE_SHOT, "one_shot", (Published(0.92),) * ((thousands, copies) == (150, 8)), higher=True),
        ),
        metrics.letters,
    )


def _epochs(thousands: int, copies: int, epochs: int = EPOCHS) -> dict[str, Any]:
    """The number of pairs, of copies, and of steps in that many epochs."""
    pairs = 1000 * thousands
    steps = round(epochs * pairs * (1 + copies) / (VERIFIED["batch"] // 2))
    return {"pairs": pairs, "copies": copies, "augment": "affine" if copies else "none", "steps": steps}


EXPERIMENTS: dict[str, Experiment] = {
    "omniglot-minimal": Experiment(
        "One-shot classification of letters after training on five alphabets",
        LAKE,
        "omniglot:images_background_small1.zip",
        OMNIGLOT | {"steps": 1800},
        (
            Claim(
                "20-way one-shot error within an alphabet",
                "error",
                (Published(0.232, "ConvNet"), Published(0.301, "prototypes")),
            ),
            Claim("the same, mean of 25 views at test time", "averaged_error"),
            Claim("the same, nearest of 25 × 25 views at test time", "nearest_view_error", target=0.04),
            Claim("20-way error, unstructured (not to be compared)", "unstructured_20_way_error"),
        ),
        metrics.omniglot,
        metrics.omniglot_figures,
        page_figures=("by_alphabet",),
    ),
    "omniglot-30": Experiment(
        "One-shot classification of letters after training on all background alphabets",
        LAKE,
        "omniglot:images_background.zip",
        OMNIGLOT | {"steps": 7000},
        (
            Claim(
                "20-way one-shot error within an alphabet",
                "error",
                (Published(0.135, "ConvNet"), Published(0.137, "prototypes"), Published(0.08, "Koch")),
            ),
            Claim("the same, mean of 25 views at test time", "averaged_error"),
            Claim("the same, nearest of 25 × 25 views at test time", "nearest_view_error", target=0.033),
            Claim(
                "20-way error, unstructured, 4 turns as classes",
                "unstructured_20_way_error",
                (Published(0.04, "Snell 2017"),),
            ),
            Claim(
                "5-way error, unstructured, 4 turns as classes",
                "unstructured_5_way_error",
                (Published(0.012, "Snell 2017"),),
            ),
        ),
        metrics.omniglot,
        metrics.omniglot_figures,
        page_figures=("by_alphabet",),
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
            Claim(VERIFICATION, "verification", higher=True),
            Claim(AMONG_ALL, "verification_any", higher=True),
            Claim(ONE_SHOT, "one_shot", higher=True),
        ),
        metrics.letters,
    ),
    "koch-dense": Experiment(
        "Verification of letters by two dense layers instead of convolutions, from 30,000 pairs and their copies",
        KOCH,
        "omniglot:images_background.zip",
        VERIFIED | {"encoder": "mlp"} | _epochs(30, 8),
        (
            Claim(VERIFICATION, "verification", higher=True),
            Claim(AMONG_ALL, "verification_any", higher=True),
            Claim(ONE_SHOT, "one_shot", (Published(0.583),), higher=True),
        ),
        metrics.letters,
    ),
    "hoffer-triplet": Experiment(
        "Digits embedded by the ratio loss of triplets",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "ratio", "miner": "all-triplets"},
        (
            Claim("accuracy of the nearest neighbour", "nearest", (Published(0.9954),), 0.992, higher=True),
            Claim("accuracy of a linear classifier", "linear", (Published(0.9954),), 0.992, higher=True),
        ),
        metrics.digits,
    ),
    "hoffer-triplet-affine": Experiment(
        "Digits embedded by the ratio loss of triplets, with affine distortions and batch norm",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "ratio", "miner": "all-triplets", "augment": "affine", "norm": "batch"},
        (
            Claim("accuracy of the nearest neighbour", "nearest", (Published(0.9954),), 0.995, higher=True),
            Claim("accuracy of a linear classifier", "linear", (Published(0.9954),), 0.992, higher=True),
        ),
        metrics.digits,
    ),
    "hoffer-siamese": Experiment(
        "Digits embedded by the contrastive loss of pairs, with the same network and as many steps",
        HOFFER,
        "mnist:FOLDER",
        TRIPLETS | {"distance": "l2", "loss": "contrastive", "miner": "all-pairs"},
        (
            Claim("accuracy of the nearest neighbour", "nearest", (Published(0.979),), higher=True),
            Claim("accuracy of a linear classifier", "linear", (Published(0.979),), higher=True),
        ),
        metrics.digits,
    ),
    "drlim-digits": Experiment(
        "A map of fours and nines; images that are near in pixels are positive pairs",
        HADSELL,
        "mnist-4-9:FOLDER",
        MAPPED
        | {
            "network": "batch",
            "encoder": "mlp",
            "norm": "none",
            "pair_by": "mutual",
            "attraction": 0.9,
            "margin": 3.0,
            "batch": 512,
            "learning_rate": 3e-3,
            "steps": 2000,
        },
        (
            Claim(
                "accuracy of five nearest neighbours in the map, test digits", "neighbours", target=0.95, higher=True
            ),
            Claim("the same in the first two principal components", "pca_neighbours", higher=True),
            Claim("the same in a spectral map of the five nearest neighbours", "spectral_neighbours", higher=True),
        ),
        drlim.digits,
        drlim.digit_figures,
        ("map",),
    ),
    "drlim-shifted": Experiment(
        "A map of fours at five shifts; images that are near in pixels are positive pairs",
        HADSELL,
        "mnist-4-shifted:FOLDER",
        MAPPED | {"pair_by": "neighbours", "steps": 2000},
        (
            Claim(
                "distance by a shift / between digits, pairs by pixels (figure: clusters by shift)",
                "ratio",
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
        "A map of fours at five shifts; digits that are near in pixels before the shift are positive pairs",
        HADSELL,
        "mnist-4-shifted:FOLDER",
        MAPPED | {"network": "batch", "pair_by": "shift-aware", "batch": 256, "steps": 1500},
        (
            Claim(
                "distance by a shift / between digits, pairs at any shift (figure: invariant)",
                "ratio",
                target=0.1,
                percent=False,
            ),
        ),
        drlim.shifts,
        drlim.shift_figures,
        ("map",),
    ),
    "drlim-object": Experiment(
        "A map of an aeroplane from all sides; neighbouring views in any light are positive pairs",
        HADSELL,
        "rendered",
        MAPPED
        | {
            "data": "rendered",
            "pair_by": "pose",
            "encoder": "mlp",
            "embedding_size": 3,
            "norm": "none",
            "learning_rate": 3e-3,
            "holdout": "fifth",
            "steps": 3000,
        },
        (
            Claim("R² of the pose of test views (figure: a cylinder)", "pose", (), 0.98, True, False),
            Claim("R² of the light of test views (figure: does not matter)", "light", (), 0.05, False, False),
        ),
        drlim.views,
        drlim.view_figures,
        ("map", "views"),
    ),
}
COMPARISONS: tuple[Comparison, ...] = (
    *(
        Comparison(
            f"{more},000 pairs instead of {few},000{', each with 8 copies' * bool(tail)}: verification",
            f"koch-{few}k{tail}",
            f"koch-{more}k{tail}",
            "verification",
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
        Comparison(
            f"8 distorted copies added to {n},000 pairs, as many epochs: verification",
            f"koch-{n}k",
            f"koch-{n}k-affine",
            "verification",
            papers,
        )
        for n, papers in ((30, (0.9061, 0.9190)), (90, (0.9154, 0.9315)), (150, (0.9163, 0.9342)))
    ),
    Comparison(
        "8 distorted copies added to 30,000 pairs, as many steps: verification",
        "koch-30k-long",
        "koch-30k-affine",
        "verification",
        target=0.0,
    ),
    Comparison(
        "8 distorted copies added to 30,000 pairs, as many steps: 20-way one-shot",
        "koch-30k-long",
        "koch-30k-affine",
        "one_shot",
        target=0.0,
    ),
    Comparison(
        "convolutions instead of dense layers: 20-way one-shot",
        "koch-dense",
        "koch-30k-affine",
        "one_shot",
        (0.583, 0.92),
        target=0.25,
    ),
    Comparison(
        "triplets instead of pairs: nearest neighbour",
        "hoffer-siamese",
        "hoffer-triplet",
        "nearest",
        (0.979, 0.9954),
    ),
)
DEVIATIONS: dict[str, tuple[str, ...]] = {  # from the papers' experiments; the page of results lists them
    LAKE: (
        "The papers' numbers are for the official questions, about ten evaluation alphabets. Ours are estimates: "
        "questions about background alphabets that were held out of training, of 25 letters or more, with their 20 "
        "most distinct letters, support and queries by two drawers (`minisiam/app/papers/questions.py`). Pixels make "
        "about as many errors on them as on the official questions. The temperature, the width of the network and the "
        "views were chosen when results on some of these alphabets were known, so the estimates are optimistic.",
        "On the 400 official questions, with one view, `omniglot-minimal` erred on 4.75, 6.50 and 5.75 % (seeds 0 to "
        "2, mean 5.7 %) and `omniglot-30`, trained on all 30 background alphabets, on 4.0 % (one seed). The standard "
        "error of one run is about one point. The mean of 11 views, of an earlier version, erred on 4.75, 5.75 and "
        "5.25 % (the same seeds) and 4.5 %. The 25 views have not been measured on these questions.",
        "Koch's 8.0 % was trained with distortions.",
    ),
    KOCH: (
        "The rows are *after* Koch: weighted L1, cross-entropy, four valid convolutions and one dense layer with a "
        "sigmoid, 128 pairs a step, SGD with a rate that falls by 1 % an epoch and a momentum that rises from 0.5, and "
        "his ranges of distortions. The following differs.",
        "28 × 28 pixels, centred (his: 105 × 105); windows of 5, 3, 2 and 2 (10, 7, 4 and 4); two poolings (three); "
        "1,024 units (4,096); 2.6 million parameters (39 million).",
        "He's and Glorot's initialisation (his: N(0, 0.01²) for convolutions, N(0, 0.2²) for dense layers).",
        "16 alphabets for training, 4 for validation and 10 for the test, all of the background set and with all 20 "
        "drawers (his: 30 alphabets × 12 drawers for training).",
        "The paper does not say whether the two letters of a different pair are of one alphabet. Here they are in "
        "training, which is harder; in the test, both readings are measured, each with a threshold that was chosen on "
        "such pairs of the validation alphabets.",
        "One epoch of the pairs (his: up to 200, stopped early by the validation error), and one learning rate and one "
        "L2 penalty for all layers.",
        "Distortions are added as in the paper: eight copies of each pair, drawn once, so an epoch has nine times as "
        "many steps. `koch-30k-long` trains on the 30,000 pairs alone for as many steps as `koch-30k-affine`, which "
        "separates the effect of the copies from that of longer training.",
    ),
    HADSELL: (
        "The paper prints no numbers. In `drlim-digits` positive pairs are mutual neighbours among the ten nearest in "
        "pixels (the paper: five nearest), and they have nine tenths of the weight in the loss; the encoder is one "
        "hidden layer of 512 units on blurred images (the paper: a convolutional network).",
        "The first two principal components and the spectral map use no training. A test digit is added to the "
        "spectral map from its five nearest training digits by Nyström's formula.",
    ),
    HOFFER: (
        "Each of our steps uses all triplets, or all pairs, of a batch of 130 images, for 2,500 steps of Adam; the "
        "paper draws 640,000 triplets each epoch and uses SGD. The linear classifier is ridge regression.",
        "`hoffer-triplet-affine` also distorts each training image (rotation, shear, scale and shift, no reflection), "
        "and it has batch norm.",
        "These runs were made on other processors than the rest of the page, and before the last changes of `fast`.",
    ),
}
