"""Maps of Hadsell, Chopra & LeCun (2006): what each experiment is judged by, and its figures.

"Dimensionality reduction by learning an invariant mapping" shows maps and gives no numbers: these are ours.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate, pairwise
from ...datasets import SHIFTS, angles_of
from . import regression

if TYPE_CHECKING:
    from ...datasets import Dataset
    from ...typing import Array, Float, Int
    from ..data_spec import Data
    from ..trainer import Run

NEIGHBOURS = 5


def digits(run: Run, data: Data) -> dict[str, float]:
    """Unseen digits: the share whose five nearest training images in the map vote for their class."""
    z, asked = (_embedded(run, part) for part in (data.train, data.test))
    labels = data.train.labels, data.test.labels
    right = evaluate.knn_accuracy(z, labels[0], asked, labels[1], NEIGHBOURS, pairwise.squared_l2, 256)
    return {"neighbours": right, "neighbours_of": len(asked)}


def shifts(run: Run, data: Data) -> dict[str, float]:
    """`shift_ratio` of unseen digits."""
    return {"ratio": shift_ratio(_embedded(run, data.test), data.test.labels, data.test.drawers)}


def shift_ratio(z: Float[Array, "n d"], labels: Int[Array, "n"], shift: Int[Array, "n"]) -> float:
    """How far a shift moves a digit in the map, beside how far digits lie apart.

    The mean distance of one digit at two different shifts, over all digits and pairs of shifts, divided by the mean
    distance of two different digits at the same shift, over all shifts and pairs of digits. 0 is a map that does not
    see shifts; 1 is one where a shift is as much as another digit.

    Parameters
    ----------
    z, labels, shift
        (n, d) the map, (n,) which digit it is, (n,) its shift: every digit once at every shift.
    """
    at = z[np.lexsort((shift, labels))].reshape(len(np.unique(labels)), len(np.unique(shift)), -1).swapaxes(0, 1)
    if min(at.shape[:2]) < 2:
        raise ValueError("the ratio needs two digits and two shifts at least")
    moved = [np.linalg.norm(a - b, axis=1).mean() for a, b in combinations(at, 2)]
    count = at.shape[1]
    apart = [pairwise.l2(some, some)[0].sum() / (count * (count - 1)) for some in at]
    return float(np.mean(moved) / np.mean(apart))


def views(run: Run, data: Data) -> dict[str, float]:
    """`recovered` of unseen views."""
    return recovered(_embedded(run, data.train), data.train, _embedded(run, data.test), data.test)


def recovered(z: Float[Array, "n d"], train: Dataset, asked: Float[Array, "m d"], test: Dataset) -> dict[str, float]:
    """R² of the pose and of the light of unseen views, as `regression.polynomial` finds them from the map.

    The pose is the least of three: cos and sin of the azimuth, and the elevation. The light is which of the lights it
    is, one column each, over all columns.
    """
    seen, wanted = pose(train.labels), pose(test.labels)
    guess = regression.polynomial(z, seen, asked)
    found = {
        name: regression.r_squared(guess[:, i], wanted[:, i]) for i, name in enumerate(("cos", "sin", "elevation"))
    }
    lamps = np.eye(int(max(train.drawers.max(), test.drawers.max())) + 1)
    light = regression.r_squared(regression.polynomial(z, lamps[train.drawers], asked), lamps[test.drawers])
    return {"pose": min(found.values()), **found, "light": light}


def pose(labels: Int[Array, "n"]) -> Float[Array, "n 3"]:
    """Cos and sin of the azimuth, and the elevation in radians."""
    azimuth, elevation = angles_of(labels)
    return np.stack([np.cos(azimuth), np.sin(azimuth), elevation], axis=1)


def digit_figures(run: Run, data: Data) -> dict[str, Any]:
    """The map of unseen digits, by class."""
    from ... import plots

    test = data.test
    names = [f"digit {label}" for label in np.unique(test.labels)]
    title = "Unseen digits, placed by a network that was only told which images are near in pixels"
    return {"map": plots.image_map(_embedded(run, test), test.labels, test.images, title, names)}


def shift_figures(run: Run, data: Data) -> dict[str, Any]:
    """The map of unseen digits, by shift."""
    from ... import plots

    test = data.test
    told = {"shift-aware": "neighbours, at whatever shift, are similar"}.get(
        run.settings.similar, "neighbours in pixels are similar"
    )
    ratio = run.report["found"]["ratio"]
    title = f"Unseen digits at five shifts: {told}\nmoved by a shift / apart = {ratio:.2f}"
    names = [f"{SHIFTS[number]:+d} px".replace("+0", "0").replace("-", "−") for number in np.unique(test.drawers)]
    return {"map": plots.image_map(_embedded(run, test), test.drawers, test.images, title, names)}


def view_figures(run: Run, data: Data) -> dict[str, Any]:
    """The map of all views from two sides, and the views themselves."""
    from ... import plots
    from ...datasets import AZIMUTHS, pose_of

    everything = [*data]
    labels, z, images = (
        np.concatenate(parts)
        for parts in zip(*((part.labels, _embedded(run, part), part.images) for part in everything), strict=True)
    )
    azimuth, elevation = pose_of(labels)
    unseen = np.isin(labels, data.test.labels)
    heights = np.rad2deg(angles_of(AZIMUTHS * np.arange(elevation.max() + 1))[1])
    light = np.concatenate([part.drawers for part in everything])
    return {
        "map": plots.view_map(z, azimuth, elevation, unseen, images, AZIMUTHS),
        "views": plots.view_sheet(images, azimuth, elevation, light, unseen, heights),
    }


def _embedded(run: Run, data: Dataset) -> Array:
    """The place of each image in the map."""
    return run.method.embed(run.params, run.method.prepared(data).images)
