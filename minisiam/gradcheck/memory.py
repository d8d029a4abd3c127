"""A memory for a process that checks many ops against one definition: what does not depend on the op is computed once.

This is the list of inputs, and at each input the value, the gradients and the slopes of the definition. They take most
of the time of a check. A definition without a memory is computed anew each time, since a learner may change it.
"""

from __future__ import annotations

import copy
import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp, Definition

MOST = 5_000  # results that one definition keeps; those of a check in which no input fails are a few hundred
PLAIN = "biufcU"  # the kinds of dtypes whose bytes are the whole array


def remembering(definition: Definition) -> Definition:
    """The same definition, with an empty memory."""

    @wraps(definition)
    def with_memory(*arguments: Any, **constants: Any) -> Any:
        return definition(*arguments, **constants)

    with_memory.memory = {}  # type: ignore[attr-defined]
    return with_memory


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a definition and of inputs, computed once for each input if the definition has a memory.

    Its results are copies, so whoever gets one cannot change what is kept.
    """

    @wraps(function)
    def once(definition: Definition, *inputs: Any, **named: Any) -> Any:
        memory = getattr(definition, "memory", None)
        if memory is None or named:
            return function(definition, *inputs, **named)
        try:
            key = (function.__name__, *map(identity, inputs))
        except TypeError:
            return function(definition, *inputs)
        if key not in memory and len(memory) < MOST:
            memory[key] = function(definition, *inputs)
        return copy.deepcopy(memory[key]) if key in memory else function(definition, *inputs)

    return once


def kept_list(definition: Definition, *key: Any) -> list[Any]:
    """A list that the memory of a definition keeps by this key; a new one without a memory."""
    memory = getattr(definition, "memory", {})
    return memory.setdefault(("list", *key), [])


def signature_of(op: AnyOp) -> str:
    """What the inputs of an op depend on besides its definition: its arguments, with their annotations and defaults."""
    return str(inspect.signature(op))


def identity(x: Any) -> Any:
    """A key that is equal for equal inputs only, to the last bit; a TypeError for what has none."""
    if x is None or isinstance(x, str):
        return x
    if isinstance(x, dict):
        return tuple((name, identity(value)) for name, value in x.items())
    if isinstance(x, list | tuple):
        return (type(x).__name__, *map(identity, x))
    array = np.asarray(x)
    if array.dtype.kind not in PLAIN:
        raise TypeError(f"{type(x).__name__} is not a number, a text or an array of these")
    return array.dtype.str, array.shape, array.tobytes()
