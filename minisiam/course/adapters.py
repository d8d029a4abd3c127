"""Turn the functions of exercises that are not ops into ops, for the universal check."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..distances import squared_l2, weighted_l1
from ..gallery import Gallery
from ..gradcheck import kinks, reference
from ..gradcheck.compare import WrongForm
from ..gradcheck.kinks.table import row
from ..losses import contrastive, margin_loss
from ..typing import Array, Bool, Float

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import AnyOp
    from .exercises import Function


def value_only(library: AnyOp) -> Callable[[Function], AnyOp]:
    """Make an op of a function that returns only the value, with the pullback of the library."""

    def adapt(function: Function) -> AnyOp:
        @wraps(function)
        def op(*variables: Any, **constants: Any) -> Any:
            pullback = library(*map(np.array, variables), **constants)[1]
            result = function(*variables, **constants)
            return (result[0] if _is_pair(result) else result), pullback

        return op

    return adapt


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and callable(result[1])


def _linear(params: list[Array], x: Array, input_grad: bool = True) -> Any:
    """The smallest encoder: z = x W. Its parameters are a list, because `+` would join two lists."""
    (W,) = params
    return x @ W, lambda dz: ([x.T @ dz], dz @ W.T if input_grad else None)


def as_op_of_chunks(recomputed: Function) -> AnyOp:
    """An encoder in chunks, with the smallest encoder, as an op of its weights and its images."""

    def in_chunks(W: Float[Array, "i o"], x: Float[Array, "n i"], /, chunk: int = 2) -> Any:
        z, pullback = recomputed(_linear, chunk)([W], x)
        return z, lambda dz: _weights_and_images(pullback(dz))

    return in_chunks


def _weights_and_images(gradients: Any) -> tuple[Any, ...]:
    """dW and dx from what the pullback of an encoder returns."""
    if not isinstance(gradients, tuple) or len(gradients) != 2:
        raise WrongForm("the pullback must return a pair, (dparams, dx)")
    dparams, dx = gradients
    if _outline(dparams) != "[array]":
        raise WrongForm(
            f"dparams is the tree {_outline(dparams)}, but the parameters are [array]: tree.add adds two trees"
        )
    return *dparams, dx


@reference.specify(cases=({"chunk": 2}, {"chunk": 1}, {"chunk": 3}))
def in_chunks(W: Any, x: Any, chunk: int = 2) -> Any:
    """The formula of the smallest encoder, which does not depend on the chunk."""
    return reference.dense(x, W, 0.0)


def recording(events: list[tuple[str, int, int]]) -> Function:
    """The smallest encoder. It notes ("encode", call, images) and, when its pullback runs, ("pull", call, images)."""

    def encoder(params: list[Array], x: Array, input_grad: bool = True) -> Any:
        call, images = sum(kind == "encode" for kind, *_ in events), len(x)
        events.append(("encode", call, images))
        z, pull = _linear(params, x, input_grad)

        def pullback(dz: Array) -> Any:
            events.append(("pull", call, images))
            return pull(dz)

        return z, pullback

    return encoder


def of_gallery(identify: Function) -> Function:
    """A function of a gallery as one of its embeddings and names."""

    def of_parts(embeddings: Array, names: Array, *arguments: Any, **constants: Any) -> Any:
        return identify(Gallery(embeddings, names), *arguments, **constants)

    return of_parts


def as_op_of_weights(siamese: Function) -> AnyOp:
    """A siamese network with the smallest encoder, as an op of its weights."""

    def two_branches(
        W: Float[Array, "i o"], /, x1: Float[Array, "n i"], x2: Float[Array, "n i"], same: Bool[Array, "n"]
    ) -> Any:
        network = siamese(_linear, squared_l2, contrastive)
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
        network = siamese(_linear, weighted_l1, margin_loss)
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
    if _outline(found) != _outline(params):
        raise WrongForm(
            f"the gradient is the tree {_outline(found)}, but the parameters are {_outline(params)}: "
            "each gradient must have the structure of its parameters, and tree.add adds two trees"
        )
    return tuple(tree.leaves([found[part] for part in ("encoder", "distance", "loss")]))


def _outline(params: Any) -> str:
    """The structure of a tree, for example {"encoder": [array], "loss": ()}."""
    if isinstance(params, dict):
        return f"{{{', '.join(f'{name!r}: {_outline(params[name])}' for name in sorted(params))}}}".replace("'", '"')
    if isinstance(params, (list, tuple)):
        left, right = ("[", "]") if isinstance(params, list) else ("(", ")")
        comma = "," if isinstance(params, tuple) and len(params) == 1 else ""
        return f"{left}{', '.join(map(_outline, params))}{comma}{right}"
    return "None" if params is None else "array"


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


@reference.specify(sizes={"h": (3, 4), "w": (3, 4), "k": (2, 3)})
def small_convolution(x: Any, W: Any, b: Any) -> Any:
    """The formula, on the smallest images whose windows overlap."""
    return reference.conv2d(x, W, b)


@reference.specify(corner=reference.max_pool.corner, sizes={"h": (3, 5), "w": (3, 5)}, cases=({"size": 3}, {"size": 2}))
def larger_pool(x: Any, size: int = 2) -> Any:
    """The formula, on images that hold a block of size 3."""
    return reference.max_pool(x, size)


def as_op_of_rows(function: Function) -> AnyOp:
    """Make an op of a log-sum-exp that returns its value and its slope."""

    def log_sum_exp(x: Float[Array, "n m"], /) -> Any:
        result = function(np.copy(x))  # may overwrite x
        if not isinstance(result, tuple) or len(result) != 2:
            raise WrongForm("the function must return a pair: return value, slope")
        value, slope = result
        return value, lambda dl: (dl[:, None] * slope,)

    return log_sum_exp


def _lse(where: str, x: list[float], value: float, slope: list[float]) -> kinks.Kink:
    return row("losses.log_sum_exp", where, [[x]], np.array([value]), [np.array([slope])], np.ones(1))


ALL_FAR = row(
    "losses.softmax_cross_entropy",
    "every distance is 10⁴: no logarithm of 0",
    [[[1e4]]],
    0,
    [np.zeros((1, 1))],
    targets=np.array([0]),
)
IGNORED = -np.inf
EXTREME_INPUTS = [
    _lse("an entry is 1000: no overflow", [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    _lse("all entries are −1000: no logarithm of 0", [-1000.0], -1000.0, [1.0]),
    _lse("an entry is −∞: it does not count", [IGNORED, 2.0], 2.0, [0.0, 1.0]),
    _lse("every entry is −∞: value 0, slope 0", [IGNORED], 0.0, [0.0]),
    row(
        "losses.log_sum_exp",
        "the entries of two rows are 1000 and −1000, rows far apart: a largest entry for each row",
        [[[1000.0], [-1000.0]]],
        np.array([1000.0, -1000.0]),
        [np.ones((2, 1))],
        np.ones(2),
    ),
]
