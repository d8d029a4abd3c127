"""What the package knows about a loss beside its docstring: kinks, other libraries, comparisons, its source."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minisiam.app import conventions
from minisiam.app.benchmark import methods
from minisiam.app.conventions import compare, pml
from minisiam.gradcheck import kinks, reference, report

if TYPE_CHECKING:
    from .loss_catalogue import Entry

ROOT = Path(__file__).parent.parent.parent
# losses of pytorch-metric-learning that are an op with other constants or another name
THEIRS = {
    "contrastive": ("contrastive", "pair_hinge"),
    "triplet": ("triplet_hinge",),
    "margin": ("margin_loss",),
    "threshold_consistent": ("pair_hinge",),
    "intra_pair_variance": ("double_margin",),
    "signal_to_noise": ("pair_hinge",),
    "proxy_nca": ("softmax_cross_entropy", "matching"),
    "cosface": ("softmax_cross_entropy",),
    "normalized_softmax": ("softmax_cross_entropy",),
    "soft_triple": ("soft_triple_distance", "softmax_cross_entropy"),
}


# kinks


def kink_table(one: Entry) -> str:
    """The rows of the table of kinks for an op, as a Markdown table; "" if there are none."""
    rows = kinks.of(one.thing)
    if not rows:
        return ""
    names = [name for name, p in inspect.signature(one.thing).parameters.items() if p.kind is p.POSITIONAL_ONLY]
    lines = ["| where | input | value | gradient |", "|---|---|---|---|"]
    for row in rows:
        given = dict(zip(names, row.variables, strict=True)) | row.constants
        shown = ", ".join(f"{name} = {_plainly(value)}" for name, value in given.items())
        gradient = ", ".join(_plainly(g) for g in row.gradients)
        cells = (_escaped(row.where), f"`{shown}`", f"`{_plainly(row.value)}`", f"`{gradient}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _plainly(value: Any) -> str:
    """Numbers without the spaces and the final points that align the columns of a terminal."""
    text = re.sub(r"(?<=\[) +| +(?=[,\]])", "", report.show(value))
    return re.sub(r"(?<=\d)\.(?=[,\]]|$)", "", text)


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_|$<\[])", r"\\\1", text)


# other libraries


class Convention(NamedTuple):
    """What a library computes under a name, on the common batch.

    name, calls : its name here, and what the library calls it
    named : the description
    value, gradient : on the batch
    """

    name: str
    calls: str
    named: conventions.NamedLoss
    value: float
    gradient: float


@cache
def _batch() -> tuple[Any, Any]:
    return compare.example(np.random.default_rng(0))


@cache
def _all_conventions() -> tuple[tuple[tuple[str, ...], Convention], ...]:
    """Every convention, with the names of the ops on whose pages it stands."""
    found = []
    calls = {row.name: name for name, row in pml.LOSSES.items()}
    for loss, names in conventions.known().items():
        for name in names:
            known = None if name == "pml" else conventions.CONVENTIONS[loss][name]
            if known:
                same_name = "triplet_hinge" if loss == "triplet" else loss
                ops = tuple(dict.fromkeys((same_name, known.loss.__name__)))
            else:
                ops = THEIRS.get(loss, (loss,))
            found.append((ops, _computed(loss, name, known.calls if known else calls[loss])))
    return tuple(found)


def _computed(loss: str, name: str, calls: str) -> Convention:
    named = conventions.loss(loss, name)
    z, labels = _batch()
    if named.variables == ("z1", "z2"):
        arguments: tuple[Any, ...] = z, z + 0.1 * np.random.default_rng(1).normal(size=z.shape)
    elif len(named.variables) == 2:
        centres = 10 if loss == "soft_triple" else 1
        proxies = np.stack([z[labels == label].mean(axis=0) for label in np.unique(labels)]).repeat(centres, axis=0)
        proxies = proxies + 0.1 * np.random.default_rng(1).normal(size=proxies.shape) * (centres > 1)
        arguments = z, proxies, labels
    else:
        arguments = z, labels
    value, pullback = named(*arguments)
    return Convention(name, calls, named, float(value), float(np.linalg.norm(pullback(1.0)[0])))


def conventions_of(one: Entry) -> list[Convention]:
    """What other libraries and papers compute with this op or under its name."""
    if one.module != "losses":
        return []
    return [convention for ops, convention in _all_conventions() if one.name in ops]


def convention_table(some: list[Convention]) -> str:
    """Conventions under their formulas, their value and the length of the gradient on the common batch."""
    lines = []
    for formula in dict.fromkeys(convention.named.formula for convention in some):
        lines += [f"`{formula}`", "", "| convention | distance | constants | reduced over | value | ‖gradient‖ |"]
        lines += ["|---|---|---|---|---:|---:|"]
        for c in (convention for convention in some if convention.named.formula == formula):
            n = c.named
            distance = f"squared {n.distance}" if n.squared and "power" not in n.distance else n.distance
            where = "" if n.distance == "cosine" else " of normalised rows" if n.normalized else " of raw rows"
            cells = [c.name, distance + where, n.margin or "none", n.reduction, f"{c.value:.4f}", f"{c.gradient:.4f}"]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    for c in some:
        note = f"; {c.named.note}" if c.named.note else ""
        lines.append(f"- {c.name}: `{c.calls}`. {_escaped(c.named.source + note)}")
    return "\n".join(lines) + "\n"


# the comparison on one protocol


class Compared(NamedTuple):
    """A row of docs/comparison.md."""

    rank: str
    name: str
    reads: str
    map_at_r: str
    one_shot: str
    p: str
    bold: bool

    @property
    def loss(self) -> str:
        """The loss of the method, without its miner."""
        return methods.loss_of(self.name)


@cache
def comparison() -> tuple[str, tuple[Compared, ...]]:
    """The conditions and the rows of docs/comparison.md."""
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].isdigit():
            rank, name, reads, _, score, _, _, error, p, *_ = cells
            rows.append(Compared(rank, name.strip("*"), reads, score, error, p, name.startswith("**")))
    return text.splitlines()[2], tuple(rows)


# source


def source_of(thing: Any) -> str:
    """The source of a function without its docstring, and of the private functions of its module that it calls."""
    function = inspect.unwrap(thing)
    module = inspect.getmodule(function)
    parts, waiting, seen = [], [function], set()
    while waiting:
        one = waiting.pop(0)
        if one in seen:
            continue
        seen.add(one)
        parts.append(_without_docstring(one) if one is function else _plain(one))
        called = [name for name in _names(one) if name.startswith("_") and not name.startswith("_check")]
        helpers = [getattr(module, name, None) for name in called]
        waiting += [f for f in helpers if inspect.isfunction(f) and inspect.getmodule(f) is module]
    return "\n\n\n".join(parts)


def _names(function: Any) -> list[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return list(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))


def _without_docstring(function: Any) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    (definition,) = ast.parse("\n".join(lines)).body
    assert isinstance(definition, ast.FunctionDef)
    first = definition.body[0]
    if ast.get_docstring(definition) is not None:
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def _plain(function: Any) -> str:
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def reference_of(one: Entry) -> str:
    """The definition that an op is tested against, without what the test needs besides."""
    definition = reference.DEFINITIONS[one.name]
    module = inspect.getmodule(definition)
    parts, waiting, seen = [], [definition], set()
    while waiting:
        function = waiting.pop(0)
        if function in seen:
            continue
        seen.add(function)
        parts.append(_undecorated(function))
        helpers = [getattr(module, name, None) for name in _names_below(function) if name.startswith("_")]
        waiting += [f for f in helpers if inspect.isfunction(f) and inspect.getmodule(f) is module]
    return "\n\n\n".join(parts)


def _names_below(function: Any) -> list[str]:
    tree = ast.parse(_undecorated(function))
    return list(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))


def _undecorated(function: Any) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    (definition,) = ast.parse("\n".join(lines)).body
    return re.sub(r"  # noqa: \w+", "", "\n".join(lines[definition.lineno - 1 :]))


def place_of(thing: Any) -> str:
    """The file of a function in the repository."""
    return Path(inspect.getsourcefile(inspect.unwrap(thing)) or "").relative_to(ROOT).as_posix()
