"""Images shifted sideways: the same digit at several positions."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset

SHIFTS = (-6, -3, 0, 3, 6)  # pixels to the right


def shifted(data: Dataset) -> Dataset:
    """Every image at every shift of `SHIFTS`, one image after the other.

    `labels` is the row of the image in `data`, and `drawers` the number of the shift, so a class is one digit at all
    shifts. Parts that leave the page are lost, and the area that enters is black.
    """
    count, width = len(data.images), data.images.shape[2]
    widest = max(map(abs, SHIFTS))
    wide = np.pad(data.images, ((0, 0), (0, 0), (widest, widest), (0, 0)))
    images = np.stack([wide[:, :, widest - s : widest - s + width] for s in SHIFTS], axis=1)
    labels = np.repeat(np.arange(count), len(SHIFTS))
    return Dataset(
        images.reshape(-1, *data.images.shape[1:]),
        labels,
        0 * labels,
        np.tile(np.arange(len(SHIFTS)), count),
        (f"{data.names[0]}, shifted",),
    )
