"""The loop: batch → value, pullback → gradient → step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .networks import Network
    from .optimizers import Optimizer
    from .typing import Params


def fit(
    objective: Network, params: Params, optimizer: Optimizer, batches: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[int, float, Params]]:
    """Train, and yield (step, value, params) after every step: the caller decides what to print, plot or stop on.

    Parameters
    ----------
    objective
        `value, pullback = objective(params, /, *batch)`, as made by `minisiam.networks`.
    params
        Where to start. They are not modified: every step makes new ones.
    optimizer
        From `minisiam.optimizers`.
    batches
        Tuples of the objective's arguments, as yielded by `minisiam.samplers`. The loop ends when they do.

    Yields
    ------
    step, value, params
        Steps count from 1. `value` is the loss of this batch before the step, `params` are those after it.

    Raises
    ------
    FloatingPointError
        When the loss is NaN or infinite; the message names the step and the likely cause.
    """
    for step, value, new_params, _ in fit_from(objective, params, optimizer.init(params), optimizer, batches):
        yield step, value, new_params


def fit_from(
    objective: Network,
    params: Params,
    state: Any,
    optimizer: Optimizer,
    batches: Iterable[tuple[Any, ...]],
    done: int = 0,
) -> Iterator[tuple[int, float, Params, Any]]:
    """`fit` from where it was after `done` steps: yields (step, value, params, state).

    Parameters
    ----------
    objective, params, optimizer, batches
        As in `fit`; the batches are those that come after the first `done`.
    state
        The optimizer's, as it was yielded with `params`, or as its `init` makes it.
    done
        How many steps were made before, so that the next has the number done + 1.

    Raises
    ------
    FloatingPointError
        As in `fit`.
    """

    def update(params, state, batch):  # a function, so that the activations die with the step
        try:
            value, pullback = objective(params, *batch)
        except ValueError as error:  # a loss or a miner that found a NaN in its matrix
            if all(_finite(array) for array in batch):
                raise
            raise FloatingPointError(f"step {step}: {_likely_cause(batch)}") from error
        if not np.isfinite(value):
            raise FloatingPointError(f"step {step}: the loss is {value}. {_likely_cause(batch)}")
        (grads,) = pullback(1.0)
        return value, *optimizer.update(grads, state, params)

    for step, batch in enumerate(batches, start=done + 1):
        value, params, state = update(params, state, batch)
        yield step, float(value), params, state


def _finite(array: Any) -> bool:
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


def _likely_cause(batch: tuple[Any, ...]) -> str:
    for position, array in enumerate(batch):
        if not _finite(array):
            return f"Argument {position + 1} of the batch holds NaN or infinity: clean the images first"
    return "The images are finite, so the steps have run away: use a smaller learning rate, or normalize the embedding"
