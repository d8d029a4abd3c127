"""Figures in a page: matplotlib's SVG, with the fonts of the page and the colours of its light or dark mode."""

from __future__ import annotations

import hashlib
import html
import io
import re
from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from minisiam.plots.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from minisiam.typing import Array

# what a colour is called in static/figures.css, which has one for light and one for dark pages
VARIABLES = {
    "#000000": "currentColor",
    "#ffffff": "var(--color-background-primary)",
    **{colour.lower(): f"var(--figure-{number}, {colour.lower()})" for number, colour in enumerate(COLOURS) if number},
}
NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}
THUMBNAIL = (64, 28)  # its width and height


def inline(figure: Figure, alt: str) -> str:
    """A figure as an element of the page, with a text that says what it shows."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "minisiam"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=NO_DATE, bbox_inches="tight", pad_inches=0.03)
    svg = buffer.getvalue()
    svg = re.sub(
        r"^.*?(?=<svg)|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.S
    )
    svg = _short(_own_names(svg))
    svg = re.sub(r"#[0-9a-f]{6}", lambda found: VARIABLES.get(found[0], found[0]), svg)
    svg = re.sub(r"(font: [^;\"]*?\d+px) [^;\"]*", r"\1 var(--font-stack, sans-serif)", svg)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    start = f'<svg class="figure" role="img" aria-label="{html.escape(alt)}" viewBox="{box[1]}" fill="currentColor">'
    return re.sub(r"<svg[^>]*>", lambda _: start, svg, count=1).strip()


def _own_names(svg: str) -> str:
    """The names of clips and markers, which must differ between the figures of a page; other names are left out."""
    mine = hashlib.sha256(svg.encode()).hexdigest()[:6]
    svg = svg.replace("xlink:href", "href")
    names = {
        name: f"f{mine}{n}" for n, name in enumerate(dict.fromkeys(re.findall(r"(?:href=\"|url\()#([^\")]*)", svg)))
    }
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", svg)
    return re.sub(r"(href=\"|url\()#([^\")]*)", lambda found: f"{found[1]}#{names[found[2]]}", svg)


def _short(svg: str) -> str:
    """The same with coordinates to a tenth of a point, which is less than a pixel, and without spaces and defaults."""
    rounded = lambda found: f"{float(found[0]):.1f}".removesuffix(".0")
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(?<![#\w])-?\d+\.\d{2,}", rounded, tag[0]), svg)
    svg = re.sub(r"; stroke-linejoin: miter|; stroke-linecap: (?:square|butt|round)(?=[;\"])", "", svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def thumbnail(lines: list[tuple[Array, Array]], alt: str) -> str:
    """A few curves as a small element of the page; the second is dashed."""
    wide, high = THUMBNAIL
    left, right = min(x.min() for x, _ in lines), max(x.max() for x, _ in lines)
    low, top = min(0.0, *(float(y.min()) for _, y in lines)), max(float(y.max()) for _, y in lines)
    parts = []
    for (x, y), colour, dash in zip(lines, (1, 2), ("", ' stroke-dasharray="4 2"'), strict=False):
        across = 2 + (wide - 4) * (x - left) / (right - left)
        down = high - 2 - (high - 4) * (y - low) / ((top - low) or 1)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))
        hue = VARIABLES[COLOURS[colour].lower()]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{hue}" stroke-width="2"{dash}/>')
    axis = high - 2 - (high - 4) * (0 - low) / ((top - low) or 1)
    ground = f'<path d="M2,{axis:.1f}H{wide - 2}" stroke="#808080" stroke-width=".6"/>'
    name = html.escape(alt)
    start = f'<svg class="thumbnail" role="img" aria-label="{name}" viewBox="0 0 {wide} {high}">'
    return start + ground + "".join(parts) + "</svg>"


def words(x: Array, y: Array) -> str:
    """A curve in words: where it begins and ends, and its least and greatest value if they are between.

    >>> words(np.array([0.0, 1.0, 2.0]), np.array([2.0, 0.5, 2.0]))
    'from 2 at 0 to 2 at 2, with its least value 0.5 at 1'
    """
    text = f"from {_number(y[0])} at {_number(x[0])} to {_number(y[-1])} at {_number(x[-1])}"
    for name, at in (("least", int(np.argmin(y))), ("greatest", int(np.argmax(y)))):
        if not np.isclose(y[at], (y[0], y[-1]), atol=1e-3 * np.ptp(y)).any():
            text += f", with its {name} value {_number(y[at])} at {_number(x[at])}"
    return text


def _number(value: float) -> str:
    return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")
