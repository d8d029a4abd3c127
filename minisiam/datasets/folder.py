"""Your own pictures: a folder with a folder for each class."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .pictures import PICTURE_BYTES, Picture, read_picture
from .safe_io import DamagedFile, existing, listed, members, reported_damage, require_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..typing import Array
    from .safe_io import Members

ENDINGS = {  # of the names of pictures, and the format that each stands for
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "mpo"), "JPEG"),
    **dict.fromkeys(("pgm", "ppm", "pbm", "pnm"), "PPM"),
    **dict.fromkeys(("bmp", "dib"), "BMP"),
    **dict.fromkeys(("tif", "tiff"), "TIFF"),
    **{"png": "PNG", "apng": "PNG", "gif": "GIF", "webp": "WEBP"},
}
UNREAD = {  # endings of pictures that are not read, and what to do
    **dict.fromkeys(("heic", "heif", "hif", "avif", "jp2", "j2k", "jxl"), "convert them to JPEG"),
    **dict.fromkeys(("svg", "svgz", "eps", "ps", "pdf", "psd", "xcf", "ai", "ico", "tga"), "export them as PNG"),
    **dict.fromkeys(("dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "raw"), "develop them to JPEG"),
    **dict.fromkeys(("dcm", "exr", "hdr", "pfm", "pam"), "convert them to PNG"),
    **dict.fromkeys(("zip", "gz", "tar", "tgz", "rar", "7z"), "unpack them"),
}


class Layout(NamedTuple):
    """Which files are the pictures of classes.

    pictures : (class, file) in the order of the data
    stray : pictures that are in no folder of a class
    empty : folders beside those of the classes that hold no picture
    """

    pictures: list[tuple[str, str]]
    stray: list[str]
    empty: list[str]


def folder(path: str | Path, size: int = 28, dark_ink: bool | None = None) -> Dataset:
    """Images by class: `path/CLASS/NAME.png`, or any other picture that Pillow reads without another program.

    Formats are PNG, JPEG, PGM, PPM, PBM, GIF, BMP, WebP and TIFF. Hidden files (`.x`, `Thumbs.db`, `__MACOSX`, …) are
    passed over, links to files and folders are followed, and `wrapper/CLASS/NAME.png` is read as `CLASS/NAME.png`.

    Parameters
    ----------
    path
        The folder, or a zip file of the same structure.
    size
        Pixels a side. Pictures of another size or shape are scaled to this square by the mean over areas.
    dark_ink
        Whether the pictures are dark on a light page; then they are inverted, since all data here is white on black.
        None inverts them if they are brighter than half grey on average.

    Returns
    -------
    Dataset
        Labels in the alphabetical order of the classes' names, which are in `classes`; one group; drawers are unknown.
        `notes` say how the pictures were read, and which files were passed over and why.

    Raises
    ------
    DamagedFile
        If pictures cannot be read, or are larger than 256 MB or, once decoded, 2²⁶ pixels. The error names them.
    """
    require.whole("size", size, 1)
    path = existing(path)
    with reported_damage(path), members(path) as files:
        found = _layout(files)
        require_size(len(found.pictures), size, size)
        images, read = _read(files, found.pictures, size)
    as_read, brightness = list(_as_read(read, size)), float(images.mean())
    inverted = brightness > 0.5 if dark_ink is None else dark_ink
    if inverted:
        np.subtract(1, images, out=images)
    classes, labels = np.unique([kind for kind, _ in found.pictures], return_inverse=True)
    everyone = np.zeros(len(labels), int)
    names = tuple(classes.tolist())
    notes = (*as_read, _ink(inverted, brightness, dark_ink), *_passed_over(files, found))
    return Dataset(images[..., None], labels, everyone, everyone + UNKNOWN, ("images",), names, notes)


def _layout(files: Members) -> Layout:
    """The pictures by class: in the least deep folders of which there are two, or else in the only one."""
    pictures = sorted(name for name in files if _ending(name) in ENDINGS)
    folders = {_parent(name) for name in pictures} - {"."}
    depths = Counter(folder.count("/") for folder in folders)
    if not depths:
        raise DamagedFile(_no_classes(files, pictures))
    depth = min((depth for depth, count in depths.items() if count > 1), default=min(depths))
    kinds = {folder for folder in folders if folder.count("/") == depth}
    wrappers = sorted({_parent(kind) for kind in kinds})
    if len(wrappers) > 1:
        raise DamagedFile(
            f"holds folders of classes in {len(wrappers)} folders, {listed(wrappers)}: "
            "name one of them, which must hold CLASS/NAME.png"
        )
    of_class = sorted((_class(name), name) for name in pictures if _parent(name) in kinds)
    stray = [name for name in pictures if _parent(name) not in kinds]
    return Layout(of_class, stray, sorted(_folders_in(wrappers[0], files) - kinds))


def _folders_in(wrapper: str, files: Members) -> set[str]:
    """The folders that are directly in a folder."""
    start = "" if wrapper == "." else f"{wrapper}/"
    within = (name.removeprefix(start) for name in (*files, *files.folders) if name.startswith(start))
    return {start + name.partition("/")[0] for name in within if "/" in name}


def _parent(name: str) -> str:
    return name.rpartition("/")[0] or "."


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix[1:].lower()


def _class(name: str) -> str:
    """The name of a picture's folder, in one form of Unicode: macOS stores another one."""
    return unicodedata.normalize("NFC", _parent(name).rpartition("/")[2])


