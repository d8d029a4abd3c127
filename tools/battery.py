"""The gradient tests of one op: expected results are computed once, and compared with those of thousands of mutants.

Random inputs rarely deactivate a hinge and never collapse an embedding, so designed inputs are added.
"""

import copy
import inspect
import types
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from promises import kept, separated

from minisiam import distances, fast, gradcheck, losses, miners, pairwise
from minisiam.distance_matrix import Total
from minisiam.fast import batch_norm, blockwise
from minisiam.gradcheck import kinks, reference
from minisiam.gradcheck.check import at_kink
from minisiam.gradcheck.inputs import distance_to_corner
from minisiam.gradcheck.oracles import AUTOGRAD, by_autograd, error, gradient_floor, value_floor
from minisiam.op import init_params, with_parameters
from minisiam.typing import Array, Bool, Float, Int, Op


class Expected(NamedTuple):
    """The expected value and gradients of one case, from an oracle."""

    case: gradcheck.Case
    value: Any
    gradients: tuple[Any, ...]
    value_floor: float
    gradient_floor: float
    exact: bool = False  # entry by entry, not relative to the largest: for distances that must not lose small ones
    dtype: Any = np.float64  # what the op is run in


class Battery(NamedTuple):
    """The gradient tests of one op, ready to be run on thousands of mutants."""

    name: str
    expected: list[Expected]
    kinks: list[kinks.Kink]
    by_rows: bool  # whether it accepts a matrix computed in blocks
    skips: bool  # whether it has the argument input_grad


SAME = {"padding": "same"}
# shapes of x and W, and constants: together they use every branch, and the sides of an input all differ
CONVOLUTIONS: dict[str, list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]] = {
    "conv2d": [((2, 4, 5, 2), (2, 2, 2, 3), SAME)],  # an even kernel pads one side more than the other
    "conv2d_im2row": [
        ((2, 6, 7, 2), (4, 4, 2, 3), SAME),
        ((2, 9, 7, 2), (2, 2, 2, 3), {"stride": 3}),
        ((2, 6, 7, 5), (2, 2, 5, 3), {}),
        ((2, 5, 8, 6), (4, 4, 6, 3), SAME | {"stride": 2}),
        ((3, 10, 7, 5), (3, 3, 5, 2), SAME | {"stride": 3}),
        ((2, 9, 6, 5), (2, 2, 5, 3), {"stride": 3}),
        ((2, 3, 3, 2), (3, 3, 2, 3), SAME | {"stride": 3}),  # a frame as large as the image, and elsewhere
    ],
    "conv2d_winograd": [
        ((2, 7, 10, 5), (3, 3, 5, 4), {}),
        ((3, 5, 8, 2), (3, 3, 2, 4), SAME),
        ((3, 6, 7, 2), (3, 3, 2, 1), {}),
        ((1, 1, 2, 1), (3, 3, 1, 1), SAME),
    ],
    "conv2d_fft": [
        ((2, 9, 7, 3), (5, 5, 3, 2), {}),
        ((2, 5, 8, 2), (4, 4, 2, 3), SAME),
        ((3, 6, 9, 2), (2, 2, 2, 1), SAME),
    ],
    "conv_pool_relu": [
        ((2, 8, 12, 2), (3, 3, 2, 4), SAME),  # a row of blocks at a time
        ((1, 6, 5, 2), (3, 3, 2, 2), SAME),  # two, and the last
        ((2, 6, 9, 2), (3, 3, 2, 3), SAME),
        ((2, 8, 7, 5), (3, 3, 5, 3), {}),
        ((2, 6, 7, 5), (3, 3, 5, 3), SAME),
        ((2, 7, 6, 5), (2, 2, 5, 3), SAME),
        ((2, 8, 6, 5), (4, 4, 5, 3), {}),
        ((2, 7, 6, 6), (5, 5, 6, 3), SAME),
        ((2, 8, 11, 5), (5, 5, 5, 2), {}),
        ((2, 9, 8, 5), (6, 6, 5, 2), SAME),
    ],
}


class Blocks:
    """A `DistanceMatrix` of an array that passes on a few rows at a time."""

    def __init__(self, D: Array) -> None:
        self.D, self.shape, self.dtype = D, D.shape, D.dtype
        self.step = 2 if len(D) < 100 else 100

    def blocks(self):
        stops = [(k, min(k + self.step, len(self.D))) for k in range(0, len(self.D), self.step)]
        return [(slice(*some), self.D[slice(*some)].copy()) for some in stops]

    def map_rows(self, f: Any) -> list[Any]:
        return [f(D, some) for some, D in self.blocks()]

    def whole(self, purpose: str) -> Any:
        raise TypeError(f"{purpose} needs the whole matrix")

    def sum_rows(self, loss: Any) -> Total:
        found = self.map_rows(loss)
        sums = (sum(array.sum() for array in part) for part in list(zip(*found, strict=True))[:3])
        return Total(*sums, np.concatenate([each.slope for each in found]))

    def entries(self, *places: Any) -> Any:
        def pull(*dd):
            dD = np.zeros_like(self.D)
            for place, d in zip(places, dd, strict=True):
                np.add.at(dD, place, d)
            return dD

        return [self.D[place] for place in places], pull


