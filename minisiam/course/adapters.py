"""Turn the functions of exercises that are not ops into ops, for the universal check."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from ..distances import squared_l2
from ..gradcheck import kinks, reference
from ..gradcheck.compare import numeric
from ..gradcheck.kinks.table import row
from ..losses import contrastive
from ..typing import Array, Bool, Float

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp
    from .exercises import Function


def value_only(library: AnyOp) -> Callable[[Function], AnyOp]:
    """Make an op of a function that returns only the value, with the pullback of the library."""

    def adapt(function: Function) -> AnyOp:
        @wraps(function)
        def op(*variables: Any, **constants: Any) -> Any:
            pullback = library(*map(np.array, variables), **constants)[1]
            result = function(*variables, **constants)
            return (result[0] if _is_pair(result) else result), pullback

        return op

    return adapt


def in_float32(op: AnyOp) -> AnyOp:
    """The same op, with float64 results for float32 inputs cast to float32: an exercise checks the derivation."""

    @wraps(op)
    def narrow(*variables: Any, **constants: Any) -> Any:
        result = op(*variables, **constants)
        if not _is_pair(result) or any(np.asarray(x).dtype != np.float32 for x in variables):
            return result
        value, pullback = result

        def pull(g: Any) -> Any:
            gradients = pullback(g)
            return tuple(map(_single, gradients)) if isinstance(gradients, tuple) else gradients

        return _single(value), pull

    return narrow


def _single(x: Any) -> Any:
    return np.asarray(x, np.float32) if numeric(x) and np.asarray(x).dtype == np.float64 else x


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and callable(result[1])


def _linear(W: Array, x: Array, input_grad: bool = True) -> Any:
    """The smallest encoder: z = x W."""
    return x @ W, lambda dz: (x.T @ dz, dz @ W.T if input_grad else None)


def as_op_of_weights(siamese: Function) -> AnyOp:
    """A siamese network with the smallest encoder, as an op of its weights."""

    def two_branches(
        W: Float[Array, "i o"], /, x1: Float[Array, "n i"], x2: Float[Array, "n i"], same: Bool[Array, "n"]
    ) -> Any:
        network = siamese(_linear, squared_l2, contrastive)
        params = {"encoder": W, "distance": (), "loss": ()}
        value, pullback = network.apply(params, x1.astype(W.dtype), x2.astype(W.dtype), same)
        return value, lambda dl: tuple(_encoder_part(tree) for tree in pullback(dl))

    return two_branches


def _encoder_part(tree: Any) -> Any:
    if not isinstance(tree, dict) or tree.keys() != {"encoder", "distance", "loss"}:
        raise TypeError('the pullback must return ({"encoder": …, "distance": …, "loss": …},)')
    if isinstance(tree["encoder"], tuple):
        raise TypeError("pull_z(dz) returns a pair, (dtheta, None): use its first part, the gradient of the weights")
    return tree["encoder"]


@reference.specify(scales=(-1, 0), unit=1.0)
def two_branches(W: Any, x1: Any, x2: Any, same: Any) -> Any:
    """The formula of the siamese network with the smallest encoder."""
    z1, z2 = reference.dense(x1, W, 0.0), reference.dense(x2, W, 0.0)
    return reference.contrastive(reference.squared_l2(z1, z2), same)


@reference.specify(sizes={"h": (3, 4), "w": (3, 4), "k": (2, 3)})
def small_convolution(x: Any, W: Any, b: Any) -> Any:
    """The formula, on the smallest images whose windows overlap."""
    return reference.conv2d(x, W, b)


def as_op_of_rows(function: Function) -> AnyOp:
    """Make an op of a log-sum-exp that returns its value and its slope."""

    def log_sum_exp(x: Float[Array, "n m"], /) -> Any:
        result = function(np.copy(x))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError("the function must return a pair: return value, slope")
        value, slope = result
        return value, lambda dl: (dl[:, None] * slope,)

    return log_sum_exp


def _lse(where: str, x: list[float], value: float, slope: list[float]) -> kinks.Kink:
    return row("losses.log_sum_exp", where, [[x]], np.array([value]), [np.array([slope])], np.ones(1))


IGNORED = -np.inf
EXTREME_INPUTS = [
    _lse("an entry is 1000: no overflow", [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    _lse("all entries are −1000: no logarithm of 0", [-1000.0], -1000.0, [1.0]),
    _lse("an entry is −∞: it does not count", [IGNORED, 2.0], 2.0, [0.0, 1.0]),
    _lse("every entry is −∞: value 0, slope 0", [IGNORED], 0.0, [0.0]),
]
