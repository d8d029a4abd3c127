"""Checks of arguments. Each one returns silently, or raises an error that names the argument and the remedy.

`between` and `whole` also return the number as one of Python's, which adopts the dtype of the arrays beside it.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

LARGEST = float(np.finfo(np.float64).max)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .typing import Array


def floating(**arrays: Array) -> None:
    """Require floating-point arrays (integers would truncate their own gradient)."""
    for name, array in arrays.items():
        is_array = hasattr(array, "dtype") and hasattr(array, "ndim")  # also an array on autograd's tape
        if not is_array or not np.issubdtype(array.dtype, np.floating):
            kind = array.dtype if is_array else type(array).__name__
            raise TypeError(f"{name} must be a floating-point NumPy array, not {kind}: np.asarray({name}, np.float32)")


def dimensions(count: int, shape: str, **arrays: Array) -> None:
    """Require floating-point arrays with `count` axes; `shape` describes the axes in the error message."""
    floating(**arrays)
    for name, array in arrays.items():
        if array.ndim != count:
            raise ValueError(f"{name} must have the shape {shape}, not {array.shape}{_flat(count, name, array.shape)}")


def _flat(count: int, name: str, shape: tuple[int, ...]) -> str:
    """The remedy for a vector that is a column or a row of a matrix."""
    return f": np.ravel({name})" if count == 1 and len(shape) == 2 and 1 in shape else ""


def square(**matrices: Any) -> None:
    """Require square matrices; of each only the shape is read."""
    for name, matrix in matrices.items():
        if len(matrix.shape) != 2:
            raise ValueError(f"{name} must have the shape (n, n), every image against every image, not {matrix.shape}")
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(
                f"{name} must be square, every image against every image, not {matrix.shape}: pairwise.l2(z, z)"
            )


def same_shape(**arrays: Array) -> None:
    """Require arrays of one shape."""
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"these arrays must have one shape: {shapes}")


def same_columns(**arrays: Array) -> None:
    """Require matrices of embeddings with the same number of features."""
    if len({array.shape[1] for array in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"these arrays must have the same number of columns, the embedding size: {shapes}")


def nested_sizes(sizes: Sequence[int], features: int | None = None) -> None:
    """Require one size or more, each from 1 to the number of features, if that is known."""
    for size in sizes:
        whole("sizes", size, 1)
    if not sizes:
        raise ValueError("sizes must have one size or more: pairwise.nested(pairwise.cosine, (1, 2))")
    if features is not None and max(sizes) > features:
        raise ValueError(f"sizes must be at most {features}, the number of features, not {max(sizes)}")


def matrices(D: Any, weights: Sequence[float] | None) -> None:
    """Require a stack of matrices, one for each weight if there are some."""
    if D.ndim != 3 or len(D) == 0:
        raise ValueError(
            f"D must have the shape (k, n, m), a matrix for each of k sizes, not {D.shape}: "
            "pairwise.nested(pairwise.cosine, (1, 2))"
        )
    if weights is not None and len(weights) != len(D):
        raise ValueError(f"weights must have {len(D)} entries, one for each size, not {len(weights)}")


def rows(**arrays: Array) -> None:
    """Require at least one row in every array: the mean over no rows is undefined."""
    for name, array in arrays.items():
        if len(array) == 0:
            raise ValueError(f"{name} is empty: a mean over no rows is undefined. Skip the batch or draw a larger one")


def same_or_not(same: Any, rows: int) -> None:
    """Require boolean `same`, one entry per pair. Bare 0 and 1 are refused: papers disagree on which means similar."""
    dtype = getattr(same, "dtype", None)
    if dtype != np.bool_:
        raise TypeError(
            f"same must be a boolean array, True where both images show one class, not {dtype or type(same).__name__}. "
            "If your labels follow Hadsell et al. (0 = similar), pass np.asarray(same) == 0; "
            "if 1 means same, as in cross-entropy, pass np.asarray(same) == 1"
        )
    if same.shape != (rows,):
        remedy = _flat(1, "same", same.shape)
        raise ValueError(f"same must have the shape ({rows},), one entry per pair, not {same.shape}{remedy}")


def class_labels(labels: Any, rows: int | None = None, name: str = "labels", numbers: bool = False) -> None:
    """Require integers or names, one class per row; with `numbers`, integers only."""
    dtype = getattr(labels, "dtype", None)
    if dtype is None or dtype.kind not in ("iu" if numbers else "iuUS"):
        kind = "integers" if numbers else "integers or of names"
        raise TypeError(
            f"{name} must be an array of {kind}, one class per row, not {dtype or type(labels).__name__}: "
            f"np.unique({name}, return_inverse=True)[1] numbers classes from 0"
        )
    if labels.ndim != 1 or (rows is not None and len(labels) != rows):
        expected, remedy = f"({rows},)" if rows is not None else "(n,)", _flat(1, name, labels.shape)
        if labels.ndim == 2 and not remedy:
            remedy = f": np.argmax({name}, axis=1) if each row marks its class with the largest entry"
        raise ValueError(f"{name} must have the shape {expected}, one class per row, not {labels.shape}{remedy}")


def columns(count: int, targets: Any, rows: int) -> None:
    """Require integer `targets`: a column number for each row."""
    class_labels(targets, rows, name="targets", numbers=True)
    if len(targets) and not (targets.min() >= 0 and targets.max() < count):
        raise ValueError(
            f"targets must be column numbers from 0 to {count - 1}; they range from {targets.min()} to "
            f"{targets.max()}: np.unique(targets, return_inverse=True)[1], of all labels, numbers classes from 0"
        )


def same_matrix(same: Any, shape: tuple[int, ...]) -> None:
    """Require a boolean matrix `same`, with one entry for each entry of a distance matrix."""
    if getattr(same, "dtype", None) != np.bool_ or same.shape != shape:
        raise TypeError(
            f"same must be a boolean array of the shape {shape}, True where a query and a support image have the same "
            "class: labels[:, None] == support_labels"
        )


def finite(*, first_row: int = 0, **arrays: Array) -> None:
    """Require arrays without NaN and infinity; `first_row` is the number of the first row, in a block of a matrix."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            row = (where[0] + first_row, *where[1:]) if where else where
            raise ValueError(f"{name} holds {array[where]} at {row}: remove it, or replace it with np.nan_to_num")


