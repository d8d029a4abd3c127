"""Mistakes in lessons 00 to 03: values, gradients and distances, and one network used twice."""

from __future__ import annotations

from functools import partial, wraps
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from ... import networks, tree
from . import common

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function
    from .common import Mistakes


def value_of(mistake: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """A mistake of an op, in a function that returns only the value."""
    return lambda op: common.result(lambda both: both[0])(mistake(op))


def overwritten_input(op: Function) -> Function:
    """The difference overwrites the first argument."""

    @wraps(op)
    def wrong(a: Any, b: Any) -> Any:
        a -= b
        return op(a, 0 * b)

    return wrong


def siamese_with(change: Callable[[Any], Any]) -> Function:
    """A siamese network with changed gradients."""

    def siamese(encoder: Any, distance: Function, loss: Function) -> Any:
        network = networks.siamese(encoder, distance, loss)

        def apply(params: Any, /, *batch: Any) -> Any:
            value, pullback = network.apply(params, *batch)
            return value, lambda dl: tuple({**tree, "encoder": change(tree["encoder"])} for tree in pullback(dl))

        return network._replace(apply=apply)

    return siamese


def one_branch(encoder: Any, distance: Function, loss: Function) -> Any:
    """Only the first branch contributes its gradient."""

    def apply(params: Any, /, *batch: Any) -> Any:
        weights = chain([1], repeat(0))

        def once(theta: Any, x: Any, input_grad: bool = True) -> Any:
            z, pull = encoder(theta, x, input_grad)
            weight = next(weights)
            return z, lambda dz: pull(weight * dz)

        return networks.siamese(cast("Any", once), distance, loss).apply(params, *batch)

    return networks.Network(networks.siamese(encoder, distance, loss).init, apply)


MISTAKES: Mistakes = {
    "squared-distance": {
        "wrong sign": value_of(common.result(lambda both: (-both[0], None))),
        "twice": value_of(common.result(lambda both: (2 * both[0], None))),
        "half": value_of(common.result(lambda both: (both[0] / 2, None))),
        "wrong axis": value_of(common.wrong_axis),
        "input modified": overwritten_input,
    },
    "squared-distance-gradient": common.GRADIENT | common.SECOND | common.AXIS,
    "l2": common.GRADIENT | common.SECOND | common.AXIS | common.POINTS,
    "normalize": common.GRADIENT | common.AXIS | common.POINTS,
    "cosine": common.GRADIENT | common.SECOND | common.AXIS | common.POINTS,
    "dense": common.GRADIENT | {"transposed": common.transposed, "bias missing": common.no_bias},
    "relu": common.GRADIENT | {"hinge missing": common.relu_without_hinge},
    "two-branches": {
        "only one branch": lambda _: one_branch,
        "wrong sign": lambda _: siamese_with(partial(tree.map, lambda dW: -dW)),
        "twice": lambda _: siamese_with(partial(tree.map, lambda dW: 2 * dW)),
        "half": lambda _: siamese_with(partial(tree.map, lambda dW: dW / 2)),
        "transposed": lambda _: siamese_with(partial(tree.map, lambda dW: dW.T)),
    },
}  # fmt: skip
