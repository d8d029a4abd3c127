"""What learners do wrong: each mistake made on purpose, from a function of the library. `seeded` is their table."""

from __future__ import annotations

from functools import wraps
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .. import evaluate, miners, networks, samplers
from ..gradcheck import Case, reference, variables
from ..gradcheck.oracles import by_autograd
from ..miners import Triplets

if TYPE_CHECKING:
    from collections.abc import Callable

    Op = Callable[..., Any]


def changed(change: Callable[..., tuple[Any, ...]]) -> Callable[[Op], Op]:
    """A mistake in the gradients: from an op to the one whose pullback gives change(arguments, gradients)."""

    def make(op: Op) -> Op:
        @wraps(op)
        def wrong(*args: Any, **constants: Any) -> Any:
            value, pullback = op(*args, **constants)
            return value, lambda g: change(args, pullback(g))

        return wrong

    return make


def _cleared(args: Any, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    args[0][...] = 7
    return gradients


wrong_sign = changed(lambda args, gradients: tuple(-g for g in gradients))
twice = changed(lambda args, gradients: tuple(2 * g for g in gradients))
half = changed(lambda args, gradients: tuple(g / 2 for g in gradients))
sum_for_mean = changed(lambda args, gradients: tuple(len(args[0]) * g for g in gradients))
first_only = changed(lambda args, gradients: (gradients[0], *map(np.zeros_like, gradients[1:])))
transposed = changed(lambda args, gradients: tuple(g.T if g.ndim == 2 else g for g in gradients))
no_bias = changed(lambda args, gradients: (*gradients[:2], 0 * gradients[2]))
input_modified = changed(_cleared)


def wrong_axis(op: Op) -> Op:
    """Along the columns, where it should be along the rows."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*(x.T for x in args), **constants)
        turned = value.T if value.ndim == 2 else value
        return turned, lambda g: tuple(d.T for d in pullback(g.T))

    return wrong


def active_for_valid(op: Op) -> Op:
    """The gradient is divided by how many terms are active, the value by how many there are."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        return op(*args, **constants)[0], op(*args, **constants | {"reduction": "mean_active"})[1]

    return wrong


def no_hinge(op: Op) -> Op:
    """The gradient of the formula without its max(0, ·)."""
    slopes: dict[str, Op] = {
        "contrastive": lambda d, same, margin=1.0: (np.where(same, d, d - margin) / d.dtype.type(len(d)),),
        "triplet_hinge": lambda p, n, margin=1.0: (np.full_like(p, 1 / len(p)), np.full_like(p, -1 / len(p))),
        "relu": lambda x: (np.ones_like(x),),
    }

    @wraps(op)
    def wrong(*args: Any, reduction: str = "mean", **constants: Any) -> Any:
        return op(*args, **constants)[0], lambda g: tuple(g * s for s in slopes[op.__name__](*args, **constants))

    return wrong


def equal_points_forgotten(op: Op) -> Op:
    """The printed formula, with its division by a distance or a length of 0."""
    definition, names = reference.of(op), variables(op)

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        def pullback(g: Any) -> tuple[Any, ...]:
            _, gradients = by_autograd(definition, Case(dict(zip(names, args, strict=True)), constants, g))
            return tuple(d.astype(x.dtype) for d, x in zip(gradients, args, strict=True))

        with np.errstate(all="ignore"):
            return definition(*args, **constants), pullback

    return wrong


def overflow(op: Op) -> Op:
    """log(1 + eˣ) as it is printed."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*args, **constants)
        with np.errstate(over="ignore", invalid="ignore"):
            blown = sum((0 * np.exp(x) ** 1).sum() for x in args)
        return value + blown, lambda g: tuple(d + blown for d in pullback(g))

    return wrong


# what is no op


def result(change: Callable[[Any], Any]) -> Callable[[Op], Op]:
    """A mistake in what a function returns."""

    def make(function: Op) -> Op:
        @wraps(function)
        def wrong(*args: Any, **constants: Any) -> Any:
            return change(function(*args, **constants))

        return wrong

    return make


def value_of(mistake: Callable[[Op], Op]) -> Callable[[Op], Op]:
    """A mistake of an op in a function that returns the value alone."""
    return lambda op: result(lambda both: both[0])(mistake(op))


def spoiled(op: Op) -> Op:
    """The difference is written over the first argument."""

    @wraps(op)
    def wrong(a: Any, b: Any) -> Any:
        a -= b
        return op(a, 0 * b)

    return wrong


def siamese_with(change: Callable[[Any], Any]) -> Op:
    """A siamese network whose gradients are changed."""

    def siamese(encoder: Any, distance: Op, loss: Op) -> Any:
        network = networks.siamese(encoder, distance, loss)

        def apply(params: Any, /, *batch: Any) -> Any:
            value, pullback = network.apply(params, *batch)
            return value, lambda dl: tuple({**tree, "encoder": change(tree["encoder"])} for tree in pullback(dl))

        return network._replace(apply=apply)

    return siamese


def one_branch(encoder: Any, distance: Op, loss: Op) -> Any:
    """Only the first branch sends its gradient back."""

    def apply(params: Any, /, *batch: Any) -> Any:
        heard = chain([1], repeat(0))

        def once(theta: Any, x: Any, input_grad: bool = True) -> Any:
            z, pull = encoder(theta, x, input_grad)
            share = next(heard)
            return z, lambda dz: pull(share * dz)

        return networks.siamese(cast("Any", once), distance, loss).apply(params, *batch)

    return networks.Network(networks.siamese(encoder, distance, loss).init, apply)


def naive_log_sum_exp(x: Any) -> Any:
    """As it is printed, so that it overflows."""
    with np.errstate(all="ignore"):
        e = np.exp(x)
        return np.log(e.sum(axis=1)), e / e.sum(axis=1, keepdims=True)


def own_positive(D: Any, labels: Any) -> Any:
    """Every anchor is its own positive."""
    a, _, n = miners.batch_hard(D, labels)
    return Triplets(a, a, n)


def nearest_negatives(D: Any, labels: Any, margin: float = 0.2) -> Any:
    """Also those that are nearer than the positive."""
    a, p = np.nonzero((labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool))
    n = np.where(labels[a][:, None] == labels, np.inf, D[a]).argmin(axis=1)
    near = D[a, n] - D[a, p] <= margin
    return Triplets(a[near], p[near], n[near])


def recall_of_ties(z: Any, labels: Any, k: int = 1) -> float:
    """Among equals the own class first."""
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    nearest = np.where(own, D, np.inf).min(axis=1, keepdims=True)
    rivals = ((labels[:, None] != labels) & (nearest > D)).sum(axis=1)
    return float((rivals < k)[own.any(axis=1)].mean())


def asking_all(z: Any, labels: Any, k: int = 1) -> float:
    """An image that is alone in its class counts as not found."""
    asked = np.isin(labels, [c for c in labels if (labels == c).sum() > 1]).mean()
    return evaluate.recall_at_k(z, labels, k) * asked


def dealt(draw: Callable[..., Any]) -> Op:
    """A sampler from what one batch is."""

    def pk_indices(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
        while True:
            yield np.concatenate(
                [
                    draw(np.flatnonzero(labels == c), rng, per_class)
                    for c in rng.permutation(np.unique(labels))[:classes]
                ]
            )

    return pk_indices


def seedless(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """The same batches for every seed."""
    return samplers.pk_indices(labels, np.random.default_rng(0), classes, per_class)


def spread_seed(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """Other batches each time, whatever the seed."""
    return samplers.pk_indices(labels, np.random.default_rng(), classes, per_class)


def next_above(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """The distance after the right one."""
    curve = evaluate.roc(d, same)
    return float(
        curve.thresholds[min(np.flatnonzero(curve.false_accept <= false_accept)[-1] + 1, len(curve.thresholds) - 1)]
    )


def smaller(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """A share that is less than what is allowed, where it may be equal."""
    curve = evaluate.roc(d, same)
    return float(curve.thresholds[np.flatnonzero((curve.false_accept < false_accept) | (curve.false_accept == 0))[-1]])
