"""Common mistakes of the capstone, as changes of the text of the page, with the step that must detect each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .. import one_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function
    from .common import Mistakes


class OnPage(NamedTuple):
    """The step that detects a mistake, the text of the page that it replaces, and what it writes instead."""

    step: int
    right: str
    wrong: str


ON_PAGE = {
    "sum of the features": OnPage(1, "np.sqrt((u * u).sum(axis=1))", "np.sqrt((u * u).sum(axis=0))"),
    "squared distance": OnPage(1, "np.sqrt((u * u).sum(axis=1))", "(u * u).sum(axis=1)"),
    "no pullback yet": OnPage(2, "return d, pullback", "return d, None"),
    "0 / 0": OnPage(2, "np.where(d > 0, d, 1)", "d"),
    "same sign for both": OnPage(2, "return da, -da", "return da, da"),
    "labels inverted": OnPage(3, "np.where(same, d, slack)", "np.where(same, slack, d)"),
    "hinge missing": OnPage(3, "slack = np.maximum(margin - d, 0)", "slack = margin - d"),
    "the other one pulls": OnPage(4, "np.where(same, d, -slack)", "np.where(same, d, slack)"),
    "sum instead of mean": OnPage(4, " / len(d),)", ",)"),
    "transposed": OnPage(5, "x.T @ dy, dy.sum(axis=0)", "dy.T @ x, dy.sum(axis=0)"),
    "bias missing": OnPage(5, "return x @ W + b, lambda", "return x @ W, lambda"),
    "hinge ignored": OnPage(6, "dy * (x > 0)", "dy"),
    "ReLU not pulled back": OnPage(7, "(dh,) = pull_r(dr)", "dh = dr"),
    "gradients in the wrong order": OnPage(7, "[dW1, db1, dW2, db2]", "[dW2, db2, dW1, db1]"),
    "ReLU after the last layer": OnPage(7, "return z, pullback\n", "return relu(z)[0], pullback\n"),
    "one branch only": OnPage(8, "[a + b for a, b in zip(first, second, strict=True)]", "first"),
    "the mean of the branches": OnPage(8, "[a + b for", "[(a + b) / 2 for"),
    "lists joined": OnPage(8, "[a + b for a, b in zip(first, second, strict=True)]", "first + second"),
    "own partner": OnPage(9, "    fits[np.arange(n), i] = False\n", ""),
    "the first partner": OnPage(9, "(rng.random(fits.shape) * fits)", "fits"),
    "another generator": OnPage(9, "(rng.random(fits.shape)", "(np.random.default_rng().random(fits.shape)"),
    "labels may differ by chance": OnPage(9, "np.arange(n) < n // 2", "rng.random(n) < 0.5"),
    "uphill": OnPage(10, "p - rate * dp", "p + rate * dp"),
    "no rate": OnPage(10, "p - rate * dp", "p - dp"),
    "one step only": OnPage(10, "    return params\n\n\ndef one_shot", "        return params\n\n\ndef one_shot"),
    "in place": OnPage(10, "[p - rate * dp for", "[np.subtract(p, rate * dp, out=p) for"),
    "the same pairs": OnPage(10, "pairs(labels, batch, rng)", "pairs(labels, batch, np.random.default_rng(0))"),
    "ties count for the encoder": OnPage(11, "np.mean(own < D.min(axis=1))", "np.mean(own <= D.min(axis=1))"),
    "the share of errors": OnPage(11, "np.mean(own < D.min(axis=1))", "np.mean(own >= D.min(axis=1))"),
    "rows for columns": OnPage(11, "D.min(axis=1)", "D.min(axis=0)"),
    "main changed": OnPage(12, "train(start, images, labels, rng, steps)", "train(start, images, labels, steps)"),
}  # fmt: skip


def on_page(mistake: OnPage) -> Callable[[Function], Function]:
    """Make the page with a mistake."""

    def make(_: Function) -> Function:
        namespace: dict[str, Any] = {"__name__": "siam"}
        exec(one_page.source().replace(mistake.right, mistake.wrong), namespace)
        return one_page.page_in(namespace)

    return make


MISTAKES: Mistakes = {"capstone": {name: on_page(mistake) for name, mistake in ON_PAGE.items()}}
