"""The mark of an op: a function `value, pullback = op(variables, /, constants)`."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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
