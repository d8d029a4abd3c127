"""Mistakes that occur in several exercises, each made from the correct function."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from ...gradcheck import reference
from .formulas import formula

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function

    Mistake = Callable[[Function], Function]  # the correct function ↦ a wrong one
    Mistakes = dict[str, dict[str, Mistake]]  # of each exercise, by their names


def changed(change: Callable[..., tuple[Any, ...]]) -> Callable[[Function], Function]:
    """A mistake in the gradients: the pullback of the wrong op returns change(arguments, gradients)."""

    def make(op: Function) -> Function:
        @wraps(op)
        def wrong(*args: Any, **constants: Any) -> Any:
            value, pullback = op(*args, **constants)
            return value, lambda g: change(args, pullback(g))

        return wrong

    return make


def _cleared(args: Any, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    args[0][...] = 7
    return gradients


wrong_sign = changed(lambda args, gradients: tuple(-g for g in gradients))
twice = changed(lambda args, gradients: tuple(2 * g for g in gradients))
half = changed(lambda args, gradients: tuple(g / 2 for g in gradients))
sum_for_mean = changed(lambda args, gradients: tuple(len(args[0]) * g for g in gradients))
first_only = changed(lambda args, gradients: (gradients[0], *map(np.zeros_like, gradients[1:])))
transposed = changed(lambda args, gradients: tuple(g.T if g.ndim == 2 else g for g in gradients))
no_bias = changed(lambda args, gradients: (*gradients[:2], 0 * gradients[2]))
input_modified = changed(_cleared)


def wrong_axis(op: Function) -> Function:
    """The op along the columns instead of the rows."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*(x.T for x in args), **constants)
        transposed_value = value.T if value.ndim == 2 else value
        return transposed_value, lambda g: tuple(d.T for d in pullback(g.T))

    return wrong


def divided_by_active(op: Function) -> Function:
    """The gradient is divided by the number of active terms, the value by the number of all terms."""

    @wraps(op)
    def wrong(*args: Any, reduction: str = "mean", **constants: Any) -> Any:
        by = "mean_active" if reduction == "mean" else reduction
        return op(*args, reduction=reduction, **constants)[0], op(*args, reduction=by, **constants)[1]

    return wrong


def without_hinge(slopes: Callable[..., tuple[Any, ...]]) -> Callable[[Function], Function]:
    """A missing hinge: the pullback uses the slopes of the formula without its max(0, ·)."""

    def make(op: Function) -> Function:
        @wraps(op)
        def wrong(*args: Any, reduction: str = "mean", **constants: Any) -> Any:
            return op(*args, **constants)[0], lambda g: tuple(g * slope for slope in slopes(*args, **constants))

        return wrong

    return make


@without_hinge
def contrastive_without_hinge(d: Any, same: Any, margin: float = 1.0) -> tuple[Any, ...]:
    """d where same, d − margin elsewhere, divided by n."""
    return (np.where(same, d, d - margin) / d.dtype.type(len(d)),)


@without_hinge
def triplet_without_hinge(positive: Any, negative: Any, margin: float = 1.0) -> tuple[Any, ...]:
    """1/n and −1/n, at all distances."""
    return np.full_like(positive, 1 / len(positive)), np.full_like(negative, -1 / len(negative))


@without_hinge
def relu_without_hinge(x: Any) -> tuple[Any, ...]:
    """1, at every x."""
    return (np.ones_like(x),)


def equal_points_not_handled(op: Function) -> Function:
    """The formula of the paper, which divides by a distance or a length even if it is 0."""
    return formula(reference.of(op))(op)


def overflow(op: Function) -> Function:
    """log(1 + eˣ) computed literally, so that it overflows."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*args, **constants)
        with np.errstate(over="ignore", invalid="ignore"):
            infinite = sum((0 * np.exp(x) ** 1).sum() for x in args)
        return value + infinite, lambda g: tuple(d + infinite for d in pullback(g))

    return wrong


def result(change: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """A mistake in what a function returns."""

    def make(function: Function) -> Function:
        @wraps(function)
        def wrong(*args: Any, **constants: Any) -> Any:
            return change(function(*args, **constants))

        return wrong

    return make


GRADIENT = {
    "wrong sign": wrong_sign,
    "twice": twice,
    "half": half,
    "input modified": input_modified,
}
MEAN = {"sum instead of mean": sum_for_mean}
SECOND = {"first variable only": first_only}
AXIS = {"wrong axis": wrong_axis}
POINTS = {"equal points not handled": equal_points_not_handled}
