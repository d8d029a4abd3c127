"""The words of the annotations: `Float[Array, "n d"]` is a floating array of n rows and d columns.

Read by people, by type checkers and by the universal test, which draws its inputs from them.
The library itself never imports this module at run time: jaxtyping costs as much as NumPy does.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array
from numpy.random import Generator

__all__ = ["Array", "Bool", "Float", "Generator", "Int", "Op", "Params", "Pullback"]

Value = TypeVar("Value")
Pullback = Callable[[Any], tuple[Any, ...]]
Op = tuple[Value, Pullback]  # what every op returns
Params = Any  # a tree: dicts, lists and tuples with arrays at the leaves