def _no_classes(files: Members, pictures: list[str]) -> str:
    if pictures:
        return (
            f"holds {len(pictures)} pictures and no folders of classes: move the pictures of each class into its own "
            f"folder, as in CLASS/{pictures[0]}"
        )
    others = "; ".join(_by_ending(list(files)))
    return "holds no pictures by class, CLASS/NAME.png" + (f": {others}" if others else ", and no other files")


def _read(files: Members, pictures: list[tuple[str, str]], size: int) -> tuple[Array, list[tuple[str, Picture]]]:
    """The images, and each name with what was read of its picture, or one error for all that cannot be read."""
    images = np.zeros((len(pictures), size, size), np.float32)
    read, errors = [], []
    for image, (_, name) in zip(images, pictures, strict=True):
        try:
            one = read_picture(files[name](PICTURE_BYTES), name, size)
        except DamagedFile as error:
            errors.append(str(error))
            continue
        image[...] = one.grey
        read.append((name, one._replace(grey=image)))
    if len(errors) == 1:
        raise DamagedFile(f"{errors[0]}: replace or remove this file")
    if errors:
        raise DamagedFile(
            f"{len(errors)} of {len(pictures)} pictures cannot be read, replace or remove them: {listed(errors, '; ')}"
        )
    return images, read


def _as_read(read: list[tuple[str, Picture]], size: int) -> Iterable[str]:
    """How the pictures were read."""
    kinds = Counter(picture.kind for _, picture in read)
    levels = [(float(picture.grey.min()), float(picture.grey.max())) for _, picture in read]
    low, high = min(low for low, _ in levels), max(high for _, high in levels)
    yield (
        f"{len(read):,} pictures ({', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common())}) as grey "
        f"levels, the mean of the colours: {low:.2f} to {high:.2f} of white"
    )
    sizes = sorted({(one.width, one.height) for _, one in read}, key=lambda side: (side[0] * side[1], side))
    if sizes != [(size, size)]:
        span = " to ".join(f"{width} × {height}" for width, height in dict.fromkeys([sizes[0], sizes[-1]]))
        stretched = any(width != height for width, height in sizes)
        shape = ", not cropped, so what is not square is stretched" if stretched else ""
        yield f"scaled from {span} to {size} × {size} pixels{shape}"
    renamed = [f"{name} is a {one.kind} picture" for name, one in read if ENDINGS[_ending(name)] != one.kind]
    if renamed:
        yield f"{len(renamed):,} with another content than their name says, read all the same: {listed(renamed)}"
    blank = [name for (name, _), (low, high) in zip(read, levels, strict=True) if low == high]
    if blank:
        yield f"{len(blank):,} blank, of a single grey level: {listed(blank)}"
    several = [name for name, one in read if one.frames > 1]
    if several:
        yield f"{len(several):,} with several frames or pages, of which the first is read: {listed(several)}"


def _ink(inverted: bool, brightness: float, dark_ink: bool | None) -> str:
    """Which intensity is ink, and why."""
    why = f"their mean is {brightness:.2f} of white" if dark_ink is None else f"dark_ink={dark_ink}"
    return f"dark is ink: inverted, since {why}" if inverted else f"light is ink: not inverted, since {why}"


def _passed_over(files: Members, found: Layout) -> Iterable[str]:
    """What was not read, with counts and reasons."""
    others = [name for name in files if _ending(name) not in ENDINGS]
    reasons = list(_by_ending(others))
    for names, reason in (
        (found.stray, "in no folder of a class"),
        (found.empty, "folders without pictures, which are no classes"),
        (sorted(files.hidden), "hidden or made by the system"),
        (sorted(files.dead), "links that lead nowhere or back, or no regular files"),
    ):
        if names:
            reasons.append(f"{len(names):,} {reason} ({listed(names)})")
    if reasons:
        count = len(others) + sum(map(len, (found.stray, found.empty, files.hidden, files.dead)))
        yield f"{count:,} passed over: {'; '.join(reasons)}"


def _by_ending(names: list[str]) -> Iterable[str]:
    """Files that are no pictures, counted by ending, with the remedy."""
    counts = Counter(_ending(name) for name in names)
    for ending, count in counts.most_common():
        kind = f".{ending}" if ending else "without an ending"
        remedy = f"cannot be read: {UNREAD[ending]}" if ending in UNREAD else "no pictures by their names"
        example = next(name for name in names if _ending(name) == ending)
        yield f"{count:,} {kind} ({remedy}; {example})"
