"""The figures of the pages on losses and distances, all of the same few points.

A loss on pairs or triplets is drawn over its distances. For every other loss one point of a small batch moves along a
line, and the same batch is drawn with its forces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minisiam import distances, losses, pairwise
from minisiam.plots import loss_figure
from minisiam.plots.loss_figure import Curve, kinks

from .figure import inline, thumbnail, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from minisiam.typing import Array

STEPS = 161
ANGLES, RADII = np.radians([20, 75, 133, 98, 168, 215, 320]), np.array([1.0, 1.0, 0.9, 1.05, 1.15, 1.0, 0.95])
BATCH = RADII[:, None] * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
LABELS = np.array([0, 0, 0, 1, 1, 2, 2])
MOVING, REACH = 2, 1.4  # the point that moves from left to right, and how far
PROXIES = np.array([[0.9, 0.9], [-0.9, 0.65], [0.2, -1.1]])
PARTNERS = BATCH[[0, 2, 4, 6]] + np.array([[0.15, 0.4], [0.5, -0.2], [0.1, -0.5], [-0.35, 0.1]])
PAIRS = ("contrastive", "double_margin", "pair_hinge", "margin_loss", "cosine_embedding", "binary_cross_entropy")
TRIPLETS = ("triplet_hinge", "triplet_soft_margin", "triplet_ratio")
BETA = np.array(1.2)  # the boundary of `margin_loss` at the start
# constants with which a figure shows more than with the defaults
CONSTANTS: dict[str, dict[str, float]] = {
    "arcface": {"scale": 8.0},
    "circle": {"scale": 16.0},
    "histogram": {"bins": 10},
    "info_nce": {"temperature": 0.3},
    "l2_penalty": {"strength": 0.5},
    "multi_similarity": {"beta": 20.0},
    "softmax_cross_entropy": {"temperature": 0.3},
    "tuplet_margin": {"scale": 16.0},
}


@dataclass(frozen=True)
class Drawn:
    """The figures of a page as elements, what they show, and the curves of a small figure for the table."""

    svgs: list[str]
    caption: str
    small: str


@dataclass(frozen=True)
class Scene:
    """Points in the plane, and a loss of them.

    value : maps the points to the value and the gradient
    pairs : maps the points to (i, j, strength) of the forces between them
    kinds : names for filled and hollow points, with their masks
    """

    points: Array
    labels: Array
    value: Callable[[Array], tuple[Any, Array]]
    pairs: Callable[[Array], list[tuple[int, int, float]]] = lambda points: []
    kinds: tuple[tuple[str, Array], ...] = ()
    origin: bool = True
    moving: int = MOVING


def of_loss(name: str, distance: str) -> Drawn:
    """The figures of a loss, with its default constants, on a distance."""
    if name in PAIRS:
        return _of_pairs(name, distance)
    if name in TRIPLETS:
        return _of_triplets(name, distance)
    if name == "soft_triple_distance":
        return _of_centres()
    drawn = _of_scene(_scene(name, distance))
    constants = ", ".join(f"`{key}={value:g}`" for key, value in CONSTANTS.get(name, {}).items())
    return replace(drawn, caption=f"{drawn.caption} Drawn with {constants}." if constants else drawn.caption)


# losses on pairs and triplets, over their distances


def _pair_loss(name: str) -> Callable[..., Any]:
    """The loss of distances: a loss of log-odds gets the threshold 1, and a learned boundary its first value."""
    loss = getattr(losses, name)
    if name == "margin_loss":
        return lambda d, same: (lambda value, pull: (value, lambda g: pull(g)[:1]))(*loss(d, BETA, same))
    if name == "binary_cross_entropy":
        return lambda d, same: (lambda value, pull: (value, lambda g: (-pull(g)[0],)))(*loss(1 - d, same))
    return loss


def _of_pairs(name: str, distance: str) -> Drawn:
    loss, x = _pair_loss(name), np.linspace(0, 2, STEPS)
    lines = [
        _curve(kind, x, lambda d, same=same: _number(loss(np.array([d]), np.array([same]))))
        for kind, same in (("one class", True), ("different classes", False))
    ]
    xlabel = {"binary_cross_entropy": "distance d, with the logit 1 − d"}.get(name, "distance d of the pair")
    figure = loss_figure.curves(lines, xlabel, "slope ∂ℓ/∂d")
    scene = _batch_scene(losses.all_pairs(_named(loss)), distance)
    caption = (
        "Curves: the value and the slope of one pair. A positive slope pulls the pair together, a negative one pushes "
        f"it apart. Plane: the mean over all pairs of seven points, on the {_spoken(distance)} distance."
    )
    return _drawn([inline(figure, _alt(lines, xlabel)), _plane(scene)], f"{caption} {_kink_words(lines)}", lines)


def _of_triplets(name: str, distance: str) -> Drawn:
    loss, x = getattr(losses, name), np.linspace(-2.5, 2.5, STEPS)
    line = _curve("one triplet", x, lambda gap: _number(loss(np.array([gap]), np.zeros(1))))
    xlabel = "d₊ − d₋ (left: the negative is farther)"
    figure = loss_figure.curves([line], xlabel, "slope ∂ℓ/∂d₊ = −∂ℓ/∂d₋")
    scene = _batch_scene(losses.all_triplets(loss), distance)
    caption = (
        "Curves: the value and the slope of one triplet. The slope pulls the positive to the anchor and pushes the "
        f"negative away with the same strength. Plane: the mean over all triplets of seven points, on the "
        f"{_spoken(distance)} distance."
    )
    return _drawn([inline(figure, _alt([line], xlabel)), _plane(scene)], f"{caption} {_kink_words([line])}", [line])


def _named(loss: Callable[..., Any]) -> Callable[..., Any]:
    """A loss whose arguments `losses.with_miner` can read."""

    def pair_loss(d, same):
        return loss(d, same)

    return pair_loss


def _number(result: tuple[Any, Any]) -> tuple[float, float]:
    """The value of a single pair or triplet, and its slope in the first distance."""
    value, pullback = result
    return float(value), float(pullback(1.0)[0][0])


def _curve(name: str, x: Array, at: Callable[[float], tuple[float, float]]) -> Curve:
    value, slope = np.array([at(float(place)) for place in x]).T
    return Curve(name, x, value, slope, kinks(lambda place: at(place)[1], x))


# losses on a batch, on two sets, or on embeddings: one point moves


def _of_scene(scene: Scene) -> Drawn:
    i, (_, y) = scene.moving, scene.points[scene.moving]
    x = np.linspace(-REACH, REACH, STEPS)

    def at(place: float) -> tuple[float, float]:
        points = scene.points.copy()
        points[i, 0] = place
        value, gradient = scene.value(points)
        return float(value), -float(gradient[i, 0])

    line = _curve("moving", x, at)
    marks = [(float(scene.points[i, 0]), "now")]
    figure = loss_figure.curves([line], "position of the point on the dotted line", "force −∂ℓ/∂x", marks)
    path = np.stack([x[[0, -1]], [y, y]], axis=1)
    caption = (
        "Curves: one point moves along the dotted line of the plane, from left to right: the value of the loss, and "
        "the force on the point along the line (above 0 to the right). Plane: the forces where it is now."
    )
    alt = _alt([line], "position of one point that moves along a line")
    return _drawn([inline(figure, alt), _plane(scene, path)], f"{caption} {_kink_words([line])}", [line])


def _scene(name: str, distance: str) -> Scene:
    loss = partial(getattr(losses, name), **CONSTANTS.get(name, {}))
    if name == "l2_penalty":
        return Scene(BATCH, np.zeros(7, int), lambda W: _whole(loss(W)))
    if name == "vicreg":
        return _two_views(loss)
    if name in ("info_nce", "pairwise_sigmoid"):
        return _two_sets(loss, distance, BATCH[[0, 2, 4, 6]], PARTNERS, ("first view", "second view"), np.arange(4), 1)
    if name == "matching":
        same = LABELS[[1, 2, 4]][:, None] == LABELS[[0, 3, 5, 6]]
        return _two_sets(
            partial(loss, same=same), distance, BATCH[[1, 2, 4]], BATCH[[0, 3, 5, 6]], ("query", "support"),
            LABELS[[1, 2, 4]], 1, LABELS[[0, 3, 5, 6]],
        )  # fmt: skip
    if name in ("softmax_cross_entropy", "arcface", "proxy_anchor"):
        return _two_sets(partial(loss, targets=LABELS), distance, BATCH, PROXIES, ("image", "proxy"), LABELS, MOVING)
    return replace(_batch_scene(loss, distance), moving=1 if name == "n_pair" else MOVING)


def _whole(result: tuple[Any, Any]) -> tuple[Any, Array]:
    value, pullback = result
    return value, pullback(1.0)[0]


def _batch_scene(loss: Callable[..., Any], distance: str) -> Scene:
    """The batch under a loss on its distance matrix."""
    matrix = getattr(pairwise, distance)

    def value(z):
        D, pull_D = matrix(z, z)
        result, pull = loss(D, LABELS)
        rows, columns = pull_D(pull(1.0)[0])
        return result, rows + columns

    def pairs(z):
        dD = loss(matrix(z, z)[0], LABELS)[1](1.0)[0]
        i, j = np.triu_indices(len(z), k=1)
        return _strengths(distance, z, i, j, (dD + dD.T)[i, j])

    return Scene(BATCH, LABELS, value, pairs, origin=distance in ("cosine", "dot"))


def _two_sets(
    loss: Callable[..., Any],
    distance: str,
    a: Array,
    b: Array,
    names: tuple[str, str],
    labels: Array,
    moving: int,
    other_labels: Array | None = None,
) -> Scene:
    """Images against proxies, queries against a support set, or first views against second views."""
    matrix, n = getattr(pairwise, distance), len(a)

    def value(z):
        D, pull_D = matrix(z[:n], z[n:])
        result, pull = loss(D)
        return result, np.concatenate(pull_D(pull(1.0)[0]))

    def pairs(z):
        dD = loss(matrix(z[:n], z[n:])[0])[1](1.0)[0]
        i, j = np.indices(dD.shape).reshape(2, -1)
        return _strengths(distance, z, i, n + j, dD.ravel())

    first = np.arange(n + len(b)) < n
    labels = np.concatenate([labels, np.arange(len(b)) if other_labels is None else other_labels])
    points = np.concatenate([a, b])
    return Scene(points, labels, value, pairs, ((names[0], first), (names[1], ~first)), moving=moving)


def _two_views(loss: Callable[..., Any]) -> Scene:
    a, b = BATCH[[0, 2, 4, 6]], PARTNERS

    def value(z):
        result, pull = loss(z[:4], z[4:])
        return result, np.concatenate(pull(1.0))

    first = np.arange(8) < 4
    return Scene(np.concatenate([a, b]), np.tile(np.arange(4), 2), value,
                 kinds=(("first view", first), ("second view", ~first)), moving=1)  # fmt: skip


def _strengths(distance: str, z: Array, i: Array, j: Array, dd: Array) -> list[tuple[int, int, float]]:
    """The force between each two points: its length, with the sign of ∂ℓ/∂d."""
    da, _ = getattr(distances, distance)(z[i], z[j])[1](dd)
    strength = np.sign(dd) * np.linalg.norm(da, axis=1)
    return [(int(p), int(q), float(s)) for p, q, s in zip(i, j, strength, strict=True) if s]


def _plane(scene: Scene, path: Array | None = None) -> str:
    net = -scene.value(scene.points)[1]
    figure = loss_figure.plane(
        scene.points, scene.labels, net, scene.pairs(scene.points), kinds=scene.kinds, path=path, origin=scene.origin
    )
    pairs = scene.pairs(scene.points)
    pulls, pushes = sum(s > 0 for *_, s in pairs), sum(s < 0 for *_, s in pairs)
    strongest = int(np.argmax(np.linalg.norm(net, axis=1)))
    alt = f"{len(scene.points)} points in the plane with an arrow for the net force on each"
    alt += f"; {pulls} pairs are pulled together and {pushes} pushed apart" if pairs else ""
    return inline(figure, f"{alt}. The strongest net force is on point {strongest + 1}.")


# a soft minimum of two centres, and the distances


def _of_centres() -> Drawn:
    x = np.linspace(0, 1, STEPS)
    soft = partial(losses.soft_triple_distance, centres=2)

    def at(place: float) -> tuple[float, float]:
        d, pull = soft(np.array([[place, 0.5]]))
        return float(d[0, 0]), float(pull(np.ones_like(d))[0][0, 0])

    line, xlabel = _curve("soft", x, at), "distance to the first centre (to the second: 0.5)"
    figure = loss_figure.curves([line], xlabel, "slope in the first", [(0.5, "equal")], "soft minimum")
    centres = np.array([[-0.9, 0.2], [1.0, -0.3]])

    def force(a):
        D, pull_D = pairwise.l2(a, centres)
        d, pull = soft(D)
        return d[:, 0], -pull_D(pull(np.ones_like(d))[0])[0]

    marks = [((-0.9, 0.2), "centre 1"), ((1.0, -0.3), "centre 2")]
    plane = inline(loss_figure.field(force, marks), "Level lines around two centres; arrows lead to the nearer centre.")
    caption = (
        "Curves: the distance to a class with two centres, and its slope. Where the first centre is much nearer it is "
        "the distance to that centre; where it is much farther, the slope is 0. Plane: the force on an image."
    )
    return _drawn([inline(figure, _alt([line], xlabel)), plane], caption, [line])


def of_distance(name: str) -> Drawn:
    """The figures of a distance: along a line past b, and over the plane."""
    distance = getattr(distances, name)
    params = (np.array([1.0, 0.4]), np.array(0.0)) if name == "weighted_l1" else ()
    b = np.array([1.0, 0.3]) if name in ("cosine", "dot") else np.zeros(2)
    height = 0.5 if name in ("l1", "weighted_l1") else 0.0

    def from_b(a):
        d, pull = distance(a, np.broadcast_to(b, a.shape).copy(), *params)
        return d, -pull(np.ones(len(a)))[0]

    x = np.linspace(-2, 2, STEPS)
    if name in ("cosine", "dot"):
        height = -0.4

    def at(place: float) -> tuple[float, float]:
        d, force = from_b(np.array([[place, height]]))
        return float(d[0]), -float(force[0, 0])

    line = _curve("d", x, at)
    xlabel = f"a = (x, {height:g}), b = ({b[0]:g}, {b[1]:g})".replace("-", "−")
    figure = loss_figure.curves([line], xlabel, "slope ∂d/∂x", value_label="distance d")
    folds = [np.array([[-2.2, 0], [2.2, 0]]), np.array([[0, -2.2], [0, 2.2]])] if name in ("l1", "weighted_l1") else []
    marks = [((0.0, 0.0), "0"), (tuple(b), "b")] if name in ("cosine", "dot") else [((0.0, 0.0), "b")]
    plane = inline(
        loss_figure.field(from_b, marks, folds),
        "Level lines of the distance from b over the plane, with arrows −∂d/∂a at a hundred positions of a.",
    )
    weights = ", with the weights (1, 0.4)" if params else ""
    caption = (
        f"Curves: the value and the slope while a moves along a line{weights}. Plane: level lines of d over the "
        "position of a, and the arrows −∂d/∂a."
    )
    caption += " Dashed: the kinks." if folds else ""
    drawn = [inline(figure, _alt([line], "the first coordinate of a")), plane]
    return _drawn(drawn, f"{caption} {_kink_words([line])}", [line])


def of_miner(choose: Callable[..., Any], unit: bool = False) -> Drawn:
    """What a miner chooses of the batch."""
    points = BATCH / RADII[:, None] if unit else BATCH
    found = choose(pairwise.l2(points, points)[0], LABELS)
    entries = found.entries
    if len(entries) == 2:
        (a, p), (_, n) = entries
        positives, negatives = (set(zip(a.tolist(), other.tolist(), strict=True)) for other in (p, n))
        counted = f"{len(a)} triplets"
    else:
        (rows, columns), same = entries[0], found.same
        every = list(zip(rows.tolist(), columns.tolist(), strict=True))
        positives, negatives = (
            {pair for pair, is_same in zip(every, same, strict=True) if is_same == kind} for kind in (True, False)
        )
        counted = f"{len(rows)} pairs, of which {len(positives)} show one class"
    figure = loss_figure.chosen(points, LABELS, sorted(positives), sorted(negatives))
    where = "on the unit circle" if unit else "in the plane"
    caption = (
        f"Of seven points of three classes {where}, with L2, it chooses {counted}. An arrow leads from each anchor "
        "to its positives (solid) and to its negatives (dashed)."
    )
    return Drawn([inline(figure, caption)], caption, "")


# in words


def _drawn(svgs: list[str], caption: str, lines: list[Curve]) -> Drawn:
    every = slice(None, None, 4)
    small = thumbnail([(line.x[every], line.value[every]) for line in lines], "value: " + _alt(lines, "", "; "))
    return Drawn(svgs, caption.strip(), small)


def _alt(lines: list[Curve], xlabel: str, end: str = ". ") -> str:
    parts = [f"Value and slope against the {xlabel}" if xlabel else ""]
    for line in lines:
        of = f"{line.name}: " if len(lines) > 1 else ""
        parts.append(
            f"{of}value {words(line.x, line.value)}" + (f", slope {words(line.x, line.slope)}" if xlabel else "")
        )
    return end.join(filter(None, parts)) + ("." if xlabel else "")


def _kink_words(lines: list[Curve]) -> str:
    """The kinks of the curves, in a sentence."""
    counts = [len(line.kinks) for line in lines]
    if not any(counts):
        return "There is no kink on this line."
    if max(counts) > loss_figure.MAX_KINKS:
        return f"On this line are {max(counts)} kinks, too many to mark."
    return "Rings mark the kinks." if sum(counts) > 1 else "A ring marks the kink."


def _spoken(distance: str) -> str:
    return {"l2": "L2", "squared_l2": "squared L2", "l1": "L1"}.get(distance, distance)
