"""What marks an op, `value, pullback = op(variables, /, constants)`, and one whose last variables are parameters."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .typing import Array, Generator

F = TypeVar("F", bound="Callable[..., Any]")


def op(function: F) -> F:
    """Mark a function as an op; the tests find it by the mark, and a number too small to hold becomes 0 in silence.

    Underflow is rounding, as harmless as any other, so an op has none of it reported even under
    `np.errstate(all="raise")`. Overflow, division by zero and invalid operations are left as loud as the caller wants.
    """

    @wraps(function)
    def marked(*arguments: Any, **constants: Any) -> Any:
        with np.errstate(under="ignore"):
            value, pullback = function(*arguments, **constants)

        def quiet(upstream: Any) -> tuple[Any, ...]:
            with np.errstate(under="ignore"):
                return pullback(upstream)

        return value, quiet

    marked.is_op = True  # type: ignore[attr-defined]
    return cast("F", marked)


def with_parameters(
    init: Callable[[Generator, int], tuple[Array, ...]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark an op whose last variables are parameters: `init(rng, size)` draws them for embeddings of that size.

    A learned distance is an ordinary op, `weighted_l1(a, b, w, bias, /)`; the mark only says where w and bias begin.
    """

    def mark(op: Callable[..., Any]) -> Callable[..., Any]:
        op.init = init  # type: ignore[attr-defined]
        return op

    return mark


def with_init(op: Callable[..., Any], init: Callable[[Generator, int], tuple[Array, ...]]) -> Callable[..., Any]:
    """The same op with its parameters beginning elsewhere."""

    @with_parameters(init)
    def started(*args, **constants):
        return op(*args, **constants)

    started.__name__ = op.__name__
    return started


def parameters(op: Callable[..., Any], rng: Generator, size: int) -> tuple[Array, ...]:
    """The first parameters of an op: () for most, what its `learned` mark draws for the others."""
    init = init_of(op)
    return init(rng, size) if init else ()


def init_of(op: Callable[..., Any]) -> Callable[[Generator, int], tuple[Array, ...]] | None:
    """What draws an op's parameters, if it has any; a partial has those of what it fills in."""
    return getattr(op, "init", None) or getattr(getattr(op, "func", None), "init", None)


def as_learned(made: Callable[..., Any], like: Callable[..., Any]) -> Callable[..., Any]:
    """`made`, with its parameters beginning where those of `like` do."""
    init = init_of(like)
    return with_init(made, init) if init else made
