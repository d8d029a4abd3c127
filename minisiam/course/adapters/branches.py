"""A siamese network as an op of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import tree
from ...distances import squared_l2, weighted_l1
from ...gradcheck import reference
from ...gradcheck.compare import WrongForm
from ...losses import contrastive, margin_loss
from ...typing import Array, Bool, Float
from .smallest import linear, outline

if TYPE_CHECKING:
    from ...typing import AnyOp
    from ..exercises import Function


def as_op_of_weights(siamese: Function) -> AnyOp:
    """A siamese network with the smallest encoder, as an op of its weights."""

    def two_branches(
        W: Float[Array, "i o"], /, x1: Float[Array, "n i"], x2: Float[Array, "n i"], same: Bool[Array, "n"]
    ) -> Any:
        network = siamese(linear, squared_l2, contrastive)
        params = {"encoder": [W], "distance": (), "loss": ()}
        value, pullback = network.apply(params, x1.astype(W.dtype), x2.astype(W.dtype), same)
        return value, lambda dl: _leaves(pullback(dl), params)

    return two_branches


def as_op_of_all_parameters(siamese: Function) -> AnyOp:
    """The same with a learned distance and a learned loss, as an op of all parameters."""

    def learned_branches(
        W: Float[Array, "i o"],
        w: Float[Array, "o"],
        bias: Float[Array, ""],
        beta: Float[Array, ""],
        /,
        x1: Float[Array, "n i"],
        x2: Float[Array, "n i"],
        same: Bool[Array, "n"],
    ) -> Any:
        network = siamese(linear, weighted_l1, margin_loss)
        params = {"encoder": [W], "distance": (w, bias), "loss": (beta,)}
        value, pullback = network.apply(params, x1.astype(W.dtype), x2.astype(W.dtype), same)
        return value, lambda dl: _leaves(pullback(dl), params)

    return learned_branches


def _leaves(gradients: Any, params: dict[str, Any]) -> tuple[Any, ...]:
    """The leaves of the only tree that a pullback returns, which must have the structure of the parameters."""
    if not isinstance(gradients, tuple) or len(gradients) != 1 or not isinstance(gradients[0], dict):
        raise WrongForm('the pullback must return ({"encoder": …, "distance": …, "loss": …},)')
    (found,) = gradients
    encoder = found.get("encoder")
    if isinstance(encoder, tuple) and encoder[1:] == (None,):
        raise WrongForm("pull_z(dz) returns a pair, (dtheta, None): use its first part, the gradient of the weights")
    if outline(found) != outline(params):
        raise WrongForm(
            f"the gradient is the tree {outline(found)}, but the parameters are {outline(params)}: "
            "each gradient must have the structure of its parameters, and tree.add adds two trees"
        )
    return tuple(tree.leaves([found[part] for part in ("encoder", "distance", "loss")]))


@reference.specify(scales=(-1, 0), unit=1.0)
def two_branches(W: Any, x1: Any, x2: Any, same: Any) -> Any:
    """The formula of the siamese network with the smallest encoder."""
    z1, z2 = reference.dense(x1, W, 0.0), reference.dense(x2, W, 0.0)
    return reference.contrastive(reference.squared_l2(z1, z2), same)


def _kinks_of_learned_branches(W: Any, w: Any, bias: Any, beta: Any, x1: Any, x2: Any, same: Any) -> Any:
    gap = (x1 - x2) @ W
    boundary = reference.margin_loss.corner(np.abs(gap) @ w + bias, beta, same)
    return np.concatenate([np.ravel(gap), np.ravel(boundary)])


@reference.specify(corner=_kinks_of_learned_branches, scales=(-1, 0), unit=1.0)
def learned_branches(W: Any, w: Any, bias: Any, beta: Any, x1: Any, x2: Any, same: Any) -> Any:
    """The formula of the network with a learned distance and a learned loss."""
    z1, z2 = reference.dense(x1, W, 0.0), reference.dense(x2, W, 0.0)
    return reference.margin_loss(reference.weighted_l1(z1, z2, w, bias), beta, same)