def designed(op: Any) -> Iterator[gradcheck.Case]:
    """Designed inputs: collapsed embeddings far from the origin, tight clusters far from each other."""
    rng = np.random.default_rng(0)
    for images, kernels, constants in CONVOLUTIONS.get(op.__name__, ()):
        z = op(np.zeros(images), np.zeros(kernels), np.zeros(kernels[-1]), **constants)[0]
        variables = {"x": rng.normal(size=images), "W": rng.normal(size=kernels), "b": rng.normal(size=kernels[-1])}
        yield gradcheck.Case(variables, constants, rng.normal(size=z.shape))
    if op.__name__ == "images_in_pieces":  # far from 0, where digits can be lost
        x, (scale, shift) = 1e4 + rng.normal(size=(4, 7, 3, 2)), rng.normal(size=(2, 2))
        z = op(x, scale, shift)[0]
        yield gradcheck.Case({"x": x, "scale": scale, "shift": shift}, {}, rng.normal(size=z.shape))
    if op.__name__ == "cosine":  # opposite rows, at the upper end of the range
        a = rng.normal(size=(40, 16))
        shape = (40, 40) if op.__module__.endswith(".pairwise") else 40
        yield gradcheck.Case({"a": a, "b": -3 * a}, {}, rng.normal(size=shape))
    if op.__name__ in ("histogram", "fast_ap"):  # and classes at either end of theirs
        labels = np.array([0, 0, 0, 1, 1, 2, 2, 3])
        for seed in range(8):
            yield gradcheck.Case({"D": separated(labels, seed, seed % 2 == 0)}, {"labels": labels}, 1.0)
    if not op.__module__.endswith(".pairwise"):
        return
    clusters = np.repeat(rng.normal(size=(3, 2)), 3, axis=0)
    for base, spread in ((1e4, 1e-4), (1e4 + 1e3 * clusters, 1e-4), (1e6 * clusters, 1.0), (1e3 * clusters, 1e-4)):
        z = base + spread * rng.normal(size=(9, 2))
        extra = {"w": np.array([0.5, 2.0]), "bias": np.array(0.3)} if op.__name__ == "weighted_l1" else {}
        yield gradcheck.Case({"a": z, "b": z[:7] + 0.0} | extra, {}, rng.normal(size=(9, 7)))


def collapsed(op: Any) -> Iterator[gradcheck.Case]:
    """Nearly collapsed embeddings, with numbers that float32 represents exactly."""
    if op.__module__.endswith(".pairwise") and op.__name__ in ("l2", "squared_l2", "cosine"):
        rng = np.random.default_rng(1)
        single = lambda x: np.asarray(x, np.float32).astype(float)
        a, b = single([3.0, 4.0] + 1e-3 * rng.normal(size=(9, 2))), single([3.0, 4.0] + 1e-3 * rng.normal(size=(7, 2)))
        yield gradcheck.Case({"a": a, "b": b}, {}, single(rng.normal(size=(9, 7))))
        apart = single([[1e3, 0.0]]) * np.arange(9)[:, None]  # and collapsed pairs, far from other collapsed pairs
        a, b = single(a + apart), single(a + apart + 1e-2)
        yield gradcheck.Case({"a": a, "b": b}, {}, single(rng.normal(size=(9, 9))))
        base = np.abs(rng.normal(size=64))  # and the worst case of a product: two clusters on either side of the origin
        sides = np.repeat([-1.0, 1.0], 8)[:, None] * base
        z = single(sides + 0.15 * rng.normal(size=(16, 64)) * base)
        yield gradcheck.Case({"a": z, "b": z[:7]}, {}, single(rng.normal(size=(16, 7))))
    if op.__module__.endswith(".pairwise") and op.__name__ == "l2":  # the squares of some pairs overflow in float32
        a, b = (single(1e19 * rng.normal(size=(9, 2))) for _ in "ab")
        yield gradcheck.Case({"a": a, "b": b[:7]}, {}, single(rng.normal(size=(9, 7))))


def calibrated(module: types.ModuleType) -> Any:
    """`distances.calibrated` of a squared distance, as an op."""

    def calibrated_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return module.calibrated(distances.squared_l2, 3.0, 2.0)(a, b, scale, bias)

    start = init_params(module.calibrated(distances.squared_l2, 3.0, 2.0), np.random.default_rng(0), 4)
    if [float(p) for p in start] != [3.0, -6.0]:
        raise ValueError("it must start at its scale and at −scale · threshold")
    return calibrated_squared_l2


def tempered(module: types.ModuleType) -> Any:
    """`distances.tempered` of a squared distance, as an op."""

    def tempered_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], s: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return module.tempered(distances.squared_l2, 3.0, 2.0)(a, b, s, bias)

    for given, first in (((3.0, 2.0), [np.log(3.0), 2.0]), ((3.0,), [np.log(3.0)]), ((), [np.log(1 / 0.07)])):
        start = init_params(module.tempered(distances.squared_l2, *given), np.random.default_rng(0), 4)
        if len(start) != len(first) or not np.allclose([float(p) for p in start], first, rtol=1e-6):
            raise ValueError("it must start at the logarithm of its scale, and at its bias")
    return tempered_squared_l2


def nested_distance(module: types.ModuleType) -> Any:
    """`pairwise.nested` of a distance with a parameter, as an op."""
    distance = module.nested(distances.tempered(pairwise.squared_l2, 3.0), (1, 3))
    if len(init_params(distance, np.random.default_rng(0), 4)) != 1:
        raise ValueError("it must keep the parameters of its distance")

    def nested_squared_l2(a: Float[Array, "n 4"], b: Float[Array, "m 4"], s: Float[Array, ""], /) -> Op[Array]:
        return distance(a, b, s)

    return nested_squared_l2


def _nested_squared_l2(a, b, s):
    square = reference.matrix(reference.squared_l2)
    return reference.np.exp(s) * reference.np.array([square(a[:, :size], b[:, :size]) for size in (1, 3)])


def by_batch(module: types.ModuleType) -> Any:
    """`batch_norm` while training, with what it says of the batch."""

    def by_batch(x: Float[Array, "n ... c"], scale: Float[Array, "c"], shift: Float[Array, "c"], /) -> Op[Array]:
        y, pullback, mean, variance = module.by_batch(x, scale, shift, 1e-5)
        every = x.reshape(-1, x.shape[-1])
        near = [np.allclose(mean, every.mean(axis=0)), np.allclose(variance, every.var(axis=0))]
        if not all(near) or not mean.shape == variance.shape == scale.shape:
            raise ValueError("it must tell the mean and the variance of each channel")
        return y, pullback

    return by_batch


