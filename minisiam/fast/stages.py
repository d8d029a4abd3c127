"""A network on a batch in pieces: what each piece does for itself, and where they wait for one another.

Most layers are one stage, for each piece alone. One that looks across the batch has a stage for all pieces together;
batch norm has one between two others, `fast.batch_norm`. Stages of one piece that follow one another, of whatever layer, run
without a break, so that a piece stays in the cache.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import Params

    Each = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


class Stage(NamedTuple):
    """A part of what a layer does to pieces of a batch: to each alone, or to all of them together.

    alone        y, pullback  = run(params, piece, input_grad)              pullback(dy)  → dparams, dx
    together     ys, pullback = run(params, pieces, input_grad, each)       pullback(dys) → dparams, dxs

    `each(work, items)` is a map, on several threads. Of a layer in several stages one gives the gradient of the
    parameters, and dparams of the others is None.
    """

    run: Callable[..., Any]
    together: bool = False


def through(
    stages: Sequence[Stage], params: Sequence[Params], pieces: list[Any], input_grad: bool, each: Each
) -> tuple[list[Any], Callable[[list[Any]], tuple[list[Params | None], list[Any]]]]:
    """Pieces through stages, each stage with its params; `pullback(dys)` gives the dparams of each stage, and dxs."""
    needed = []
    for theta in params:  # as in `serial`: beyond the first weights, dx is needed
        needed.append(input_grad)
        input_grad = input_grad or tree.size(theta) > 0
    runs = []
    for together, group in groupby(zip(stages, params, needed, strict=True), key=lambda entry: entry[0].together):
        for run in [[entry] for entry in group] if together else [list(group)]:
            pieces, pull = (_together if together else _alone)(run, pieces, each)
            runs.append(pull)

    def pullback(dys: list[Any]) -> tuple[list[Params | None], list[Any]]:
        dparams: list[Params | None] = []
        for pull in reversed(runs):
            found, dys = pull(dys)
            dparams = [*found, *dparams]
        return dparams, dys

    return pieces, pullback


def _together(run: list[Any], pieces: list[Any], each: Each) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """One stage of all pieces."""
    ((stage, theta, needed),) = run
    with np.errstate(under="ignore"):
        ys, pull = stage.run(theta, pieces, input_grad=needed, each=each)

    @np.errstate(under="ignore")
    def pullback(dys):
        dtheta, dxs = pull(dys)
        return [dtheta], dxs

    return ys, pullback


def _alone(run: list[Any], pieces: list[Any], each: Each) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Stages that each piece goes through without the others."""

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

    ys, pulls = zip(*each(forward, pieces), strict=True)

    def pullback(dys):
        dparams, dxs = zip(*each(backward, list(zip(pulls, dys, strict=True))), strict=True)
        # shared weights: gradients add, in the order of the pieces
        return [None if parts[0] is None else tree.add(*parts) for parts in zip(*dparams, strict=True)], list(dxs)

    return list(ys), pullback
