"""Losses of minisiam in PyTorch, and parameters of PyTorch in minisiam.

    loss   = interop.torch.Loss(losses.supcon, pairwise.cosine, temperature=0.1)      an nn.Module
    loss(model(images), labels).backward()
    params = interop.torch.from_state_dict(model.state_dict(), encoder, shape=(28, 28, 1))
    model.load_state_dict(interop.torch.to_state_dict(params), strict=False)

The value and the gradient are those of the NumPy op, computed on the CPU in the dtype of the embeddings.
"""

from __future__ import annotations

import weakref
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
    from ..typing import Loss as LossFunction
    from ..typing import Params

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
        The learned parameters, as `nn.Parameter`; most losses have none. `torch.manual_seed` repeats their first
        values.

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
            if part != ():
                setattr(self, name, torch.nn.ParameterList(part) if isinstance(part, tuple) else part)

    @torch.compiler.disable
    def forward(self, *batch: Any) -> torch.Tensor:
        """Return the value of the loss on embeddings and targets."""
        require_arguments(self.network, batch)
        batch = tuple(map(_checked, self.arguments, batch))
        learned = tree.map(lambda p: _on_cpu("loss", p).to(_dtype(self.arguments, batch)), self.learned())

        count, structure = len(batch), tree.map(lambda _: None, learned)  # op outlives a backward, and keeps no tensor

        def op(*arrays):
            values = iter(arrays[count:])
            value, pull = evaluate(self.network, tree.map(lambda _: next(values), structure), *arrays[:count])

            def pullback(dl):
                dparams, dz = pull(dl)
                embedded = iter(dz)
                return [None if n in CONSTANTS else next(embedded) for n in self.arguments] + tree.leaves(dparams)

            return value, pullback

        return _Value.apply(op, torch.empty(0), *batch, *tree.leaves(learned))

    def learned(self) -> Params:
        """The parameters as the tree that the network takes."""
        parts = {name: getattr(self, name, ()) for name in self.parts}
        return {name: part if isinstance(part, torch.Tensor) else tuple(part) for name, part in parts.items()}

    def extra_repr(self) -> str:
        """Show the arguments of the module."""
        return f"({', '.join(self.arguments)})"


class _Value(torch.autograd.Function):
    """value, pullback = op(*arrays), on tensors.

    The pullback lives as long as `owner`, a tensor that is saved with the others: PyTorch frees them after a backward,
    and with them the distance matrix that the pullback keeps.
    """

    @staticmethod
    def forward(op, owner, *tensors):
        value, owner.pullback = op(*(tensor.detach().numpy() for tensor in tensors))
        op.pullback = weakref.ref(owner.pullback)
        return torch.tensor(np.asarray(value))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.op, owner, *tensors = inputs
        ctx.save_for_backward(owner, *tensors)  # the tensors, so that PyTorch notices a change in place

    @staticmethod
    def backward(ctx, upstream):
        _, *tensors = ctx.saved_tensors
        grads = _Gradient.apply(ctx.op.pullback(), upstream, *tensors)
        return None, None, *(g if need else None for g, need in zip(grads, ctx.needs_input_grad[2:], strict=True))


class _Gradient(torch.autograd.Function):
    """The gradient of a value, which has no gradient."""

    @staticmethod
    def forward(pullback, upstream, *tensors):
        found = zip(pullback(upstream.detach().numpy()[()]), tensors, strict=True)
        return tuple(None if g is None else torch.tensor(np.asarray(g), dtype=t.dtype) for g, t in found)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *upstream):
        raise RuntimeError(
            "interop.torch.Loss has no second derivative, since NumPy computes the gradient: leave out "
            "create_graph=True, or detach the gradient"
        )


def _checked(name: str, a: Any) -> torch.Tensor:
    """Require embeddings as a floating tensor on the CPU; labels may be an array as well."""
    if name in CONSTANTS:
        return _on_cpu(name, a if isinstance(a, torch.Tensor) else torch.tensor(a))
    if not isinstance(a, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, not {type(a).__name__}: torch.as_tensor({name})")
    if a.dtype not in DTYPES:
        raise TypeError(f"{name} must be float32 or float64, not {str(a.dtype).removeprefix('torch.')}: {name}.float()")
    return _on_cpu(name, a)


def _dtype(names: list[str], batch: tuple[torch.Tensor, ...]) -> torch.dtype:
    """The dtype of the embeddings."""
    return next(a.dtype for name, a in zip(names, batch, strict=True) if name not in CONSTANTS)


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
