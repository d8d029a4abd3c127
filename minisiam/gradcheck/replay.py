"""Calls of an op in another process, made many at a time: a check calls every correct op with the same inputs.

The calls of the first check that finds no fault are recorded. Later the op computes the next of them in advance, in one
message. A call that is not in the list, or that fails, is made alone, so a fault is described in the same words.
"""

from __future__ import annotations

import copy
from functools import wraps
from typing import TYPE_CHECKING, Any

from .memory import identity

if TYPE_CHECKING:
    from ..typing import AnyOp

    Call = tuple[tuple[Any, ...], dict[str, Any], Any]  # the variables, the constants, and the upstream gradient

AT_ONCE = 48  # calls in a message


def recording(op: AnyOp, calls: list[Call]) -> AnyOp:
    """The same op, which appends each call of a pullback, with the inputs of its op, to a list."""

    @wraps(op)
    def recorded(*variables: Any, **constants: Any) -> Any:
        inputs = copy.deepcopy((variables, constants))
        result = op(*variables, **constants)
        if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
            return result

        def pullback(g: Any) -> Any:
            calls.append((*inputs, copy.deepcopy(g)))
            return result[1](g)

        return result[0], pullback

    return recorded


def in_advance(op: AnyOp, calls: list[Call]) -> AnyOp:
    """The same op, which computes the calls of a list in advance, with `op.many(calls)`.

    This returns the value and the gradients of each call up to the first that fails, or None for a call that changes
    its inputs.
    """
    places = {_key(*inputs): place for place, (*inputs, _) in enumerate(calls)}
    known: dict[int, Any] = {}

    @wraps(op)
    def replayed(*variables: Any, **constants: Any) -> Any:
        place = places.get(_key(variables, constants))
        if place is not None and place not in known:
            some = calls[place : place + AT_ONCE]
            results = op.many(some)  # type: ignore[attr-defined]
            known.update(enumerate([*results, *[None] * (len(some) - len(results))], place))
        if place is None or known[place] is None:
            return op(*variables, **constants)
        value, gradients = known[place]

        def pullback(g: Any) -> Any:
            same = identity(g) == identity(calls[place][2])
            return gradients if same else op(*variables, **constants)[1](g)

        return value, pullback

    return replayed


def _key(variables: Any, constants: Any) -> Any:
    try:
        return identity([variables, constants])
    except TypeError:
        return None
