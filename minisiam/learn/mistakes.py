"""What learners do wrong: each mistake made on purpose, from a function of the library. The graders must notice all.

OF has the mistakes of each exercise, by their names, as functions without arguments that make the wrong function.
"""

from __future__ import annotations

from functools import partial, wraps
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import evaluate, miners, networks, reference, samplers
from ..miners import Pairs, Triplets
from ..testing import Case, variables
from ..testing.oracles import by_autograd

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
float64_leak = changed(lambda args, gradients: tuple(g.astype(np.float64) for g in gradients))
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


def _spoiled(op: Op) -> Op:
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

        return networks.siamese(once, distance, loss).apply(params, *batch)

    return networks.Network(networks.siamese(encoder, distance, loss).init, apply)


def _naive_log_sum_exp(x: Any) -> Any:
    with np.errstate(all="ignore"):
        e = np.exp(x)
        return np.log(e.sum(axis=1)), e / e.sum(axis=1, keepdims=True)


def _itself(D: Any, labels: Any) -> Any:
    a, _, n = miners.batch_hard(D, labels)
    return Triplets(a, a, n)


def _nearest_negatives(D: Any, labels: Any, margin: float = 0.2) -> Any:
    a, p = np.nonzero((labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool))
    n = np.where(labels[a][:, None] == labels, np.inf, D[a]).argmin(axis=1)
    near = D[a, n] - D[a, p] <= margin
    return Triplets(a[near], p[near], n[near])


def _recall_of_ties(z: Any, labels: Any, k: int = 1) -> float:
    """Among equals the own class first."""
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    nearest = np.where(own, D, np.inf).min(axis=1, keepdims=True)
    rivals = ((labels[:, None] != labels) & (nearest > D)).sum(axis=1)
    return float((rivals < k)[own.any(axis=1)].mean())


def _asking_all(z: Any, labels: Any, k: int = 1) -> float:
    asked = np.isin(labels, [c for c in labels if (labels == c).sum() > 1]).mean()
    return evaluate.recall_at_k(z, labels, k) * asked


def _dealt(draw: Callable[..., Any]) -> Op:
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


