"""Ops from functions that return a value alone or a slope, and small inputs for the definitions of ops."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from ...gallery import Gallery
from ...gradcheck import kinks, reference
from ...gradcheck.compare import WrongForm
from ...gradcheck.kinks.table import row
from ...typing import Array, Float

if TYPE_CHECKING:
    from ...typing import AnyOp
    from ..exercises import Function


def value_only(library: AnyOp, function: Function) -> AnyOp:
    """Make an op of a function that returns only the value, with the pullback of the library."""

    @wraps(function)
    def op(*variables: Any, **constants: Any) -> Any:
        pullback = library(*map(np.array, variables), **constants)[1]
        result = function(*variables, **constants)
        return (result[0] if _is_pair(result) else result), pullback

    return op


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and callable(result[1])


def of_gallery(identify: Function) -> Function:
    """A function of a gallery as one of its embeddings and names."""

    def of_parts(embeddings: Array, names: Array, *arguments: Any, **constants: Any) -> Any:
        return identify(Gallery(embeddings, names), *arguments, **constants)

    return of_parts


@reference.specify(sizes={"h": (3, 4), "w": (3, 4), "k": (2, 3)})
def small_convolution(x: Any, W: Any, b: Any) -> Any:
    """The formula, on the smallest images whose windows overlap."""
    return reference.conv2d(x, W, b)


@reference.specify(corner=reference.max_pool.corner, sizes={"h": (3, 5), "w": (3, 5)}, cases=({"size": 3}, {"size": 2}))
def larger_pool(x: Any, size: int = 2) -> Any:
    """The formula, on images that hold a block of size 3."""
    return reference.max_pool(x, size)


def as_op_of_rows(function: Function) -> AnyOp:
    """Make an op of a log-sum-exp that returns its value and its slope."""

    def log_sum_exp(x: Float[Array, "n m"], /) -> Any:
        result = function(np.copy(x))  # may overwrite x
        if not isinstance(result, tuple) or len(result) != 2:
            raise WrongForm("the function must return a pair: return value, slope")
        value, slope = result
        return value, lambda dl: (dl[:, None] * slope,)

    return log_sum_exp


def _lse(where: str, x: list[float], value: float, slope: list[float]) -> kinks.Kink:
    return row("losses.log_sum_exp", where, [[x]], np.array([value]), [np.array([slope])], np.ones(1))


ALL_FAR = row(
    "losses.softmax_cross_entropy",
    "every distance is 10⁴: no logarithm of 0",
    [[[1e4]]],
    0,
    [np.zeros((1, 1))],
    targets=np.array([0]),
)
IGNORED = -np.inf
EXTREME_INPUTS = [
    _lse("an entry is 1000: no overflow", [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    _lse("all entries are −1000: no logarithm of 0", [-1000.0], -1000.0, [1.0]),
    _lse("an entry is −∞: it does not count", [IGNORED, 2.0], 2.0, [0.0, 1.0]),
    _lse("every entry is −∞: value 0, slope 0", [IGNORED], 0.0, [0.0]),
    row(
        "losses.log_sum_exp",
        "the entries of two rows are 1000 and −1000, rows far apart: a largest entry for each row",
        [[[1000.0], [-1000.0]]],
        np.array([1000.0, -1000.0]),
        [np.ones((2, 1))],
        np.ones(2),
    ),
]
