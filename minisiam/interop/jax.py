"""Losses of minisiam in JAX, under `jit` and `grad`.

    loss  = interop.jax.loss(losses.supcon, pairwise.cosine, temperature=0.1)
    value = jax.jit(loss)(z, labels)
    dz    = jax.grad(loss)(z, labels)

    loss   = interop.jax.loss(losses.arcface, pairwise.cosine, classes=10)        learned proxies
    params = loss.init(rng, 64)
    value, (dparams, dz) = jax.value_and_grad(lambda params, z: loss(z, labels, params=params), (0, 1))(params, z)

The numbers are those of the NumPy op: JAX calls it on the CPU (`jax.pure_callback`), also from a device, and under
`jax.vmap` once for each example. There are no second derivatives, no forward mode, and no loss of several values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from . import require_package
from .embeddings import CONSTANTS, arguments, evaluate, first_params, of_embeddings, require_arguments

require_package("interop.jax", "jax", "interop-jax")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..networks import Network
    from ..typing import Generator, Params
    from ..typing import Loss as LossFunction


DTYPES = (np.float32, np.float64)


def loss(
    loss: LossFunction,
    distance: Callable[..., Any] | None = None,
    *,
    network: Callable[..., Network] | None = None,
    classes: int | None = None,
    centres: int = 1,
    **constants: Any,
) -> Loss:
    """Return a loss of minisiam as a function of JAX arrays.

    Parameters
    ----------
    loss, distance, network, classes, centres, constants
        As in `embeddings.of_embeddings`: any loss of minisiam, and a distance of `distances` for pairs and triplets, or
        of `pairwise` for a matrix. `repr` shows the arguments of the result, which are those of the network with
        embeddings instead of images: `(x1, x2, same)`, `(anchor, positive, negative)`, `(x, labels)`.

    Returns
    -------
    Loss
        `value = f(z, labels)`, a number of the dtype of z, float32 or float64. A loss with learned parameters takes
        them by name, `f(z, labels, params=params)`, and `f.init(rng, size)` draws them.

    Raises
    ------
    NotImplementedError
        If a second derivative is asked for: the gradient is computed by NumPy, and JAX cannot differentiate it.
    ValueError
        If `reduction` is "none": the number of values depends on the labels, and a compiled function has fixed shapes.
    """
    if constants.get("reduction") == "none":
        raise ValueError('interop.jax.loss returns one number: pass reduction="mean" or "sum" instead of "none"')
    return Loss(of_embeddings(loss, distance, network=network, classes=classes, centres=centres, **constants))


class Loss:
    """A loss as a function that JAX transforms; `loss` makes it."""

    def __init__(self, network: Network) -> None:
        self.network, self.arguments = network, arguments(network)
        self._none = first_params(network, np.random.default_rng(0), 1)
        self._value = _differentiable(network)

    def init(self, rng: Generator, size: int | None = None) -> Params:
        """Draw the learned parameters for embeddings of this size; `rng` is a np.random.Generator."""
        return tree.map(jnp.asarray, first_params(self.network, rng, size))

    def __call__(self, *batch: Any, params: Params | None = None) -> jax.Array:
        """Return the value of the loss on embeddings and targets."""
        require_arguments(self.network, batch)
        if params is None and tree.leaves(self._none):
            raise TypeError(
                "this loss has learned parameters: pass params=loss.init(np.random.default_rng(0), z.shape[1])"
            )
        arrays = tuple(map(_checked, self.arguments, batch))
        dtype = next(a.dtype for name, a in zip(self.arguments, arrays, strict=True) if name not in CONSTANTS)
        params = tree.map(lambda p: jnp.asarray(p, dtype), self._none if params is None else params)
        return self._value(params, *arrays)

    def __repr__(self) -> str:
        return f"loss({', '.join(self.arguments)})"


def _differentiable(network: Network) -> Callable[..., Any]:
    """The value of a network as a function (params, *batch) with a first derivative."""
    names = arguments(network)

    def on_host(params, *batch):
        value, pull = evaluate(network, tree.map(np.asarray, params), *map(np.asarray, batch))
        if np.ndim(value):
            raise ValueError(f"interop.jax.loss returns one number, and this loss gives {len(value)}: use their mean")
        return value, pull

    def value_on_host(*arguments):
        return _as_arrays(on_host(*arguments)[0], _shapes(arguments)[0])

    def both_on_host(*arguments):
        value, pull = on_host(*arguments)
        return _as_arrays((value, *pull(1.0)), _shapes(arguments))

    def _shapes(arguments):
        params, *batch = arguments
        embedded = [z for name, z in zip(names, batch, strict=True) if name not in CONSTANTS]
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (params, embedded))
        return jax.ShapeDtypeStruct((), embedded[0].dtype), *shapes

    @jax.custom_vjp
    def value(*arguments):
        return jax.pure_callback(value_on_host, _shapes(arguments)[0], *arguments, vmap_method="sequential")

    @jax.custom_jvp
    def both(*arguments):
        return jax.pure_callback(both_on_host, _shapes(arguments), *arguments, vmap_method="sequential")

    @both.defjvp
    def _(primals, tangents):
        raise NotImplementedError(
            "interop.jax.loss has no second derivative, since NumPy computes the gradient: apply jax.grad once"
        )

    def forward(*arguments):
        found, *gradient = both(*arguments)
        return found, gradient

    def backward(gradient, upstream):
        dparams, dz = jax.tree.map(lambda g: upstream * g, gradient)
        embedded = iter(dz)
        return dparams, *(None if name in CONSTANTS else next(embedded) for name in names)

    value.defvjp(forward, backward)
    return value


def _as_arrays(values: Any, shapes: Any) -> Any:
    """Numbers and arrays with the shapes and dtypes that JAX was promised."""
    return jax.tree.map(lambda shape, value: np.asarray(value, shape.dtype).reshape(shape.shape), shapes, values)


def _checked(name: str, a: Any) -> jax.Array:
    """Require embeddings in a dtype that minisiam computes in."""
    array = jnp.asarray(a)
    if name not in CONSTANTS and array.dtype not in DTYPES:
        raise TypeError(f"{name} must be float32 or float64, not {array.dtype}: {name}.astype(jnp.float32)")
    return array
