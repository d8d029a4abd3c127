"""What a data set is, how it is split by class, and how images are made ready: centred, blurred, resized."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require

if TYPE_CHECKING:
    from ..typing import Array, Float, Int


UNKNOWN = -1  # a drawer of whom nothing is known


class Dataset(NamedTuple):
    """Images with what is known of each: class, alphabet, drawer. All arrays have one entry an image.

    images : (n, height, width, channels) float32 in [0, 1], white ink on black
    labels : (n,) integers, the class
    groups : (n,) integers, the alphabet: classes of one alphabet look alike
    drawers : (n,) integers, whose hand it is; all `UNKNOWN` where nobody noted it
    names : the alphabets' names, by their number; one name where classes are of no alphabets
    """

    images: Array
    labels: Array
    groups: Array
    drawers: Array
    names: tuple[str, ...]

    def where(self, mask: Array) -> Dataset:
        """The images of a boolean mask; labels and groups keep their numbers."""
        return Dataset(self.images[mask], self.labels[mask], self.groups[mask], self.drawers[mask], self.names)

    @property
    def has_alphabets(self) -> bool:
        """Whether classes are the letters of several alphabets."""
        return len(self.names) > 1

    @property
    def known_drawers(self) -> Array | None:
        """The drawers, or None if they are not known."""
        return None if (self.drawers == UNKNOWN).all() else self.drawers

    def __repr__(self) -> str:
        classes = f"{len(self.images):,} images of {len(np.unique(self.labels)):,} classes"
        return f"{classes} in {len(np.unique(self.groups))} alphabets" if self.has_alphabets else classes


def split(data: Dataset, every: int = 3, by: str = "alphabets") -> tuple[Dataset, Dataset]:
    """Hold out every third alphabet (or every `every`-th): (the rest, what is held out). No class is in both.

    With `by="classes"` every third class in the place of alphabets.
    """
    require.whole("every", every, 2)
    require.one_of("by", by, ("alphabets", "classes"))
    kinds = data.groups if by == "alphabets" else data.labels
    known = np.unique(kinds)
    if len(known) < every:
        raise ValueError(f"cannot hold out every {every}th of {len(known)} {by}: choose a smaller number")
    held_out = np.isin(kinds, known[every - 1 :: every])
    return data.where(~held_out), data.where(held_out)


def centred(images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Shift each image by whole pixels so that its ink has its centre of mass in the middle; what leaves comes back.

    An empty image stays as it is.
    """
    _check(images)
    ink = images.sum(axis=3)
    shifted = images
    for axis in (1, 2):
        length = images.shape[axis]
        profile = ink.sum(axis=3 - axis)  # (n, length)
        total = profile.sum(axis=1)
        middle = (length - 1) / 2
        centre = np.divide(profile @ np.arange(length), total, out=np.full(len(total), middle), where=total > 0)
        shift = np.rint(middle - centre).astype(int)
        source = (np.arange(length) - shift[:, None]) % length
        shifted = np.take_along_axis(shifted, np.expand_dims(source, (3, 3 - axis)), axis)
    return shifted


def blurred(images: Float[Array, "n h w c"], sigma: float = 1.0) -> Float[Array, "n h w c"]:
    """Gaussian blur of standard deviation `sigma` pixels; outside the image there is black."""
    _check(images)
    sigma = require.between("sigma", sigma, 0, open_low=True)

    def smoothing(length: int) -> Array:
        gap = np.subtract.outer(np.arange(length), np.arange(length))
        weight = np.exp(-0.5 * (gap / sigma) ** 2)
        full = np.exp(-0.5 * (np.arange(-length, length + 1) / sigma) ** 2).sum()
        return (weight / full).astype(images.dtype)

    return _along_rows_and_columns(images, smoothing(images.shape[1]), smoothing(images.shape[2]))


def resized(images: Float[Array, "n h w c"], size: int) -> Float[Array, "n p q c"]:
    """Square images of `size` pixels by linear interpolation between pixel centres."""
    _check(images)
    require.whole("size", size, 1)

    def interpolation(length: int) -> Array:
        at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(length))).astype(images.dtype)

    return _along_rows_and_columns(images, interpolation(images.shape[1]), interpolation(images.shape[2]))


def turned(images: Float[Array, "n h h c"], poses: Int[Array, "n"]) -> Float[Array, "n h h c"]:
    """Each image in one of the eight poses of a square: turned by poses % 4 quarters, and from 4 on mirrored as well.

    A letter turned or mirrored is another letter: a set of classes becomes eight times as many.
    """
    _check(images)
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"only square images can be turned, not {images.shape[1]}×{images.shape[2]}")
    if len(poses) != len(images) or not np.isin(poses, range(8)).all():
        raise ValueError(f"poses must be {len(images)} whole numbers from 0 to 7, one for each image")
    out = np.empty_like(images)
    for pose in range(8):
        mine = poses == pose
        some = np.rot90(images[mine], pose % 4, axes=(1, 2))
        out[mine] = some[:, :, ::-1] if pose >= 4 else some
    return out


def _along_rows_and_columns(images: Array, rows: Array, columns: Array) -> Array:
    """rows · image · columnsᵀ for every image and channel."""
    planes = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray((rows @ planes @ columns.T).transpose(0, 2, 3, 1))


def _check(images: Array) -> None:
    require.dimensions(4, "(n, height, width, channels)", images=images)
