"""A rendered aeroplane from all sides in several lights, instead of the photographs of NORB (Hadsell et al. 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .dataset import Dataset

if TYPE_CHECKING:
    from ..typing import Array, Int

AZIMUTHS, ELEVATIONS, LIGHTS = 18, 9, 6
POSED = ("aeroplane",)  # `Dataset.names` of data with known poses
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
# the direction of each light, in fixed coordinates, and its brightness
LAMPS = np.array([[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1], [0, 0, 1], [1, 1, 2]], float)
BRIGHT = np.array([0.75, 0.75, 0.6, 0.6, 0.45, 0.85])
AMBIENT = 0.15


def rendered(
    size: int = 28, azimuths: int = AZIMUTHS, elevations: int = ELEVATIONS, lights: int = LIGHTS, sharper: int = 2
) -> Dataset:
    """Render a model aeroplane on a turntable: every azimuth × elevation of the camera × light. Nothing is random.

    Each pixel is the mean of `sharper²` parallel rays. A ray hits an ellipsoid first, which has Lambert's shading:
    ambient + brightness · max(0, normal · light). The lights do not rotate with the object, so its shading changes with
    the azimuth; the outline does not depend on the lights.

    Parameters
    ----------
    size
        Pixels per side.
    azimuths, elevations, lights
        The number of azimuths (of 18 around the circle), elevations (of 9 from 30° to 70°) and lights (of 6); the first
        ones are used.
    sharper
        The number of rays per pixel along each side.

    Returns
    -------
    Dataset
        972 images. `labels` is the pose, 18 · elevation + azimuth (`pose_of`), and `drawers` is the light: a class has
        one image per light. All are in one group.
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
            raise ValueError(f"{name} must be at most {most}, not {count}")
    elevation, azimuth = (axis.ravel() for axis in np.mgrid[:elevations, :azimuths])
    to_light = LAMPS[:lights] / np.linalg.norm(LAMPS[:lights], axis=1, keepdims=True)
    angles = np.transpose(_radians(azimuth, elevation))
    views = [_view(a, e, to_light, BRIGHT[:lights], size * sharper) for a, e in angles]
    fine = np.concatenate(views).reshape(-1, size, sharper, size, sharper)
    labels = np.repeat(AZIMUTHS * elevation + azimuth, lights)
    light = np.tile(np.arange(lights), len(views))
    return Dataset(fine.mean(axis=(2, 4), dtype=np.float32)[..., None], labels, 0 * labels, light, POSED)


def pose_of(labels: Int[Array, "n"]) -> tuple[Array, Array]:
    """The numbers of the azimuth and the elevation of classes of `rendered`."""
    elevation, azimuth = np.divmod(labels, AZIMUTHS)
    return azimuth, elevation


def angles_of(labels: Int[Array, "n"]) -> tuple[Array, Array]:
    """Azimuth and elevation of classes of `rendered`, in radians."""
    return _radians(*pose_of(labels))


def _radians(azimuth: Array, elevation: Array) -> tuple[Array, Array]:
    return 2 * np.pi * azimuth / AZIMUTHS, LOWEST + (HIGHEST - LOWEST) * elevation / (ELEVATIONS - 1)


def _view(azimuth: float, elevation: float, to_light: Array, bright: Array, side: int) -> Array:
    """(lights, side, side): one pose in all lights."""
    back, right, up = _camera(azimuth, elevation)
    x, y = np.meshgrid(*2 * [np.linspace(-1.1, 1.1, side)])
    origin = x[..., None] * right - y[..., None] * up
    hit, normal = _first_hit(origin, back)
    shade = np.maximum(0, normal @ _rotated(to_light, -azimuth).T) * bright
    return np.where(hit, (AMBIENT + shade).transpose(2, 0, 1), 0).astype(np.float32)


def _camera(azimuth: float, elevation: float) -> tuple[Array, Array, Array]:
    """Three unit vectors in the coordinates of the object: to the camera, to its right and up."""
    around, above = (np.array([np.cos(a), np.sin(a)]) for a in (-azimuth, elevation))
    back = np.array([above[0] * around[0], above[0] * around[1], above[1]])
    right = np.array([-around[1], around[0], 0.0])
    return back, right, np.cross(back, right)


def _rotated(vectors: Array, angle: float) -> Array:
    """Rotate about the vertical axis."""
    c, s = np.cos(angle), np.sin(angle)
    return vectors @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def _first_hit(origin: Array, back: Array) -> tuple[Array, Array]:
    """Whether each ray origin + t · back hits the object, and the unit normal at the first hit, with the largest t.

    An ellipsoid is a unit sphere in scaled coordinates: ‖q + t e‖² = 1, a quadratic equation for t.
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
