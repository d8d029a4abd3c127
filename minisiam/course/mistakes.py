"""Common mistakes, made on purpose from functions of the library. `known_mistakes` is their table."""

from __future__ import annotations

from functools import partial, wraps
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .. import evaluate, miners, networks, samplers, tree
from ..evaluate.thresholds import t_975
from ..gradcheck import Case, reference, variables
from ..gradcheck.oracles import by_autograd
from ..miners import Triplets

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exercises import Function


def changed(change: Callable[..., tuple[Any, ...]]) -> Callable[[Function], Function]:
    """A mistake in the gradients: the pullback of the wrong op returns change(arguments, gradients)."""

    def make(op: Function) -> Function:
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


def wrong_axis(op: Function) -> Function:
    """The op along the columns instead of the rows."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*(x.T for x in args), **constants)
        transposed_value = value.T if value.ndim == 2 else value
        return transposed_value, lambda g: tuple(d.T for d in pullback(g.T))

    return wrong


def divided_by_active(op: Function) -> Function:
    """The gradient is divided by the number of active terms, the value by the number of all terms."""

    @wraps(op)
    def wrong(*args: Any, reduction: str = "mean", **constants: Any) -> Any:
        by = "mean_active" if reduction == "mean" else reduction
        return op(*args, reduction=reduction, **constants)[0], op(*args, reduction=by, **constants)[1]

    return wrong


def _without_hinge(slopes: Callable[..., tuple[Any, ...]]) -> Callable[[Function], Function]:
    """A missing hinge: the pullback uses the slopes of the formula without its max(0, ·)."""

    def make(op: Function) -> Function:
        @wraps(op)
        def wrong(*args: Any, reduction: str = "mean", **constants: Any) -> Any:
            return op(*args, **constants)[0], lambda g: tuple(g * slope for slope in slopes(*args, **constants))

        return wrong

    return make


@_without_hinge
def contrastive_without_hinge(d: Any, same: Any, margin: float = 1.0) -> tuple[Any, ...]:
    """d where same, d − margin elsewhere, divided by n."""
    return (np.where(same, d, d - margin) / d.dtype.type(len(d)),)


@_without_hinge
def triplet_without_hinge(positive: Any, negative: Any, margin: float = 1.0) -> tuple[Any, ...]:
    """1/n and −1/n, at all distances."""
    return np.full_like(positive, 1 / len(positive)), np.full_like(negative, -1 / len(negative))


@_without_hinge
def relu_without_hinge(x: Any) -> tuple[Any, ...]:
    """1, at every x."""
    return (np.ones_like(x),)


def equal_points_not_handled(op: Function) -> Function:
    """The formula of the paper, which divides by a distance or a length even if it is 0."""
    definition, names = reference.of(op), variables(op)

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        def pullback(g: Any) -> tuple[Any, ...]:
            _, gradients = by_autograd(definition, Case(dict(zip(names, args, strict=True)), constants, g))
            return tuple(d.astype(x.dtype) for d, x in zip(gradients, args, strict=True))

        with np.errstate(all="ignore"):
            return definition(*args, **constants), pullback

    return wrong


def overflow(op: Function) -> Function:
    """log(1 + eˣ) computed literally, so that it overflows."""

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        value, pullback = op(*args, **constants)
        with np.errstate(over="ignore", invalid="ignore"):
            infinite = sum((0 * np.exp(x) ** 1).sum() for x in args)
        return value + infinite, lambda g: tuple(d + infinite for d in pullback(g))

    return wrong


# functions that are not ops


def result(change: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """A mistake in what a function returns."""

    def make(function: Function) -> Function:
        @wraps(function)
        def wrong(*args: Any, **constants: Any) -> Any:
            return change(function(*args, **constants))

        return wrong

    return make


def value_of(mistake: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """A mistake of an op, in a function that returns only the value."""
    return lambda op: result(lambda both: both[0])(mistake(op))


def overwritten_input(op: Function) -> Function:
    """The difference overwrites the first argument."""

    @wraps(op)
    def wrong(a: Any, b: Any) -> Any:
        a -= b
        return op(a, 0 * b)

    return wrong


def siamese_with(change: Callable[[Any], Any]) -> Function:
    """A siamese network with changed gradients."""

    def siamese(encoder: Any, distance: Function, loss: Function) -> Any:
        network = networks.siamese(encoder, distance, loss)

        def apply(params: Any, /, *batch: Any) -> Any:
            value, pullback = network.apply(params, *batch)
            return value, lambda dl: tuple({**tree, "encoder": change(tree["encoder"])} for tree in pullback(dl))

        return network._replace(apply=apply)

    return siamese


def one_branch(encoder: Any, distance: Function, loss: Function) -> Any:
    """Only the first branch contributes its gradient."""

    def apply(params: Any, /, *batch: Any) -> Any:
        weights = chain([1], repeat(0))

        def once(theta: Any, x: Any, input_grad: bool = True) -> Any:
            z, pull = encoder(theta, x, input_grad)
            weight = next(weights)
            return z, lambda dz: pull(weight * dz)

        return networks.siamese(cast("Any", once), distance, loss).apply(params, *batch)

    return networks.Network(networks.siamese(encoder, distance, loss).init, apply)


def naive_log_sum_exp(x: Any) -> Any:
    """log Σ eˣ computed literally, so that it overflows."""
    with np.errstate(all="ignore"):
        e = np.exp(x)
        return np.log(e.sum(axis=1)), e / e.sum(axis=1, keepdims=True)


def own_positive(D: Any, labels: Any) -> Any:
    """Every anchor is its own positive."""
    a, _, n = miners.batch_hard(D, labels)
    return Triplets(a, a, n)


def nearest_negatives(D: Any, labels: Any, margin: float = 0.2) -> Any:
    """Includes negatives that are nearer than the positive."""
    a, p = np.nonzero((labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool))
    n = np.where(labels[a][:, None] == labels, np.inf, D[a]).argmin(axis=1)
    within = D[a, n] - D[a, p] <= margin
    return Triplets(a[within], p[within], n[within])


def recall_with_favourable_ties(z: Any, labels: Any, k: int = 1) -> float:
    """A tie counts in favour of the model."""
    D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    nearest = np.where(own, D, np.inf).min(axis=1, keepdims=True)
    rivals = ((labels[:, None] != labels) & (nearest > D)).sum(axis=1)
    return float((rivals < k)[own.any(axis=1)].mean())


def recall_of_all(z: Any, labels: Any, k: int = 1) -> float:
    """An image that is alone in its class counts as an error."""
    share = np.isin(labels, [c for c in labels if (labels == c).sum() > 1]).mean()
    return evaluate.recall_at_k(z, labels, k) * share


def sampler_from(draw: Function) -> Function:
    """A sampler that draws the images of each class with `draw`."""

    def pk_indices(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
        while True:
            yield np.concatenate(
                [
                    draw(np.flatnonzero(labels == c), rng, per_class)
                    for c in rng.permutation(np.unique(labels))[:classes]
                ]
            )

    return pk_indices


def rng_not_used(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """The same batches for every seed."""
    return samplers.pk_indices(labels, np.random.default_rng(0), classes, per_class)


def other_rng(labels: Any, rng: Any, classes: int = 16, per_class: int = 4) -> Any:
    """Different batches each time, whatever the seed."""
    return samplers.pk_indices(labels, np.random.default_rng(), classes, per_class)


def unseen_rates(choose: Callable[..., float], spread: Callable[[Any], float]) -> Function:
    """A threshold with intervals x̄ ± spread(rates); `choose` chooses the threshold for each group."""

    def choose_threshold(d: Any, same: Any, groups: Any, rate: float = 0.01) -> Any:
        value = evaluate.threshold_at(d, same, rate)

        def errors(some: Any, threshold: float) -> list[float]:
            return [(d[some & ~same] <= threshold).mean(), (d[some & same] > threshold).mean()]

        rates = np.array([errors(g == groups, choose(d, same, g == groups, rate)) for g in np.unique(groups)])
        low, high = (rates.mean(axis=0) + sign * np.apply_along_axis(spread, 0, rates) for sign in (-1, 1))
        known = errors(d == d, value)
        return value, *((k, max(0.0, a), min(1.0, b)) for k, a, b in zip(known, low, high, strict=True))

    return choose_threshold


def of_the_others(d: Any, same: Any, own: Any, rate: float) -> float:
    """The threshold of the other groups."""
    return evaluate.threshold_at(d[~own], same[~own], rate)


def prediction(rates: Any) -> float:
    """Half of the prediction interval of one more group."""
    return t_975(len(rates) - 1) * float(rates.std(ddof=1)) * np.sqrt(1 / len(rates) + 1)


def identify_by(known: Callable[..., bool], power: int = 1) -> Function:
    """The name of the nearest entry if `known(distances, names, threshold)`; distances to a power."""

    def identify(gallery: Any, z: Any, threshold: float) -> list[str | None]:
        answers = []
        for query in z:
            d = np.sqrt(((gallery.embeddings - query) ** 2).sum(axis=1)) ** power
            answers.append(str(gallery.names[d.argmin()]) if known(d, gallery.names, threshold) else None)
        return answers

    return identify


def names_of_nearest(d: Any, names: Any) -> int:
    """How many names have the smallest distance."""
    return len(set(names[d == d.min()].tolist()))


def chunks_by(second_pass: Callable[..., Any]) -> Function:
    """A cached encoder whose pullback is `second_pass(encode, chunks, dz of each)`, a pair."""

    def recomputed(encoder: Any, chunk: int) -> Any:
        def apply(params: Any, x: Any, /, input_grad: bool = True) -> Any:
            parts = [x[start : start + chunk] for start in range(0, len(x), chunk)]
            z = np.concatenate([encoder(params, part, input_grad=False)[0] for part in parts])

            def pullback(dz: Any) -> Any:
                each = [dz[start : start + chunk] for start in range(0, len(x), chunk)]
                dparams, dx = second_pass(partial(encoder, params), parts, each)
                return dparams, dx if input_grad else None

            return z, pullback

        return apply

    return recomputed


def one_by_one(encode: Any, parts: Any, each: Any) -> Any:
    """The gradients of each chunk: dparams and dx."""
    return list(zip(*(encode(part)[1](dz) for part, dz in zip(parts, each, strict=True)), strict=True))


def in_one_pass(encoder: Any, chunk: int) -> Any:
    """All activations are kept: exact, and no smaller than the whole batch."""

    def apply(params: Any, x: Any, /, input_grad: bool = True) -> Any:
        parts = [x[start : start + chunk] for start in range(0, len(x), chunk)]
        z, pulls = zip(*(encoder(params, part, input_grad=input_grad) for part in parts), strict=True)

        def pullback(dz: Any) -> Any:
            each = [dz[start : start + chunk] for start in range(0, len(x), chunk)]
            dparams, dxs = zip(*(pull(d) for pull, d in zip(pulls, each, strict=True)), strict=True)
            return tree.add(*dparams), np.concatenate(dxs) if input_grad else None

        return np.concatenate(z), pullback

    return apply


def all_chunks_at_once(encode: Any, parts: Any, each: Any) -> Any:
    """All chunks are encoded before the first pullback is used."""
    pulls = [encode(part)[1] for part in parts]
    dparams, dxs = zip(*(pull(dz) for pull, dz in zip(pulls, each, strict=True)), strict=True)
    return tree.add(*dparams), np.concatenate(dxs)


def next_above(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """The next larger distance."""
    curve = evaluate.roc(d, same)
    return float(
        curve.thresholds[min(np.flatnonzero(curve.false_accept <= false_accept)[-1] + 1, len(curve.thresholds) - 1)]
    )


def strictly_below(d: Any, same: Any, false_accept: float = 0.01) -> float:
    """The share of false accepts must be below the given one, although it may be equal."""
    curve = evaluate.roc(d, same)
    return float(curve.thresholds[np.flatnonzero((curve.false_accept < false_accept) | (curve.false_accept == 0))[-1]])
