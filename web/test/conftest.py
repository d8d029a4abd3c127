"""A real Chromium, cut off from everything but this computer:   pytest web/test [--site FOLDER]"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

sys.path[:0] = [str(Path(__file__).parents[1])]
from serve import SITE, serving  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome")  # those of web/chromium.sh
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
LATE = 120_000  # milliseconds; a busy machine may be slow
BARE = 3.7  # seconds that Pyodide with NumPy alone takes to start where the seconds of the site were reached
START = """() => new Promise((done, fail) => {
    const text = `import { loadPyodide } from "${location.origin}/pyodide/pyodide.mjs";
        const begin = performance.now();
        await loadPyodide({ packages: ["numpy"] });
        postMessage((performance.now() - begin) / 1000);`;
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(address, { type: "module" });
    worker.onmessage = ({ data }) => done(data);
    worker.onerror = ({ message }) => fail(message);
})"""


class Watched:
    """A page of the site, the requests that left this computer, and the errors on the console.

    `page` is Playwright's page. `outside` has the requests to other hosts, which were aborted; `asked` all.
    """

    def __init__(self, browser, url, width=1200, scheme="light", **options):
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        self.context.set_default_timeout(LATE)
        self.outside, self.asked, self.errors, self.url = [], [], [], url
        self.context.route(lambda address: urlsplit(address).hostname not in ("127.0.0.1", None), self._abort)
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page = self.context.new_page()
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.errors.append(said.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _abort(self, route):
        self.outside.append(route.request.url)
        route.abort()

    def open(self, path):
        """Go to a page, for example `exercises/l2.html`."""
        self.page.goto(f"{self.url}/{path}")
        return self.page

    def first_paint(self):
        """Seconds until something was visible."""
        self.page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        return self.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000

    def slower(self):
        """How many times slower than that machine this one is now, by the start of Pyodide alone; at least 1."""
        return max(1, self.page.evaluate(START) / BARE)

    def is_too_wide(self):
        """Whether the page has to be scrolled sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth > innerWidth")

    def close(self):
        """Close the page; it must have made no request to another host and have logged no error."""
        self.context.close()
        assert self.outside == []
        assert self.errors == []


def pytest_addoption(parser):
    parser.addoption("--site", type=Path, default=SITE, help="the folder of the built site")


@pytest.fixture(scope="session")
def site(request):
    """The folder of the site."""
    return request.config.getoption("--site").resolve()


@pytest.fixture(scope="session")
def url(site):
    """The address of the site."""
    with serving(site) as found:
        yield found


@pytest.fixture(scope="session")
def browser():
    """Chromium."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def watched(browser, url):
    """A function that opens a watched page, as watched(width=390, scheme="dark"); all are closed after the test."""
    pages = []

    def make(**options):
        pages.append(Watched(browser, url, **options))
        return pages[-1]

    yield make
    for page in pages:
        page.close()
