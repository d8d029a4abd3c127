"""Colours, markers and axes that all figures share, and text from outside, which is drawn as it is.

Class names and titles may be anything: a formula to matplotlib ("$$"), a name that it leaves out of a legend
("_x"), too long, or in characters that the font lacks. `drawable` makes one line that fits and can be drawn, `heading`
breaks a title into lines, `legend` names whatever it is given, and `finished` makes all text of a figure literal.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

# ordered from dark to light, so that neighbours also differ in grey
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = "osD^vP*X"
SAME, DIFFERENT = COLOURS[1], COLOURS[5]
LONGEST = 3.6  # inches of a name in letters of ten points
TITLE_LINES = 4

Drawn = TypeVar("Drawn", bound=Figure)


def plain(axes: Axes) -> None:
    """Remove the frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def drawable(text: object, inches: float = LONGEST) -> str:
    """Return one line that fits into a width; the middle of a longer text is left out.

    A character that no installed font has is written as its escape, as on a terminal that cannot show it.
    """
    line = _with_fonts(re.sub(r"[\t\n\v\f\r]+", " ", str(text)))
    width = width_of([line])
    if width <= inches:
        return line
    kept = int(len(line) * inches / width) - 1
    return f"{line[: kept - kept // 3]}…{line[len(line) - kept // 3 :]}"


def heading(text: object, inches: float, size: float = 12, most: int = TITLE_LINES) -> str:
    """Return a title in at most so many lines that fit into a width, in letters of `size` points."""
    lines = []
    for line in map(_with_fonts, str(text).expandtabs(4).splitlines()):
        width = 1.05 * width_of([line], size)
        lines += textwrap.wrap(line, max(1, int(len(line) * inches / width))) if width > inches else [line]
    return "\n".join(lines[:most]) + ("…" if len(lines) > most else "")


def legend(owner: Axes | Figure, keys: Iterable[tuple[Any, object]], **style: Any) -> Legend:
    """Return a legend with every pair of an artist and its name; matplotlib leaves out names such as "_x"."""
    artists, names = zip(*keys, strict=True) if (keys := list(keys)) else ((), ())
    found = owner.legend(artists, [f"{number}" for number in range(len(artists))], **style)
    for label, name in zip(found.get_texts(), names, strict=True):
        label.set_text(str(name))
    return found


def finished(figure: Drawn) -> Drawn:
    """Return the figure with all its text literal: without formulas, and in fonts that have its characters."""
    for text in figure.findobj(Text):
        if not text.get_text():  # numbers of an axis, which matplotlib fills in
            continue
        text.set_parse_math(False)
        more = {font for font in map(_font_with, set(text.get_text())) if font}
        if more:
            text.set_fontfamily([*text.get_fontfamily(), *sorted(more)])
    return figure


def width_of(names: Sequence[str], size: float = 10) -> float:
    """Return the width in inches of the longest of these names, in letters of `size` points."""
    return max((sum(map(_em, name)) for name in names), default=0.0) * size / 72


def _with_fonts(line: str) -> str:
    """The line with an escape in place of each character that no font has, and of each control character."""
    return "".join(
        letter if letter.isprintable() and _font_with(letter) is not None else _escape(letter) for letter in line
    )


def _escape(letter: str) -> str:
    return "" if unicodedata.category(letter) == "Cf" else letter.encode("unicode_escape").decode()


@cache
def _font_with(letter: str) -> str | None:
    """The family of an installed font that has a character: "" if the default font has it, None if there is none."""
    if letter == "\n" or any(_has(findfont(FontProperties(family=[family])), letter) for family in _default()):
        return ""
    others = {font.name: font.fname for font in fontManager.ttflist if "LastResort" not in font.fname}
    return next((name for name, path in sorted(others.items()) if _has(path, letter)), None)


@cache
def _em(letter: str) -> float:
    """The width of a character, in units of the size of its letters."""
    font = get_font(findfont(FontProperties(family=_default())))
    if not font.get_char_index(ord(letter)):
        return 1.0
    font.set_size(100, 72)
    return font.load_char(ord(letter)).linearHoriAdvance / 65536 / 100


def _default() -> list[str]:
    return matplotlib.rcParams["font.family"]


def _has(path: str, letter: str) -> bool:
    """Whether a font has a character; bitmap fonts, such as those of colour emoji, cannot be drawn."""
    font = get_font(path)
    return bool(font.scalable and font.get_char_index(ord(letter)))