def one_by_one(work: Any, items: Any) -> list[Any]:
    """Map without threads."""
    return [work(item) for item in items]


def normal_in_pieces(module: types.ModuleType, finish: str, x: Array, *variables: Any) -> tuple[Array, Any]:
    """Batch norm of two pieces, stage by stage, the anchor of one of them not its mean."""
    (first, second), sums = zip(*map(module.collected, (x[:1], x[1:])), strict=True)
    anchor = first.anchor + 0.5
    u = (first.x - anchor).reshape(-1, x.shape[-1])
    first = first._replace(anchor=anchor, sums=u.sum(axis=0), squares=(u * u).sum(axis=0))
    normals, pull, (mean, variance, values) = module.statistics([first, second], *variables)
    ys, pulls = zip(*map(getattr(module, finish), normals), strict=True)
    every = x.reshape(-1, x.shape[-1])
    if (
        not np.allclose(mean, every.mean(axis=0))
        or not np.allclose(variance, (every - every[0]).var(axis=0))
        or values != len(every)
    ):
        raise ValueError("it must tell the mean and the variance of each channel, and of how many values")

    def pullback(dy):
        dscale, dshift, sends = pull([p(d)[0] for p, d in zip(pulls, (dy[:1], dy[1:]), strict=True)])
        return np.concatenate([p(send)[0] for p, send in zip(sums, sends, strict=True)]), dscale, dshift

    return np.concatenate(ys), pullback


def images_in_pieces(finish: str) -> Any:
    """Batch norm of images in pieces, as it is or with what comes after it."""

    def make(module: types.ModuleType) -> Any:
        def images_in_pieces(
            x: Float[Array, "n h w c"], scale: Float[Array, "c"], shift: Float[Array, "c"], /, epsilon: float = 1e-5
        ) -> Op[Array]:
            return normal_in_pieces(module, finish, x, scale, shift, epsilon)

        return images_in_pieces

    return make


def rows_in_pieces(module: types.ModuleType) -> Any:
    """Batch norm of rows in pieces."""

    def rows_in_pieces(
        x: Float[Array, "n c"], scale: Float[Array, "c"], shift: Float[Array, "c"], /, epsilon: float = 1e-5
    ) -> Op[Array]:
        return normal_in_pieces(module, "normalised", x, scale, shift, epsilon)

    return rows_in_pieces


def _pooled(x, scale, shift, epsilon=1e-5):
    return reference.relu(reference.max_pool(reference.batch_norm(x, scale, shift, epsilon)))


def _where_pooled_ties_or_is_0(x, scale, shift, epsilon=1e-5):
    y = reference.batch_norm(x, scale, shift, epsilon)
    return np.append(reference.max_pool.corner(y), reference.max_pool(y))


def windows_in_pieces(module: types.ModuleType) -> Any:
    """A convolution of few channels, its batch norm, ReLU and pooling, of two pieces."""

    def windows_in_pieces(
        x: Float[Array, "n h w c"],
        W: Float[Array, "k k c o"],
        b: Float[Array, "o"],
        scale: Float[Array, "o"],
        shift: Float[Array, "o"],
        /,
        padding: str = "valid",
        input_grad: bool = True,
    ) -> Op[Array]:
        pieces = [module.windows(part, W, b, padding, input_grad) for part in (x[:1], x[1:])]
        collected = [module.collected(piece, scale) for piece, _ in pieces]
        normals, pull, (mean, _, _) = batch_norm.statistics([found for found, _ in collected], scale, shift, 1e-5)
        if not np.allclose(mean, reference.conv2d(x, W, b, padding).mean(axis=(0, 1, 2))):
            raise ValueError("it must tell the mean of each channel")
        ys, pulls = zip(*map(module.pooled, normals), strict=True)

        def pullback(dy):
            dscale, dshift, sends = pull([p(d)[0] for p, d in zip(pulls, (dy[:1], dy[1:]), strict=True)])
            found = [p(*back(send)) for (_, p), (_, back), send in zip(pieces, collected, sends, strict=True)]
            dx, dW, db = zip(*found, strict=True)
            return np.concatenate(dx) if input_grad else None, sum(dW), sum(db), dscale, dshift

        return np.concatenate(ys), pullback

    return windows_in_pieces


def _norm_of_windows(x, W, b, scale, shift, padding="valid"):
    return _pooled(reference.conv2d(x, W, b, padding), scale, shift)


def _where_windows_tie_or_are_0(x, W, b, scale, shift, padding="valid"):
    return _where_pooled_ties_or_is_0(reference.conv2d(x, W, b, padding), scale, shift)


def dense_by_columns(module: types.ModuleType) -> Any:
    """`dense` in halves."""

    def dense_by_columns(
        x: Float[Array, "n i"], W: Float[Array, "i o"], b: Float[Array, "o"], /, input_grad: bool = True
    ) -> Op[Array]:
        return module.dense_by_columns(x, W, b, one_by_one, input_grad)

    return dense_by_columns


@with_parameters(lambda rng, size: (np.zeros((), np.float32),))
def shifted_hinge(positive, negative, shift, /):
    """A hinge with a learned shift of d₋: a loss with a parameter."""
    value, pull = losses.triplet_hinge(positive, negative + shift, margin=0.5)

    def pullback(dl):
        dpositive, dnegative = pull(dl)
        return dpositive, dnegative, dnegative.sum()

    return value, pullback


