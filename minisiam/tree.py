"""Parameters are trees: dicts, lists and tuples with arrays at the leaves. A gradient is a tree of the same shape.

This is all the bookkeeping that a network needs. There is no Parameter class and no registry: printing a tree shows
everything that there is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Array, Params


def map(f: Callable[..., Any], tree: Params, *rest: Params) -> Params:
    """Apply f to the leaves, one by one.

    >>> map(lambda w, g: w - g, {"W": 3, "b": (1, 2)}, {"W": 1, "b": (1, 1)})
    {'W': 2, 'b': (0, 1)}
    """
    if isinstance(tree, dict):
        return {key: map(f, tree[key], *(other[key] for other in rest)) for key in tree}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(f, *branches) for branches in zip(tree, *rest, strict=True))
    return f(tree, *rest)


def map_under(key: str, f: Callable[..., Any], tree: Params, *rest: Params) -> Params:
    """`map`, restricted to the leaves below a dict's `key`, at any depth; the other leaves stay as they are.

    >>> map_under("running", lambda m, g: m - g, [{"W": 3, "running": (2, 1)}], [{"W": 1, "running": (1, 1)}])
    [{'W': 3, 'running': (1, 0)}]
    """
    if isinstance(tree, dict):
        each = {name: map if name == key else partial(map_under, key) for name in tree}
        return {name: go(f, tree[name], *(other[name] for other in rest)) for name, go in each.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_under(key, f, *branches) for branches in zip(tree, *rest, strict=True))
    return tree


def add(first: Params, *rest: Params) -> Params:
    """Sum trees leaf by leaf: where weights are shared, gradients add.

    >>> add({"W": 1}, {"W": 2}, {"W": 3})
    {'W': 6}
    """
    for other in rest:
        first = map(lambda a, b: a + b, first, other)
    return first


def leaves(tree: Params) -> list[Array]:
    """All arrays of the tree, in order; everything that is not a dict, a list or a tuple is a leaf.

    >>> leaves({"W": 1, "b": (2, [3])})
    [1, 2, 3]
    """
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def size(tree: Params) -> int:
    """Count the numbers in the tree.

    >>> size({"W": np.ones((3, 2)), "b": np.zeros(2)})
    8
    """
    return sum(int(np.size(leaf)) for leaf in leaves(tree))


def cast(tree: Params, dtype: Any) -> Params:
    """Convert every leaf to an array of `dtype`: networks start in float32, gradient checks need float64."""
    return map(lambda leaf: np.asarray(leaf, dtype), tree)
