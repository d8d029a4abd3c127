"""The two oracles, autograd on a definition and finite differences, and their tolerances."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from autograd.core import VJPNode, backward_pass, vspace
from autograd.tracer import trace

from .inputs import Case, distance_to_corner, scale_of

if TYPE_CHECKING:
    from ..typing import Array, Definition

AUTOGRAD = 1e-10  # relative, in float64
DIFFERENCES = 1e-6
SINGLE = 1e-5  # of a float32 result to the float64 one
CLEARANCE = 1e-3  # the smallest distance from a corner at which the oracles are used, in units of the input's scale
EPSILON = float(np.finfo(float).eps)


def held(definition: Definition, case: Case) -> Definition:
    """The function whose derivative the gradient is: the definition, with what it holds constant as it is at this case.

    Mostly the definition itself. A loss with detached weights has a gradient that is not the derivative of its value,
    but of the value with the weights of this one point.
    """
    if getattr(definition, "held", None) is None:
        return definition
    constants = definition.held(*case.variables.values(), **case.constants)

    @wraps(definition)
    def around_the_case(*variables: Any, **rest: Any) -> Any:
        return definition(*variables, **rest, **constants)

    return around_the_case


def by_autograd(definition: Definition, case: Case) -> tuple[Any, tuple[Any, ...]]:
    """Value and gradients of the definition."""
    definition = held(definition, case)
    x = tuple(np.array(v) for v in case.variables.values())

    def of(x):
        return definition(*x, **case.constants)

    with np.errstate(all="ignore"):
        value, node = trace(VJPNode.new_root(), of, x)
        if node is None:
            raise ValueError(
                f"autograd cannot differentiate {definition.__name__}: write it with autograd.numpy, not with numpy, "
                "whose functions would silently give a gradient of zero"
            )
        return value, backward_pass(vspace(value).zeros() + case.upstream, node)


def by_differences(definition: Definition, case: Case, name: str, h: float) -> Array:
    """Central differences in each entry of a variable, (f(x + h) − f(x − h)) / 2h, weighted with the upstream one."""
    definition = held(definition, case)
    x = np.asarray(case.variables[name], float)
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        up, down = (
            definition(*(case.variables | {name: x + sign * step}).values(), **case.constants) for sign in (1, -1)
        )
        gradient[place] = np.sum(case.upstream * (np.asarray(up) - down)) / (2 * h)
    return gradient


def has_corner(definition: Definition, case: Case, name: str, h: float) -> bool:
    """Whether the slopes from the left and from the right differ in some entry of a variable.

    At such a point neither autograd nor central differences are an oracle: for a hinge both give ½, but 0 is as right.
    """
    definition = held(definition, case)

    def value(x: Array) -> Any:
        return np.sum(case.upstream * np.asarray(definition(*(case.variables | {name: x}).values(), **case.constants)))

    x = np.asarray(case.variables[name], float)
    here = value(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        right, left = (value(x + step) - here) / h, (here - value(x - step)) / h
        if abs(right - left) > 1e-2 * (abs(right) + abs(left)) + 1e-6:
            return True
    return False


def slope(definition: Definition, case: Case, rng: np.random.Generator) -> tuple[tuple[Array, ...], float, float]:
    """A random direction, the slope of ⟨g, definition⟩ along it by differences, and how far rounding may move that."""
    definition = held(definition, case)
    h = 1e-6 * scale_of(case)
    directions = tuple(rng.normal(size=np.shape(v)) for v in case.variables.values())
    moved = [
        np.asarray(
            definition(
                *(v + s * h * u for v, u in zip(case.variables.values(), directions, strict=True)), **case.constants
            )
        )
        for s in (1, -1)
    ]
    along = float(np.sum(case.upstream * (moved[0] - moved[1])) / (2 * h))
    rounding = 20 * EPSILON * float(np.sum(np.abs(case.upstream * moved[0]))) / h
    return (
        directions,
        along,
        rounding + 100 * EPSILON * float(np.sum(np.abs(case.upstream))) * max(1, scale_of(case)) ** 2,
    )


def error(ours: Any, truth: Any, floor: float) -> float:
    """The largest difference, relative to the largest entry or to `floor`, whichever is larger."""
    size = max(float(np.abs(truth).max(initial=0)), floor)
    difference = float(np.abs(np.asarray(ours) - truth).max(initial=0))
    if not np.isfinite(difference):
        return np.inf
    return difference / size if size else (np.inf if difference else 0.0)


def value_floor(definition: Definition) -> float:
    """The scale of a value's rounding errors: 1 for a cosine, 0 for a length."""
    return definition.unit


def gradient_floor(definition: Definition, case: Case) -> float:
    """The same for a gradient, which has the units of g · value / variable."""
    return definition.unit * float(np.abs(case.upstream).max(initial=0)) / scale_of(case)


class Truth(NamedTuple):
    """What a definition gives at an input.

    value, gradients : by autograd
    corner : the distance of the input from a point without a derivative, in units of its scale
    along : random directions, the slope along them by differences, and how far rounding may move it; None where
        differences lose too many digits
    """

    value: Any
    gradients: tuple[Any, ...]
    corner: float
    along: tuple[tuple[Array, ...], float, float] | None


def truth(definition: Definition, case: Case) -> Truth | None:
    """What a definition gives at an input; None where it has no derivative."""
    corner = distance_to_corner(definition, case)
    if corner < CLEARANCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, gradients = by_autograd(definition, case)
        if not all(np.isfinite(t).all() for t in (value, *gradients)):
            return None
        along = slope(definition, case, np.random.default_rng(0)) if 1e-2 <= scale_of(case) <= 1e2 else None
    return Truth(value, gradients, corner, along)
