"""Using a trained network: enrol embeddings under names, search them, identify, verify.

people = enrol(names, z)                      embeddings of one example or more of each name
names, d, entries = search(people, z, k=3)    the nearest entries
identify(people, z, threshold)                the name, or None for a stranger
verify(z1, z2, threshold, calibration)        same or not, with the distance and the probability
save("people.npz", people)                    one file, without pickle; people = load("people.npz")

A gallery is a NamedTuple, and every function returns a new one. `evaluate.choose_threshold` chooses the threshold, and
`evaluate.calibrate` the calibration, from pairs of held-out classes.
"""

from __future__ import annotations

from itertools import pairwise as neighbours
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import distances, pairwise, require
from ._arrays import reads_arrays
from .evaluate.search import nearest
from .evaluate.thresholds import probability

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from .evaluate.thresholds import Calibration
    from .typing import Array, Distance, Float, PairwiseDistance


class Gallery(NamedTuple):
    """Enrolled embeddings with their names.

    embeddings : (n, d), one row per example
    names : (n,) strings; several rows may have one name
    about : what made the embeddings, for instance the run: anything that JSON can hold
    """

    embeddings: Array
    names: Array
    about: dict[str, Any] = {}  # noqa: RUF012  no function changes it

    def __repr__(self) -> str:
        return f"{len(self.names):,} embeddings of {len(np.unique(self.names)):,} names"


class Matches(NamedTuple):
    """The k nearest entries of each query, nearest first: (m, k) names, distances and row numbers."""

    names: Array
    distances: Array
    entries: Array


class Verdicts(NamedTuple):
    """Of each pair: whether d ≤ threshold, d, and P(same | d), which is NaN without a calibration. All (n,)."""

    same: Array
    distances: Array
    probabilities: Array


@reads_arrays
def enrol(names: Sequence[str], z: Float[Array, "n d"], gallery: Gallery | None = None) -> Gallery:
    """A gallery with new names added.

    Parameters
    ----------
    names, z
        n names and their (n, d) embeddings. A name may occur several times, with several examples of it.
    gallery
        The gallery that is extended; None starts a new one. It may not have any of the names: `add` adds examples of
        an enrolled name, and `remove` removes them.
    """
    new = _checked(names, z, gallery)
    if gallery is not None and (known := sorted(set(new.names.tolist()) & set(gallery.names.tolist()))):
        raise ValueError(
            f"{_few(known)} enrolled already: gallery.add(names, z, gallery) adds examples of an enrolled name, and "
            "gallery.remove(names, gallery) removes it"
        )
    return _joined(new, gallery)


@reads_arrays
def add(names: Sequence[str], z: Float[Array, "n d"], gallery: Gallery) -> Gallery:
    """A gallery with more examples of names that it has: n names, and their (n, d) embeddings."""
    new = _checked(names, z, gallery)
    _require_enrolled(set(names), gallery)
    return _joined(new, gallery)


def remove(names: Collection[str], gallery: Gallery) -> Gallery:
    """The gallery without these names."""
    names = {names} if isinstance(names, str) else set(names)
    _require_enrolled(names, gallery)
    keep = ~np.isin(gallery.names, list(names))
    return gallery._replace(embeddings=gallery.embeddings[keep], names=gallery.names[keep])


@reads_arrays
def search(
    gallery: Gallery,
    z: Float[Array, "m d"],
    k: int = 1,
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 128,
) -> Matches:
    """The k nearest entries of each of (m, d) queries; of entries at the same distance, the earliest enrolled first.

    Parameters are those of `evaluate.nearest`: it compares `chunk` queries with the whole gallery at a time.
    """
    _require_entries(gallery)
    require.dimensions(2, "(m, d), one embedding per row", z=z)
    require.same_columns(z=z, gallery=gallery.embeddings)
    d, entries = nearest(gallery.embeddings, z, k, distance, chunk)
    return Matches(gallery.names[entries], d, entries)


@reads_arrays
def identify(
    gallery: Gallery,
    z: Float[Array, "m d"],
    threshold: float,
    distance: PairwiseDistance = pairwise.l2,
    chunk: int = 128,
) -> list[str | None]:
    """The name of the nearest entry, or None if it is further than `threshold`, or if two names are equally near."""
    threshold = require.between("threshold", threshold, -np.inf)
    _require_entries(gallery)
    most = int(np.unique(gallery.names, return_counts=True)[1].max())
    found = search(gallery, z, min(most + 1, len(gallery.names)), distance, chunk)  # at most `most` have the same name
    nearest_name, least = found.names[:, :1], found.distances[:, :1]
    rival = ((found.distances == least) & (found.names != nearest_name)).any(axis=1)
    known = (least[:, 0] <= threshold) & ~rival
    return [str(name) if sure else None for name, sure in zip(nearest_name[:, 0], known, strict=True)]


