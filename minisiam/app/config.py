"""The settings of a run: what each may be, which go together, and the defaults that depend on others.

config = Config(network="triplet", distance="cosine")      None is replaced by a default; what does not fit is an error

The settings are in four groups, as in `minisiam train --help`, each with its own checks. `Config` is all of them in one
flat record, because no two groups share a name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import encoders, require
from ..analysis import plateau
from ..analysis.registry import LOSSES, MINERS, kind_of
from ..datasets import augment, neighbour_graph
from . import loss_options
from .data_spec import HOLDOUT
from .loss_options import MARGINS, OF_NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable

DISTANCES = ("l2", "squared-l2", "l1", "weighted-l1", "cosine", "dot")
ENCODERS = ("conv2", "mlp", "bielski", "conv3", "conv4", "hoffer", "koch28", "koch35", "koch105")
# pixels a side of the images that an encoder can read: the fewest and, if its name gives them, the most
SIDES = {"conv2": (6, None), "mlp": (1, None), "bielski": (16, None), "conv3": (8, None), "conv4": (16, None)} | {
    "hoffer": (24, None),
    **{f"koch{side}": (side, side) for side in (28, 35, 105)},
}
PIXELS = 28  # if the name of the encoder does not give them
WITHOUT_DENSE = ("conv3", "conv4", "hoffer")  # these can end without a dense layer: --embedding-size 0
PAIR_BY = ("class", *neighbour_graph.BUILDERS)  # which images make a positive pair
OPTIMIZERS = ("adam", "sgd")
DIHEDRAL = ("pen-glyphs", "omniglot")  # letters: rotated or reflected, each is another letter
# the ranges of the affine distortions, and what is done to every image of a training batch: (images, rng) → images
AFFINE: dict[str, dict[str, Any]] = {"affine": {}, "wide": {"rotation": 15.0, "shift": 0.04, "probability": 0.7}}
AUGMENTS: dict[str, Callable[..., Any]] = {
    "none": lambda images, rng: images,
    "affine": partial(augment.affine, **AFFINE["affine"]),
    "wide": partial(augment.affine, **AFFINE["wide"]),
    "elastic": augment.elastic,
}
# how many images of a batch belong together, for networks on pairs and triplets
DRAWN_TOGETHER = {"siamese": 2, "verification": 2, "triplet": 3}


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The data.

    data, holdout : which data, and which part of it is the test set: words of `data_spec.load`
    augment : the distortion of every training image, a name of `AUGMENTS`
    dihedral : 1, or 8 to treat each rotation and reflection of a class as its own class; None is replaced by 8 for the
        letters of `DIHEDRAL`, and by 1 for other data, of which a rotated image shows no other class
    pixels : the side of the images in the data set; None is replaced by the encoder's, or 28
    channels : 1 for grey images, 3 for colour
    classes, inverted : number of training classes, which a network with proxies needs, and whether their pictures were
        inverted, as others then must be; the trainer fills them in
    """

    data: str = "pen-glyphs"
    holdout: str = "third"
    augment: str = "none"
    dihedral: int = None  # type: ignore[assignment]
    pixels: int = None  # type: ignore[assignment]
    channels: int = 1
    classes: int = 0
    inverted: bool | None = None

    def check_data(self) -> None:
        """Raise ValueError if a setting of the data is not possible."""
        require.one_of("augment", self.augment, AUGMENTS)
        _fill_in(self, "dihedral", 8 if self.data.partition(":")[0] in DIHEDRAL else 1)
        require.one_of("dihedral", str(self.dihedral), ("1", "8"))
        require.one_of("channels", str(self.channels), ("1", "3"))
        if ":" not in self.holdout:
            require.one_of("holdout", self.holdout, HOLDOUT)


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """The method: encoder × distance × loss, and the network that connects them.

    loss, distance, miner, margin : None is replaced by the default of the network, the loss and the distance
    temperature : None is the loss's own
    normalize : whether the embedding is put on the unit sphere
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
    embedding_size: int = 128

    @property
    def kind(self) -> str:
        """What the loss reads: a key of `analysis.registry.KINDS`."""
        return kind_of(str(self.loss))

    @property
    def mines(self) -> bool:
        """Whether a miner selects pairs or triplets of a batch."""
        return self.network == "batch" and self.kind in ("pairs", "triplets")

    def check_method(self) -> None:
        """Fill in what is None, and raise ValueError if the parts do not go together."""
        self._check_encoder()
        self._check_loss()
        self._check_distance()
        self._check_miner()
        self._check_margin()
        self._check_temperature()

    def _check_encoder(self) -> None:
        require.one_of("encoder", self.encoder, ENCODERS)
        require.one_of("norm", self.norm, encoders.NORMS)
        require.whole("embedding-size", self.embedding_size, 0 if self.encoder in WITHOUT_DENSE else 1)
        if self.encoder == "mlp" and self.norm != "none":
            raise ValueError(
                f"--norm {self.norm} normalizes after a convolution, and --encoder mlp has no convolution: "
                "use another encoder, such as --encoder conv2"
            )

    def _check_loss(self) -> None:
        require.one_of("network", self.network, OF_NETWORK)
        _fill_in(self, "loss", OF_NETWORK[self.network][0])
        loss = str(self.loss)
        require.one_of("loss", loss, LOSSES)
        if loss not in OF_NETWORK[self.network]:
            reads = loss_options.READS[self.kind]
            raise ValueError(f"--network {self.network} cannot have --loss {loss}, which reads {reads}")

    def _check_distance(self) -> None:
        loss = str(self.loss)
        _fill_in(self, "distance", loss_options.default_distance(loss))
        require.one_of("distance", str(self.distance), DISTANCES)
        if loss in loss_options.COSINE_ONLY and self.distance != "cosine":
            raise ValueError(f"--loss {loss} is defined on angles: use --distance cosine, not {self.distance}")
        if self.distance == "dot" and self.kind in ("pairs", "verification"):
            raise ValueError(
                f"--distance dot has no zero, so --loss {loss} cannot use it: use --distance l2, or a softmax loss "
                "such as --loss supcon"
            )
        if self.distance == "cosine" and self.embedding_size == 1:
            raise ValueError("the cosine of two single numbers is always ±1: use --embedding-size 2 or more")

    def _check_miner(self) -> None:
        if self.mines:
            _fill_in(self, "miner", "all-pairs" if self.kind == "pairs" else "batch-hard")
        if self.miner is None:
            return
        require.one_of("miner", self.miner, MINERS)
        if not self.mines:
            raise ValueError(
                f"--network {self.network} --loss {self.loss} uses no miner: leave --miner out, or use --network batch "
                "with a loss on pairs or triplets, such as --loss hinge"
            )
        if self.miner == "distance-weighted" and not self.normalize:
            raise ValueError("--miner distance-weighted assumes embeddings on the unit sphere: add --normalize")
        if self.miner == "distance-weighted" and not self.embedding_size:
            raise ValueError("--miner distance-weighted needs the dimension: use --embedding-size 2 or more")

    def _check_margin(self) -> None:
        if self.loss not in MARGINS:
            if self.margin is not None:
                raise ValueError(f"--loss {self.loss} has no margin: leave --margin out, or use {' or '.join(MARGINS)}")
            return
        _fill_in(self, "margin", MARGINS[str(self.loss)][str(self.distance)])
        margin = require.between("margin", self.margin, 0, open_low=True)  # type: ignore[arg-type]
        if self.distance == "cosine" and margin > 2:
            raise ValueError(f"cosine distances are between 0 and 2, so a margin of {margin:g} can never be reached")

    def _check_temperature(self) -> None:
        if self.temperature is None:
            return
        tempered = loss_options.with_temperature()
        if self.loss not in tempered:
            raise ValueError(
                f"--loss {self.loss} has no temperature: leave --temperature out, or use one of {', '.join(tempered)}"
            )
        require.between("temperature", self.temperature, 0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The training.

    steps, batch, learning_rate, weight_decay : None is replaced by the default of the method and the optimizer
    batch, per_class : images in a batch, and how many of them are of one class, for networks on whole batches
    start : the folder of the run whose encoder this run starts from, or ""
    freeze : whether only the dense layer at the end of that encoder is trained
    patience : steps after which training stops if the loss does not change (`plateau`); 0 makes all steps, None is 200,
        or 0 for an experiment from a paper
    time_limit : minutes after which training stops early, or None
    log_every : steps between records of the log; 0 makes a record every few seconds
    readable : whether the readable ops run instead of the fast ones
    cached : whether the activations of only one chunk of a batch are in memory, at the price of one more forward pass
    """

    steps: int = None  # type: ignore[assignment]
    batch: int = None  # type: ignore[assignment]
    per_class: int = 4
    optimizer: str = "adam"
    learning_rate: float = None  # type: ignore[assignment]
    weight_decay: float = None  # type: ignore[assignment]
    seed: int = 0
    patience: int = None  # type: ignore[assignment]
    start: str = ""
    freeze: bool = False
    time_limit: float | None = None
    log_every: int = 0
    readable: bool = False
    cached: bool = False

    def check_training(self) -> None:
        """Raise ValueError if a setting of the training is not possible."""
        require.whole("steps", self.steps, 1)
        require.whole("per-class", self.per_class, 2)
        require.one_of("optimizer", self.optimizer, OPTIMIZERS)
        _fill_in(self, "weight_decay", 0.05 if self.optimizer == "adam" else 5e-4)
        require.between("learning-rate", self.learning_rate, 0, open_low=True)
        require.between("weight-decay", self.weight_decay, 0)
        require.whole("seed", self.seed, 0)
        require.whole("patience", self.patience, 0)
        require.whole("log-every", self.log_every, 0)
        if self.time_limit is not None:
            require.between("time-limit", self.time_limit, 0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class PaperConfig:
    """What only experiments from papers change; `minisiam papers run` sets it.

    paper : the name of the experiment, or ""
    pairs : size of the training set of pairs, drawn once and repeated every epoch; 0 always draws new pairs
    copies : distorted copies added to each of these pairs, drawn once, so an epoch is 1 + copies times as long
    pair_by : which images make a positive pair: "class", or neighbours in a graph of `neighbour_graph.BUILDERS`
    attraction : the weight of neighbours in the loss of a batch, the others have the rest, and there are 20 other pairs
        for each pair of neighbours (`siamese_in_batch`); 0 weighs all pairs alike, a fifth of them neighbours
    centre : whether each image is shifted so that its ink is in the middle; None does so unless it is in colour
    views : whether images are also compared by their `app.views` at test time
    """

    paper: str = ""
    pairs: int = 0
    copies: int = 0
    pair_by: str = "class"
    attraction: float = 0.0
    centre: bool = None  # type: ignore[assignment]
    views: bool = False

    def check_paper(self) -> None:
        """Raise ValueError if a setting of an experiment is not possible."""
        require.whole("pairs", self.pairs, 0)
        require.whole("copies", self.copies, 0)
        require.one_of("pair_by", self.pair_by, PAIR_BY)
        require.between("attraction", self.attraction, 0, 1, open_high=True)


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig, MethodConfig, TrainingConfig, PaperConfig):
    """Everything that determines a run: the four groups in one record. None is replaced by the default."""

    def __post_init__(self) -> None:
        self.check_data()
        self.check_method()
        self._fill_in_training()
        self.check_training()
        self.check_paper()
        self._check_pixels()
        self._check_start()
        self._check_batch()
        self._check_cached()
        self._check_pairs()

    def _fill_in_training(self) -> None:
        """The defaults that depend on the method."""
        _fill_in(self, "steps", 2500 if self.network == "batch" else 5000)  # of 256 images, or of about half as many
        whole = 256 - 256 % max(1, self.per_class)
        _fill_in(self, "batch", {"siamese": 128, "verification": 128, "triplet": 144}.get(self.network, whole))
        _fill_in(self, "learning_rate", self._default_learning_rate())
        _fill_in(self, "patience", 0 if self.paper else plateau.PATIENCE)  # a paper's experiment is a number of steps

    def _default_learning_rate(self) -> float:
        """Found by search on validation alphabets; the hardest triplets of a batch collapse at higher rates.

        A trained encoder has a tenth of it, so that it does not forget what it has learned.
        """
        share = 0.1 if self.start else 1.0
        if self.optimizer == "sgd":
            return share * 1e-2
        if self.network != "batch":
            return share * 3e-3
        return share * (1e-3 if self.kind == "triplets" else 1e-2)

    def _check_pixels(self) -> None:
        """The sizes and colours that depend on the encoder; in colour, nothing is ink that could be centred."""
        fewest, most = SIDES[self.encoder]
        _fill_in(self, "pixels", most or PIXELS)
        require.whole("pixels", self.pixels, 1)
        if most is not None and self.pixels != most:
            raise ValueError(
                f"--encoder {self.encoder} reads images of {most} pixels, not {self.pixels}: leave --pixels out, or "
                "use another encoder, such as conv4"
            )
        if self.pixels < fewest:
            raise ValueError(
                f"--encoder {self.encoder} needs images of at least {fewest} pixels, not {self.pixels}: use "
                f"--pixels {fewest} or more, or --encoder mlp"
            )
        _fill_in(self, "centre", self.channels == 1)

    def _check_start(self) -> None:
        if self.freeze and not self.start:
            raise ValueError("--freeze keeps what an earlier run learned: add --start RUN")
        if self.freeze and not self.embedding_size:
            raise ValueError(
                "--freeze trains only the dense layer at the end of the encoder, and with --embedding-size 0 there is "
                "none: leave --freeze out"
            )

    def _check_batch(self) -> None:
        together = DRAWN_TOGETHER.get(self.network, self.per_class)
        require.whole("batch", self.batch, 2 * together)
        if self.batch % together:
            raise ValueError(
                f"--batch {self.batch} is not a multiple of {together}, the number of images drawn together: "
                f"use --batch {self.batch - self.batch % together}"
            )
        if self.network != "batch" and self.per_class != TrainingConfig.per_class:
            raise ValueError(
                f"--network {self.network} draws {'triplets' if together == 3 else 'pairs'}: leave --per-class out, or "
                "use --network batch"
            )
        if self.kind in ("episodes", "views") and self.per_class != TrainingConfig.per_class:
            raise ValueError(f"--loss {self.loss} has a fixed number of images per class: leave --per-class out")

    def _check_cached(self) -> None:
        if self.cached and self.norm == "batch":
            raise ValueError(
                "--cached computes one chunk of a batch at a time, and --norm batch needs the statistics of the whole "
                "batch: use --norm group"
            )

    def _check_pairs(self) -> None:
        if self.pairs and self.network not in ("siamese", "verification"):
            raise ValueError("pairs are drawn once only for the networks siamese and verification: leave pairs out")
        if 0 < self.pairs < self.batch // 2:
            raise ValueError(f"{self.pairs} pairs are fewer than the {self.batch // 2} of a batch: use more pairs")
        if self.copies and not (self.pairs and self.augment in AFFINE):
            raise ValueError(
                f"{self.copies} distorted copies are added to pairs that are drawn once: "
                f"set pairs, and augment to {' or '.join(AFFINE)}"
            )
        draws_pairs = self.network == "siamese" or (self.kind == "pairs" and self.miner == "all-pairs")
        if self.pair_by != "class" and (self.pairs or not draws_pairs):
            raise ValueError(
                f"pair_by {self.pair_by} draws new pairs in every batch: use the network siamese, or batch with the "
                "loss contrastive, and leave miner and pairs out"
            )
        if self.attraction and (self.pair_by == "class" or self.network != "batch"):
            raise ValueError(
                f"attraction {self.attraction:g} weighs neighbours in a batch, but pair_by is {self.pair_by} and the "
                f"network {self.network}: set pair_by, and the network batch"
            )

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Config:
        """The settings stored in a file; a setting that this version does not know is an error."""
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"these settings are of another version, which has {', '.join(sorted(unknown))}")
        return cls(**stored)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def title(self) -> str:
        """The method in one line: encoder × distance × loss."""
        constants = {"margin": self.margin, "temperature": self.temperature}
        written = "".join(f" ({name} {value:g})" for name, value in constants.items() if value is not None)
        miner = f" over {self.miner}" if self.miner else ""
        sphere = " on the unit sphere" if self.normalize else ""
        distorted = "" if self.augment == "none" else f", {self.augment} distortions"
        if self.copies:
            distorted = f", {self.copies} {self.augment} copies of each pair"
        pairs = "" if self.pair_by == "class" else f", pairs by {self.pair_by}"
        method = f"{self.encoder}{sphere} × {self.distance} × {self.loss}{written}{miner}"
        start = f", from {self.start}{', frozen' if self.freeze else ''}" if self.start else ""
        return f"{self.network}: {method}{pairs}{distorted}{start}"


def _fill_in(config: Any, name: str, value: Any) -> None:
    """Replace None by a value, in a frozen record that is being made."""
    if getattr(config, name) is None:
        object.__setattr__(config, name, value)
