"""The labels of the whole batch, for code in which each rank has only those of its own images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays, require
from .ranks import require_equal, together

if TYPE_CHECKING:
    from ..typing import Array, Int
    from .ranks import Ranks


def gather_labels(labels: Int[Array, "b"], x: Any, ranks: Ranks) -> Int[Array, "n"]:
    """Return the labels of all ranks, in the order of the embeddings of `distributed.encoder`.

    Parameters
    ----------
    labels
        (bᵣ,) the classes of the own images: integers on all ranks, or names on all ranks.
    x
        The own images.
    ranks
        From `distributed.mpi`, `distributed.run` or `distributed.Single`.

    Raises
    ------
    TypeError, ValueError
        On every rank, if one has no labels, or labels of another kind or number than its images.
    """

    def checked() -> Array:
        own = _arrays.labels("labels", labels)
        require.class_labels(own, len(x))
        if len(own) == 0:
            raise ValueError("this rank has no images: give each rank at least one, or use fewer ranks")
        return own

    parts = ranks.gather(together(ranks, checked))
    kinds = ["integers" if part.dtype.kind in "iu" else "names" for part in parts]
    require_equal("the kind of the labels", kinds, "Use integers on all ranks, or names on all")
    return np.concatenate(parts)