def entries_of_a_matrix(module: types.ModuleType) -> Any:
    """Entries of a `Whole`, one of them twice, as an op; its rows and the arguments of `as_matrix` are checked too."""
    try:
        module.as_matrix([[0.0]])
    except TypeError:
        pass
    else:
        raise ValueError("a list is not a distance matrix")

    def entries_of_a_matrix(D: Float[Array, "n n"], /) -> Op[Array]:
        matrix = module.as_matrix(D)
        ((rows, some),) = matrix.map_rows(lambda rows, some: (rows, some))
        if rows is not D or matrix.whole("this test") is not D or some != slice(0, len(D)):
            raise ValueError("the only block must have all rows, without a copy")
        if module.as_matrix(matrix) is not matrix or (matrix.shape, matrix.dtype) != (D.shape, D.dtype):
            raise ValueError("a DistanceMatrix must be returned as it is, with the shape and dtype of its array")
        (d,), pull = matrix.entries((np.array([0, 1, 0]), np.array([1, 0, 1])))
        return d, lambda dd: (pull(dd),)

    return entries_of_a_matrix


Labels = Int[Array, "n"]
BATCH: dict[str, Any] = {"sizes": {"n": (3, 6)}, "scales": (-1, 0), "unit": 1.0}


def pairs_of(D, labels):
    """All ordered pairs, by a loop: distances, and whether both images show one class."""
    places = [(i, j) for i, j in np.ndindex(D.shape) if i != j]
    i, j = np.array(places).T
    return D[i, j], labels[i] == labels[j]


def triplets_of(D, labels):
    """All triplets, by a loop: anchors, d₊ and d₋."""
    a, p, n = np.array(
        [t for t in np.ndindex(*3 * D.shape[:1]) if labels[t[0]] == labels[t[1]] != labels[t[2]] and t[0] != t[1]]
    ).T
    return a, D[a, p], D[a, n]


def learned_with_miner(module: types.ModuleType) -> Any:
    """`losses.with_miner` with a learned loss, on triplets that use an entry of the matrix more than once."""
    module.with_miner(losses.triplet_hinge, miners.all_triplets)  # a loss without parameters is accepted too
    loss = module.with_miner(shifted_hinge, miners.all_triplets)
    if len(init_params(loss, np.random.default_rng(0), 4)) != 1:
        raise ValueError("it must keep the parameters of its loss")
    if loss.__name__ != "shifted_hinge_over_all_triplets":
        raise ValueError("it must be named after its loss and its miner")

    def learned_with_miner(D: Float[Array, "n n"], shift: Float[Array, ""], /, labels: Labels) -> Op[Array]:
        return loss(D, shift, labels)

    return learned_with_miner


def _learned_with_miner(D, shift, labels, **_):
    _, positive, negative = triplets_of(D, labels)
    return positive - negative - shift + 0.5


