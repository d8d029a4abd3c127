"""One check for every op: inputs drawn from the shapes in its annotations, compared with two oracles.

The first oracle is autograd, on the printed formula of `reference`; the second is differences along a random
direction, which know nothing of formulas. A failure is shown on the smallest input that Hypothesis can find.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import numpy as np
from autograd import make_vjp
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from . import reference, typing

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-10  # of the largest entry: value and gradient against autograd, in float64
TOLERANCE_DIFFERENCES = 1e-6
CLEARANCE = 1e-3  # how far from a corner autograd and differences are asked

# Whole numbers first, small before large: what a counterexample shrinks to is what a person reads.
NUMBERS = sorted((i / 4 for i in range(-20, 21)), key=lambda x: (x % 1 != 0, x % 0.5 != 0, x == 0, abs(x), x < 0))


class Case(NamedTuple):
    """One input of an op: its variables, in order, and its constants by name."""

    variables: dict[str, Any]
    constants: dict[str, Any]


def variables(op: Callable[..., Any]) -> list[str]:
    """The names left of the slash: what op's pullback differentiates."""
    return [p.name for p in inspect.signature(op).parameters.values() if p.kind is p.POSITIONAL_ONLY]


def shapes(op: Callable[..., Any]) -> dict[str, Any]:
    """The jaxtyping annotation of every array argument."""
    hints = get_type_hints(op, localns=vars(typing))
    return {name: hint for name, hint in hints.items() if name != "return" and hasattr(hint, "dim_str")}


@st.composite
def cases(draw, op, definition):
    """An input for op: sizes of 1 to 3 unless the definition says otherwise, and one of its cases of constants."""
    sizes: dict[str, int] = {}

    def size(name):
        if name not in sizes:
            sizes[name] = draw(st.integers(*getattr(definition, "sizes", {}).get(name, (1, 3))))
        return sizes[name]

    def array(hint):
        dims = [d for name in hint.dim_str.split() for d in (["first", "second"] if name == "..." else [name])]
        booleans = "bool" in hint.dtypes
        elements = st.booleans() if booleans else st.sampled_from(NUMBERS)
        return draw(arrays(bool if booleans else float, tuple(map(size, dims)), elements=elements, fill=st.nothing()))

    drawn = {name: array(hint) for name, hint in shapes(op).items()}
    names = variables(op)
    constants = {name: value for name, value in drawn.items() if name not in names}
    return Case(
        {name: drawn[name] for name in names}, constants | draw(st.sampled_from(getattr(definition, "cases", ({},))))
    )


def clear_of_corners(definition: Callable[..., Any], case: Case) -> bool:
    """Whether the formula has a derivative at this input, and room around it."""
    corner = getattr(definition, "corner", None)
    return corner is None or bool(np.all(np.abs(corner(*case.variables.values(), **case.constants)) > CLEARANCE))


def check(op: Callable[..., Any], definition: Callable[..., Any] | None = None, examples: int = 100) -> None:
    """Assert that op equals its definition, and its pullback both oracles; else show the smallest counterexample.

    Parameters
    ----------
    op
        `value, pullback = op(variables, /, constants)`, with jaxtyping annotations.
    definition
        Its formula in autograd.numpy; found in `reference` by the op's name if not given.
    examples
        How many inputs to try.

    Raises
    ------
    AssertionError
        With the input, and the two numbers that should be one.
    """
    definition = definition or reference.of(op)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(op, definition), st.integers(0, 2**32))
    def agrees(case, seed):
        assume(clear_of_corners(definition, case))
        compare(op, definition, case, np.random.default_rng(seed))

    agrees()


def compare(op: Callable[..., Any], definition: Callable[..., Any], case: Case, rng: np.random.Generator) -> None:
    """Value, gradients by autograd and gradients by differences, at one input."""
    x = tuple(case.variables.values())
    vjp, expected = make_vjp(lambda x: definition(*x, **case.constants))(x)
    value, pullback = op(*x, **case.constants)
    _close(op, "value", value, expected, case, TOLERANCE, "definition")
    g = rng.normal(size=np.shape(expected))[()]
    grads = pullback(g)
    if not isinstance(grads, tuple) or len(grads) != len(x):
        raise AssertionError(
            f"{op.__name__}: pullback must return a tuple, one gradient for each of {list(case.variables)}"
        )
    for name, ours, truth in zip(case.variables, grads, vjp(g), strict=True):
        _close(op, f"gradient of {name}", ours, truth, case, TOLERANCE, "autograd")
    directions = [rng.normal(size=np.shape(v)) for v in x]
    h = 1e-6
    up, down = (
        op(*(v + sign * h * u for v, u in zip(x, directions, strict=True)), **case.constants)[0] for sign in (1, -1)
    )
    slope = np.sum(g * (up - down)) / (2 * h)
    along = sum(np.sum(dx * u) for dx, u in zip(grads, directions, strict=True))
    size = sum(np.sum(np.abs(dx * u)) for dx, u in zip(grads, directions, strict=True)) + np.sum(np.abs(g * up))
    _close(op, "slope along a random direction", along, slope, case, TOLERANCE_DIFFERENCES * (1 + size), "differences")


def _close(op: Any, what: str, ours: Any, truth: Any, case: Case, tolerance: float, oracle: str) -> None:
    if np.shape(ours) == np.shape(truth) and np.allclose(
        ours, truth, rtol=0, atol=tolerance * (1 + np.max(np.abs(truth), initial=0))
    ):
        return
    inputs = "\n".join(f"    {name:12}{show(v)}" for name, v in (case.variables | case.constants).items())
    raise AssertionError(
        f"{op.__name__}: the {what} is wrong. The smallest input that shows it:\n\n{inputs}\n\n"
        f"    {'yours':12}{show(ours)}\n    {oracle:12}{show(truth)}"
    )


def show(value: Any) -> str:
    """An array on few lines, or any other constant."""
    array = np.asarray(value)
    return (
        np.array2string(array, separator=", ", prefix=" " * 16, precision=6)
        if array.dtype.kind in "fbi"
        else repr(value)
    )
