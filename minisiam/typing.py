"""The types in the annotations: `Float[Array, "n d"]` is a floating-point array with n rows and d columns.

People and type checkers read them, `op` converts arguments by them, and the universal test draws its inputs from them.
The package imports this module for type checking only: importing jaxtyping takes as long as importing NumPy.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array
from numpy.random import Generator

__all__ = [
    "AnyOp", "Array", "Batches", "Bool", "Definition", "Distance", "Embed", "Encoder", "Float", "Generator",
    "Init", "Int", "Loss", "Miner", "Objective", "Op", "PairwiseDistance", "Params", "Pullback", "Shape",
]  # fmt: skip

Value = TypeVar("Value")
Shape = tuple[int, ...]
Params = Any  # a tree: dicts, lists and tuples with arrays at the leaves

# ops
Pullback = Callable[[Any], tuple[Any, ...]]  # the gradient of the value ↦ one gradient per variable
Op = tuple[Value, Pullback]  # what every op returns
AnyOp = Callable[..., Op[Any]]  # value, pullback = op(variables, /, constants)
Definition = Any  # the formula of an op in autograd.numpy, with the attributes of `gradcheck.reference.specify`
Init = Callable[[Generator, int], tuple[Array, ...]]  # (rng, embedding size) ↦ the first parameters of an op

# method = encoder × distance × loss
Distance = Callable[..., Op[Array]]  # (a, b, *parameters): two (n, d) arrays ↦ (n,) distances
PairwiseDistance = Callable[..., Op[Any]]  # (a, b, *parameters): (n, d) and (m, d) ↦ an (n, m) matrix, or its blocks
Loss = Callable[..., Op[Any]]  # (distances, *parameters, labels): distances and what should be near ↦ a number
Miner = Callable[..., Any]  # (D, labels) ↦ `miners.Pairs` or `miners.Triplets`: rows and columns of D

# data
Batches = Iterable[tuple[Any, ...]]  # each batch holds the arguments of an objective
Embed = Callable[[Array], Array]  # images ↦ (n, d) embeddings


class Objective(Protocol):
    """A loss as a function of all parameters and a batch; every `networks.Network` is one."""

    def __call__(self, params: Params, /, *batch: Any) -> Op[Any]:
        """`value, pullback = objective(params, *batch)`, where `pullback(1.0)` returns (dparams,)."""


class Encoder(Protocol):
    """f(x; θ), from images to embeddings; every `layers.Layer` is one."""

    @property
    def init(self) -> Callable[[Generator, Shape], tuple[Params, Shape]]:
        """`params, shape = encoder.init(rng, shape)`, where a shape is that of one example."""

    def __call__(self, params: Params, x: Array, /, *, input_grad: bool = True) -> Op[Array]:
        """`z, pullback = encoder(params, x)`, where `pullback(dz)` returns (dparams, dx)."""
