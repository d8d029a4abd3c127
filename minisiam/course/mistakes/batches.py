"""Mistakes in lessons 08 to 10: whole batches, collapse, and losses on a softmax."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import miners, tree
from ...miners import Pairs, Triplets
from ..collapse import COLLAPSING
from . import common, formulas

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function
    from .common import Mistakes


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


def settings_with(**changes: Any) -> Function:
    """The collapsing settings with some changed."""
    return lambda: COLLAPSING | changes


MISTAKES: Mistakes = {
    "pairwise": common.GRADIENT | {"gradient of the rows only": common.first_only} | common.POINTS,
    "all-pairs": {
        "each pair twice": lambda _: miners.ordered_pairs,
        "images paired with themselves": lambda _: lambda D, labels: Pairs(
            *(both := np.triu_indices(len(labels))), labels[both[0]] == labels[both[1]]
        ),
        "same inverted": common.result(lambda found: Pairs(found.rows, found.columns, ~found.same)),
        "one pair missing": common.result(lambda found: Pairs(*(part[1:] for part in found))),
    },
    "batch-hard": {
        "the nearest positive": lambda _: partial(miners.batch_easy_hard, positive="easy", negative="hard"),
        "the farthest negative": lambda _: partial(miners.batch_easy_hard, positive="hard", negative="easy"),
        "anchor as its own positive": lambda _: own_positive,
        "column instead of row": lambda op: lambda D, labels: op(D.T, labels),
    },
    "semi-hard": {
        "negative nearer than the positive": lambda _: nearest_negatives,
        "margin ignored": lambda op: lambda D, labels, margin: op(D, labels, 1e9),
        "margin excluded": lambda op: lambda D, labels, margin: op(D, labels, margin * (1 - 1e-9)),
        "column instead of row": lambda op: lambda D, labels, margin: op(D.T, labels, margin),
    },
    "cached": {
        "all activations kept": lambda _: in_one_pass,
        "all chunks encoded, then pulled": lambda _: chunks_by(all_chunks_at_once),
        "the last chunk only": lambda _: chunks_by(
            lambda *given: ((both := one_by_one(*given))[0][-1], np.concatenate(both[1]))
        ),
        "the mean of the chunks": lambda _: chunks_by(
            lambda *given: (
                tree.map(lambda dW: dW / len(given[1]), tree.add(*(both := one_by_one(*given))[0])),
                np.concatenate(both[1]),
            )
        ),
        "the first rows of dz for every chunk": lambda _: chunks_by(
            lambda encode, parts, each: (
                tree.add(*(both := one_by_one(encode, parts, [each[0][: len(x)] for x in parts]))[0]),
                np.concatenate(both[1]),
            )
        ),
        "the whole batch again": lambda _: chunks_by(
            lambda encode, parts, each: encode(np.concatenate(parts))[1](np.concatenate(each))
        ),
    },
    "collapse": {
        "unchanged": lambda _: settings_with(),
        "smaller learning rate only": lambda _: settings_with(learning_rate=0.0003),
        "soft margin only": lambda _: settings_with(loss="soft-margin"),
    },
    "log-sum-exp": {
        "overflow": lambda _: naive_log_sum_exp,
        "wrong axis": lambda op: lambda x: tuple(part.T for part in op(x.T.copy())),
        "wrong sign": common.result(lambda both: (both[0], -both[1])),
        "slope not divided": common.result(lambda both: (both[0], both[1] * np.exp(both[0])[:, None])),
    },
    "softmax-cross-entropy": common.GRADIENT | common.MEAN,
    "supcon": common.GRADIENT | common.MEAN | formulas.every(formulas.SUPCON) | {
        "the gradient of the anchor's own entry": formulas.gradient_of(partial(formulas.supcon, itself=True)),
    },
    "proxy-anchor": common.GRADIENT | formulas.every(formulas.PROXY_ANCHOR) | {
        "the gradient without the 1": formulas.gradient_of(partial(formulas.proxy_anchor, one=False)),
    },
    "arcface": common.GRADIENT | common.MEAN | formulas.every(formulas.ARCFACE) | {
        "the slope of the cosine": formulas.cosine_slope,
        "θ = 0 not handled": common.equal_points_not_handled,
    },
}  # fmt: skip
