"""Losses of minisiam in PyTorch, and parameters of PyTorch in minisiam.

    loss   = interop.torch.Loss(losses.supcon, pairwise.cosine, temperature=0.1)      an nn.Module
    loss(model(images), labels).backward()
    params = interop.torch.from_state_dict(model.state_dict(), encoder, shape=(28, 28, 1))
    model.load_state_dict(interop.torch.to_state_dict(params), strict=False)

The value and the gradient are those of the NumPy op, computed on the CPU in the dtype of the embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from . import require_package
from . import state_dict as shared
from .embeddings import CONSTANTS, arguments, evaluate, first_params, of_embeddings, require_arguments
from .state_dict import from_state_dict

require_package("interop.torch", "torch", "interop-torch")
import torch  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..networks import Network
    from ..typing import Array, Params
    from ..typing import Loss as LossFunction

__all__ = ["Loss", "from_state_dict", "to_state_dict"]
DTYPES = (torch.float32, torch.float64)


class Loss(torch.nn.Module):
    """A loss of minisiam as an nn.Module: `loss(z, labels)` for a loss on a batch.

    Parameters
    ----------
    loss, distance, network, classes, centres, constants
        As in `embeddings.of_embeddings`: any loss of minisiam, and a distance of `distances` for pairs and triplets, or
        of `pairwise` for a matrix. `repr` shows the arguments of the module, which are those of the network with
        embeddings instead of images: `(x1, x2, same)`, `(anchor, positive, negative)`, `(x, labels)`.
    size
        The embedding size. Only a loss with proxies and `weighted_l1` need it.

    Attributes
    ----------
    distance, loss, proxies
        The learned parameters, as `nn.Parameter`; most losses have none. `torch.manual_seed` repeats their first values.

    Raises
    ------
    ValueError
        If a tensor is on another device than the CPU.
    TypeError
        If an embedding has another dtype than float32 and float64.
    RuntimeError
        If a second derivative is asked for: the gradient is computed by NumPy, and has no graph.

    Notes
    -----
    A batch without a positive pair is an error of the loss, as in minisiam, and not 0.
    """

    def __init__(
        self,
        loss: LossFunction,
        distance: Callable[..., Any] | None = None,
        *,
        network: Callable[..., Network] | None = None,
        size: int | None = None,
        classes: int | None = None,
        centres: int = 1,
        **constants: Any,
    ) -> None:
        super().__init__()
        self.network = of_embeddings(loss, distance, network=network, classes=classes, centres=centres, **constants)
        self.arguments = arguments(self.network)
        seed = int(torch.randint(2**63 - 1, ()))
        first = first_params(self.network, np.random.default_rng(seed), size)
        self.parts = tuple(first)
        for name, part in tree.map(lambda leaf: torch.nn.Parameter(torch.from_numpy(leaf)), first).items():
            setattr(self, name, torch.nn.ParameterList(part) if isinstance(part, tuple) else part)

    @torch.compiler.disable
    def forward(self, *batch: Any) -> torch.Tensor:
        """Return the value of the loss on embeddings and targets."""
        require_arguments(self.network, batch)
        constants = {name: _constant(name, a) for name, a in zip(self.arguments, batch, strict=True) if name in CONSTANTS}
        embedded = [_embedding(name, z) for name, z in zip(self.arguments, batch, strict=True) if name not in CONSTANTS]
        learned = tree.map(lambda p: _embedding("parameter", p).to(embedded[0].dtype), self.learned())

        def compute(*arrays):
            values = iter(arrays)
            mapped = [constants[name] if name in constants else next(values) for name in self.arguments]
            value, pull = evaluate(self.network, tree.map(lambda _: next(values), learned), *mapped)

            def pullback(dl):
                dparams, dz = pull(dl)
                return [*dz, *tree.leaves(dparams)]

            return value, pullback

        return _Value.apply(compute, *embedded, *tree.leaves(learned))

    def learned(self) -> Params:
        """The parameters as the tree that the network takes."""
        parts = {name: getattr(self, name) for name in self.parts}
        return {name: part if isinstance(part, torch.Tensor) else tuple(part) for name, part in parts.items()}

    def extra_repr(self) -> str:
        """Show the arguments of the module."""
        return f"({', '.join(self.arguments)})"


class _Value(torch.autograd.Function):
    """value, pullback = compute(*arrays), on tensors."""

    @staticmethod
    def forward(ctx, compute, *tensors):
        value, ctx.pullback = compute(*(tensor.detach().numpy() for tensor in tensors))
        ctx.save_for_backward(*tensors)  # so that PyTorch notices a change in place, and a second backward
        return torch.as_tensor(np.asarray(value), dtype=tensors[0].dtype)

    @staticmethod
    def backward(ctx, upstream):
        tensors = ctx.saved_tensors
        found = ctx.pullback(upstream.detach().numpy()[()])
        needed = zip(found, tensors, ctx.needs_input_grad[1:], strict=True)
        grads = [torch.tensor(np.asarray(g), dtype=t.dtype) if need else None for g, t, need in needed]
        if torch.is_grad_enabled():  # create_graph=True
            grads = [None if g is None else _Once.apply(g, upstream, *tensors) for g in grads]
        return None, *grads


class _Once(torch.autograd.Function):
    """A gradient that has no gradient."""

    @staticmethod
    def forward(ctx, gradient, *of):
        return gradient.clone()

    @staticmethod
    def backward(ctx, *upstream):
        raise RuntimeError(
            "interop.torch.Loss has no second derivative, since NumPy computes the gradient: leave out "
            "create_graph=True, or detach the gradient"
        )


def _embedding(name: str, z: Any) -> torch.Tensor:
    """Require a tensor on the CPU with a dtype that minisiam computes in."""
    if not isinstance(z, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, not {type(z).__name__}: torch.as_tensor({name})")
    if z.dtype not in DTYPES:
        raise TypeError(f"{name} must be float32 or float64, not {str(z.dtype).removeprefix('torch.')}: {name}.float()")
    return _on_cpu(name, z)


def _constant(name: str, a: Any) -> Array:
    """The array of a tensor of labels, which may be an array already."""
    return _on_cpu(name, a).detach().numpy() if isinstance(a, torch.Tensor) else a


def _on_cpu(name: str, a: torch.Tensor) -> torch.Tensor:
    if a.device.type != "cpu":
        remedy = "it has no numbers" if a.device.type == "meta" else f"{name}.cpu(), through which the gradient returns"
        raise ValueError(f"{name} is on the device {a.device}, and minisiam computes on the CPU: {remedy}")
    return a


def to_state_dict(params: Params, channels: int = 1) -> dict[str, torch.Tensor]:
    """Return parameters as tensors with the names and axes of PyTorch, for `model.load_state_dict(…, strict=False)`.

    Parameters
    ----------
    params, channels
        As in `state_dict.to_state_dict`.
    """
    return {name: torch.from_numpy(a.copy()) for name, a in shared.to_state_dict(params, channels).items()}