def between(
    name: str, value: float, low: float, high: float = np.inf, *, open_low: bool = False, open_high: bool = False
) -> float:
    """Require a finite number in [low, high], and return it as a Python float; `open_low` and `open_high` exclude ends.

    A Python float adopts the dtype of the arrays that it is combined with. A np.float64 would turn a float32 step into
    a float64 step.
    """
    value = _number(value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    outside = not number or not abs(value) <= LARGEST or value < low or value > high
    if outside or (open_low and value == low) or (open_high and value == high):
        above = f"greater than {low:g}" if open_low else f"at least {low:g}"
        below = f"less than {high:g}" if open_high else f"at most {high:g}"
        limits = [*([above] if low > -np.inf else []), *([below] if high < np.inf else [])]
        raise ValueError(
            f"{name} must be a finite number{', ' if limits else ''}{' and '.join(limits)}; it is {value!r}"
        )
    return float(value)


def whole(name: str, value: Any, low: int) -> int:
    """Require an integer of at least `low`, and return it as a Python int."""
    value = _number(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        meant = isinstance(value, float) and value >= low and value.is_integer()
        remedy = f": {name}={int(value)}" if meant else ""
        raise ValueError(f"{name} must be a whole number, at least {low}; it is {value!r}{remedy}")
    return value


def _number(value: Any) -> Any:
    """A Python number for a NumPy number and an array that holds a single number."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def generator(rng: Any) -> None:
    """Require a np.random.Generator, which the caller passes in."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a np.random.Generator, not {type(rng).__name__}: pass np.random.default_rng(0)")


def one_of(name: str, value: str, known: Collection[str]) -> None:
    """Require a known name; for a misspelt one, the error suggests the closest known name."""
    if value not in known:
        from difflib import get_close_matches

        near = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(known))}"
        raise ValueError(f"unknown {name} {value!r}: {hint}")


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra; the package is on no index, so it is installed from its folder."""
    return f"python -m pip install -e '.[{extra}]' in the folder of minisiam"
