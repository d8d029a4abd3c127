"""The `Dataset` type, splits by class, and preprocessing of images: centre, blur, resize, rotate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require

if TYPE_CHECKING:
    from ..typing import Array, Float, Int


UNKNOWN = -1  # an unknown drawer


class Dataset(NamedTuple):
    """Images with class, alphabet and drawer of each. All arrays have one entry per image.

    images : (n, height, width, channels) float32 in [0, 1]: grey, white ink on black; or three channels, as they are
    labels : (n,) integers, the class
    groups : (n,) integers, the alphabet: classes of one alphabet look alike
    drawers : (n,) integers, the person who drew the image; all `UNKNOWN` if not recorded
    names : the names of the alphabets, by number; a single name if there are no alphabets
    classes : the names of the classes, by label, each once; empty if the classes have no names
    notes : how the files were read and which were skipped, a sentence each
    inverted : whether pictures were inverted, because dark was ink; None if the data are no pictures
    """

    images: Array
    labels: Array
    groups: Array
    drawers: Array
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    inverted: bool | None = None

    def where(self, mask: Array) -> Dataset:
        """Select images by a boolean mask; labels and groups keep their numbers."""
        arrays = {name: getattr(self, name)[mask] for name in ("images", "labels", "groups", "drawers")}
        return self._replace(**arrays)

    def class_name(self, label: int) -> str:
        """The name of a class, or "class 7" if it has no name."""
        return self.classes[label] if self.classes else f"class {label}"

    @property
    def class_names(self) -> list[str]:
        """The names of the classes of these images, in the order of their labels."""
        return [self.class_name(label) for label in np.unique(self.labels)]

    @property
    def has_alphabets(self) -> bool:
        """Whether the classes are letters of several alphabets."""
        return len(self.names) > 1

    @property
    def known_drawers(self) -> Array | None:
        """The drawers, or None if they are unknown."""
        return None if (self.drawers == UNKNOWN).all() else self.drawers

    def __repr__(self) -> str:
        classes = f"{len(self.images):,} images of {len(np.unique(self.labels)):,} classes"
        return f"{classes} in {len(np.unique(self.groups))} alphabets" if self.has_alphabets else classes


def split(data: Dataset, every: int = 3, by: str = "alphabets") -> tuple[Dataset, Dataset]:
    """Hold out every third (or every `every`-th) alphabet: (the rest, the held-out set). No class is in both.

    With `by="classes"` it holds out every third class instead.
    """
    require.whole("every", every, 2)
    require.one_of("by", by, ("alphabets", "classes"))
    numbers = data.groups if by == "alphabets" else data.labels
    known = np.unique(numbers)
    if len(known) < every:
        raise ValueError(f"every must be at most {len(known)}, the number of {by}, not {every}")
    held_out = np.isin(numbers, known[every - 1 :: every])
    return data.where(~held_out), data.where(held_out)


def centred(images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Shift each image cyclically by whole pixels, so that the centre of mass of its ink is in the middle.

    An empty image is unchanged.
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
    """Gaussian blur with the standard deviation `sigma` in pixels; the outside of an image is black."""
    _check(images)
    sigma = require.between("sigma", sigma, 0, open_low=True)

    def smoothing(length: int) -> Array:
        gap = np.subtract.outer(np.arange(length), np.arange(length))
        weight = np.exp(-0.5 * (gap / sigma) ** 2)
        full = np.exp(-0.5 * (np.arange(-length, length + 1) / sigma) ** 2).sum()
        return (weight / full).astype(images.dtype)

    return _along_rows_and_columns(images, smoothing(images.shape[1]), smoothing(images.shape[2]))


def resized(images: Float[Array, "n h w c"], size: int) -> Float[Array, "n p q c"]:
    """Resize to squares of `size` pixels, by linear interpolation between pixel centres."""
    _check(images)
    require.whole("size", size, 1)

    def interpolation(length: int) -> Array:
        at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(length))).astype(images.dtype)

    return _along_rows_and_columns(images, interpolation(images.shape[1]), interpolation(images.shape[2]))


def rotated(images: Float[Array, "n h h c"], poses: Int[Array, "n"]) -> Float[Array, "n h h c"]:
    """Each image in one of the eight poses of a square: rotated by poses % 4 quarter turns, mirrored if poses ≥ 4.

    A rotated or mirrored letter is another letter, so the poses give eight times as many classes.
    """
    _check(images)
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"images must be square, not {images.shape[1]}×{images.shape[2]}")
    if len(poses) != len(images) or not np.isin(poses, range(8)).all():
        raise ValueError(f"poses must be {len(images)} integers from 0 to 7, one per image")
    out = np.empty_like(images)
    for pose in range(8):
        rows = poses == pose
        posed = np.rot90(images[rows], pose % 4, axes=(1, 2))
        out[rows] = posed[:, :, ::-1] if pose >= 4 else posed
    return out


def _along_rows_and_columns(images: Array, rows: Array, columns: Array) -> Array:
    """rows · image · columnsᵀ, for every image and channel."""
    planes = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray((rows @ planes @ columns.T).transpose(0, 2, 3, 1))


def _check(images: Array) -> None:
    require.dimensions(4, "(n, height, width, channels)", images=images)
