"""The licences page: what the site contains besides minisiam, read from the vendored files themselves."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from email.message import Message

WEB = Path(__file__).parents[1]
VENDOR = WEB.parent / "build" / "vendor"
PLAN = tomllib.loads((WEB / "vendored.toml").read_text(encoding="utf-8"))
THEME = ("furo", "sphinx", "sphinx-basic-ng")  # their scripts and styles are in every page
HEAD = """\
# Licences

minisiam is MIT; the letter skeletons of its built-in data come from two fonts, whose licences are
{download}`DejaVu <licences/dejavu.txt>` and {download}`STIX <licences/stix.txt>`. The site contains the following works
of others, each under its own licence. They are downloaded when the site is built, in pinned versions, and the scripts,
fonts and wheels are compared with a SHA-256. Nothing of them is changed, except that the editor's modules are bundled
into one file and KaTeX's style names one format of its fonts. The pages load nothing from other servers.

| work | version | licence | text |
|---|---|---|---|
"""


class Work(NamedTuple):
    """A work of others, with the text of its licence."""

    name: str
    version: str
    licence: str
    text: str


def write(folder: Path) -> None:
    """Write the page, and a file for the text of each licence."""
    texts = folder / "licences"
    texts.mkdir()
    for name in ("DEJAVU", "STIX"):
        source = WEB.parent / "minisiam" / "datasets" / f"LICENSE_{name}"
        (texts / f"{name.lower()}.txt").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    rows = [
        pyodide(),
        "| CPython (inside Pyodide) | 3.14 | PSF-2.0 | [docs.python.org](https://docs.python.org/3/license.html) |",
    ]
    works = [*wheels(), *packages(), *map(of_theme, THEME)]
    for work in sorted(works, key=lambda work: work.name.lower()):
        file = re.sub(r"\W+", "-", work.name.lower()).strip("-")
        (texts / f"{file}.txt").write_text(work.text, encoding="utf-8")
        rows.append(f"| {work.name} | {work.version} | {work.licence} | {{download}}`text <licences/{file}.txt>` |")
    (folder / "licences.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def pyodide() -> str:
    """The row of Pyodide, whose package on npm has no text of its licence."""
    plan = PLAN["pyodide"]
    version, licence = plan["version"], plan["licence"]
    source = f"https://github.com/pyodide/pyodide/tree/{version}"
    return f"| Pyodide | {version} | {licence} | [source and licence]({source}) |"


def wheels() -> list[Work]:
    """The wheels that run in the page."""
    return [of_wheel(path) for path in sorted((VENDOR / "pyodide").glob("*.whl"))]


def of_wheel(path: Path) -> Work:
    """A wheel, from its metadata."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        metadata = Parser().parsestr(wheel.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode())
        files = [name for name in names if re.search(r"\.dist-info/(licenses/)?(LICEN[CS]E|COPYING)[^/]*$", name, re.I)]
        text = "\n\n".join(wheel.read(name).decode("utf-8", "replace") for name in files)
    return Work(metadata["Name"], metadata["Version"], licence_of(metadata), text)


def licence_of(metadata: Message) -> str:
    """The licence's name: an SPDX expression, the classifiers, or the short field."""
    classifiers = metadata.get_all("Classifier") or []
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    return metadata["License-Expression"] or " or ".join(named) or metadata["License"]


def packages() -> list[Work]:
    """The packages from npm, apart from those that only build and test the site."""
    names = [package["name"] for package in PLAN["npm"] if package.get("shipped", True)]
    return [of_package(VENDOR / "node_modules" / name) for name in names]


def of_package(folder: Path) -> Work:
    """A package of npm, from its package.json."""
    described = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("LICEN*"))]
    return Work(described["name"], described["version"], described["license"], "\n\n".join(texts))


def of_theme(name: str) -> Work:
    """An installed package whose scripts and styles are in every page."""
    found = importlib.metadata.distribution(name)
    files = [file for file in found.files or [] if re.search(r"LICEN[CS]E", file.name, re.I)]
    text = "\n\n".join(file.read_text(encoding="utf-8") for file in files)
    return Work(name, found.version, licence_of(found.metadata), text)  # type: ignore[arg-type]
