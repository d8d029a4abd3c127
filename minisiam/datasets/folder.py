"""Your own pictures: a folder with a folder for each class."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .. import require
from .dataset import UNKNOWN, Dataset
from .pictures import by_area, picture
from .safe_io import MEMBER_BYTES, DamagedFile, existing, members, reported_damage, require_size

IMAGE = re.compile(r"([^/]+)/[^/]+\.(?:png|pgm)", re.IGNORECASE)


def folder(path: str | Path, size: int = 28, dark_ink: bool | None = None) -> Dataset:
    """Images by class: `path/CLASS/ANYTHING.png` or `.pgm`.

    Parameters
    ----------
    path
        The folder; a zip file of the same form will do as well.
    size
        Pixels a side. Pictures of another size or shape are brought to this square by the mean over areas.
    dark_ink
        Whether the pictures are dark on a light page; then they are inverted, since all data here is white on black.
        Without it they are looked at: they are if they are brighter than half grey on average.

    Returns
    -------
    Dataset
        Labels in the alphabetical order of the classes' names, which are not kept; one group; drawers are not known.

    Raises
    ------
    DamagedFile
        If a picture cannot be read, or is larger than 2048 pixels or 4 MB.
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
            image[...] = by_area(picture(files[name](MEMBER_BYTES), name), size, size)
    if images.mean() > 0.5 if dark_ink is None else dark_ink:
        np.subtract(1, images, out=images)
    labels = np.unique([kind for kind, _ in matched], return_inverse=True)[1]
    everyone = np.zeros(len(labels), int)
    return Dataset(images[..., None], labels, everyone, everyone + UNKNOWN, ("images",))
