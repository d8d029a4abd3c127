"""Twenty-five views of each image at test time: two images are as near as the nearest two of their views.

People who draw a letter again turn, slant, stretch and shift it a little. Comparing distorted copies at test time makes
up for distortions that the network has not learned to ignore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.augment import IDENTITY, apply_affine
from ..ops import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..typing import Array, PairwiseDistance

# the largest change of each parameter: degrees, shear, factors less 1, shares of the image's width and height
LARGEST = {"rotation": 10.0, "shear_x": 0.3, "scale_x": 0.2, "scale_y": 0.2, "shift_x": 0.04, "shift_y": 0.04}
FRACTIONS = (-1.0, -0.5, 0.5, 1.0)  # of the largest change
VIEWS = 1 + len(FRACTIONS) * len(LARGEST)


def of(images: Array) -> Iterator[Array]:
    """The images as they are, then with each parameter of an affine distortion smaller and larger, in two sizes."""
    yield images
    for name, largest in LARGEST.items():
        for fraction in FRACTIONS:
            changed = IDENTITY._replace(**{name: getattr(IDENTITY, name) + fraction * largest})
            yield apply_affine(images, type(changed)(*(np.full(len(images), value) for value in changed)))


def embeddings(embed: Callable[[Array], Array], images: Array) -> Array:
    """The directions of all views, z / ‖z‖, (n, 25, d). It takes 25 times as long as `embed`."""
    return np.stack([normalize(embed(view))[0] for view in of(images)], axis=1)


def flat(z: Array) -> Array:
    """The views of each image in one row, (n, 25 d), as `nearest` reads them."""
    return z.reshape(len(z), -1)


def nearest(distance: PairwiseDistance) -> Callable[..., Any]:
    """D[i, j] = min over v, w of distance(a[i, v], b[j, w]): a distance of `flat` views, without a pullback."""

    def of_views(a: Array, b: Array) -> tuple[Array, None]:
        D, _ = distance(a.reshape(len(a) * VIEWS, -1), b.reshape(len(b) * VIEWS, -1))
        return D.reshape(len(a), VIEWS, len(b), VIEWS).min(axis=(1, 3)), None

    return of_views
