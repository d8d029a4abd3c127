"""MNIST and Fashion-MNIST: ten classes of 28 × 28 pixels, in idx files as their authors publish them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .safe_io import DamagedFile, existing, idx

if TYPE_CHECKING:
    from ..typing import Array

STEMS = {"train": "train", "test": "t10k"}


def mnist(path: str | Path, part: str | None = None) -> Dataset:
    """Handwritten digits (LeCun et al. 1998).

    Parameters
    ----------
    path
        The folder with the four idx files, gzipped or not, or one of the two image files, with its labels beside it.
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
    return _read(path, part, "digits")


def fashion_mnist(path: str | Path, part: str | None = None) -> Dataset:
    """Clothes instead of digits (Xiao et al. 2017), in files with the same names and format; see `mnist`."""
    return _read(path, part, "clothes")


def digits(path: str | Path, part: str | None = None, which: tuple[int, ...] = (4, 9), each: int = 3000) -> Dataset:
    """The first `each` images of some digits of `mnist`, or all if there are fewer."""
    data = mnist(path, part)
    rows = np.concatenate([np.flatnonzero(data.labels == digit)[:each] for digit in which])
    return data.where(np.sort(rows))


def _read(path: str | Path, part: str | None, name: str) -> Dataset:
    path = existing(path)
    if path.is_file():
        named = next((p for p, stem in STEMS.items() if path.name.startswith(stem + "-images")), None)
        if named is None or part not in (None, named):
            raise ValueError(f"{path} is not a file of {part or 'train or test'} images: give the folder of idx files")
        part, files = named, (path, _labels_of(path))
    else:
        part = part or "train"
        require.one_of("part", part, STEMS)
        files = _found(path, f"{STEMS[part]}-images-idx3-ubyte"), _found(path, f"{STEMS[part]}-labels-idx1-ubyte")
    return _dataset(*files, name)


def _labels_of(images: Path) -> Path:
    name = images.name.removesuffix(".gz").replace("-images", "-labels").replace("idx3", "idx1")
    return _found(images.parent, name)


def _found(folder: Path, name: str) -> Path:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            return file
    raise FileNotFoundError(f"there is no {name} or {name}.gz in {folder}: an MNIST folder has four idx files")


def _dataset(image_file: Path, label_file: Path, name: str) -> Dataset:
    images, labels = idx(image_file, 3), idx(label_file, 1)
    if len(images) != len(labels):
        raise DamagedFile(f"{label_file} holds {len(labels):,} labels for the {len(images):,} images of {image_file}")
    everyone = np.zeros(len(labels), int)
    return Dataset(_scaled(images), labels.astype(int), everyone, everyone + UNKNOWN, (name,))


def _scaled(images: Array) -> Array:
    """(n, h, w) bytes as (n, h, w, 1) float32 in [0, 1]."""
    out = images.astype(np.float32)
    out /= 255
    return out[..., None]
