"""Slides of each lesson, from its page:   build/site/slides/NN_name.html

Nothing is written for them. A heading begins a slide; of each paragraph the first sentence is shown and the whole is in
the speaker's notes; formulas, tables, lists, short code and figures are shown as they are. Reveal.js turns the slides:
arrows or space; S opens the notes, O the overview, and ?print-pdf after the address prints them.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup, NavigableString, Tag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = 15  # the longest code that is shown
ROOM = 13  # lines of text on a slide
WIDTH = 62  # characters in a line
SENTENCE = re.compile(r"[.?!](?=\s|$)")
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · slides · minisiam</title>
<link rel="icon" href="../_static/favicon.svg">
<link rel="stylesheet" href="../_static/vendor/reveal/reveal.css">
<link rel="stylesheet" href="../_static/vendor/katex/katex.min.css">
<link rel="stylesheet" href="../_static/pygments.css">
<link rel="stylesheet" href="../_static/slides.css">
</head>
<body>
<main class="reveal"><div class="slides">
{slides}
</div></main>
<script src="../_static/vendor/reveal/reveal.js"></script>
<script src="../_static/vendor/reveal/notes.js"></script>
<script src="../_static/slides.js"></script>
</body>
</html>
"""


def write(site: Path) -> None:
    """Write the slides of all lessons of a built site."""
    out = site / "slides"
    out.mkdir(exist_ok=True)
    for page in sorted((site / "lessons").glob("[0-9][0-9]_*.html")):
        (out / page.name).write_text(slides_of(page.read_text(encoding="utf-8"), page.name), encoding="utf-8")


def slides_of(page: str, name: str) -> str:
    """The slides of a page, as a page."""
    article = BeautifulSoup(page, "html.parser").select_one("article > section, article section")
    for part in article.select(".headerlink, .downloads, .cell-tools, .katex-mathml, script"):
        part.decompose()
    for picture in article.select("img[src]"):
        picture["src"] = "../lessons/" + picture["src"]
    for link in article.select("a"):
        link.unwrap()
    groups = "\n".join(group(section, f"../lessons/{name}") for section in [article, *article.find_all("section")])
    return PAGE.format(title=html.escape(article.find(["h1", "h2"]).get_text(" ", strip=True)), slides=groups)


def group(section: Tag, page: str) -> str:
    """The slides below one heading, one under the other."""
    heading = section.find(["h1", "h2", "h3"])
    shown: list[list[str]] = [[]]
    notes: list[list[str]] = [[]]
    used = 0.0
    for part, needed, note in parts(section):
        if shown[-1] and used + needed > ROOM:
            shown.append([])
            notes.append([])
            used = 0
        shown[-1].append(part)
        notes[-1].append(note)
        used += needed
    title = heading.decode_contents()
    slides = [
        f"<section>\n<h2>{title}</h2>\n{''.join(some)}\n<aside class='notes'>{''.join(said)}</aside>\n</section>"
        for some, said in zip(shown, notes, strict=True)
    ]
    if heading.name == "h1":
        slides[-1] = slides[-1].replace("<aside", f'<p class="source"><a href="{page}">the lesson</a></p>\n<aside', 1)
    return f"<section>\n{''.join(slides)}\n</section>"


def parts(section: Tag) -> Iterator[tuple[str, float, str]]:
    """What a section shows: the HTML, about how many lines it takes, and the speaker's note."""
    for child in section.find_all(recursive=False):
        kinds = child.get("class", [])
        if child.name == "p":
            sentence = first_sentence(child)
            yield f"<p>{sentence}</p>", height(sentence), str(child)
        elif child.name in ("ul", "ol", "blockquote"):
            yield str(child), height(str(child)), ""
        elif "math" in kinds or "math-wrapper" in kinds:
            yield str(child), 3, ""
        elif child.name == "section":
            continue
        elif child.find("table"):
            yield str(child), 2 + sum(map(row_height, child.find_all("tr"))), ""
        elif "cell" in kinds:
            yield from of_cell(child)
        elif child.find("pre"):
            yield code(child.pre), code_height(child.pre), ""


def of_cell(cell: Tag) -> Iterator[tuple[str, float, str]]:
    """The code of a cell, if it is short, what it prints, and its figures."""
    source = cell.select_one(".cell_input pre")
    if source and lines(source) <= LINES and not source.get_text().startswith(("from ", "import ")):
        yield code(source), code_height(source), ""
    for output in cell.select(".cell_output .stream pre"):
        yield code(output, "printed"), code_height(output), ""
    for picture in cell.select(".cell_output img"):
        yield f"<figure>{picture}</figure>", ROOM, ""


def code(pre: Tag, kind: str = "highlight") -> str:
    """Code or output."""
    return f"<pre class='{kind}'>{pre.decode_contents().rstrip()}</pre>"


def code_height(pre: Tag) -> float:
    """About how many lines of text a block of code takes."""
    return 1 + 0.75 * lines(pre)


def lines(pre: Tag) -> int:
    """The lines of code or output."""
    return len(pre.get_text().rstrip().splitlines())


def first_sentence(paragraph: Tag) -> str:
    """The first sentence of a paragraph, with its maths and emphasis; a colon does not end it."""
    kept: list[str] = []
    for child in paragraph.children:
        if isinstance(child, NavigableString) and (end := SENTENCE.search(str(child))):
            return "".join([*kept, html.escape(str(child)[: end.end()], quote=False)])
        kept.append(html.escape(str(child), quote=False) if isinstance(child, NavigableString) else str(child))
    return "".join(kept)


def height(part: str) -> int:
    """About how many lines a text takes: its characters, without tags."""
    soup = BeautifulSoup(part, "html.parser")
    items = soup.find_all("li") or [soup]
    return sum(1 + len(item.get_text()) // WIDTH for item in items)


def row_height(row: Tag) -> int:
    """About how many lines a row of a table takes."""
    cells = row.find_all(["td", "th"])
    return 1 + max((len(cell.get_text()) * len(cells) // (2 * WIDTH) for cell in cells), default=0)
