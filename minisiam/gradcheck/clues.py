"""Guess the mistake from a wrong gradient: a sentence, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np


def clue(ours: Any, truth: Any, rows: int) -> str:
    """A guess at the mistake; with `rows`, it considers their number as the missing factor."""
    ours, truth = np.asarray(ours, float), np.asarray(truth, float)
    if ours.shape != truth.shape:
        transposed = ours.shape == truth.T.shape and np.allclose(ours, truth.T)
        return "transposed" if transposed else f"shape {ours.shape}, should be {truth.shape}"
    if not np.isfinite(ours).all():
        return "NaN or infinity: a division by a distance of 0?"
    close = lambda factor: np.allclose(ours, factor * truth, rtol=1e-6, atol=1e-9)
    for factor, words in (
        (-1, "the right size, but the wrong sign"),
        (2, "twice too large"),
        (0.5, "half of what it should be"),
        (rows or np.nan, f"{rows} times too large, and there are {rows} rows: a sum instead of a mean?"),
        (
            1 / rows if rows else np.nan,
            f"{rows} times too small, and there are {rows} rows: divided by the number of rows twice?",
        ),
        (-2, "twice too large, and the wrong sign"),
    ):
        if close(factor):
            return words
    if not ours.any():
        return "zero, but should not be"
    if ours.ndim == 2 and ours.shape[0] == ours.shape[1] and np.allclose(ours, truth.T):
        return "transposed"
    if np.allclose(np.abs(ours), np.abs(truth)):
        return "the right sizes, but some signs are wrong"
    flat = np.isclose(truth, 0, atol=1e-12)
    if flat.any() and np.allclose(ours[~flat], truth[~flat]):
        return "right where the loss is active, but not zero where it is flat: a hinge or a mask forgotten?"
    if flat.any() and not np.isclose(ours[flat], 0).all():
        return "not zero where it should be: a hinge or a mask forgotten?"
    ratio = _factor(ours, truth)
    if ratio is not None:
        return f"{ratio:.3g} times what it should be"
    if ours.ndim and np.any([np.allclose(row, true) for row, true in zip(ours, truth, strict=True)]) and len(ours) > 1:
        return "some rows are right: does the pullback use all rows?"
    return ""


def over_three_rows(shown: tuple[Any, Any], larger: list[tuple[Any, Any]]) -> str:
    """A clue from the reported case and cases with three rows: for two, "twice" and "sum for mean" look alike."""
    small = clue(*shown, 0)
    words = [clue(ours, truth, 3) for ours, truth in larger]
    if len(set(words)) == 1 and "rows" in words[0]:
        return words[0]
    factors = [_factor(ours, truth) for ours, truth in (shown, *larger)]
    if None not in factors and len({round(f, 6) for f in factors if f is not None}) > 1:
        return "right up to a factor that differs between batches: divided by a count of something other than rows?"
    if not words or (small in words and len(set(words)) > 1):
        return small
    return words[0] if len(set(words)) == 1 else ""


def _factor(ours: Any, truth: Any) -> float | None:
    """The common factor between all entries of two arrays, if there is one."""
    ours, truth = np.asarray(ours, float), np.asarray(truth, float)
    if ours.shape != truth.shape or not np.isfinite(ours).all() or not truth.any():
        return None
    factor = float((ours * truth).sum() / (truth * truth).sum())
    return factor if factor and np.allclose(ours, factor * truth, rtol=1e-6, atol=1e-9) else None
