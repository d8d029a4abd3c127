"""Numbers and constants as the page of a comparison writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...analysis.statistics import Mean

ALPHA = 0.05
SYMBOLS = {"temperature": "τ", "alpha": "α", "beta": "β"}


def percent(found: Mean) -> str:
    """A mean and its interval in per cent; a single run has no interval."""
    return f"{100 * found.value:.1f}" + ("" if found.half != found.half else f" ± {100 * found.half:.1f}")


def as_ranges(places: tuple[int, ...]) -> str:
    """Whole numbers in ascending order as text.

    >>> as_ranges((1, 2, 3, 5))
    '1–3, 5'
    """
    ends: list[list[int]] = []
    for place in places:
        if ends and ends[-1][1] == place - 1:
            ends[-1][1] = place
        else:
            ends.append([place, place])
    return ", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in ends)


def in_words(constants: dict[str, Any]) -> str:
    """Constants as text."""
    return ", ".join(_in_words(name, value) for name, value in constants.items())


def _in_words(name: str, value: Any) -> str:
    if name == "distance":
        return str(value)
    if name == "normalize":
        return "unit vectors" if value else "raw vectors"
    if name == "miner":
        return str(value)
    if name == "mining":
        return f"mining with ε {value:g}"
    if name == "temperature" and value < 1 and abs(1 / value - round(1 / value)) < 1e-9 and round(1 / value) > 10:
        return f"τ 1/{round(1 / value)}"
    return f"{SYMBOLS.get(name, name.replace('_', ' '))} {value:.3g}"
