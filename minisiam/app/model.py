"""A trained network, ready to use: `minisiam.load("runs/…")`.

model = load("runs/batch-cosine-supcon")
z = model.embed("pictures/")                            files, folders, zip files or arrays → (n, d)
people = model.enrol(names, "pictures/")                a gallery, which knows its run
model.identify(people, "new.png")                       names, or None for a stranger
model.verify("one.png", "other.png")                    same or not, with distance and probability
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import checkpoint, require
from .. import gallery as galleries
from .._arrays import plain
from ..datasets import read_pictures
from ..datasets.pictures import by_area
from ..datasets.safe_io import expanded
from ..gallery import Gallery
from . import build, run, thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..datasets import Pictures
    from ..evaluate import Calibration, Threshold
    from ..gallery import Matches, Verdicts
    from ..typing import Array, Params
    from .build import Method
    from .config import Config

CHUNK = 1024  # images that are prepared and embedded at a time


class Model(NamedTuple):
    """A trained network with its preprocessing, distance and thresholds.

    thresholds : by target, "false-accept 0.01", "equal-error", …: each with the error rates to expect on new classes
    calibration : P(same | d); None if the run has no report
    missing, unit : why a target has no threshold, and what the error rates are intervals of: alphabets or classes
    """

    folder: Path
    config: Config
    method: Method
    params: Params
    thresholds: dict[str, Threshold]
    calibration: Calibration | None
    missing: dict[str, str]
    unit: str
    fingerprint: str

    def __repr__(self) -> str:
        channels = "grey" if self.config.channels == 1 else "colour"
        size = f"{self.config.pixels} × {self.config.pixels}"
        return f"{self.folder}: {self.config.title}; images of {size} pixels in {channels}"

    def read(self, pictures: Any, dark_ink: bool | None = None, progress: Any = None) -> Pictures:
        """The pictures of files, folders and zip files, read as those of the training; see `datasets.read_pictures`.

        Parameters
        ----------
        pictures
            A path, or several.
        dark_ink
            Whether they are dark on a light page. None decides as in training; if the run was not trained on pictures,
            they are inverted if they are brighter than half grey on average.
        progress
            A function that is called with how many pictures have been read, and how many there are.
        """
        paths = [pictures] if isinstance(pictures, (str, Path)) else list(pictures)
        ink = self.config.inverted if dark_ink is None and self.config.channels == 1 else dark_ink
        return read_pictures(paths, self.config.pixels, ink, self.config.channels, progress)

    def embed(self, images: Any, dark_ink: bool | None = None) -> Array:
        """(n, d) embeddings.

        Parameters
        ----------
        images
            One image or several, as floats in [0, 1], white ink on black: (h, w), (n, h, w) or (n, h, w, c), or a list
            of images of different sizes. They are scaled, centred and blurred as in training. Or paths, as in `read`.
        dark_ink
            Of paths, as in `read`.
        """
        if _are_paths(images):
            images = self.read(images, dark_ink).images
        elif isinstance(images, list) and len({np.shape(image) for image in images}) > 1:
            return np.concatenate([self.embed(image) for image in images])
        images = self._as_read(images)
        starts = range(0, len(images), CHUNK)
        return np.concatenate([self._embedded(images[start : start + CHUNK]) for start in starts])

    def _embedded(self, images: Array) -> Array:
        planes = by_area(images.transpose(0, 3, 1, 2).astype(np.float32), self.config.pixels, self.config.pixels)
        return self.method.embed(self.params, self.method.prepare(np.ascontiguousarray(planes.transpose(0, 2, 3, 1))))

    def _as_read(self, images: Any) -> Array:
        """(n, h, w, channels) from one image or several."""
        images = np.asarray(plain("images", images))
        channels = self.config.channels
        if images.dtype.kind not in "fb":
            raise TypeError(
                f"images must be floats in [0, 1], not {images.dtype}: images / 255, or 1 - images / 255 for dark ink"
            )
        if images.ndim == 2 and channels == 1:
            images = images[None]
        if images.ndim == 3:
            images = images[None] if images.shape[2] == channels else images[..., None]
        if images.ndim != 4 or images.shape[3] != channels or not images.size:
            remedy = "images.mean(axis=3) is grey" if channels == 1 else "np.stack([images] * 3, axis=3) has three"
            raise ValueError(
                f"images must have the shape (n, h, w{', 3' * (channels == 3)}), for the {channels} channel"
                f"{'s' * (channels > 1)} of the run, not {images.shape}: {remedy}"
            )
        if not (images.min() >= 0 and images.max() <= 1):
            raise ValueError(
                f"images must be in [0, 1], and are in [{images.min():g}, {images.max():g}]: images / 255, or "
                "1 - images / 255 for dark ink"
            )
        return images

    def distance(self, z1: Array, z2: Array) -> Any:
        """The distance of rows with its learned parameters, `d, pullback = model.distance(z1, z2)`."""
        return self.method.distance(z1, z2, *self.params["distance"])

    def pairwise(self, z1: Array, z2: Array) -> Any:
        """The distance of every row to every row, `D, pullback = model.pairwise(z1, z2)`."""
        return self.method.pairwise(z1, z2, *self.params["distance"])

    @property
    def threshold(self) -> float:
        """The threshold with 1 % false accepts on the validation set."""
        return self.threshold_of(thresholds.DEFAULT).value

    def threshold_of(self, target: str) -> Threshold:
        """The threshold of a target; ValueError says why there is none."""
        if target in self.thresholds:
            return self.thresholds[target]
        known = ", ".join(self.thresholds) or "no threshold"
        if target in self.missing:
            raise ValueError(f"{self.folder} has no threshold for {target}: {self.missing[target]}. It has {known}")
        if self.calibration is None:
            raise ValueError(
                f"{self.folder} has no report with thresholds: `minisiam train --resume {self.folder}` ends "
                f"its training, and `minisiam evaluate {self.folder} --save` evaluates it again"
            )
        raise ValueError(f"unknown target {target!r}: {self.folder} has {known}")

    def enrol(self, names: Sequence[str], images: Any, gallery: Gallery | None = None) -> Gallery:
        """`gallery.enrol`, of images as in `embed`; the gallery knows this run."""
        return self.enrol_embeddings(names, self.embed(images), gallery)

    def enrol_embeddings(self, names: Sequence[str], z: Array, gallery: Gallery | None = None) -> Gallery:
        """`gallery.enrol`, of embeddings of this model; the gallery knows this run."""
        return self._own(galleries.enrol(names, z, self.checked(gallery)))

    def add(self, names: Sequence[str], images: Any, gallery: Gallery) -> Gallery:
        """`gallery.add`, of images as in `embed`."""
        return self._own(galleries.add(names, self.embed(images), self.checked(gallery)))

    def search(self, gallery: Gallery, images: Any, k: int = 1) -> Matches:
        """`gallery.search`, of images as in `embed`, with the distance of the run."""
        return galleries.search(self.checked(gallery), self.embed(images), k, self.matrix)

    def identify(self, gallery: Gallery, images: Any, threshold: float | None = None) -> list[str | None]:
        """`gallery.identify`, of images as in `embed`; `threshold` is by default that of the run."""
        limit = self.threshold if threshold is None else threshold
        return galleries.identify(self.checked(gallery), self.embed(images), limit, self.matrix)

    def verify(self, images: Any, others: Any, threshold: float | None = None) -> Verdicts:
        """`gallery.verify` of each image with the other in its place; `threshold` is by default that of the run."""
        limit = self.threshold if threshold is None else threshold
        z1, z2 = self.embed(images), self.embed(others)
        require.same_shape(images=z1, others=z2)
        return galleries.verify(z1, z2, limit, self.calibration, self.distance)

    @property
    def matrix(self) -> Any:
        """The matrix distance; without learned parameters the function itself, for which `nearest` knows a product."""
        return self.pairwise if self.params["distance"] else self.method.pairwise

    def _own(self, gallery: Gallery) -> Gallery:
        about = {"run": str(self.folder.resolve()), "fingerprint": self.fingerprint, "distance": self.config.distance}
        return gallery._replace(about=about)

    def checked(self, gallery: Any) -> Any:
        """The gallery; ValueError if another run made it."""
        if gallery is not None and gallery.about and gallery.about.get("fingerprint") != self.fingerprint:
            raise ValueError(
                f"the gallery was made by {gallery.about.get('run')} in another state, and embeddings of "
                f"{self.folder} cannot be compared with it: enrol its pictures again, or load that run"
            )
        return gallery


def _are_paths(images: Any) -> bool:
    return isinstance(images, (str, Path)) or (
        isinstance(images, (list, tuple)) and bool(images) and all(isinstance(one, (str, Path)) for one in images)
    )


def load(folder: str | Path) -> Model:
    """A trained network from the folder of its run."""
    folder = expanded(folder)
    config, _ = run.read_checkpoint(folder)
    method = build.build(config)
    params = checkpoint.load(folder / "model.npz")
    found = run.read_report(folder).get("verification", {})
    known, calibration = thresholds.from_json(found) if "thresholds" in found else ({}, None)
    fingerprint = hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()[:16]
    unit = found.get("groups", {}).get("kind", "classes")
    return Model(folder, config, method, params, known, calibration, found.get("missing", {}), unit, fingerprint)
