"""An encoder in chunks as an op, and one that records its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...gradcheck import reference
from ...gradcheck.compare import WrongForm
from ...typing import Array, Float
from .smallest import linear, outline

if TYPE_CHECKING:
    from ...typing import AnyOp
    from ..exercises import Function


def as_op_of_chunks(recomputed: Function) -> AnyOp:
    """An encoder in chunks, with the smallest encoder, as an op of its weights and its images."""

    def in_chunks(W: Float[Array, "i o"], x: Float[Array, "n i"], /, chunk: int = 2) -> Any:
        z, pullback = recomputed(linear, chunk)([W], x)
        return z, lambda dz: _weights_and_images(pullback(dz))

    return in_chunks


def _weights_and_images(gradients: Any) -> tuple[Any, ...]:
    """dW and dx from what the pullback of an encoder returns."""
    if not isinstance(gradients, tuple) or len(gradients) != 2:
        raise WrongForm("the pullback must return a pair, (dparams, dx)")
    dparams, dx = gradients
    if outline(dparams) != "[array]":
        raise WrongForm(
            f"dparams is the tree {outline(dparams)}, but the parameters are [array]: tree.add adds two trees"
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
        z, pull = linear(params, x, input_grad)

        def pullback(dz: Array) -> Any:
            events.append(("pull", call, images))
            return pull(dz)

        return z, pullback

    return encoder
