"""Gradient descent. An optimizer is a pair of pure functions:

    state         = optimizer.init(params)
    params, state = optimizer.update(grads, state, params)

A learning rate is a number or a schedule, a function of the step, counted from 0.

Leaves under a key "running", at any depth, are averages and not weights. Their "gradient" is the difference from the
statistics of the batch, and every optimizer subtracts 0.1 of it, whatever the learning rate, as PyTorch's batch norm
does.
"""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import require, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Params

    Schedule = Callable[[int], float]


class Optimizer(NamedTuple):
    """A pair of pure functions: `init` makes the state, `update` takes one step."""

    init: Callable[[Params], Any]
    update: Callable[[Params, Any, Params], tuple[Params, Any]]


RUNNING = 0.1  # weight of the current batch in a running average


def sgd(
    learning_rate: float | Schedule, momentum: float | Schedule = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> Optimizer:
    """v ← μ v + g;   θ ← θ − η v,  or θ − η (g + μ v) with Nesterov;   g includes weight_decay · θ.

    Parameters
    ----------
    learning_rate, momentum
        η ≥ 0 and μ in [0, 1): numbers or schedules.
    nesterov
        Look ahead along the velocity: the step of Sutskever et al. (2013) in PyTorch's variables, where θ is the point
        that looks ahead. The two are identical for a constant η and μ, and differ a little where either changes.
    weight_decay
        λ ≥ 0, applied to weights (arrays with two or more axes) and not to biases.
    """
    eta, mu = _schedule("learning_rate", learning_rate, np.inf), _schedule("momentum", momentum, 1)
    weight_decay = require.between("weight_decay", weight_decay, 0)

    has_velocity = callable(momentum) or momentum > 0

    def init(params):
        return {"step": 0} | ({"velocity": tree.map(np.zeros_like, params)} if has_velocity else {})

    def update(grads, state, params):
        step, rate = state["step"], eta(state["step"])
        if weight_decay:
            grads = tree.map(lambda g, p: g + weight_decay * p if np.ndim(p) > 1 else g, grads, params)
        if not has_velocity:
            return tree.map(lambda p, g: p - rate * g, params, grads), {"step": step + 1}
        mu_now = mu(step)
        velocity = tree.map(lambda v, g: mu_now * v + g, state["velocity"], grads)
        steps = tree.map(lambda g, v: g + mu_now * v, grads, velocity) if nesterov else velocity
        params = tree.map(lambda p, s: p - rate * s, params, steps)
        return params, {"step": step + 1, "velocity": velocity}

    return _with_running_averages(Optimizer(init, update))


def adam(
    learning_rate: float | Schedule = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²;   θ ← θ − η m̂ / (√v̂ + ε),  m̂ and v̂ without their bias.

    Parameters
    ----------
    learning_rate
        η ≥ 0, a number or a schedule.
    beta1, beta2, epsilon
        As in Kingma & Ba (2015), algorithm 1.
    weight_decay
        λ ≥ 0, decoupled: θ also shrinks by η λ θ (Loshchilov & Hutter 2019). Applied to weights, not to biases.
    """
    eta = _schedule("learning_rate", learning_rate, np.inf)
    beta1, beta2 = (
        require.between(name, beta, 0, 1, open_high=True) for name, beta in (("beta1", beta1), ("beta2", beta2))
    )
    epsilon = require.between("epsilon", epsilon, 0, open_low=True)
    weight_decay = require.between("weight_decay", weight_decay, 0)

    def init(params):
        return {"step": 0, "mean": tree.map(np.zeros_like, params), "square": tree.map(np.zeros_like, params)}

    def update(grads, state, params):
        step = state["step"]
        mean = tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state["mean"], grads)
        square = tree.map(lambda v, g: beta2 * v + (1 - beta2) * (g * g), state["square"], grads)
        unbias1, unbias2 = 1 / (1 - beta1 ** (step + 1)), 1 / (1 - beta2 ** (step + 1))
        rate = eta(step)

        def move(p, m, v):
            if weight_decay and np.ndim(p) > 1:
                p = p * (1 - rate * weight_decay)
            return p - rate * unbias1 * m / (np.sqrt(unbias2 * v) + epsilon)

        return tree.map(move, params, mean, square), {"step": step + 1, "mean": mean, "square": square}

    return _with_running_averages(Optimizer(init, update))


def _with_running_averages(optimizer: Optimizer) -> Optimizer:
    """The same optimizer, except that leaves under "running" move by 0.1 of their gradient."""

    @np.errstate(under="ignore")
    def update(grads, state, params):
        moved, state = optimizer.update(grads, state, params)
        return tree.map_under("running", lambda _, p, g: p - RUNNING * g, moved, params, grads), state

    return Optimizer(optimizer.init, update)


def projected(optimizer: Optimizer, project: Callable[[Params], Params]) -> Optimizer:
    """θ ← project(θ) after every step: keep parameters in a set, such as a temperature between two bounds.

    `project` maps the parameters to the nearest ones that are allowed; `networks.clamp_log_scale` is one. A bound in
    the value instead, such as min(s, 4.6), has no gradient beyond it, so a parameter that is there could not return.
    """

    def update(grads, state, params):
        moved, state = optimizer.update(grads, state, params)
        return project(moved), state

    return Optimizer(optimizer.init, update)


def exponential(start: float, factor: float, every: int = 1) -> Schedule:
    """start · factor^⌊step / every⌋. Koch et al. (2015) use factor 0.99 once per epoch."""
    every = require.whole("every", every, 1)
    return lambda step: start * factor ** (step // every)


def cosine_decay(start: float, steps: int, warmup: int = 0) -> Schedule:
    """Rise linearly for `warmup` steps, then fall along half a cosine to 0 at `steps` (Loshchilov & Hutter 2017)."""

    def rate(step):
        if step < warmup:
            return start * (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return start * (1 + cos(pi * done)) / 2

    return rate


def linear(start: float, end: float, steps: int) -> Schedule:
    """Go from start to end in a straight line over `steps`, then stay. Koch et al. (2015): momentum rises from 0.5."""
    steps = require.whole("steps", steps, 1)
    return lambda step: start + (end - start) * min(1.0, step / steps)


def _schedule(name: str, value: float | Schedule, high: float) -> Schedule:
    if callable(value):
        return lambda step: float(value(step))  # a np.float64 would turn a float32 step into a float64 one
    number = require.between(name, value, 0, high, open_high=high == 1)
    return lambda step: number
