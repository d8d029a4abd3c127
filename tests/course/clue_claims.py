"""What a clue claims about the numbers beside it."""

from __future__ import annotations

import re

import numpy as np

NUMBER = r"([\d.e+-]+)"
CLAIMS = {
    "the right size, but the wrong sign": lambda ours, truth, rows: np.allclose(ours, -truth),
    "twice too large$": lambda ours, truth, rows: near(ours, 2 * truth),
    "half of what it should be$": lambda ours, truth, rows: near(ours, truth / 2),
    "zero, but should not be": lambda ours, truth, rows: not ours.any() and truth.any(),
    "not zero where it should be": lambda ours, truth, rows: ours[truth == 0].any(),
    "zero where it should not be": lambda ours, truth, rows: truth[ours == 0].any(),
    "transposed": lambda ours, truth, rows: near(ours, truth.T) and not near(ours, truth),
    "NaN": lambda ours, truth, rows: np.isnan(ours).any(),
    "infinity": lambda ours, truth, rows: np.isinf(ours).any(),
    f"{NUMBER} times too large, and there are {NUMBER} rows": lambda ours, truth, rows, n, m: (
        n == m == rows and near(ours, n * truth)
    ),
    f"{NUMBER} times too small, and there are {NUMBER} rows": lambda ours, truth, rows, n, m: (
        n == m == rows and near(n * ours, truth)
    ),
    f"{NUMBER} times what it should be": lambda ours, truth, rows, factor: near(ours, factor * truth),
    f"its square is too large by {NUMBER}": lambda ours, truth, rows, c: np.allclose(ours**2 - truth**2, c, rtol=0.01),
    f"too large by {NUMBER}": lambda ours, truth, rows, c: near(ours - truth, c),
    f"too small by {NUMBER}": lambda ours, truth, rows, c: near(truth - ours, c),
    f"right to {NUMBER} digits": lambda ours, truth, rows, digits: near(ours, truth) and (ours != truth).any(),
}


def near(a, b):
    """Equal up to the digits that are shown."""
    return np.allclose(a, b, rtol=0.01, atol=2e-4)


def array(text):
    """An array from the text of a report."""
    return np.array(eval(text, {"nan": np.nan, "inf": np.inf, "array": np.array}), float)


def claims(clue, case, columns):
    """The claims that a clue makes about the numbers beside it, and for each whether they agree."""
    if "yours" not in columns or len(columns) < 2 or "library" in columns:
        return {}
    ours, truth = (array(text) for text in list(columns.values())[:2])
    rows = len(np.atleast_1d(array(next(iter(case.values())))))
    found = {claim: re.match(claim, clue) for claim in CLAIMS}
    return {c: CLAIMS[c](ours, truth, rows, *map(float, match.groups())) for c, match in found.items() if match}
