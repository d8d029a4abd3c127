"""Every loss, distance and miner that has a page: its name, its address, and what the command line calls it."""

from __future__ import annotations

from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

from minisiam import distances, losses, pairwise
from minisiam.analysis.registry import KINDS, LOSSES, MINERS
from minisiam.app.loss_options import default_distance
from minisiam.losses.combinators import without_partial

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = {"losses": "losses", "distances": "losses/distances", "miners": "losses/miners"}
# names whose words are not their title
TITLES = {
    "losses.angular": "Angular loss",
    "losses.arcface": "ArcFace",
    "losses.balanced": "Both kinds of pairs balanced",
    "losses.all_pairs": "All pairs of a batch",
    "losses.all_triplets": "All triplets of a batch",
    "losses.with_miner": "With a miner",
    "losses.binary_cross_entropy": "Binary cross-entropy of pairs",
    "losses.circle": "Circle loss",
    "losses.contrastive": "Contrastive loss",
    "losses.cosine_embedding": "Cosine embedding loss",
    "losses.fast_ap": "FastAP",
    "losses.generalised_lifted": "Generalised lifted structure",
    "losses.histogram": "Histogram loss",
    "losses.info_nce": "InfoNCE",
    "losses.l2_penalty": "L2 penalty",
    "losses.lifted": "Lifted structure",
    "losses.matching": "Matching networks",
    "losses.multi_similarity": "Multi-similarity loss",
    "losses.n_pair": "N-pair loss",
    "losses.nca": "NCA",
    "losses.nested": "Nested sizes of the embedding",
    "losses.nt_xent": "NT-Xent",
    "losses.pairwise_sigmoid": "Pairwise sigmoid loss",
    "losses.soft_triple_distance": "SoftTriple distance",
    "losses.softmax_cross_entropy": "Softmax cross-entropy",
    "losses.supcon": "Supervised contrastive loss",
    "losses.triplet_hinge": "Triplet loss, hinge",
    "losses.triplet_ratio": "Triplet loss, ratio",
    "losses.triplet_soft_margin": "Triplet loss, soft margin",
    "losses.tuplet_margin": "Tuplet margin loss",
    "losses.vicreg": "VICReg",
    "distances.l1": "L1 distance",
    "distances.l2": "L2 distance",
    "distances.squared_l2": "Squared L2 distance",
    "distances.weighted_l1": "Weighted L1 distance",
    "distances.cosine": "Cosine distance",
    "distances.dot": "Negative dot product",
    "distances.calibrated": "A distance with a threshold",
    "distances.tempered": "A distance with a temperature",
    "miners.angular": "Angular miner",
    "miners.batch_easy_hard": "Easy, semi-hard and hard",
    "miners.easy": "Easy triplets",
    "miners.hard": "Hard triplets",
    "miners.multi_similarity": "Multi-similarity miner",
    "miners.semi_hard_facenet": "Semi-hard, FaceNet",
    "miners.semi_hard_tensorflow": "Semi-hard, TensorFlow",
}
GROUPS = {
    "Pairs": ("contrastive", "double_margin", "pair_hinge", "margin_loss", "cosine_embedding", "binary_cross_entropy"),
    "Triplets": ("triplet_hinge", "triplet_soft_margin", "triplet_ratio"),
    "A whole batch": (
        "supcon", "nt_xent", "nca", "n_pair", "lifted", "generalised_lifted", "multi_similarity", "circle",
        "tuplet_margin", "angular", "histogram", "fast_ap",
    ),
    "Two sets: proxies, class means, a support set, or second views": (
        "softmax_cross_entropy", "arcface", "proxy_anchor", "soft_triple_distance", "info_nce",
        "pairwise_sigmoid", "matching",
    ),
    "Embeddings and weights": ("vicreg", "l2_penalty"),
    "From pairs and triplets to a batch": ("with_miner", "all_pairs", "all_triplets", "balanced"),
    "From one size of the embedding to several": ("nested",),
}  # fmt: skip


LEARNED = ("l1", "weighted_l1", "calibrated", "tempered")


class Entry(NamedTuple):
    """A public function with a page.

    module, name : `losses.contrastive`
    thing : the function
    """

    module: str
    name: str
    thing: Callable[..., Any]

    @property
    def call(self) -> str:
        """Its name in code: `losses.contrastive`."""
        return f"{self.module}.{self.name}"

    @property
    def title(self) -> str:
        """Its name in words."""
        return TITLES.get(self.call, self.name.replace("_", " ").capitalize())

    @property
    def page(self) -> str:
        """The address of its page in the site, without its ending."""
        return f"{FOLDERS[self.module]}/{self.name}"

    @property
    def is_op(self) -> bool:
        """Whether it has a gradient, and so a derivation, a reference and a check."""
        return bool(getattr(self.thing, "is_op", False))

    @property
    def words(self) -> list[str]:
        """Its names on the command line."""
        if self.module == "losses":
            return [name for name, loss in LOSSES.items() if without_partial(loss)[0] is self.thing]
        if self.module == "miners":
            return [name for name, miner in MINERS.items() if miner is self.thing]
        return [self.name.replace("_", "-")] if self.is_op else []

    @property
    def reads(self) -> str:
        """What a loss reads: a heading of the index."""
        return next(group for group, names in GROUPS.items() if self.name in names)

    @property
    def distance(self) -> str:
        """The distance that a loss is usually used with."""
        words = self.words
        usual = default_distance(words[0]) if words else "cosine"
        return usual.replace("-", "_")


@cache
def entries() -> tuple[Entry, ...]:
    """All of them, in the order of the indexes."""
    found = [Entry("losses", name, getattr(losses, name)) for names in GROUPS.values() for name in names]
    found += [Entry("distances", name, getattr(distances, name)) for name in ("l2", "squared_l2", "cosine", "dot")]
    found += [Entry("distances", name, getattr(distances, name)) for name in LEARNED]
    found += [Entry("miners", miner.__name__, miner) for miner in MINERS.values()]
    return tuple(found)


def entry(call: str) -> Entry:
    """The entry of `losses.contrastive`."""
    return next(one for one in entries() if one.call == call)


def linker(here: str) -> Callable[[str], str | None]:
    """A function that maps a name in code to the address of its page, seen from the folder `here`."""
    up = "../" * (here.count("/") + 1)

    def link(code: str) -> str | None:
        name = code.partition("(")[0].replace("pairwise.", "distances.")
        found = [one for one in entries() if name in (one.call, one.name if one.module == "losses" else one.call)]
        return f"{up}{found[0].page}.md" if found and len(code) < 60 else None

    return link


def constants(thing: Callable[..., Any]) -> dict[str, Any]:
    """The constants of a function with their defaults, except the reduction."""
    parameters = signature(thing).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name != "reduction"}


def kind(word: str) -> str:
    """The group of a loss of the command line: pairs, triplets, matrix, …"""
    return next(group for group, known in KINDS.items() if word in known)


def pairwise_of(one: Entry) -> Any:
    """The matrix form of a distance."""
    return getattr(pairwise, one.name)
