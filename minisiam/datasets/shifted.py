"""Images moved sideways: the same digit at several places."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset

SHIFTS = (-6, -3, 0, 3, 6)  # pixels to the right


def shifted(data: Dataset) -> Dataset:
    """Every image at every shift of `SHIFTS`, one image after the other.

    `labels` is which image of `data` it shows and `drawers` the number of its shift, so that a class is one digit at
    all shifts. What leaves the page is lost, and black comes in.
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
