"""Maps of Hadsell, Chopra & LeCun (2006): the metrics of each experiment, and its figures.

"Dimensionality reduction by learning an invariant mapping" shows maps and prints no numbers; the metrics are ours.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import evaluate, pairwise
from ...analysis import maps
from ...datasets import SHIFTS, angles_of, neighbour_graph
from . import regression

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...datasets import Dataset
    from ...typing import Array, Float, Int
    from ..data_spec import Data
    from ..run import Run

NEIGHBOURS = 5


def digits(run: Run, data: Data) -> dict[str, float]:
    """The share of test digits whose class is the majority of their five nearest training images in the map.

    The same for two other maps in as many dimensions, for comparison: the principal components, and the spectral map of
    the five nearest neighbours in pixels, to which a test digit is added by its five nearest training images.
    """
    x, queries = (part.images.reshape(len(part.images), -1) for part in (data.train, data.test))
    near = evaluate.nearest(x, queries, neighbour_graph.NEAREST)[1]
    found = maps.spectral(neighbour_graph.neighbours(data.train))
    positions = {
        "neighbours": (_embedded(run, data.train), _embedded(run, data.test)),
        "pca_neighbours": maps.principal(x, queries),
        "spectral_neighbours": (found.z, maps.extended(found, near)),
    }
    metrics: dict[str, float] = {}
    for name, (z, of_test) in positions.items():
        metrics[name] = evaluate.knn_accuracy(
            z, data.train.labels, of_test, data.test.labels, NEIGHBOURS, pairwise.squared_l2, 256
        )
        metrics[f"{name}_of"] = len(of_test)
    return metrics


def shifts(run: Run, data: Data) -> dict[str, float]:
    """`shift_ratio` of the test digits."""
    return {"ratio": shift_ratio(_embedded(run, data.test), data.test.labels, data.test.drawers)}


def shift_ratio(z: Float[Array, "n d"], labels: Int[Array, "n"], shift: Int[Array, "n"]) -> float:
    """How far a shift moves a digit in the map, relative to the distance between digits.

    The mean distance of one digit at two different shifts, over all digits and pairs of shifts, divided by the mean
    distance of two different digits at the same shift, over all shifts and pairs of digits. A map that is invariant to
    shifts has 0; at 1 a shift moves a digit as far as another digit is away.

    Parameters
    ----------
    z, labels, shift
        (n, d) the map, (n,) the digit, (n,) its shift; every digit occurs once at every shift.
    """
    at = z[np.lexsort((shift, labels))].reshape(len(np.unique(labels)), len(np.unique(shift)), -1).swapaxes(0, 1)
    if min(at.shape[:2]) < 2:
        raise ValueError("the ratio needs at least two digits and two shifts")
    moved = [np.linalg.norm(a - b, axis=1).mean() for a, b in combinations(at, 2)]
    count = at.shape[1]
    between = [pairwise.l2(some, some)[0].sum() / (count * (count - 1)) for some in at]
    return float(np.mean(moved) / np.mean(between))


def views(run: Run, data: Data) -> dict[str, float]:
    """`recovered` of the test views."""
    return recovered(_embedded(run, data.train), data.train, _embedded(run, data.test), data.test)


def recovered(z: Float[Array, "n d"], train: Dataset, queries: Float[Array, "m d"], test: Dataset) -> dict[str, float]:
    """R² of the pose and of the light of test views, predicted from the map by `regression.polynomial`.

    The pose is the smallest of three R²: of cos and sin of the azimuth, and of the elevation. The light is one-hot, and
    its R² is over all columns.
    """
    true = pose(test.labels)
    predicted = regression.polynomial(z, pose(train.labels), queries)
    found = {
        name: regression.r_squared(predicted[:, i], true[:, i]) for i, name in enumerate(("cos", "sin", "elevation"))
    }
    one_hot = np.eye(int(max(train.drawers.max(), test.drawers.max())) + 1)
    light = regression.r_squared(regression.polynomial(z, one_hot[train.drawers], queries), one_hot[test.drawers])
    return {"pose": min(found.values()), **found, "light": light}


def pose(labels: Int[Array, "n"]) -> Float[Array, "n 3"]:
    """Cos and sin of the azimuth, and the elevation in radians."""
    azimuth, elevation = angles_of(labels)
    return np.stack([np.cos(azimuth), np.sin(azimuth), elevation], axis=1)


def digit_figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The map of test digits, by class."""
    from ... import plots

    test = data.test
    names = [f"digit {label}" for label in np.unique(test.labels)]
    title = "Test digits in the map of a network that was trained on which images are near in pixels"
    return {"map": lambda: plots.image_map(_embedded(run, test), test.labels, test.images, title, names)}


def shift_figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The map of test digits, by shift."""
    from ... import plots

    test = data.test
    pairs = {"shift-aware": "neighbours at any shift are positive pairs"}.get(
        run.config.pair_by, "neighbours in pixels are positive pairs"
    )
    ratio = run.report["metrics"]["ratio"]
    title = f"Test digits at five shifts: {pairs}\ndistance by a shift / between digits = {ratio:.2f}"
    names = [f"{SHIFTS[number]:+d} px".replace("+0", "0").replace("-", "−") for number in np.unique(test.drawers)]
    return {"map": lambda: plots.image_map(_embedded(run, test), test.drawers, test.images, title, names)}


def view_figures(run: Run, data: Data) -> dict[str, Callable[[], Any]]:
    """The map of all views from two sides, and the images."""
    from ... import plots
    from ...datasets import AZIMUTHS, pose_of

    labels, z, images = (
        np.concatenate(parts)
        for parts in zip(*((part.labels, _embedded(run, part), part.images) for part in data), strict=True)
    )
    azimuth, elevation = pose_of(labels)
    is_test = np.isin(labels, data.test.labels)
    heights = np.rad2deg(angles_of(AZIMUTHS * np.arange(elevation.max() + 1))[1])
    light = np.concatenate([part.drawers for part in data])
    return {
        "map": lambda: plots.view_map(z, azimuth, elevation, is_test, images, AZIMUTHS),
        "views": lambda: plots.view_sheet(images, azimuth, elevation, light, is_test, heights),
    }


def _embedded(run: Run, data: Dataset) -> Array:
    """The position of each image in the map."""
    return run.method.embed(run.params, run.method.prepared(data).images)