def swapped_with_miner(module: types.ModuleType) -> Any:
    """`losses.with_miner` with the swapped triplets of a miner."""
    loss = losses.with_miner(losses.triplet_hinge, module.swapped(miners.all_triplets))

    def swapped_with_miner(D: Float[Array, "n n"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
        return loss(D, labels, margin=0.6, reduction=reduction)

    return swapped_with_miner


def _swapped(D, labels, **_):
    """d₊ − the smaller d₋ + margin, and the difference of the two d₋, which is 0 at a tie."""
    a, p, n = miners.all_triplets(np.zeros(D.shape), labels)
    nearer = reference.np.minimum(D[a, n], D[p, n])
    return D[a, p] - nearer + 0.6, D[a, n] - D[p, n]


def every_pair(module: types.ModuleType) -> Any:
    """`losses.all_pairs`."""
    loss = module.all_pairs(losses.contrastive)

    def every_pair(D: Float[Array, "n n"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
        return loss(D, labels, reduction=reduction)

    return every_pair


def every_triplet(module: types.ModuleType) -> Any:
    """`losses.all_triplets`."""
    loss = module.all_triplets(losses.triplet_hinge)

    def every_triplet(D: Float[Array, "n n"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
        return loss(D, labels, reduction=reduction)

    return every_triplet


def nested_loss(*weights: float) -> Any:
    """`losses.nested` of a loss with a parameter, as an op, with weights or without; and its definition."""

    def make(module: types.ModuleType) -> Any:
        loss = module.nested(losses.with_miner(shifted_hinge, miners.all_triplets), weights or None)
        if len(init_params(loss, np.random.default_rng(0), 4)) != 1:
            raise ValueError("it must keep the parameters of its loss")

        def nested(D: Float[Array, "2 n n"], shift: Float[Array, ""], /, labels: Labels) -> Op[Array]:
            return loss(D, shift, labels)

        return nested

    def definition(D, shift, labels):
        terms = [reference.np.maximum(0, _learned_with_miner(matrix, shift, labels)) for matrix in D]
        return sum(weight * reference.np.mean(term) for weight, term in zip(weights or (1, 1), terms, strict=True))

    corner = lambda D, shift, labels: np.concatenate([_learned_with_miner(matrix, shift, labels) for matrix in D])
    return make, reference.specify(corner, **BATCH)(definition)


def nothing_with_miner(module: types.ModuleType) -> Any:
    """`losses.with_miner` with a learned loss and a miner that finds nothing."""
    nothing = lambda D, labels: miners.Triplets(*3 * [np.zeros(0, int)])

    def nothing_with_miner(D: Float[Array, "n n"], shift: Float[Array, ""], /, labels: Labels) -> Op[Array]:
        return module.with_miner(shifted_hinge, nothing)(D, shift, labels)

    return nothing_with_miner


def balanced_pairs(module: types.ModuleType) -> Any:
    """`losses.balanced` with a learned loss."""
    loss = module.balanced(losses.margin_loss)
    if loss.__name__ != "margin_loss" or len(init_params(loss, np.random.default_rng(0), 4)) != 1:
        raise ValueError("it must keep the name and the parameters of its loss")
    module.balanced(losses.contrastive)

    def balanced_pairs(
        d: Float[Array, "n"], beta: Float[Array, ""], /, same: Bool[Array, "n"], reduction: str = "mean"
    ) -> Op[Array]:
        by_name = module.balanced(losses.margin_loss)(d, beta, same=same, reduction=reduction)
        value, pullback = loss(d, beta, same, reduction=reduction)
        if not np.array_equal(value, by_name[0]):
            raise ValueError("same may be given by its name")
        return value, pullback

    return balanced_pairs


def _balanced_pairs(d, beta, same, reduction="mean"):
    if reduction == "none":
        return reference.margin_loss(d, beta, same, reduction=reduction)
    kinds = [kind for kind in (same, ~same) if kind.any()]
    return sum(reference.margin_loss(d[kind], beta, same[kind], reduction=reduction) for kind in kinds)


def all_pairs(loss: Any, separately: bool = False, later: Any = None, **constants: Any) -> tuple[Any, Any]:
    """`fast.all_pairs` of a loss, with constants filled in or given later, and the definition by a loop."""
    formula = partial(getattr(reference, loss.__name__), **constants | (later or {}))

    def make(module: types.ModuleType) -> Any:
        made = module.all_pairs(partial(loss, **constants) if constants else loss, separately)
        if made.__name__ != f"{loss.__name__}_over_all_pairs":
            raise ValueError("it must be named after its loss")

        def all_pairs(D: Float[Array, "n n"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
            return made(D, labels, reduction=reduction, **later or {})

        return all_pairs

    def definition(D, labels, reduction="mean"):
        d, same = pairs_of(D, labels)
        kinds = [same, ~same] if separately else [np.ones(len(same), bool)]
        return sum(formula(d[kind], same[kind], reduction=reduction) for kind in kinds)

    corner = lambda D, labels, **_: formula.func.corner(*pairs_of(D, labels), **formula.keywords)
    return make, reference.specify(corner, **BATCH, cases=WORDS[:3])(definition)


def all_triplets(loss: Any, *many: int, later: Any = None, rows: Any = (), **constants: Any) -> tuple[Any, Any, Any]:
    """`fast.all_triplets` of a loss, with constants filled in or given later, and the definition by a loop."""
    formula = partial(getattr(reference, loss.__name__), **constants | (later or {}))

    def make(module: types.ModuleType) -> Any:
        made = module.all_triplets(partial(loss, **constants) if constants else loss, *many)
        if made.__name__ != f"{loss.__name__}_over_all_triplets":
            raise ValueError("it must be named after its loss")

        def all_triplets(D: Float[Array, "n n"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
            return made(D, labels, reduction=reduction, **later or {})

        return all_triplets

    def definition(D, labels, reduction="mean"):
        a, positive, negative = triplets_of(D, labels)
        terms = formula(positive, negative, reduction="none")
        if reduction == "none":
            return reference.np.array([sum(terms[a == i]) + 0.0 for i in range(len(labels))])
        return reference.reduce(terms, reduction)

    at = formula.func.corner
    corner = at and (lambda D, labels, **_: at(*triplets_of(D, labels)[1:], **formula.keywords))
    return make, reference.specify(corner, **BATCH, cases=WORDS)(definition), rows


def crowd(positives: int) -> kinks.Kink:
    """A collapsed batch with one image of one class and, of another, more images than a byte can count."""
    n = positives + 2
    labels, dD = np.arange(n) == 3, np.full((n, n), 1 / (n - 1) / positives)
    np.fill_diagonal(dD, 0)
    dD[:, 3], dD[3] = -1 / (n - 1), 0
    return kinks.Kink("", f"{positives} positives", (np.zeros((n, n)),), {"labels": labels.astype(int)}, 1.0, 1, (dD,))


def blockwise_loss(name: str, loss: Any, formula: Any, corner: Any = None) -> tuple[Any, Any]:
    """A loss on a matrix computed in blocks, of two different sets."""
    extra = ("w", "bias") if name == "weighted_l1" else ()

    def make(module: types.ModuleType) -> Any:
        made = module.blockwise(getattr(pairwise, name), threads=1)
        if len(init_params(made, np.random.default_rng(0), 4)) != len(extra) or made.__name__ != f"blockwise_{name}":
            raise ValueError("it must keep the name and the parameters of its distance")

        rng = np.random.default_rng(0)
        a, b, *params = rng.normal(size=(12, 3)), rng.normal(size=(5, 3)), rng.normal(size=3), np.array(0.3)
        held, whole = (f(a, b, *params[: len(extra)])[0] for f in (made, getattr(pairwise, name)))
        rows = held.map_rows(lambda D, some: D)
        near = np.allclose(np.concatenate(rows), whole, atol=1e-12)
        if held.shape != whole.shape or held.dtype != whole.dtype or not near or len(rows) < 5:
            raise ValueError("it must know its shape, its dtype and its rows")
        z = np.random.default_rng(1).normal(size=(60, 16))
        if name == "cosine" and max(made(z, -z)[0].map_rows(lambda D, some: D.max())) > 2:
            raise ValueError("opposite rows must have the distance 2")

        def run(a, b, *params, labels, reduction):
            D, pull_D = made(a, b, *params)
            value, pull = loss(D, labels, reduction=reduction)
            return value, lambda dl: pull_D(*pull(dl))

        def blockwise_loss(
            a: Float[Array, "n d"], b: Float[Array, "n d"], /, labels: Labels, reduction: str = "mean"
        ) -> Op[Array]:
            return run(a, b, labels=labels, reduction=reduction)

        def blockwise_loss_learned(
            a: Float[Array, "n d"],
            b: Float[Array, "n d"],
            w: Float[Array, "d"],
            bias: Float[Array, ""],
            /,
            labels: Labels,
            reduction: str = "mean",
        ) -> Op[Array]:
            return run(a, b, w, bias, labels=labels, reduction=reduction)

        return blockwise_loss_learned if extra else blockwise_loss

    row_form = reference.matrix(getattr(reference, name))

    def definition(a, b, *rest, reduction="mean"):
        *params, labels = rest
        return formula(row_form(a, b, *params), labels, reduction=reduction)

    def at_corner(a, b, *rest, **_):
        *params, labels = rest
        places = [row_form.corner(a, b, *params).ravel()] if row_form.corner else []
        return np.concatenate([*places, *([corner(row_form(a, b, *params), labels)] if corner else [])])

    wrapped = lambda a, b, *rest, labels, reduction="mean": definition(a, b, *rest, labels, reduction=reduction)
    return make, reference.specify(
        (lambda a, b, *rest, labels, **_: at_corner(a, b, *rest, labels)) if row_form.corner or corner else None,
        (row_form.corner and getattr(reference, name).degree) or 1,
        sizes={"n": (4, 6), "d": (2, 3)},
        scales=(0, 0),
        unit=1.0,
        cases=WORDS[:3],
    )(wrapped)


def pairs_twice(module: types.ModuleType) -> Any:
    """`fast.all_pairs` on a blockwise matrix of a set against itself, which computes one triangle."""
    loss = module.all_pairs(losses.contrastive)

    def pairs_twice(z: Float[Array, "n d"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
        D, pull_D = blockwise(pairwise.squared_l2, threads=1)(z, z)
        D.slices = [slice(0, 2), slice(2, 3), slice(3, len(z))]
        value, pull = loss(D, labels, reduction=reduction)
        return value, lambda dl: (sum(pull_D(*pull(dl))),)

    return pairs_twice


def blockwise_loss_twice(name: str, loss: Any, formula: Any, corner: Any = None) -> tuple[Any, Any]:
    """The same of a set against itself."""

    def make(module: types.ModuleType) -> Any:
        made = module.blockwise(getattr(pairwise, name), threads=1)

        def blockwise_loss_twice(z: Float[Array, "n d"], /, labels: Labels, reduction: str = "mean") -> Op[Array]:
            D, pull_D = made(z, z)
            value, pull = loss(D, labels, reduction=reduction)
            return value, lambda dl: (sum(pull_D(*pull(dl))),)

        return blockwise_loss_twice

    row_form = reference.matrix(getattr(reference, name))
    off_diagonal = lambda z: row_form.corner(z, z)[~np.eye(len(z), dtype=bool)].ravel() if row_form.corner else [1.0]
    at = lambda z, labels, **_: np.append(off_diagonal(z), corner(row_form(z, z), labels) if corner else 1.0)
    mark = reference.specify(at, sizes={"n": (4, 6), "d": (2, 3)}, scales=(0, 0), unit=1.0, cases=WORDS[:3])
    return make, mark(lambda z, labels, reduction="mean": formula(row_form(z, z), labels, reduction=reduction))


WORDS = reference.each_way({})
SUPCON = losses.supcon, reference.supcon
TIE = kinks.Kink(
    "",
    "d_pn = d_an: the anchor's",
    (np.array([[0.0, 0, 0], [-9, 0, 0], [0, 0, 0]]),),
    {"labels": np.array([0, 0, 1])},
    1.0,
    0.3,
    (np.array([[0, 0.5, -0.5], [0, 0, 0], [0, 0, 0]]),),
)
# A variance of 1 and an ε of 3, so that slopes are half the scales: y = 1 − x, and y = 5, where
# all four tie
NO_SLOPE = kinks.Kink(
    "",
    "a scale of 0 beside a negative one: the first",
    (
        np.array([[[1.0, -1], [-1, 1]], [[1, 1], [-1, -1]]])[..., None].repeat(2, axis=3),
        np.array([-2.0, 0]),
        np.array([1.0, 5]),
    ),
    {"epsilon": 3.0},
    np.array([1.0, 1, 0, 2]).reshape(2, 1, 1, 2),
    np.array([2.0, 5, 2, 5]).reshape(2, 1, 1, 2),
    (
        np.array([[[3.0, -27], [5, 3]], [[3, 3], [5, 5]]])[..., None] / 32 * np.array([1, 0]),
        np.array([-0.5, 1.5]),
        np.array([1.0, 3]),
    ),
)
NO_SLOPE_EITHER = NO_SLOPE._replace(
    where="a scale of 0 beside a positive one: the first, though it is the smallest x",
    variables=(-NO_SLOPE.variables[0], np.array([2.0, 0]), NO_SLOPE.variables[2]),
    gradients=(-NO_SLOPE.gradients[0], np.array([0.5, -1.5]), NO_SLOPE.gradients[2]),
)
# Numbers with a mean that cannot be held: an anchor is not it, and what is left is in the sums. x − μ = ∓1, and ε is 3
NO_MEAN = kinks.Kink(
    "",
    "a mean that cannot be held: none of its digits is lost",
    (2.0**53 + np.array([[0.0], [2], [0], [2]]), np.array([2.0]), np.array([5.0])),
    {"epsilon": 3.0},
    np.array([[1.0], [0], [0], [0]]),
    np.array([[4.0], [6], [4], [6]]),
    (np.array([[11.0], [-3], [-5], [-3]]) / 16, np.array([-0.5]), np.array([1.0])),
)
CONTRASTIVE = all_pairs(losses.contrastive)[1]
TWICE = blockwise_loss_twice("squared_l2", None, CONTRASTIVE, CONTRASTIVE.corner)[1]
# ops that a function of the module makes: how, and what they should equal
MADE: dict[str, list[tuple[Any, Any]]] = {
    "ops.normalization": [(by_batch, reference.batch_norm)],
    "fast.batch_norm": [
        (images_in_pieces("normalised"), reference.batch_norm),
        (rows_in_pieces, reference.batch_norm, [NO_MEAN]),
        (
            images_in_pieces("pooled"),
            reference.specify(
                _where_pooled_ties_or_is_0,
                sizes={"n": (3, 4), "h": (2, 5), "w": (2, 5), "c": (2, 2)},
                unit=1.0,
                scales=(0, 0),
                cases=reference.batch_norm.cases[:2],
            )(_pooled),
            [NO_SLOPE, NO_SLOPE_EITHER],
        ),
    ],
    "fast.windows": [
        (
            windows_in_pieces,
            reference.specify(
                _where_windows_tie_or_are_0,
                sizes={"n": (3, 4), "h": (4, 6), "w": (4, 6), "k": (1, 3), "c": (1, 2), "o": (2, 2)},
                unit=1.0,
                scales=(0, 0),
                cases=reference.conv2d_fft.cases,
            )(_norm_of_windows),
        )
    ],
    "fast.dense": [
        (dense_by_columns, reference.specify(sizes={"i": (20, 40), "o": (10, 50)})(lambda x, W, b: x @ W + b)),
    ],
    "distance_matrix": [
        (
            entries_of_a_matrix,
            reference.specify(sizes={"n": (2, 4)})(lambda D: reference.np.array([D[0, 1], D[1, 0], D[0, 1]])),
        )
    ],
    "distances": [
        (
            calibrated,
            reference.specify(scales=(-2, 2))(lambda a, b, scale, bias: scale * reference.squared_l2(a, b) + bias),
        ),
        (
            tempered,
            reference.specify(scales=(-1, 0), unit=1.0)(
                lambda a, b, s, bias: reference.np.exp(s) * reference.squared_l2(a, b) - bias
            ),
        ),
    ],
    "pairwise": [(nested_distance, reference.specify(scales=(-1, 0), unit=1.0)(_nested_squared_l2))],
    "losses.combinators": [
        (
            learned_with_miner,
            reference.specify(_learned_with_miner, **BATCH)(
                lambda D, shift, labels: reference.np.mean(
                    reference.np.maximum(0, _learned_with_miner(D, shift, labels))
                )
            ),
        ),
        (nothing_with_miner, reference.specify(**BATCH)(lambda D, shift, labels: 0.0 * (reference.np.sum(D) + shift))),
        (
            balanced_pairs,
            reference.specify(
                lambda d, beta, same, **_: reference.margin_loss.corner(d, beta, same), **BATCH, cases=WORDS
            )(_balanced_pairs),
        ),
        nested_loss(),
        nested_loss(0.5, 3.0),
        (every_pair, CONTRASTIVE),
        (
            every_triplet,
            reference.specify(
                lambda D, labels, **_: reference.triplet_hinge.corner(*triplets_of(D, labels)[1:]), **BATCH, cases=WORDS
            )(lambda D, labels, reduction: reference.triplet_hinge(*triplets_of(D, labels)[1:], reduction=reduction)),
        ),
    ],
    "fast.all_pairs": [
        all_pairs(losses.contrastive),
        all_pairs(losses.contrastive, True, margin=0.6),
        all_pairs(losses.contrastive, margin=9.0, later={"margin": 0.8}),
        all_pairs(losses.double_margin, True),
        (pairs_twice, TWICE),
        all_pairs(losses.pair_hinge),
        all_pairs(losses.pair_hinge, positive_margin=0.3, negative_margin=0.9),
        all_pairs(losses.cosine_embedding, True, margin=0.4),
    ],
    "fast.all_triplets": [
        all_triplets(losses.triplet_hinge),
        all_triplets(losses.triplet_hinge, 0, margin=0.3),
        all_triplets(losses.triplet_hinge, 2, margin=9.0, later={"margin": 0.5}),
        all_triplets(losses.triplet_soft_margin),
        all_triplets(losses.triplet_soft_margin, margin=0.4),
        all_triplets(losses.triplet_ratio),
        all_triplets(losses.triplet_hinge, 1000, rows=[crowd(256), crowd(257)]),  # the last, since it is slow
    ],
    "app.conventions.swapped": [
        (
            swapped_with_miner,
            reference.specify(lambda D, labels, **_: np.concatenate(_swapped(D, labels)), **BATCH, cases=WORDS)(
                lambda D, labels, reduction: reference.reduce(
                    reference.np.maximum(0, _swapped(D, labels)[0]), reduction
                )
            ),
            [TIE],
        ),
    ],
    "fast.blockwise": [
        blockwise_loss("l2", *SUPCON),
        blockwise_loss("squared_l2", *SUPCON),
        blockwise_loss("cosine", *SUPCON),
        blockwise_loss("dot", *SUPCON),
        blockwise_loss("l1", *SUPCON),
        blockwise_loss("weighted_l1", *SUPCON),
        blockwise_loss("weighted_l1", fast.all_pairs(losses.contrastive), CONTRASTIVE, CONTRASTIVE.corner),
        blockwise_loss_twice("squared_l2", fast.all_pairs(losses.contrastive), CONTRASTIVE, CONTRASTIVE.corner),
        blockwise_loss_twice("dot", fast.all_pairs(losses.contrastive), CONTRASTIVE, CONTRASTIVE.corner),
        blockwise_loss_twice("l1", fast.all_pairs(losses.contrastive), CONTRASTIVE, CONTRASTIVE.corner),
        blockwise_loss_twice("cosine", fast.all_pairs(losses.contrastive), CONTRASTIVE, CONTRASTIVE.corner),
    ],
}


def battery(op: Any, definition: Any = None, rows: Any = ()) -> Battery:
    """Generic and designed inputs with their expected results, and the rows of the table of kinks."""
    rows = [*rows] if definition else kinks.of(op)
    definition = definition or reference.of(op)
    points = 14 if "labels" in inspect.signature(op).parameters else 30  # the definition is a loop
    expected = []
    cases = [(gradcheck.generic(op, definition, seed, signed=True), False, np.float64) for seed in range(points)]
    exact = op.__module__.endswith(".pairwise") and op.__name__ != "cosine"
    cases += [(case, exact, np.float64) for case in designed(op)]
    cases += [(case, False, np.float32) for case in collapsed(op)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (case, exact, dtype) in enumerate(cases):
            if number < points and distance_to_corner(definition, case) < 1e-3:
                continue
            value, gradients = by_autograd(definition, case)
            if all(np.isfinite(array).all() for array in (value, *gradients)):
                floors = value_floor(definition), gradient_floor(definition, case)
                expected.append(Expected(case, value, gradients, *floors, exact, dtype))
    for factor in FACTORS.get(op.__name__, ()):
        expected += [scaled(op.__name__ == "l2", factor, e) for e in expected[:2]]
    skips = "input_grad" in inspect.signature(op).parameters
    return Battery(op.__name__, expected, rows, _by_rows(op, expected[0].case), skips)


# their squares leave the range of float64; a direction ends at √tiny
FACTORS = {"l2": (1e200, 1e-170), "cosine": (1e200, 1e-150), "normalize": (1e200, 1e-150)}


def scaled(degree: int, factor: float, e: Expected) -> Expected:
    """An input times a factor: the value of an op of this degree is multiplied by a power of the factor."""
    value, slope = factor**degree, factor ** (degree - 1)
    case = e.case._replace(variables={name: factor * array for name, array in e.case.variables.items()})
    gradients = tuple(slope * gradient for gradient in e.gradients)
    return Expected(case, value * e.value, gradients, value * e.value_floor, slope * e.gradient_floor)


def _by_rows(op: Any, case: gradcheck.Case) -> bool:
    """Whether the op accepts a matrix computed in blocks."""
    if list(case.variables) != ["D"] or "labels" not in case.constants:
        return False
    try:
        op(Blocks(case.variables["D"]), **case.constants | {"reduction": "mean"})
    except Exception:
        return False
    return True


def passes(op: Any, tests: Battery) -> bool:
    """Whether an op passes its tests: oracles, float32, unchanged inputs, blocks of rows, kinks."""
    return (
        all(_agrees(op, e) for e in tests.expected)
        and all(_faithful(op, e.case) for e in (tests.expected if tests.skips else tests.expected[:3]))
        and all(at_kink(op, row) is None for row in tests.kinks)
        and (not tests.by_rows or all(_same_in_blocks(op, e) for e in [*tests.expected, *map(_at, tests.kinks)]))
    )


def _agrees(op: Any, e: Expected) -> bool:
    """Value and gradients equal those of the oracles, and no argument is changed."""
    if e.dtype == np.float32:
        return near_in_single(op, e)
    given = copy.deepcopy(e.case)  # a mutant may write into its input: the next one must not find it so
    value, pullback = op(*given.variables.values(), **given.constants)
    gradients = pullback(given.upstream)
    if not (isinstance(gradients, tuple) and len(gradients) == len(e.gradients)):
        return False
    if np.shape(value) != np.shape(e.value) or error(value, e.value, e.value_floor) > AUTOGRAD:
        return False
    if not kept(".".join([*op.__module__.split(".")[1:2], op.__name__]), value, e.case.variables, e.case.constants):
        return False
    if e.exact and not np.allclose(value, e.value, rtol=1e-9, atol=0):
        return False
    for ours, truth in zip(gradients, e.gradients, strict=True):
        if np.shape(ours) != np.shape(truth) or error(ours, truth, e.gradient_floor) > AUTOGRAD:
            return False
    before, after = ({**c.variables, **c.constants, "g": c.upstream} for c in (e.case, given))
    return all(np.array_equal(before[name], after[name]) for name in before)


def _at(row: kinks.Kink) -> Expected:
    """A row of the table of kinks of a loss on a matrix."""
    case = gradcheck.Case({"D": row.variables[0]}, row.constants, row.upstream)
    return Expected(case, row.value, row.gradients, 1, 1)


def _same_in_blocks(op: Any, e: Expected) -> bool:
    """A row loss gives the same result for a matrix computed in blocks."""
    given = copy.deepcopy(e.case)
    if given.constants.get("reduction") == "none":
        return True
    value, pullback = op(Blocks(given.variables["D"]), **given.constants)
    (dD,) = pullback(given.upstream)
    return error(value, e.value, e.value_floor) < AUTOGRAD and error(dD, e.gradients[0], e.gradient_floor) < AUTOGRAD


def near_in_single(op: Any, e: Expected) -> bool:
    """Whether float32 keeps the digits of a collapsed embedding: 10⁻⁶ of a distance, 10⁻⁴ of the largest gradient."""
    value, pullback = e.case.call(op, np.float32)
    gradients = pullback(np.array(e.case.upstream, np.float32))
    rounding = 1e-15 * e.value_floor  # of 1 − cos, in the definition
    return np.allclose(value, e.value, rtol=2e-6, atol=rounding) and all(
        error(ours, truth, 0.0) < 1e-4 for ours, truth in zip(gradients, e.gradients, strict=True)
    )


def _faithful(op: Any, case: gradcheck.Case) -> bool:
    """float32 in, float32 out; and with input_grad=False there is no gradient of x."""
    value, pullback = case.call(op, np.float32)
    upstream = case.upstream if np.ndim(case.upstream) == 0 else np.array(case.upstream, np.float32)
    if any(np.asarray(array).dtype != np.float32 for array in (value, *pullback(upstream))):
        return False
    if "input_grad" in inspect.signature(op).parameters:
        dx, *rest = case._replace(constants=case.constants | {"input_grad": False}).call(op)[1](case.upstream)
        full = case.call(op)[1](case.upstream)[1:]
        return dx is None and all(np.array_equal(a, b) for a, b in zip(rest, full, strict=True))
    return True
