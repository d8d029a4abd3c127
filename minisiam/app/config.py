"""The words of the command line: which losses there are, what each of them reads, and which words go together.

settings = Settings(network="triplet", distance="cosine")      what is left out is filled in; what cannot be is an error
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from .. import encoders, miners, require
from ..datasets import augment, neighbour_graph
from ..losses.registry import FUNCTIONS, KINDS, PAIRS, PROXIES, TRIPLETS, kind_of
from .data_spec import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable

# which losses a network can have, its default first
LOSSES = {
    "siamese": tuple(PAIRS),
    "triplet": tuple(TRIPLETS),
    "verification": ("cross-entropy",),
    "batch": ("supcon", *(name for kind in KINDS.values() for name in kind if name != "supcon")),
}
READS = {
    "pairs": "a distance and whether the pair is the same: use --network siamese or batch",
    "triplets": "two distances, to a positive and to a negative: use --network triplet or batch",
    "cross-entropy": "log-odds, so a distance with a learned threshold: use --network verification",
    "batch": "a whole batch: use --network batch",
}
DISTANCES = ("l2", "squared-l2", "l1", "weighted-l1", "cosine", "dot")
USUAL = {"n-pair": "dot", "lifted": "l2", "generalised-lifted": "l2", "cosine-embedding": "cosine"}
COSINE = ("circle", "tuplet-margin", "angular", "histogram", "fast-ap", *PROXIES)  # these speak of angles
ENCODERS = ("conv2", "mlp", "bielski", "conv3", "conv4", "hoffer", "koch28", "koch35", "koch105")
FEATURES = ("conv3", "conv4", "hoffer")  # these can end without a dense layer, --embedding-size 0
SIMILAR = ("class", *neighbour_graph.BUILDERS)  # who is the same in a pair
OPTIMIZERS = ("adam", "sgd")
# the ranges of the affine distortions, and what happens to every image of a training batch: (images, rng) → images
AFFINE: dict[str, dict[str, Any]] = {"affine": {}, "wide": {"rotation": 15.0, "shift": 0.04, "probability": 0.7}}
AUGMENTS: dict[str, Callable[..., Any]] = {
    "none": lambda images, rng: images,
    "affine": partial(augment.affine, **AFFINE["affine"]),
    "wide": partial(augment.affine, **AFFINE["wide"]),
    "elastic": augment.elastic,
}
# the margin of a loss that has one, in the units of each distance: found by search on training alphabets
MARGINS = {
    "contrastive": {"l2": 5.0, "squared-l2": 10.0, "l1": 50.0, "weighted-l1": 1.0, "cosine": 0.5},
    "hinge": {"l2": 1.0, "squared-l2": 5.0, "l1": 10.0, "weighted-l1": 0.5, "cosine": 0.3, "dot": 1.0},
}
# where verification begins: the scale of the distance, and the distance at which a pair is as likely same as not
THRESHOLDS = {
    "l2": (3.0, 3.33),
    "squared-l2": (0.3, 16.7),
    "l1": (0.3, 33.0),
    "weighted-l1": (30.0, 0.33),
    "cosine": (10.0, 0.5),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run; what is None is filled in with what goes with the rest.

    `classes` is how many letters a run was trained on, which a network with proxies has to know: `runs.train` fills it
    in. `log_every` is how many steps there are from record to record in the log; 0 leaves it to the clock. `data` and
    `unseen` are words of `sources.load`. `poses` is in how many of the eight poses of a square a class is met, each of
    them a class of its own. `batch` counts images, `per_class` of them of one class where a whole batch is compared.
    `pairs` is the size of the training set of pairs, drawn once and used again in every epoch; 0 draws new pairs for
    ever. `copies` adds that many distorted copies of each of those pairs, drawn once too, so that an epoch is
    1 + `copies` times as long; without it `augment` distorts every image anew, in place of the original.
    `similar` is who is the same in a pair: images of a class, or neighbours in a graph of `graphs.BUILDERS`, and then
    classes have no say. `centre` is whether images are shifted so that their ink is in the middle.
    `views` is how many distortions of an image are averaged at test time, beside the plain examination. `preset` is the
    experiment that the settings come from.
    """

    network: str = "batch"
    encoder: str = "conv2"
    distance: str | None = None
    loss: str | None = None
    miner: str | None = None
    margin: float | None = None
    temperature: float | None = None
    norm: str = "none"
    normalize: bool = False
    plain: bool = False
    augment: str = "none"
    poses: int = 8
    batch: int = None  # type: ignore[assignment]
    per_class: int = 4
    pairs: int = 0
    copies: int = 0
    similar: str = "class"
    centre: bool = True
    views: int = 0
    embedding_size: int = 128
    classes: int = 0
    seed: int = 0
    steps: int = None  # type: ignore[assignment]
    minutes: float = 1.0
    optimizer: str = "adam"
    learning_rate: float = None  # type: ignore[assignment]
    weight_decay: float = None  # type: ignore[assignment]
    log_every: int = 0
    data: str = "pen-glyphs"
    unseen: str = "third"
    preset: str = ""

    def __post_init__(self) -> None:
        require.one_of("network", self.network, LOSSES)
        require.one_of("encoder", self.encoder, ENCODERS)
        require.one_of("norm", self.norm, encoders.NORMS)
        require.one_of("augment", self.augment, AUGMENTS)
        if self.encoder == "mlp" and self.norm != "none":
            raise ValueError(f"--norm {self.norm} stands after a convolution, and --encoder mlp has none: use another")
        self._fill_in("loss", LOSSES[self.network][0])
        self._check_loss()
        kind = kind_of(str(self.loss))
        usual = "l2" if kind in ("pairs", "triplets", "cross-entropy") else "cosine"
        self._fill_in("distance", USUAL.get(str(self.loss), usual))
        self._check_distance()
        if self.network == "batch" and kind in ("pairs", "triplets"):
            self._fill_in("miner", "all-pairs" if kind == "pairs" else "batch-hard")
        self._check_miner(kind)
        self._check_margin()
        self._check_temperature()
        require.whole("seed", self.seed, 0)
        self._fill_in("steps", 2500 if self.network == "batch" else 5000)  # 256 images a step, or about half of that
        require.whole("steps", self.steps, 1)
        require.whole("embedding-size", self.embedding_size, 0 if self.encoder in FEATURES else 1)
        require.whole("log-every", self.log_every, 0)
        require.between("minutes", self.minutes, 0, open_low=True)
        self._check_batches(kind)
        require.one_of("optimizer", self.optimizer, OPTIMIZERS)
        self._fill_in("learning_rate", self._usual_rate(kind))
        require.between("learning-rate", self.learning_rate, 0, open_low=True)
        self._fill_in("weight_decay", 0.05 if self.optimizer == "adam" else 5e-4)
        require.between("weight-decay", self.weight_decay, 0)
        if ":" not in self.unseen:
            require.one_of("unseen", self.unseen, UNSEEN)
        if self.embedding_size == 1 and self.distance == "cosine":
            raise ValueError("the cosine of two numbers is ±1 and says nothing: use --embedding-size 2 or more")

    def _usual_rate(self, kind: str) -> float:
        """What was found by search on validation alphabets; the hardest triplets of a batch collapse at more."""
        if self.optimizer == "sgd":
            return 1e-2
        if self.network != "batch":
            return 3e-3
        return 1e-3 if kind == "triplets" else 1e-2

    def _check_batches(self, kind: str) -> None:
        require.one_of("poses", str(self.poses), ("1", "8"))
        require.whole("views", self.views, 0)
        self._fill_in("batch", {"siamese": 128, "verification": 128, "triplet": 144}.get(self.network, 256))
        together = {"siamese": 2, "verification": 2, "triplet": 3}.get(self.network, self.per_class)
        require.whole("per-class", self.per_class, 2)
        require.whole("batch", self.batch, 2 * together)
        if self.batch % together:
            raise ValueError(f"--batch {self.batch} is no multiple of {together}, which come together")
        if kind in ("episodes", "views") and self.per_class != 4:
            raise ValueError(f"--loss {self.loss} has a way of its own with its images: leave --per-class out")
        require.whole("pairs", self.pairs, 0)
        if 0 < self.pairs < self.batch // 2:
            raise ValueError(f"--pairs {self.pairs} are fewer than the {self.batch // 2} of a batch: use more of them")
        if self.pairs and self.network not in ("siamese", "verification"):
            raise ValueError("--pairs counts the pairs of --network siamese or verification: leave it out here")
        require.whole("copies", self.copies, 0)
        if self.copies and not (self.pairs and self.augment in AFFINE):
            raise ValueError(
                f"--copies {self.copies} adds distorted copies of pairs that are drawn once: use it with --pairs N "
                f"--augment {' or '.join(AFFINE)}"
            )
        require.one_of("similar", self.similar, SIMILAR)
        of_pairs = self.network == "siamese" or (kind == "pairs" and self.miner == "all-pairs")
        if self.similar != "class" and (not of_pairs or self.pairs):
            raise ValueError(
                f"--similar {self.similar} tells what is the same in a pair, and pairs are new ones for ever: use "
                "--network siamese, or batch with --loss contrastive, and leave --miner and --pairs out"
            )

    def _fill_in(self, name: str, value: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, value)

    def _check_loss(self) -> None:
        loss = str(self.loss)
        require.one_of("loss", loss, FUNCTIONS)
        if loss not in LOSSES[self.network]:
            reads = READS.get(kind_of(loss), READS["batch"])
            raise ValueError(f"--network {self.network} cannot have --loss {loss}, which reads {reads}")

    def _check_distance(self) -> None:
        require.one_of("distance", str(self.distance), DISTANCES)
        if self.loss in COSINE and self.distance != "cosine":
            raise ValueError(f"--loss {self.loss} speaks of angles: use --distance cosine, not {self.distance}")
        if self.distance == "dot" and kind_of(str(self.loss)) in ("pairs", "cross-entropy"):
            raise ValueError(
                f"--distance dot has no zero, so no {self.loss} of a pair: use it with a softmax, or l2 here"
            )

    def _check_miner(self, kind: str) -> None:
        if self.miner is None:
            return
        require.one_of("miner", self.miner, miners.MINERS)
        if self.network != "batch" or kind not in ("pairs", "triplets"):
            raise ValueError(
                f"--miner chooses pairs or triplets of a batch, and --network {self.network} --loss {self.loss} takes "
                "none: leave it out, or use --network batch with a loss on pairs or triplets, such as hinge"
            )
        if self.miner == "distance-weighted" and not self.normalize:
            raise ValueError("--miner distance-weighted knows how distances lie on the unit sphere: add --normalize")
        if self.miner == "distance-weighted" and not self.embedding_size:
            raise ValueError("--miner distance-weighted has to know the dimensions: use --embedding-size 2 or more")

    def _check_margin(self) -> None:
        if self.loss not in MARGINS:
            if self.margin is not None:
                raise ValueError(f"--loss {self.loss} has no margin: leave --margin out, or use {' or '.join(MARGINS)}")
            return
        self._fill_in("margin", MARGINS[str(self.loss)][str(self.distance)])
        margin = require.between("margin", self.margin, 0, open_low=True)  # type: ignore[arg-type]
        if self.distance == "cosine" and margin > 2:
            raise ValueError(f"cosine distances lie between 0 and 2, so a margin of {margin:g} can never be kept")

    def _check_temperature(self) -> None:
        if self.temperature is not None:
            if "temperature" not in signature(FUNCTIONS[str(self.loss)]).parameters:
                tempered = [name for name, f in FUNCTIONS.items() if "temperature" in signature(f).parameters]
                raise ValueError(
                    f"--loss {self.loss} has no temperature: leave it out, or use one of {', '.join(tempered)}"
                )
            require.between("temperature", self.temperature, 0, open_low=True)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Settings:
        """Settings from a file; what this version does not know is an error."""
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"these settings are from another version: {', '.join(sorted(unknown))} is unknown here")
        return cls(**stored)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def title(self) -> str:
        """In the words of the equation."""
        margin = f" (margin {self.margin:g})" if self.margin is not None else ""
        margin += f" (temperature {self.temperature:g})" if self.temperature is not None else ""
        miner = f" over {self.miner}" if self.miner else ""
        sphere = " on the unit sphere" if self.normalize else ""
        distorted = "" if self.augment == "none" else f", {self.augment} distortions"
        if self.copies:
            distorted = f", {self.copies} {self.augment} copies of each pair"
        similar = "" if self.similar == "class" else f", similar by {self.similar}"
        method = f"{self.encoder}{sphere} × {self.distance} × {self.loss}{margin}{miner}"
        return f"{self.network}: {method}{similar}{distorted}"
