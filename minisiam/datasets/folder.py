"""Your own pictures: a folder with a folder for each class."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .pictures import PICTURE_BYTES, picture
from .safe_io import DamagedFile, existing, members, reported_damage, require_size

IMAGE = re.compile(r"([^/]+)/[^/]+\.(?:png|jpe?g|pgm|ppm)", re.IGNORECASE)


def folder(path: str | Path, size: int = 28, dark_ink: bool | None = None) -> Dataset:
    """Images by class: `path/CLASS/NAME.png`, `.jpg`, `.jpeg`, `.pgm` or `.ppm`.

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
        Labels in the alphabetical order of the classes' names, which are not kept; one group; drawers are unknown.

    Raises
    ------
    DamagedFile
        If a picture cannot be read, or is larger than 32 MB or, once decoded, 2²⁶ pixels.
    """
    require.whole("size", size, 1)
    path = existing(path)
    with reported_damage(path), members(path) as files:
        matched = sorted((match[1], name) for name in files if (match := IMAGE.fullmatch(name)))
        if not matched:
            raise DamagedFile("holds no pictures by class: CLASS/NAME.png or CLASS/NAME.pgm")
        require_size(len(matched), size, size)
        images = np.zeros((len(matched), size, size), np.float32)
        for image, (_, name) in zip(images, matched, strict=True):
            image[...] = picture(files[name](PICTURE_BYTES), name, size)
    if images.mean() > 0.5 if dark_ink is None else dark_ink:
        np.subtract(1, images, out=images)
    labels = np.unique([kind for kind, _ in matched], return_inverse=True)[1]
    everyone = np.zeros(len(labels), int)
    return Dataset(images[..., None], labels, everyone, everyone + UNKNOWN, ("images",))
