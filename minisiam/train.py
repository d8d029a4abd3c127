"""The training loop: batch → value, pullback → gradient → step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .networks import Network
    from .optimizers import Optimizer
    from .typing import Batches, Objective, Params


def fit(
    objective: Objective | Network, params: Params, optimizer: Optimizer, batches: Batches
) -> Iterator[tuple[int, float, Params]]:
    """Train, and yield (step, value, params) after every step: the caller decides when to print, plot or stop.

    Parameters
    ----------
    objective
        `value, pullback = objective(params, /, *batch)`, as `minisiam.networks` returns it.
    params
        The first parameters. They are not modified: every step makes new ones.
    optimizer
        An optimizer of `minisiam.optimizers`.
    batches
        Tuples of the objective's arguments, as `minisiam.samplers` yields them. The loop ends with the last batch.

    Yields
    ------
    step, value, params
        Steps count from 1. `value` is the loss of this batch before the step, and `params` are the parameters after it.

    Raises
    ------
    FloatingPointError
        If the loss is NaN or infinite; the message names the step and the likely cause.
    """
    for step, value, new_params, _ in fit_from(objective, params, optimizer.init(params), optimizer, batches):
        yield step, value, new_params


def fit_from(
    objective: Objective | Network,
    params: Params,
    state: Any,
    optimizer: Optimizer,
    batches: Batches,
    done: int = 0,
) -> Iterator[tuple[int, float, Params, Any]]:
    """Continue `fit` after `done` steps, and yield (step, value, params, state) after every step.

    Parameters
    ----------
    objective, params, optimizer, batches
        As in `fit`; `batches` begins after the first `done` batches.
    state
        The state of the optimizer, as it was yielded with `params` or as `optimizer.init` returns it.
    done
        The number of steps before; the next step has the number done + 1.

    Raises
    ------
    FloatingPointError
        As in `fit`.
    """

    def update(params, state, batch):  # a function, so that the activations are freed after the step
        try:
            value, pullback = objective(params, *batch)
        except ValueError as error:  # a loss or a miner found a NaN in its matrix
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
    array = np.asarray(array)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _likely_cause(batch: tuple[Any, ...]) -> str:
    for position, array in enumerate(batch):
        if not _finite(array):
            return f"Argument {position + 1} of the batch holds NaN or infinity: remove such images first"
    return "The images are finite, so training has diverged: use a smaller learning rate, or normalize the embedding"
