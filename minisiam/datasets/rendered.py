"""An aeroplane from all sides in several lights, drawn here: what NORB's photographs are to Hadsell et al. (2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .dataset import Dataset

if TYPE_CHECKING:
    from ..typing import Array, Int

AZIMUTHS, ELEVATIONS, LIGHTS = 18, 9, 6
POSED = ("aeroplane",)  # the name of what has poses
LOWEST, HIGHEST = np.deg2rad(30), np.deg2rad(70)
# ellipsoids with axes along x (to the nose), y (to the left wing) and z (up): centre, then half-lengths
AEROPLANE = np.array(
    [
        [[0.0, 0.0, 0.0], [1.0, 0.15, 0.15]],  # fuselage
        [[0.45, 0.0, 0.12], [0.22, 0.1, 0.12]],  # cockpit
        [[0.1, 0.0, 0.0], [0.24, 0.95, 0.04]],  # wings
        [[-0.82, 0.0, 0.08], [0.14, 0.38, 0.035]],  # tailplane
        [[-0.82, 0.0, 0.25], [0.16, 0.04, 0.3]],  # fin
        [[0.26, 0.42, -0.08], [0.24, 0.09, 0.09]],  # engines
        [[0.26, -0.42, -0.08], [0.24, 0.09, 0.09]],
    ]
)
# where each light comes from, as seen in the room, and how bright it is
LAMPS = np.array([[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1], [0, 0, 1], [1, 1, 2]], float)
BRIGHT = np.array([0.75, 0.75, 0.6, 0.6, 0.45, 0.85])
AMBIENT = 0.15


def rendered(
    size: int = 28, azimuths: int = AZIMUTHS, elevations: int = ELEVATIONS, lights: int = LIGHTS, sharper: int = 2
) -> Dataset:
    """A model aeroplane on a turntable: every azimuth × elevation of the camera × light. Nothing is random.

    Each pixel is the mean of `sharper`² parallel rays. A ray sees the ellipsoid it meets first, in Lambert's shading:
    ambient + brightness · max(0, normal · light). The lights stand in the room, so that the shading changes as the
    object turns; the outline does not depend on them.

    Parameters
    ----------
    size
        Pixels a side.
    azimuths, elevations, lights
        How many of the 18 azimuths around the circle, the 9 elevations from 30° to 70° and the 6 lights: the first.
    sharper
        Rays a pixel, along each side.

    Returns
    -------
    Dataset
        972 images. `labels` is the pose, 18 · elevation + azimuth (`pose_of`), and `drawers` the light: a class is a
        pose, drawn by every light. All are in one group.
    """
    require.whole("size", size, 8)
    require.whole("sharper", sharper, 1)
    for name, count, most in (
        ("azimuths", azimuths, AZIMUTHS),
        ("elevations", elevations, ELEVATIONS),
        ("lights", lights, LIGHTS),
    ):
        require.whole(name, count, 1)
        if count > most:
            raise ValueError(f"{name} is {count}, but there are only {most}")
    elevation, azimuth = (axis.ravel() for axis in np.mgrid[:elevations, :azimuths])
    toward = LAMPS[:lights] / np.linalg.norm(LAMPS[:lights], axis=1, keepdims=True)
    angles = np.transpose(_radians(azimuth, elevation))
    views = [_view(turn, rise, toward, BRIGHT[:lights], size * sharper) for turn, rise in angles]
    fine = np.concatenate(views).reshape(-1, size, sharper, size, sharper)
    labels = np.repeat(AZIMUTHS * elevation + azimuth, lights)
    light = np.tile(np.arange(lights), len(views))
    return Dataset(fine.mean(axis=(2, 4), dtype=np.float32)[..., None], labels, 0 * labels, light, POSED)


def pose_of(labels: Int[Array, "n"]) -> tuple[Array, Array]:
    """The numbers of azimuth and elevation of the classes of `rendered`."""
    elevation, azimuth = np.divmod(labels, AZIMUTHS)
    return azimuth, elevation


def angles_of(labels: Int[Array, "n"]) -> tuple[Array, Array]:
    """Azimuth and elevation of the classes of `rendered`, in radians."""
    return _radians(*pose_of(labels))


def _radians(azimuth: Array, elevation: Array) -> tuple[Array, Array]:
    return 2 * np.pi * azimuth / AZIMUTHS, LOWEST + (HIGHEST - LOWEST) * elevation / (ELEVATIONS - 1)


def _view(azimuth: float, elevation: float, toward: Array, bright: Array, side: int) -> Array:
    """(lights, side, side): one pose in all lights."""
    back, right, up = _camera(azimuth, elevation)
    x, y = np.meshgrid(*2 * [np.linspace(-1.1, 1.1, side)])
    origin = x[..., None] * right - y[..., None] * up
    hit, normal = _first_hit(origin, back)
    shade = np.maximum(0, normal @ _turned(toward, -azimuth).T) * bright
    return np.where(hit, (AMBIENT + shade).transpose(2, 0, 1), 0).astype(np.float32)


def _camera(azimuth: float, elevation: float) -> tuple[Array, Array, Array]:
    """Three unit vectors in the object's own axes: to the camera, to its right and up."""
    turn, rise = (np.array([np.cos(a), np.sin(a)]) for a in (-azimuth, elevation))
    back = np.array([rise[0] * turn[0], rise[0] * turn[1], rise[1]])
    right = np.array([-turn[1], turn[0], 0.0])
    return back, right, np.cross(back, right)


def _turned(vectors: Array, angle: float) -> Array:
    """Turned about the vertical axis."""
    c, s = np.cos(angle), np.sin(angle)
    return vectors @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def _first_hit(origin: Array, back: Array) -> tuple[Array, Array]:
    """Whether each ray origin + t · back meets the object, and the unit normal where it does first, at the largest t.

    An ellipsoid is a unit sphere in stretched space: ‖q + t e‖² = 1, a quadratic equation for t.
    """
    centre, half = AEROPLANE[:, 0], AEROPLANE[:, 1]
    q, e = (origin[..., None, :] - centre) / half, back / half
    a, b, c = (e * e).sum(-1), (q * e).sum(-1), (q * q).sum(-1) - 1
    square = b * b - a * c
    t = np.where(square >= 0, (np.sqrt(np.maximum(square, 0)) - b) / a, -np.inf)
    nearest = t.argmax(axis=-1)[..., None]
    t = np.take_along_axis(t, nearest, -1)
    hit = np.isfinite(t[..., 0])
    own = nearest[..., None]
    q = np.take_along_axis(q, own, -2)[..., 0, :]
    normal = (q + np.where(np.isfinite(t), t, 0) * e[nearest[..., 0]]) / half[nearest[..., 0]]
    return hit, normal / np.linalg.norm(normal, axis=-1, keepdims=True)
