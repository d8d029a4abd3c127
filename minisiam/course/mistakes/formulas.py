"""Wrong formulas of losses on a softmax: for clues to a wrong value, and for mistakes that the graders must detect.

They are written with autograd.numpy, so that autograd gives their gradients.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from ...gradcheck import Case, variables
from ...gradcheck.oracles import by_autograd
from ...gradcheck.reference import np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exercises import Function


def formula(wrong_one: Function) -> Callable[[Function], Function]:
    """Another formula, with its own gradient."""

    def make(op: Function) -> Function:
        return _op(op, wrong_one, wrong_one)

    return make


def every(wrong: dict[str, Function]) -> dict[str, Callable[[Function], Function]]:
    """A mistake for each wrong formula."""
    return {name: formula(one) for name, one in wrong.items()}


def gradient_of(wrong_one: Function) -> Callable[[Function], Function]:
    """The right value with the gradient of another formula."""

    def make(op: Function) -> Function:
        return _op(op, lambda *args, **constants: op(*args, **constants)[0], wrong_one)

    return make


def _op(op: Function, value_of: Function, differentiated: Function) -> Function:
    names = variables(op)

    @wraps(op)
    def wrong(*args: Any, **constants: Any) -> Any:
        def pullback(g: Any) -> tuple[Any, ...]:
            _, gradients = by_autograd(differentiated, Case(dict(zip(names, args, strict=True)), constants, g))
            return tuple(d.astype(x.dtype) for d, x in zip(gradients, args, strict=True))

        with np.errstate(all="ignore"):
            return value_of(*args, **constants), pullback

    return wrong


def _lse(x: Any) -> Any:
    """log Σ e^x of a list of numbers, without overflow."""
    x = np.array(x)
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def _cross_entropy(logits: list[Any], right: int) -> Any:
    """−log of the softmax of the right entry."""
    return _lse(logits) - logits[right]


def supcon(
    D: Any,
    labels: Any,
    temperature: float = 0.1,
    itself: bool = False,
    inside: bool = False,
    others: bool = True,
    all_anchors: bool = False,
) -> Any:
    """The loss with mistakes.

    Parameters
    ----------
    D, labels, temperature
        As in `losses.supcon`.
    itself
        Whether the anchor is one of its own candidates.
    inside
        Whether the mean over the positives is inside the logarithm.
    others
        Whether the other positives are candidates.
    all_anchors
        Whether the mean is over all images, not over those with a positive.
    """
    x, n, terms = -D / temperature, len(D), []
    for i in range(n):
        positives = [j for j in range(n) if labels[j] == labels[i] and j != i]
        negatives = [j for j in range(n) if labels[j] != labels[i]] + [i] * itself
        if positives and inside:
            among = _lse([x[i, j] for j in positives + negatives])
            terms.append(among + np.log(len(positives)) - _lse([x[i, p] for p in positives]))
        elif positives:
            candidates = [[*(positives if others else [p]), *negatives] for p in positives]
            each = [
                _cross_entropy([x[i, j] for j in some], some.index(p))
                for p, some in zip(positives, candidates, strict=True)
            ]
            terms.append(sum(each) / len(positives))
    return sum(terms) / (n if all_anchors else len(terms))


def proxy_anchor(
    D: Any,
    targets: Any,
    margin: float = 0.1,
    scale: float = 32.0,
    rows: bool = False,
    all_proxies: bool = False,
    one: bool = True,
    far_margin: float = 1.0,
) -> Any:
    """The loss with mistakes.

    Parameters
    ----------
    D, targets, margin, scale
        As in `losses.proxy_anchor`.
    rows
        Whether the image is the anchor.
    all_proxies
        Whether both means are over all proxies.
    one
        Whether 1 is added to the sums.
    far_margin
        A factor of the margin of the others.
    """
    s, (n, m) = 1 - D, D.shape
    entries = [[(i, k) for k in range(m)] for i in range(n)] if rows else [[(i, k) for i in range(n)] for k in range(m)]
    zero = [0.0] * one
    near, far = [], []
    for some in entries:
        own = [scale * (margin - s[i, k]) for i, k in some if targets[i] == k]
        rest = [scale * (far_margin * margin + s[i, k]) for i, k in some if targets[i] != k]
        near += [_lse(zero + own)] if own else []
        far += [_lse(zero + rest)] if rest else []
    return sum(near) / (len(entries) if all_proxies else len(near)) + sum(far) / len(entries)


def arcface(
    D: Any,
    targets: Any,
    margin: float = 28.6,
    scale: float = 64.0,
    turn: Callable[[Any, float], Any] | None = None,
    everywhere: bool = False,
    unit: float = np.pi / 180,
) -> Any:
    """The loss with mistakes.

    Parameters
    ----------
    D, targets, margin, scale
        As in `losses.arcface`.
    turn
        The logit of the target, divided by the scale, from its angle and the margin.
    everywhere
        Whether every angle gets the margin.
    unit
        The radians of a unit of the margin.
    """
    m, turn = margin * unit, turn or with_jump
    angle = np.arccos(np.clip(1 - D, -1 + 1e-12, 1 - 1e-12))
    terms = []
    for i, t in enumerate(targets):
        logits = [
            scale * (turn(angle[i, j], m) if everywhere or j == t else np.cos(angle[i, j])) for j in range(D.shape[1])
        ]
        terms.append(_cross_entropy(logits, t))
    return sum(terms) / len(terms)


def with_jump(angle: Any, m: float) -> Any:
    """cos(θ + m), and beyond θ = π − m the continuation of the authors."""
    return without_jump(angle, m) if angle <= np.pi - m else np.cos(angle) - m * np.sin(m)


def without_jump(angle: Any, m: float) -> Any:
    """cos(θ + m) at every angle, so that it rises again; a margin < 0 helps."""
    return np.cos(angle + m)


def outside(angle: Any, m: float) -> Any:
    """The margin of CosFace."""
    return np.cos(angle) - m


def cosine_slope(op: Function) -> Function:
    """The gradient of the target as if its logit was the cosine."""

    @wraps(op)
    def wrong(D: Any, targets: Any, margin: float = 28.6, scale: float = 64.0) -> Any:
        value, pullback = op(D, targets=targets, margin=margin, scale=scale)
        at = np.arange(len(D)), targets
        rest = np.arange(D.shape[1]) != np.array(targets)[:, None]

        def without_angle(dl: Any) -> tuple[Any]:
            (dD,) = pullback(dl)
            dD[at] = -(dD * rest).sum(axis=1)  # the slopes of a softmax sum to 0
            return (dD,)

        return value, without_angle

    return wrong


def sigmoid(D: Any, power: int = 1, others: bool = True, softmax: bool = False) -> Any:
    """The pairwise sigmoid loss with mistakes.

    Parameters
    ----------
    D
        As in `losses.pairwise_sigmoid`.
    power
        The sum is divided by this power of n.
    others
        Whether the entries beside the diagonal are in the sum.
    softmax
        Whether each row is a softmax.
    """
    n = len(D)
    if softmax:
        return sum(_cross_entropy(list(-D[i]), i) for i in range(n)) / n
    entries = [(i, j) for i in range(n) for j in range(n) if others or i == j]
    return sum(np.logaddexp(0, D[i, j] if i == j else -D[i, j]) for i, j in entries) / n**power


# what is wrong, so that "this is the value if …" is a sentence
SUPCON: dict[str, Function] = {
    "the anchor is one of its own candidates": partial(supcon, itself=True),
    "the mean over the positives is inside the logarithm": partial(supcon, inside=True),
    "the other positives are no candidates": partial(supcon, others=False),
    "the mean is over all images, also those without a positive": partial(supcon, all_anchors=True),
}
PROXY_ANCHOR: dict[str, Function] = {
    "the image is the anchor, not the proxy": partial(proxy_anchor, rows=True),
    "both sums are divided by the number of all proxies": partial(proxy_anchor, all_proxies=True),
    "the 1 in the logarithm is missing": partial(proxy_anchor, one=False),
    "the margin is subtracted from the similarity of the others": partial(proxy_anchor, far_margin=-1.0),
}
ARCFACE: dict[str, Function] = {
    "the margin is in radians": partial(arcface, unit=1.0),
    "the margin is subtracted from the angle": partial(arcface, turn=without_jump, unit=-np.pi / 180),
    "the margin is subtracted from the cosine, not added to the angle": partial(arcface, turn=outside),
    "cos(θ + m) is used beyond θ = π − m as well": partial(arcface, turn=without_jump),
    "every proxy gets the margin": partial(arcface, everywhere=True),
}
SIGMOID: dict[str, Function] = {
    "the sum is divided by n², the number of entries": partial(sigmoid, power=2),
    "the sum is over the diagonal only": partial(sigmoid, others=False),
    "each row is a softmax": partial(sigmoid, softmax=True),
}