@reads_arrays
def verify(
    z1: Float[Array, "n d"],
    z2: Float[Array, "n d"],
    threshold: float,
    calibration: Calibration | None = None,
    distance: Distance = distances.l2,
) -> Verdicts:
    """Do z1 and z2 have the same class, row by row?

    Parameters
    ----------
    z1, z2
        (n, d) embeddings.
    threshold
        A pair is the same class if d ≤ threshold; see `evaluate.choose_threshold`.
    calibration
        Of `evaluate.calibrate`, on pairs of the same distance.
    distance
        A distance of rows, `d, _ = distance(z1, z2)`.
    """
    threshold = require.between("threshold", threshold, -np.inf)
    d, _ = distance(z1, z2)
    probabilities = np.full(len(d), np.nan) if calibration is None else probability(calibration, d)
    return Verdicts(d <= threshold, d, probabilities)


def save(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery to one .npz file, which replaces an older one: after a crash it is the old or the new file.

    It is a checkpoint, whose arrays are the embeddings, the names in UTF-8 and the length of each in bytes.
    """
    from . import checkpoint

    encoded = [str(name).encode() for name in gallery.names]
    arrays = {
        "embeddings": gallery.embeddings,
        "names": np.frombuffer(b"".join(encoded), np.uint8),
        "lengths": np.array([len(name) for name in encoded], np.int64),
    }
    checkpoint.save(path, arrays, {"gallery": gallery.about})


def load(path: str | Path) -> Gallery:
    """Read a gallery that `save` wrote; `checkpoint.CheckpointError` if the file is damaged or something else."""
    from . import checkpoint

    try:
        settings, stored = checkpoint.header(path)["settings"], checkpoint.load(path)
        if not isinstance(settings.get("gallery"), dict):
            raise ValueError("it is another file of minisiam")
        text, ends = stored["names"].tobytes(), np.cumsum(stored["lengths"]).tolist()
        if [0, *ends][-1] != len(text):
            raise ValueError("its names have another length")
        names, z = [text[start:end].decode() for start, end in neighbours([0, *ends])], stored["embeddings"]
        found = _checked(names, z, None) if names or z.size else Gallery(z, np.array(names, np.str_))
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(
            f"{path} is not a gallery that can be read ({error}): name a file that gallery.save or `minisiam enrol` "
            "wrote, or restore a copy"
        ) from error
    return found._replace(about=settings["gallery"])


def _checked(names: Sequence[str], z: Array, gallery: Gallery | None) -> Gallery:
    """The new entries, if they fit the gallery."""
    require.dimensions(2, "(n, d), one embedding per row", z=z)
    require.rows(z=z)
    require.finite(z=z)
    ordered = not isinstance(names, (str, set, frozenset, dict)) and hasattr(names, "__len__")
    if not ordered or not all(isinstance(name, str) and name for name in names):
        raise TypeError(
            "names must be a sequence of non-empty strings, one per row of z: [str(name) for name in names]"
        )
    if len(names) != len(z):
        raise ValueError(f"names has {len(names)} entries and z {len(z)} rows: one name per embedding")
    if gallery is not None:
        require.same_columns(z=z, gallery=gallery.embeddings)
    return Gallery(z.copy(), np.array(names, dtype=np.str_))


def _joined(new: Gallery, gallery: Gallery | None) -> Gallery:
    if gallery is None:
        return new
    z, names = (np.concatenate(both) for both in zip(gallery[:2], new[:2], strict=True))
    return gallery._replace(embeddings=z, names=names)


def _require_enrolled(names: set[str], gallery: Gallery) -> None:
    if unknown := sorted(names - set(gallery.names.tolist())):
        raise ValueError(f"{_few(unknown)} not enrolled: gallery.enrol(names, z, gallery) adds new names")


def _require_entries(gallery: Gallery) -> None:
    if not len(gallery.names):
        raise ValueError("the gallery is empty: gallery.enrol(names, z) adds embeddings")


def _few(names: list[str]) -> str:
    """The first three names, quoted, with "is" or "are"."""
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"
