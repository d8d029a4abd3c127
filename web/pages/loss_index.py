"""The indexes: which loss, which distance, which miner?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minisiam import losses

from . import loss_facts as facts
from .docstring import markdown, read
from .loss_catalogue import FOLDERS, GROUPS, Entry, constants, entries, linker

if TYPE_CHECKING:
    from collections.abc import Iterable

Small = dict[Entry, str]
CHOOSE = {
    "Pairs": "You have pairs, or want a threshold on a distance. Pairs need no label except “same” or “different”.",
    "Triplets": "Only the order of two distances matters to you, not their size.",
    "A whole batch": "You have class labels. These losses compare every image of a batch with every other.",
    "Two sets: proxies, class means, a support set, or second views": "Images are compared with something other than "
    "the batch: with one learned point per class, with the means of a few examples, or with second views.",
    "Embeddings and weights": "These read no distances.",
    "From pairs and triplets to a batch": "They turn a loss on pairs or triplets into a loss on a distance matrix.",
    "From one size of the embedding to several": "It turns a loss on a distance matrix into one on several, so that an "
    "embedding may be cut after training.",
}


def losses_index(small: Small) -> str:
    """Which loss do I want?"""
    parts = [
        "# Losses\n",
        "Which loss do you want? What can it read, and what was measured? Each page has the formula, the derivation of "
        "the gradient, figures, special values, what other libraries compute under its name, and the source.\n",
        "See also the [distances](distances/index.md) and the [miners](miners/index.md).\n",
        "Each card has the first line of the docstring, the name on the command line, the default constants, and where "
        "the loss is 0. The best case is the value of a perfectly ordered batch, with the defaults: six images of "
        "three classes, the positives at the distance 0 and the negatives at 2.\n",
        measured(),
    ]
    for group, names in GROUPS.items():
        some = [one for one in entries() if one.module == "losses" and one.name in names]
        parts += [f"## {group}\n", f"{CHOOSE[group]}\n", cards(some, small)]
    tree = [one.name for one in entries() if one.module == "losses"]
    return "\n".join([*parts, toctree([*tree, "distances/index", "miners/index"])])


def measured() -> str:
    """The comparison on one protocol, as docs/comparison.md has it."""
    conditions, rows = facts.comparison()
    table = ["| method | reads | MAP@R | one-shot error | p |", "|---|---|---:|---:|---|"]
    for row in rows:
        one = next(one for one in entries() if one.module == "losses" and row.loss in one.words)
        name = f"[{row.name}]({one.name}.md)"
        table.append(
            f"| {f'**{name}**' if row.bold else name} | {row.reads} | {row.map_at_r} | {row.one_shot} | {row.p} |"
        )
    best = ", ".join(row.name for row in rows if row.bold)
    return (
        "## What was measured\n\n"
        f"{len(rows)} methods on one protocol, losses and miners with the names of the command line. {conditions} In "
        f"%; **bold**: the reference and the methods that these runs do not distinguish from it ({best}). This is one "
        "data set and one encoder: [the comparison](../docs/comparison.md) has the search, the tests and the "
        "limits.\n\n"
        + "\n".join(table) + "\n"
    )  # fmt: skip


def distances_index(small: Small) -> str:
    """Which distance?"""
    some = [one for one in entries() if one.module == "distances"]
    return "\n".join(
        [
            "# Distances\n",
            "A loss reads distances only, so any distance goes with any loss. `distances` compares two arrays row by "
            "row; `pairwise` has the same functions for every row against every row.\n",
            cards(some, small),
            toctree([one.name for one in some]),
        ]
    )


def miners_index(small: Small) -> str:
    """Which miner?"""
    some = [one for one in entries() if one.module == "miners"]
    return "\n".join(
        [
            "# Miners\n",
            "A miner chooses the pairs or triplets of a batch that a loss uses: "
            "[`losses.with_miner(loss, miner)`](../with_miner.md). It has no gradient.\n",
            cards(some, small),
            toctree([one.name for one in some]),
        ]
    )


def cards(some: Iterable[Entry], small: Small) -> str:
    """One card for each function: its small figure, its name, its line, its constants, and where it is 0."""
    return "\n".join(card(one, small.get(one, "")) for one in some)


def card(one: Entry, figure: str) -> str:
    """The card of one function."""
    named = ", ".join(
        f"`{name}={_short(value)}`" for name, value in constants(one.thing).items() if _is_constant(value)
    )
    option = {"losses": "--loss", "distances": "--distance", "miners": "--miner"}[one.module]
    words = ", ".join(f"`{option} {word}`" for word in one.words)
    facts_ = " · ".join(filter(None, (words, named, where_zero(one))))
    said = read(one.thing).summary
    summary = markdown(said, linker(FOLDERS[one.module])) if "`" in said else f"`{said}`"
    drawn = f"```{{raw}} html\n{figure}\n```\n" if figure else ""
    return (
        f":::{{container}} loss-card\n{drawn}\n[{one.title}]({one.name}.md) `{one.name}`\n\n"
        f"{summary}\n\n{facts_}\n:::\n"
    )


def _is_constant(value: object) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else f'"{value}"'


def where_zero(one: Entry) -> str:
    """Where a loss is 0, computed: over the distances of pairs and triplets, and for a perfectly ordered batch."""
    if one.module != "losses" or not one.is_op or one.name in ("vicreg", "soft_triple_distance", "l2_penalty"):
        return ""
    d = np.arange(401) / 100
    if one.reads == "Pairs":
        extra = (np.array(1.2),) if one.name == "margin_loss" else ()
        zero = {same: _none(one, d, *extra, same=np.full(len(d), same)) == 0 for same in (True, False)}
        texts = [
            f"{kind} {_interval(d, zero[same])}"
            for kind, same in (("same", True), ("different", False))
            if zero[same].any()
        ]
        return f"0 where {', '.join(texts)}" if texts else "never 0"
    if one.reads == "Triplets":
        zero = _none(one, np.zeros_like(d), d) == 0
        return f"0 where d₋ − d₊ {_interval(d, zero).removeprefix('d ')}" if zero.any() else "never 0"
    best = _at_best(one)
    return f"best case {f'{best:.2g}' if best == 0 or best > 1e-4 else 'below 10⁻⁴'}"


def _none(one: Entry, *arguments: np.ndarray, **constants: np.ndarray) -> np.ndarray:
    value = one.thing(*arguments, reduction="none", **constants)[0]
    return np.where(value < 1e-12, 0, value)  # below it, rounding


def _interval(d: np.ndarray, zero: np.ndarray) -> str:
    """Where d is in an interval that begins or ends at an end of the grid."""
    first, last = d[zero][[0, -1]]
    if first == last:
        return f"d = {first:g}"
    return f"d ≥ {first:g}" if last == d[-1] else f"d ≤ {last:g}"


def _at_best(one: Entry) -> float:
    """The value of a batch whose positives coincide and whose negatives are opposite, or 2 apart."""
    labels = np.repeat(np.arange(3), 2)
    D = np.where(labels[:, None] == labels, 0.0, 2.0)
    if one.name in ("info_nce", "pairwise_sigmoid"):
        return float(one.thing(np.where(np.eye(3, dtype=bool), 0.0, 2.0))[0])
    if one.name == "matching":
        return float(losses.matching(D, labels[:, None] == labels)[0])
    if "targets" in one.thing.__wrapped__.__code__.co_varnames:  # type: ignore[attr-defined]
        return float(one.thing(D[:, ::2], labels)[0])
    return float(one.thing(D, labels)[0])


def toctree(names: list[str]) -> str:
    """The pages below an index."""
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"
