"""The site as a whole: links, search, first paint, size, looks, and reading without a server."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
PAGES = (  # one of each kind
    "index.html",
    "lessons/index.html",
    "lessons/04_contrastive.html",
    "exercises/index.html",
    "exercises/contrastive.html",
    "play/index.html",
    "play/train.html",
    "play/draw.html",
    "losses/index.html",
    "losses/contrastive.html",
    "api/losses.html",
    "docs/teaching.html",
)
each_page = pytest.mark.parametrize("path", PAGES)
LIMIT = 300_000  # bytes of a page without Python
PYTHON = "python.js"  # the script that starts Python


class Links(HTMLParser):
    """The addresses that a page names, and the places that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places.update(found[name] for name in ("id", "name") if found.get(name))
        self.addresses.update(found[name] for name in ("href", "src") if found.get(name))


@pytest.fixture(scope="session")
def pages(site):
    """The links of every page."""
    return {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_internal_link_leads_somewhere(pages, site):
    broken = []
    for path, links in pages.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                broken.append(f"{path.relative_to(site)}: {address}")
    assert broken == []


def test_no_page_names_an_asset_of_another_computer(pages):
    """Links may lead elsewhere; scripts, styles, fonts and pictures may not come from elsewhere."""
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert 'src="http' not in text, path
        assert 'rel="stylesheet" type="text/css" href="http' not in text, path


def test_a_page_without_python_is_small(watched, pages, site):
    paths = [path for path in pages if PYTHON not in path.read_text(encoding="utf-8") and "_modules" not in path.parts]
    largest = max(paths, key=lambda path: path.stat().st_size)
    for path in {largest, site / "docs" / "teaching.html", site / "docs" / "papers.html"}:
        seen = watched()
        sizes = []
        seen.page.on("response", lambda response: sizes.append(len(response.body())))  # noqa: B023
        seen.open(path.relative_to(site).as_posix())
        seen.page.wait_for_load_state("networkidle")
        print(f"{path.relative_to(site)}: {sum(sizes) / 1000:.0f} kB")
        assert sum(sizes) < LIMIT, path


def test_the_first_page_is_visible_at_once_and_loads_no_python(watched):
    times = []
    for _ in range(5):
        seen = watched()
        seen.open("index.html")
        seconds = seen.first_paint()
        assert not any("pyodide" in address for address in seen.asked)
        times.append(seconds / seen.slower())
        seen.context.close()
    print(f"first paint {min(times):.2f} s")
    assert min(times) <= 0.3


@pytest.mark.parametrize(
    "word, page", [("contrastive", "losses/contrastive.html"), ("collapse", "lessons/09_collapse.html")]
)
def test_search_finds_the_page(watched, word, page):
    seen = watched()
    seen.open("index.html")
    seen.page.locator("input[name=q]").first.fill(word)
    seen.page.keyboard.press("Enter")
    seen.page.locator(f'#search-results a[href^="{page}"]').first.wait_for()


def test_reading_maths_and_search_work_without_a_server(browser, site):
    page = browser.new_context().new_page()
    page.goto((site / "losses" / "contrastive.html").as_uri())
    assert page.locator(".katex-html").first.is_visible()
    assert page.get_by_text("needs a local server").first.is_visible()
    page.goto((site / "search.html").as_uri() + "?q=contrastive")
    page.locator("#search-results a").first.wait_for()


@each_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_looks_right_at_every_width(watched, path, scheme):
    """The pictures are for people: build/screenshots/. A page is never wider than its window."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width in (390, 800, 1400):
        seen = watched(width=width, scheme=scheme)
        seen.open(path)
        seen.page.wait_for_load_state("networkidle")
        assert not seen.is_too_wide(), width
        name = path.removesuffix(".html").replace("/", "-")
        seen.page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=width == 390)


@each_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(watched, path, scheme):
    """What axe-core finds by itself: labels, roles, contrast of AA."""
    seen = watched(scheme=scheme)
    seen.open(path)
    seen.page.add_script_tag(path=ROOT / "build" / "vendor" / "node_modules" / "axe-core" / "axe.min.js")
    # the text inside the editor's scroller can have the focus, which axe-core does not see
    found = seen.page.evaluate("axe.run({ exclude: ['.cm-scroller'] }, { runOnly: ['wcag2a', 'wcag2aa'] })")
    broken = {rule["id"]: [node["html"][:120] for node in rule["nodes"][:4]] for rule in found["violations"]}
    assert broken == {}, "\n".join(f"{name}: {nodes}" for name, nodes in broken.items())


def test_a_page_can_be_printed(watched):
    seen = watched()
    seen.open("lessons/04_contrastive.html")
    seen.page.emulate_media(media="print")
    assert not seen.page.locator(".sidebar-drawer").is_visible()
    assert not seen.page.locator(".cells-bar").is_visible()
