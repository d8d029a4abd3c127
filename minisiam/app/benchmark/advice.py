"""Which differences are not distinguishable, and what a beginner should choose: by rules, from the rows."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from . import protocol_text
from .methods import options
from .wording import percent

if TYPE_CHECKING:
    from .protocol import Protocol
    from .results import Row


def sections(protocol: Protocol, found: list[Row]) -> list[str]:
    """The two sections; none while there is no reference."""
    if not any(row.reference for row in found):
        return []
    return [
        f"## Which differences are not distinguishable\n\n{not_distinguishable(found)}",
        f"## What a beginner should choose\n\n{choice(protocol, found)}",
    ]


def not_distinguishable(found: list[Row]) -> str:
    """From the reference, and between all pairs of methods."""
    (reference,) = (row for row in found if row.reference)
    others = [row for row in found if row.alike and not row.reference]
    alike = [f"{row.method} ({_signed(100 * (row.score - reference.score))})" for row in others]
    pairs = list(combinations(range(len(found)), 2))
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for i, j in pairs:
        gaps[j + 1 in found[i].peers].append(100 * (found[i].score - found[j].score))
    parts = [
        f"From the reference, {reference.method}, in MAP@R, with the difference in points: "
        f"{', '.join(alike) or 'none of the others'}.",
        f"Of all {len(pairs):,} pairs of methods, {len(gaps[True]):,} are not distinguishable (Holm's correction over "
        "all pairs, so this test is weaker than the one against the reference).",
    ]
    if gaps[True]:
        parts.append(f"The largest difference among these is {max(gaps[True]):.1f} points.")
    if gaps[False]:
        parts.append(f"The smallest difference that is distinguishable is {min(gaps[False]):.1f} points.")
    return " ".join([*parts, "A better place alone is no evidence."])


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def beginners(found: list[Row]) -> list[Row]:
    """The methods not distinguishable from the reference, the best with the package's constants first."""
    return sorted((row for row in found if row.alike), key=lambda row: -row.package)


def choice(protocol: Protocol, found: list[Row]) -> str:
    """The method for a beginner, and the best of each kind."""
    one, *others = beginners(found)
    next_ones = [f"{row.method} ({100 * row.package:.1f} %)" for row in others[:2]]
    after = (
        f" Next: {', '.join(next_ones)}. One run of each, with one seed, is too little to separate them."
        if others
        else ""
    )
    best = {row.family: row for row in sorted(found, key=lambda row: row.validation)}  # the last of a family stays
    kinds = [f"{row.family}: {row.method} ({percent(row.means['map_at_r'])})" for row in found if row in best.values()]
    return (
        f"**{one.method}**: `minisiam train{protocol_text.data_option(protocol)} {' '.join(options(one.method))}`. Of "
        "the reference and the methods not distinguishable from it, it has the highest MAP@R on the validation set "
        f"with the package's constants, so it needs no search: {100 * one.package:.1f} % there, and "
        f"{100 * one.validation:.1f} % with the best of {protocol_text.trials_of(protocol)}.{after}\n\n"
        "If your data or your network decide what the loss can read, these have the best trial of their kind on the "
        f"validation set (in brackets MAP@R on the test set): {'; '.join(kinds)}."
    )
