"""One name, many functions: "the triplet loss" and "the contrastive loss" of well-known code, on one batch.

    rows = compare.table(z, labels)          what each means by the name, its value, and the length of its gradient
    print(compare.text(rows))                the same as text

To carry a result from one library to another one has to know which of these functions it was.
"""

from __future__ import annotations

import json
import re
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import require
from .. import conventions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ...typing import Array, Float, Generator, Int

PML = {"triplet": "TripletMarginLoss()", "contrastive": "ContrastiveLoss()"}
PORTING = """\
To port a result take its row: {call} is that function of the
embeddings, and margin=…, distance=…, normalize=…, reduction=… each change one thing. A margin is in the units of its
distance: for normalised embeddings, where d² = 2 − 2 cos θ, a margin of 0.2 means three different things on d, on d²
and on 1 − cos θ. A mean over the terms above 0 need not fall while a network learns, and a gradient that is twice as
long needs half the learning rate, unless the optimizer divides it out, as Adam does."""
HEADINGS = ("convention", "distance", "rows", "margin", "reduced over", "value", "‖gradient‖")
WIDTH = 112


class Row(NamedTuple):
    """One meaning of a name, and its value on a batch.

    loss, convention : `conventions.loss(loss, convention)` is this function
    calls : its name in its library
    formula, distance, squared, normalized, margin, reduction : as in `NamedLoss`
    value, gradient : on the batch; the gradient as its length ‖dz‖
    source, note : the code or paper, and remaining differences
    """

    loss: str
    convention: str
    calls: str
    formula: str
    distance: str
    squared: bool
    normalized: bool
    margin: str
    reduction: str
    value: float
    gradient: float
    source: str
    note: str


def table(z: Float[Array, "n d"], labels: Int[Array, "n"]) -> list[Row]:
    """Every convention of the triplet and of the contrastive loss, on one batch.

    Parameters
    ----------
    z
        (n, d) embeddings; computed in float64.
    labels
        (n,) classes, of which one has two images or more.

    Returns
    -------
    list of Row
    """
    require.dimensions(2, "(n, d), one embedding a row", z=z)
    require.class_labels(labels, len(z))
    return [
        _row(name, convention, np.asarray(z, np.float64), labels)
        for name in conventions.CONVENTIONS
        for convention in conventions.known()[name]
    ]


def _row(name: str, convention: str, z: Array, labels: Array) -> Row:
    named = conventions.loss(name, convention)
    calls = PML[name] if convention == "pml" else conventions.CONVENTIONS[name][convention].calls
    value, pullback = named(z, labels)
    (dz,) = pullback(1.0)
    return Row(
        name,
        convention,
        calls,
        named.formula,
        named.distance,
        named.squared,
        named.normalized,
        re.sub(r"\w*margin ", "", named.margin),
        named.reduction,
        float(value),
        float(np.linalg.norm(dz)),
        named.source,
        named.note,
    )


def text(rows: list[Row]) -> str:
    """The rows as text: under each formula those that compute it, then their sources, and how to port a result."""
    parts = []
    for name in dict.fromkeys(row.loss for row in rows):
        some = [row for row in rows if row.loss == name]
        parts.append(f"“The {name} loss”, as {len(some)} libraries, examples and papers have it, on one batch.")
        for formula in dict.fromkeys(row.formula for row in some):
            lines = [_line(*_cells(row)) for row in some if row.formula == formula]
            parts.append("\n".join([fill(formula, WIDTH), _line(*HEADINGS), *lines]))
        parts.append("\n".join(_who(row) for row in some))
    call = f'conventions.loss("{rows[0].loss}", convention="{rows[0].convention}")' if rows else "conventions.loss(…)"
    return "\n\n".join([*parts, PORTING.format(call=call)])


def _cells(row: Row) -> tuple[str, ...]:
    distance = f"squared {row.distance}" if row.squared and "power" not in row.distance else row.distance
    where = "normalised" if row.normalized else "raw"
    return row.convention, distance, where, row.margin, row.reduction, f"{row.value:.4f}", f"{row.gradient:.4f}"


def _line(convention: str, distance: str, rows: str, margin: str, over: str, value: str, gradient: str) -> str:
    return f"  {convention:32} {distance:10} {rows:10} {margin:6} {over:31} {value:>9} {gradient:>10}"


def _who(row: Row) -> str:
    words = f"{row.convention}: {row.calls}. {row.source}" + (f"; {row.note}" if row.note else "")
    return fill(words, WIDTH, initial_indent="  ", subsequent_indent="      ")


def run(z: Array, labels: Array, say: Callable[[str], Any] = print, as_json: bool = False) -> None:
    """`minisiam compare`: the table of a batch, or its rows as JSON."""
    rows = table(z, labels)
    say(json.dumps([row._asdict() for row in rows], indent=2, allow_nan=False) if as_json else text(rows))


def example(rng: Generator) -> tuple[Array, Array]:
    """Twelve points of four classes in eight dimensions that overlap, as a batch does in the middle of training."""
    labels = np.repeat(np.arange(4), 3)
    return rng.normal(size=(4, 8))[labels] + 0.7 * rng.normal(size=(12, 8)), labels


def load(path: Path) -> tuple[Array, Array]:
    """Embeddings and labels from an .npz file with the arrays "embeddings" (or "z") and "labels"."""
    with np.load(path, allow_pickle=False) as stored:
        name = "z" if "z" in stored else "embeddings"
        missing = [key for key in (name, "labels") if key not in stored]
        if missing:
            raise ValueError(
                f"{path} has no array {missing[0]!r}: save it with np.savez(path, embeddings=z, labels=labels)"
            )
        return np.asarray(stored[name], np.float64), stored["labels"]
