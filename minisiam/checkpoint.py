"""Parameters on disk: one .npz file without pickle, written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import tree

if TYPE_CHECKING:
    from .typing import Params

FORMAT = 1


class CheckpointError(ValueError):
    """A file that is no checkpoint, a damaged one, or one of another network."""


def save(path: str | Path, params: Params, settings: dict[str, Any]) -> None:
    """Write the leaves of `params` in order, with `settings` as JSON, to a temporary file that then takes the name."""
    path = Path(path)
    leaves = {f"leaf{number}": np.asarray(leaf) for number, leaf in enumerate(tree.leaves(params))}
    header = np.array(json.dumps({"format": FORMAT, "settings": settings}))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, header=header, **leaves)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def settings(path: str | Path) -> dict[str, Any]:
    """What was saved beside the parameters."""
    return _read(Path(path))[0]


def load(path: str | Path, template: Params) -> Params:
    """The saved parameters, in the shape of `template` (a tree as `init` draws it)."""
    _, leaves = _read(Path(path))
    expected = tree.leaves(template)
    if [leaf.shape for leaf in leaves] != [np.shape(leaf) for leaf in expected]:
        raise CheckpointError(f"{path} holds the parameters of another network: {len(leaves)} arrays that do not fit")
    rest = iter(leaves)
    return tree.map(lambda _: next(rest), template)


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            leaves = [stored[f"leaf{number}"] for number in range(len(stored.files) - 1)]
            saved, version = header["settings"], header["format"]
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        NotImplementedError,  # zipfile, of a compression it does not know
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise CheckpointError(f"{path} is damaged, or no checkpoint of this package") from error
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version}, this version reads format {FORMAT}")
    return saved, leaves
