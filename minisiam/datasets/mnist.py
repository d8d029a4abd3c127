"""MNIST and sets in its format: classes of 28 × 28 pixels, in idx files as their authors publish them."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .safe_io import DamagedFile, existing, idx, is_hidden

if TYPE_CHECKING:
    from ..typing import Array

PARTS = {"train": "train", "test": "t10k"}  # and the authors' words for them
NAME = re.compile(
    r"(?:(?P<which>[\w-]+)-)?(?P<part>train|t10k|test)[-_.](?P<kind>images|labels)[-_.]idx[13][-_.]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
DIGITS = tuple(string.digits)
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
MERGED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")  # the other small letters look like the capitals
EMNIST = {  # the sets of EMNIST, and their classes by label
    "letters": ("(none)", *string.ascii_lowercase),  # labels from 1
    "balanced": MERGED,
    "byclass": (*string.digits, *string.ascii_uppercase, *string.ascii_lowercase),
    "bymerge": MERGED,
    "digits": DIGITS,
    "mnist": DIGITS,
}


def mnist(path: str | Path, part: str | None = None) -> Dataset:
    """Handwritten digits (LeCun et al. 1998).

    Parameters
    ----------
    path
        The folder with the idx files, gzipped or not, or one of its files of images, with its labels beside it. Names
        may be `train-images-idx3-ubyte` or `train-images.idx3-ubyte`. Files of KMNIST and EMNIST are read as well;
        those of EMNIST are recognised by their names, and are transposed as `emnist` does.
    part
        "train" or "test", the authors' split. Default: "train", or the part of the image file.

    Returns
    -------
    Dataset
        In the order and size of the files; all classes are in one group, and drawers are `datasets.UNKNOWN`.

    Raises
    ------
    DamagedFile
        If a file does not match its header.
    """
    return _read(path, part, "digits", DIGITS)


def fashion_mnist(path: str | Path, part: str | None = None) -> Dataset:
    """Clothes instead of digits (Xiao et al. 2017), in files with the same names and format; see `mnist`."""
    return _read(path, part, "clothes", CLOTHES)


def emnist(path: str | Path, part: str | None = None, which: str = "letters") -> Dataset:
    """Handwritten letters and digits (Cohen et al. 2017), which the files hold transposed; here they are upright.

    Parameters
    ----------
    path, part
        As in `mnist`; a folder may hold several sets.
    which
        letters (26 classes, labelled from 1 as in the files), balanced or bymerge (47), byclass (62), digits or mnist.
    """
    require.one_of("which", which, EMNIST)
    return _read(path, part, f"emnist-{which}", EMNIST[which], f"emnist-{which}")


def digits(path: str | Path, part: str | None = None, which: tuple[int, ...] = (4, 9), each: int = 3000) -> Dataset:
    """The first `each` images of some digits of `mnist`, or all if there are fewer."""
    data = mnist(path, part)
    rows = np.concatenate([np.flatnonzero(data.labels == digit)[:each] for digit in which])
    return data.where(np.sort(rows))


class Idx(NamedTuple):
    """What the name of an idx file says: the set ("" for MNIST itself), part and kind, images or labels."""

    which: str
    part: str
    kind: str

    @classmethod
    def of(cls, file: Path) -> Idx | None:
        """What a name says; None if it is no usual name of an idx file."""
        match = NAME.fullmatch(file.name)
        if match is None:
            return None
        which, part, kind = (word.lower() for word in match.groups(""))
        return cls(which, "train" if part == "train" else "test", kind)

    def __str__(self) -> str:
        part = PARTS[self.part] if not self.which.startswith("emnist") else self.part
        return f"{self.which}{'-' * bool(self.which)}{part}-{self.kind}-idx{'31'[self.kind == 'labels']}-ubyte"


def _read(path: str | Path, part: str | None, name: str, classes: tuple[str, ...], which: str | None = None) -> Dataset:
    path = existing(path)
    if part is not None:
        require.one_of("part", part, PARTS)
    named = Idx.of(path) if path.is_file() else None
    if path.is_file() and (named is None or named.kind != "images" or part not in (None, named.part)):
        raise ValueError(f"{path} is not a file of {part or 'train or test'} images: give the folder of idx files")
    files = _in_folder(path.parent if named else path)
    which = named.which if named else _only(files, path) if which is None else which
    wanted = [Idx(which, named.part if named else part or "train", kind) for kind in ("images", "labels")]
    image_file, label_file = (_found(files, one, path) for one in wanted)
    if which.startswith("emnist-"):
        name, classes = which, EMNIST.get(which.removeprefix("emnist-"), ())
    return _dataset(path if named else image_file, label_file, name, classes)


def _in_folder(folder: Path) -> dict[Idx, Path]:
    """The idx files in a folder, or else in its folders, or in theirs; of two with one name the one without .gz."""
    for pattern in ("*", "*/*", "*/*/*"):
        seen = [file for file in folder.glob(pattern) if file.is_file() and not is_hidden(file.relative_to(folder))]
        files = sorted(seen, key=lambda file: (file.suffix != ".gz", file))
        found = [(one, file) for file in files if (one := Idx.of(file))]
        if len({file.parent for _, file in found}) > 1 and len({one for one, _ in found}) < len(found):
            one, file = max(found, key=lambda pair: (pair[0].part, pair[0].kind == "images"))
            raise FileNotFoundError(
                f"there is no {one} or {one}.gz in {folder}, but in several of its folders: name one, {file.parent}"
            )
        if found:
            return dict(found)
    return {}


def _only(files: dict[Idx, Path], path: Path) -> str:
    """The set whose files are there: MNIST itself, or the only other one."""
    known = sorted({one.which for one in files})
    if "" in known or not known:
        return ""
    if len(known) > 1:
        option = f", or use --data {known[0]}:{path}" if known[0].startswith("emnist-") else ""
        raise ValueError(f"{path} has the files of several sets, {', '.join(known)}: name a file of images{option}")
    return known[0]


def _found(files: dict[Idx, Path], wanted: Idx, path: Path) -> Path:
    if wanted in files:
        return files[wanted]
    have = ", ".join(sorted(file.name for file in files.values())) or "none of them"
    raise FileNotFoundError(
        f"there is no {wanted} or {wanted}.gz in {path}: an MNIST folder has four idx files, and this one has {have}"
    )


def _dataset(image_file: Path, label_file: Path, name: str, classes: tuple[str, ...]) -> Dataset:
    images, labels = idx(image_file, 3), idx(label_file, 1)
    if len(images) != len(labels):
        raise DamagedFile(f"{label_file} holds {len(labels):,} labels for the {len(images):,} images of {image_file}")
    notes = [f"{image_file.name} with {label_file.name}, light ink on black as they are"]
    if name.startswith("emnist-"):
        images = images.transpose(0, 2, 1)
        notes.append("transposed, since the files of EMNIST hold rows as columns")
    everyone = np.zeros(len(labels), int)
    known = classes if labels.max() < len(classes) else ()
    drawers = everyone + UNKNOWN
    return Dataset(_scaled(images), labels.astype(int), everyone, drawers, (name,), known, tuple(notes))


def _scaled(images: Array) -> Array:
    """(n, h, w) bytes as (n, h, w, 1) float32 in [0, 1]."""
    out = images.astype(np.float32)
    out /= 255
    return out[..., None]
