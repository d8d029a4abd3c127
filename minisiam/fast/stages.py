"""The stages of a layer on a batch in chunks: which work each chunk does alone, and which needs all chunks.

Most layers have one stage, which processes each chunk alone. A layer that needs the whole batch has a stage for all
chunks together: a dense layer has only this one, and batch norm has it between two others (`fast.batch_norm`).
Consecutive stages of single chunks, even of different layers, run in succession, so that the chunk stays in the cache.
"""

from __future__ import annotations

from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import ops, tree
from ..layers import Layer, running_gradient
from . import batch_norm, windows
from .dense import dense_by_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import AnyOp, Array, Op, Params

    Each = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


class Stage(NamedTuple):
    """A part of the work of a layer, on each chunk of a batch alone or on all chunks together.

    alone        y, pullback  = run(params, chunk, input_grad)              pullback(dy)  → dparams, dx
    together     ys, pullback = run(params, chunks, input_grad, each)       pullback(dys) → dparams, dxs

    `each(work, items)` is a map on several threads. If a layer has several stages, one of them returns the gradient of
    the parameters, and the others return None instead.
    """

    run: AnyOp
    together: bool = False


def through(
    stages: Sequence[Stage], params: Sequence[Params], chunks: list[Any], input_grad: bool, each: Each
) -> tuple[list[Any], Callable[[list[Any]], tuple[list[Params | None], list[Any]]]]:
    """Run chunks through stages, each with its params; `pullback(dys)` returns the dparams of each stage, and dxs."""
    needed = []
    for theta in params:  # as in `serial`: after the first weights, dx is needed
        needed.append(input_grad)
        input_grad = input_grad or tree.size(theta) > 0
    runs = []
    for together, group in groupby(zip(stages, params, needed, strict=True), key=lambda entry: entry[0].together):
        for run in [[entry] for entry in group] if together else [list(group)]:
            chunks, pull = (_together if together else _alone)(run, chunks, each)
            runs.append(pull)

    def pullback(dys: list[Any]) -> tuple[list[Params | None], list[Any]]:
        dparams: list[Params | None] = []
        for pull in reversed(runs):
            found, dys = pull(dys)
            dparams = [*found, *dparams]
        return dparams, dys

    return chunks, pullback


def _together(run: list[Any], chunks: list[Any], each: Each) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Run one stage on all chunks together."""
    ((stage, theta, needed),) = run
    with np.errstate(under="ignore"):
        ys, pull = stage.run(theta, chunks, input_grad=needed, each=each)

    @np.errstate(under="ignore")
    def pullback(dys):
        dtheta, dxs = pull(dys)
        return [dtheta], dxs

    return ys, pullback


def _alone(run: list[Any], chunks: list[Any], each: Each) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Run several stages on each chunk alone."""

    @np.errstate(under="ignore")  # as in an op
    def forward(y):
        pulls = []
        for stage, theta, needed in run:
            y, pull = stage.run(theta, y, input_grad=needed)
            pulls.append(pull)
        return y, pulls

    @np.errstate(under="ignore")
    def backward(pair):
        pulls, dy = pair
        dparams = []
        for pull in reversed(pulls):
            dtheta, dy = pull(dy)
            dparams.append(dtheta)
        return dparams[::-1], dy

    ys, pulls = zip(*each(forward, chunks), strict=True)

    def pullback(dys):
        dparams, dxs = zip(*each(backward, list(zip(pulls, dys, strict=True))), strict=True)
        # shared weights: gradients add, in the order of the chunks
        return [None if parts[0] is None else tree.add(*parts) for parts in zip(*dparams, strict=True)], list(dxs)

    return list(ys), pullback


def in_one_chunk(stages: tuple[Stage, ...]) -> AnyOp:
    """Return the `Layer.apply` of a layer with these stages, for a batch that is a single chunk."""

    def apply(params, x, /, input_grad=True):
        (y,), pull = through(stages, [params] * len(stages), [x], input_grad, lambda work, items: [*map(work, items)])

        def pullback(dy):
            dparams, (dx,) = pull([dy])
            return next(dtheta for dtheta in dparams if dtheta is not None), dx

        return y, pullback

    return apply


def stages_of(layer: Layer) -> tuple[Stage, ...]:
    """Return the stages of a layer: from the table below, or else a single stage for each chunk alone."""
    made = ACROSS_THE_BATCH.get(layer.op)
    return made(layer) if made else (Stage(layer.apply),)


def _dense(layer: Layer) -> tuple[Stage, ...]:
    def run(params, xs, /, input_grad, each):
        W, b = params
        z, pull = dense_by_columns(join(xs), W, b, each, input_grad)

        def pullback(dzs):
            dx, *dparams = pull(*dzs)
            return tuple(dparams), [None] * len(xs) if dx is None else split(dx, xs)

        return [z], pullback

    return (Stage(run, together=True),)


def _batch_norm(layer: Layer) -> tuple[Stage, ...]:
    return without_params(batch_norm.collected), _statistics(layer), without_params(batch_norm.normalised)


def _pooled_batch_norm(layer: Layer) -> tuple[Stage, ...]:
    """Batch norm, ReLU and pooling; a convolution that is still to be computed is computed here."""

    def collect(params, chunk, /, input_grad):
        postponed = isinstance(chunk, windows.Windows)
        found, pull = windows.collected(chunk, params["scale"]) if postponed else batch_norm.collected(chunk)
        return found, lambda send: (None, *pull(send))

    def finish(chunk):
        return (windows if isinstance(chunk.x, windows.Best) else batch_norm).pooled(chunk)

    return Stage(collect), _statistics(layer), without_params(finish)


def _statistics(layer: Layer) -> Stage:
    """The stage of a batch norm that needs all chunks."""

    def together(params, chunks, /, input_grad, each):
        epsilon = layer.options["epsilon"]
        found, pull, (mean, variance, values) = batch_norm.statistics(chunks, params["scale"], params["shift"], epsilon)

        def pullback(pulled):
            dscale, dshift, sends = pull(pulled)
            running = running_gradient(params, mean, variance, values)
            return {"scale": dscale, "shift": dshift, "running": running}, sends

        return found, pullback

    return Stage(together, together=True)


def without_params(stage: Callable[[Any], Op[Any]]) -> Stage:
    """A stage of single chunks that has no parameters."""

    def run(params, chunk, /, input_grad):
        y, pull = stage(chunk)
        return y, lambda dy: (None, *pull(dy))

    return Stage(run)


ACROSS_THE_BATCH: dict[Any, Callable[[Layer], tuple[Stage, ...]]] = {
    ops.dense: _dense,
    ops.batch_norm: _batch_norm,
    batch_norm.pooled: _pooled_batch_norm,
}


def join(chunks: list[Array]) -> Array:
    """Concatenate the chunks to a batch."""
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def split(batch: Array, like: list[Array]) -> list[Array]:
    """Divide the batch into chunks as long as those of `like`."""
    ends = list(accumulate(map(len, like)))
    if len(batch) != ends[-1]:
        raise ValueError(f"dy must have {ends[-1]} rows, as y has, not {len(batch)}")
    return [batch[end - len(chunk) : end] for chunk, end in zip(like, ends, strict=True)]
