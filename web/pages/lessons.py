"""The lessons and the museum: their scripts, with downloads and links to the exercises that belong to them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jupytext

from . import staging

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FOLDERS = ("lessons", "lessons/museum")
ONE_PAGE = ROOT / "lessons" / "siam.py"
LISTING = """\
# A siamese network on one page

NumPy, and nothing else. {download}`Download siam.py </downloads/lessons/siam.py>` and run it with `python siam.py`: it
trains for a few seconds, and then recognises letters that it has never seen.

```{literalinclude} /downloads/lessons/siam.py
:language: python
```
"""
START = r"#     minisiam learn start ([a-z0-9-]+).*\n"


def write(folder: Path) -> None:
    """Write the pages and their indexes, and below `downloads` the scripts and notebooks to download."""
    for name in FOLDERS:
        scripts = sorted((ROOT / name).glob("[0-9]*.py"), key=lambda script: int(script.stem.partition("_")[0]))
        for script in scripts:
            write_lesson(folder, name, script)
        index = staging.linked((ROOT / name / "README.md").read_text(encoding="utf-8"))
        pages = [script.stem for script in scripts] + ["siam", "museum/index"] * (name == "lessons")
        index = index.replace("](siam.py)", "](siam.md)")
        (folder / name / "index.md").write_text(index + toctree(pages), encoding="utf-8")
    write_one_page(folder)


def write_one_page(folder: Path) -> None:
    """Write the page of the network on one page: the script, which is a file to read and not cells to run."""
    shutil.copyfile(ONE_PAGE, folder / "downloads" / "lessons" / ONE_PAGE.name)
    (folder / "lessons" / "siam.md").write_text(LISTING, encoding="utf-8")


def write_lesson(folder: Path, name: str, script: Path) -> None:
    """Write one page and its downloads."""
    text = script.read_text(encoding="utf-8")
    page, downloads = folder / name / script.name, folder / "downloads" / name
    for place in (page.parent, downloads):
        place.mkdir(parents=True, exist_ok=True)
    page.write_text(with_links(text, name, script.stem), encoding="utf-8")
    shutil.copyfile(script, downloads / script.name)
    (downloads / f"{script.stem}.ipynb").write_text(notebook(text), encoding="utf-8")


def with_links(text: str, name: str, stem: str) -> str:
    """The script with links to its downloads below its first cell, and with links to the exercises that it names."""
    first, marker, rest = text.partition("\n\n# %%\n")
    return first + download_links(name, stem) + marker + re.sub(f"(?:{START})+", with_exercises(name), rest + "\n")


def download_links(name: str, stem: str) -> str:
    """A line of Markdown, as a comment of the script, with the downloads of a page, and the slides of a lesson."""
    files = (f"{{download}}`{stem}.{kind} </downloads/{name}/{stem}.{kind}>`" for kind in ("py", "ipynb"))
    slides = f' · <a href="../slides/{stem}.html">Slides</a>' * (name == "lessons")
    return f"\n#\n# {{.downloads}}\n# Download: {' · '.join(files)}{slides}"


def with_exercises(name: str) -> Callable[[re.Match[str]], str]:
    """A replacement of the commands that start exercises: the commands, and links to the pages of the exercises."""
    up = "../" * (name.count("/") + 1)

    def linked(commands: re.Match[str]) -> str:
        names = re.findall(START, commands[0])
        links = ", ".join(f"[{exercise}]({up}exercises/{exercise}.md)" for exercise in names)
        return f"{commands[0]}#\n# Or in the browser: {links}.\n"

    return linked


def notebook(text: str) -> str:
    """The script as a Jupyter notebook; the same script always gives the same text."""
    made = jupytext.reads(text, fmt="py:percent")
    made.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    return jupytext.writes(made, fmt="ipynb")


def toctree(pages: list[str]) -> str:
    """The pages in their order, for the menu and for previous and next."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