def _seedless(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    return samplers.pk_indices(labels, np.random.default_rng(0), classes, per_class)


def _spread_seed(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    return samplers.pk_indices(labels, np.random.default_rng(), classes, per_class)


def _next_above(d: Any, same: Any, false_accept: float = 0.01) -> float:
    curve = evaluate.roc(d, same)
    return float(
        curve.thresholds[min(np.flatnonzero(curve.false_accept <= false_accept)[-1] + 1, len(curve.thresholds) - 1)]
    )


def _smaller(d: Any, same: Any, false_accept: float = 0.01) -> float:
    curve = evaluate.roc(d, same)
    return float(curve.thresholds[np.flatnonzero((curve.false_accept < false_accept) | (curve.false_accept == 0))[-1]])


def _with(**different: Any) -> Op:
    from .collapse import COLLAPSING

    return lambda: COLLAPSING | different


def _showing(name: str, **answer: Any) -> Op:
    from .bugs import smallest

    return lambda: smallest() | {name: answer}


GRADIENT = {
    "wrong sign": wrong_sign,
    "twice": twice,
    "half": half,
    "float64 leak": float64_leak,
    "input modified": input_modified,
}
MEAN = {"a sum for a mean": sum_for_mean}
SECOND = {"first variable only": first_only}
AXIS = {"wrong axis": wrong_axis}
POINTS = {"equal points forgotten": equal_points_forgotten}
OF: dict[str, dict[str, Callable[[Op], Op]]] = {
    "squared-distance": {
        "wrong sign": value_of(result(lambda both: (-both[0], None))),
        "twice": value_of(result(lambda both: (2 * both[0], None))),
        "half": value_of(result(lambda both: (both[0] / 2, None))),
        "wrong axis": value_of(wrong_axis),
        "float64 leak": value_of(result(lambda both: (both[0].astype(np.float64), None))),
        "input modified": _spoiled,
    },
    "squared-distance-gradient": GRADIENT | SECOND | AXIS,
    "l2": GRADIENT | SECOND | AXIS | POINTS,
    "contrastive": GRADIENT | MEAN | {"no hinge": no_hinge, "active for valid": active_for_valid},
    "triplet": GRADIENT | MEAN | SECOND | {"no hinge": no_hinge, "active for valid": active_for_valid},
    "soft-margin": GRADIENT | MEAN | SECOND | {"overflow": overflow},
    "two-branches": {
        "one branch only": lambda _: one_branch,
        "wrong sign": lambda _: siamese_with(lambda dW: -dW),
        "twice": lambda _: siamese_with(lambda dW: 2 * dW),
        "half": lambda _: siamese_with(lambda dW: dW / 2),
        "float64 leak": lambda _: siamese_with(lambda dW: dW.astype(np.float64)),
        "transposed": lambda _: siamese_with(lambda dW: dW.T),
    },
    "dense": GRADIENT | {"transposed": transposed, "the bias forgotten": no_bias},
    "relu": GRADIENT | {"no hinge": no_hinge},
    "normalize": GRADIENT | AXIS | POINTS,
    "cosine": GRADIENT | SECOND | AXIS | POINTS,
    "cross-entropy": GRADIENT | MEAN | {"overflow": overflow},
    "pairwise": GRADIENT | {"the anchor's row only": first_only} | POINTS,
    "all-pairs": {
        "each twice": lambda _: miners.ordered_pairs,
        "with itself": lambda _: lambda D, labels: Pairs(
            *(both := np.triu_indices(len(labels))), labels[both[0]] == labels[both[1]]
        ),
        "same turned round": result(lambda found: Pairs(found.rows, found.columns, ~found.same)),
        "one missing": result(lambda found: Pairs(*(part[1:] for part in found))),
    },
    "batch-hard": {
        "the nearest positive": lambda _: partial(miners.batch_easy_hard, positive="easy", negative="hard"),
        "the farthest negative": lambda _: partial(miners.batch_easy_hard, positive="hard", negative="easy"),
        "its own positive": lambda _: _itself,
        "the anchor's column": lambda op: lambda D, labels: op(D.T, labels),
    },
    "semi-hard": {
        "nearer than the positive": lambda _: _nearest_negatives,
        "margin forgotten": lambda op: lambda D, labels, margin: op(D, labels, 1e9),
        "margin excluded": lambda op: lambda D, labels, margin: op(D, labels, margin * (1 - 1e-9)),
        "the anchor's column": lambda op: lambda D, labels, margin: op(D.T, labels, margin),
    },
    "log-sum-exp": {
        "overflow": lambda _: _naive_log_sum_exp,
        "wrong axis": lambda op: lambda x: tuple(part.T for part in op(x.T.copy())),
        "wrong sign": result(lambda both: (both[0], -both[1])),
        "slope not divided": result(lambda both: (both[0], both[1] * np.exp(both[0])[:, None])),
        "float64 leak": result(lambda both: (both[0], both[1].astype(np.float64))),
    },
    "softmax-cross-entropy": GRADIENT | MEAN,
    "convolution": GRADIENT | {
        "the bias forgotten": no_bias,
        "the kernel turned round": changed(lambda _, g: (g[0], g[1][::-1, ::-1], g[2])),
    },
    "max-pool": GRADIENT | {"shared among equals": equal_points_forgotten},
    "recall": {
        "its own neighbour": lambda _: lambda z, labels, k: 1.0,
        "ties for the model": lambda _: _recall_of_ties,
        "one too many": lambda op: lambda z, labels, k: op(z, labels, k + 1),
        "alone and asked": lambda _: _asking_all,
    },
    "sampler": {
        "with replacement": lambda _: _dealt(lambda rows, rng, K: rng.choice(rows, K)),
        "always the first images": lambda _: _dealt(lambda rows, rng, K: rows[:K]),
        "any images, any time": lambda _: _dealt(lambda rows, rng, K: rng.permutation(rows)[:K]),
        "rng not used": lambda _: _seedless,
        "chance from elsewhere": lambda _: _spread_seed,
        "one batch": lambda op: lambda *args: iter([next(op(*args))]),
    },
    "threshold": {
        "one too far": lambda _: _next_above,
        "less than": lambda _: _smaller,
        "the same pairs counted": lambda op: lambda d, same, false_accept: op(d, ~same, false_accept),
        "the largest there is": lambda _: lambda d, same, false_accept: float(d.max()),
    },
    "collapse": {
        "untouched": lambda _: _with(),
        "smaller steps alone": lambda _: _with(learning_rate=0.0003),
        "a soft margin alone": lambda _: _with(loss="soft-margin"),
    },
    "find-the-bug": {
        "an input that shows nothing": lambda _: _showing("l2, equal points forgotten", a=[[1.0]], b=[[0.0]]),
        "larger than need be": lambda _: _showing("contrastive without its hinge", d=[2.0, 3.0], same=[False, False]),
    },
}  # fmt: skip
