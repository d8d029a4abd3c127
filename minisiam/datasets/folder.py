"""Your own pictures: a folder with a folder for each class, or any files and folders."""

from __future__ import annotations

import unicodedata
from collections import Counter
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .pictures import PICTURE_BYTES, Picture, read_picture
from .safe_io import DamagedFile, existing, listed, members, reader, reported_damage, require_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


class Pictures(NamedTuple):
    """Pictures as they were read.

    images : (n, size, size, channels) float32 in [0, 1]
    classes, files : the name of each picture's class, "" if it is in no folder of a class; and of its file
    inverted : whether they were inverted, because dark is ink
    notes : how they were read and which were skipped, a sentence each
    """

    images: Array
    classes: list[str]
    files: list[str]
    inverted: bool
    notes: tuple[str, ...]


def folder(path: str | Path, size: int = 28, dark_ink: bool | None = None, channels: int = 1) -> Dataset:
    """Images by class: `path/CLASS/NAME.png`, or any other picture that Pillow reads without another program.

    Formats are PNG, JPEG, PGM, PPM, PBM, GIF, BMP, WebP and TIFF. Hidden files (`.x`, `Thumbs.db`, `__MACOSX`, …) are
    skipped, links to files and folders are followed, and `wrapper/CLASS/NAME.png` is read as `CLASS/NAME.png`.

    Parameters
    ----------
    path
        The folder, or a zip file of the same structure.
    size
        Pixels a side. Pictures of another size or shape are scaled to this square by the mean over areas.
    dark_ink
        Whether the pictures are dark on a light page; then they are inverted, since all data here is white on black.
        None inverts them if they are brighter than half grey on average, and never in colour.
    channels
        1 for grey levels, 3 for colour.

    Returns
    -------
    Dataset
        Labels in the alphabetical order of the classes' names, which are in `classes`; one group; drawers are unknown.
        `notes` say how the pictures were read, and which files were skipped and why.

    Raises
    ------
    DamagedFile
        If pictures cannot be read, or are larger than 256 MB or, once decoded, 2²⁶ pixels. The error names them.
    """
    path = existing(path)
    with reported_damage(path), members(path) as files:
        layout = _layout(files)
        found = _pictures(layout.pictures, files, size, dark_ink, channels)
        passed = tuple(_passed_over(files, layout))
    classes, labels = np.unique(found.classes, return_inverse=True)
    everyone = np.zeros(len(labels), int)
    names, notes = tuple(classes.tolist()), (*found.notes, *passed)
    return Dataset(found.images, labels, everyone, everyone + UNKNOWN, ("images",), names, notes, found.inverted)


