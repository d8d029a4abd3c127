"""The folder with the sources of all pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder; a README becomes the index of its folder, and links to it follow."""
    if source.is_dir():
        for path in source.iterdir():
            copy(path, target / path.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".md":
        target.write_text(linked(source.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def linked(text: str) -> str:
    """Markdown whose links lead to pages: to the index of a folder, not to the folder or its README."""
    return re.sub(r"\]\(((?:[\w.-]+/)+|(?=README))(?:README\.md)?(#[^)]*)?\)", r"](\1index.md\2)", text)


def synchronize(new: Path, old: Path) -> None:
    """Make the folder `old` equal to `new`, without touching equal files, so that Sphinx reads only changes."""
    for path in sorted(old.rglob("*")):
        if path.is_file() and not (new / path.relative_to(old)).is_file():
            path.unlink()
    for path in sorted(new.rglob("*")):
        place = old / path.relative_to(new)
        if path.is_file() and not (place.is_file() and place.read_bytes() == path.read_bytes()):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