def read_pictures(
    paths: Sequence[str | Path],
    size: int = 28,
    dark_ink: bool | None = None,
    channels: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Pictures:
    """The pictures of files, folders and zip files: of classes as `folder` reads them, or without classes.

    Parameters
    ----------
    paths
        Files, folders, and zip files.
    size, dark_ink, channels
        As in `folder`.
    progress
        A function that is called with how many pictures have been read, and how many there are.
    """
    if not paths:
        raise ValueError("there are no pictures: name files, folders or zip files")
    found: list[tuple[str, str]] = []
    readers: dict[str, Callable[[int], bytes]] = {}
    notes: list[str] = []
    with ExitStack() as stack:
        for path in map(existing, paths):
            if path.is_file() and not _is_zip(path):
                found.append(("", str(path)))
                readers[str(path)] = reader(path)
                continue
            with reported_damage(path):
                files = stack.enter_context(members(path))
                layout = _layout(files, flat=True)
            found += [(kind, f"{path}/{name}") for kind, name in layout.pictures]
            readers |= {f"{path}/{name}": read for name, read in files.items()}
            notes += _passed_over(files, layout)
        with reported_damage(listed([str(path) for path in paths])):
            read = _pictures(found, readers, size, dark_ink, channels, progress)
    return read._replace(notes=(*read.notes, *notes))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _pictures(
    found: list[tuple[str, str]],
    files: dict[str, Callable[[int], bytes]],
    size: int,
    dark_ink: bool | None,
    channels: int,
    progress: Callable[[int, int], object] | None = None,
) -> Pictures:
    """Read (class, file), and invert them all if dark is ink."""
    require.whole("size", size, 1)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1, for grey levels, or 3, for colour, not {channels}")
    require_size(len(found) * channels, size, size)
    images, read = _read(files, found, size, channels, progress)
    notes, brightness = list(_as_read(read, size, channels)), float(images.mean())
    inverted = (channels == 1 and brightness > 0.5) if dark_ink is None else dark_ink
    if inverted:
        np.subtract(1, images, out=images)
    if channels == 1 or dark_ink is not None:
        notes.append(_ink(inverted, brightness, dark_ink))
    classes, names = ([one[part] for one in found] for part in (0, 1))
    return Pictures(images, classes, names, inverted, tuple(notes))


def _layout(files: Members, flat: bool = False) -> Layout:
    """The pictures by class: in the least deep folders of which there are two, or else in the only one.

    With `flat`, pictures that are in no folder at all may stand alone.
    """
    pictures = sorted(name for name in files if _ending(name) in ENDINGS)
    if flat and pictures and all(_parent(name) == "." for name in pictures):
        return Layout([("", name) for name in pictures], [], sorted(_folders_in(".", files)))
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


def _read(
    files: dict[str, Callable[[int], bytes]],
    pictures: list[tuple[str, str]],
    size: int,
    channels: int,
    progress: Callable[[int, int], object] | None,
) -> tuple[Array, list[tuple[str, Picture]]]:
    """The images, and each name with what was read of its picture, or one error for all that cannot be read."""
    images = np.zeros((len(pictures), size, size, channels), np.float32)
    read, errors = [], []
    for number, (image, (_, name)) in enumerate(zip(images, pictures, strict=True), start=1):
        try:
            one = read_picture(files[name](PICTURE_BYTES), name, size, channels)
        except DamagedFile as error:
            errors.append(str(error))
            continue
        image[...] = one.levels.reshape(image.shape)
        read.append((name, one._replace(levels=image)))
        if progress is not None:
            progress(number, len(pictures))
    if len(errors) == 1:
        raise DamagedFile(f"{errors[0]}: replace or remove this file")
    if errors:
        raise DamagedFile(
            f"{len(errors)} of {len(pictures)} pictures cannot be read, replace or remove them: {listed(errors, '; ')}"
        )
    return images, read


def _as_read(read: list[tuple[str, Picture]], size: int, channels: int) -> Iterable[str]:
    """How the pictures were read."""
    kinds = Counter(picture.kind for _, picture in read)
    levels = [(float(picture.levels.min()), float(picture.levels.max())) for _, picture in read]
    low, high = min(low for low, _ in levels), max(high for _, high in levels)
    how = "grey levels, the mean of the colours" if channels == 1 else "red, green and blue"
    yield (
        f"{len(read):,} picture{'s' * (len(read) != 1)} "
        f"({', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common())}) as {how}: {low:.2f} to {high:.2f} "
        "of white"
    )
    sizes = sorted({(one.width, one.height) for _, one in read}, key=lambda side: (side[0] * side[1], side))
    if sizes != [(size, size)]:
        span = " to ".join(f"{width} × {height}" for width, height in dict.fromkeys([sizes[0], sizes[-1]]))
        stretched = any(width != height for width, height in sizes)
        shape = ", not cropped, so pictures that are not square are stretched" if stretched else ""
        yield f"scaled from {span} to {size} × {size} pixels{shape}"
    renamed = [f"{name} is a {one.kind} picture" for name, one in read if ENDINGS.get(_ending(name)) != one.kind]
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
        (sorted(files.dead), "broken or circular links, or special files"),
    ):
        if names:
            reasons.append(f"{len(names):,} {reason} ({listed(names)})")
    if reasons:
        count = len(others) + sum(map(len, (found.stray, found.empty, files.hidden, files.dead)))
        yield f"{count:,} skipped: {'; '.join(reasons)}"


def _by_ending(names: list[str]) -> Iterable[str]:
    """Files that are no pictures, counted by ending, with the remedy."""
    counts = Counter(_ending(name) for name in names)
    for ending, count in counts.most_common():
        kind = f".{ending}" if ending else "without an ending"
        remedy = f"cannot be read: {UNREAD[ending]}" if ending in UNREAD else "not pictures by their names"
        example = next(name for name in names if _ending(name) == ending)
        yield f"{count:,} {kind} ({remedy}; {example})"
