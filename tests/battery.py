"""The gradient tests of one op, asked of the oracles once and then run on thousands of mutants.

Random inputs never deactivate a hinge and never collapse an embedding, so inputs are designed too.
"""

import copy
import inspect
import types
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minisiam import distances, kinks, losses, miners, reference, testing
from minisiam.op import learned, parameters
from minisiam.testing.examine import at_kink
from minisiam.testing.inputs import distance_to_corner
from minisiam.testing.oracles import AUTOGRAD, by_autograd, error, gradient_floor, value_floor
from minisiam.typing import Array, Float, Op


class Expected(NamedTuple):
    """What the oracles say of one case, asked once."""

    case: testing.Case
    value: Any
    gradients: tuple[Any, ...]
    value_floor: float
    gradient_floor: float
    exact: bool  # entry by entry, not relative to the largest: for distances that must not lose small ones
    dtype: Any  # what the op is run in


class Battery(NamedTuple):
    """The gradient tests of one op, ready to be run on thousands of mutants."""

    name: str
    expected: list[Expected]
    kinks: list[kinks.Kink]


def designed(op: Any) -> Iterator[testing.Case]:
    """Inputs that random ones are not: collapsed embeddings far from the origin, tight clusters far apart."""
    if not op.__module__.endswith(".pairwise"):
        return
    rng = np.random.default_rng(0)
    clusters = np.repeat(rng.normal(size=(3, 2)), 3, axis=0)
    for base, spread in ((1e4, 1e-4), (1e4 + 1e3 * clusters, 1e-4), (1e6 * clusters, 1.0), (1e3 * clusters, 1e-4)):
        z = base + spread * rng.normal(size=(9, 2))
        extra = {"w": np.array([0.5, 2.0]), "bias": np.array(0.3)} if op.__name__ == "weighted_l1" else {}
        yield testing.Case({"a": z, "b": z[:7] + 0.0} | extra, {}, rng.normal(size=(9, 7)))


def collapsed(op: Any) -> Iterator[testing.Case]:
    """An embedding that has nearly collapsed, in numbers that float32 holds exactly."""
    if op.__module__.endswith(".pairwise") and op.__name__ in ("l2", "squared_l2", "cosine"):
        rng = np.random.default_rng(1)
        single = lambda x: np.asarray(x, np.float32).astype(float)
        a, b = single([3.0, 4.0] + 1e-3 * rng.normal(size=(9, 2))), single([3.0, 4.0] + 1e-3 * rng.normal(size=(7, 2)))
        yield testing.Case({"a": a, "b": b}, {}, single(rng.normal(size=(9, 7))))
        apart = single([[1e3, 0.0]]) * np.arange(9)[:, None]  # and pairs that have, far from other pairs that have
        a, b = single(a + apart), single(a + apart + 1e-2)
        yield testing.Case({"a": a, "b": b}, {}, single(rng.normal(size=(9, 9))))


def calibrated(module: types.ModuleType) -> Any:
    """`distances.calibrated` of a squared distance, as an op of its own."""

    def calibrated_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return module.calibrated(distances.squared_l2, 3.0, 2.0)(a, b, scale, bias)

    start = parameters(module.calibrated(distances.squared_l2, 3.0, 2.0), np.random.default_rng(0), 4)
    if [float(p) for p in start] != [3.0, -6.0]:
        raise ValueError("it must start at its scale and at −scale · threshold")
    return calibrated_squared_l2


@learned(lambda rng, size: (np.zeros((), np.float32),))
def shifted_hinge(positive, negative, shift, /):
    """A hinge with a learned shift of d₋: a loss with a parameter."""
    value, pull = losses.triplet_hinge(positive, negative + shift, margin=0.5)

    def pullback(dl):
        dpositive, dnegative = pull(dl)
        return dpositive, dnegative, dnegative.sum()

    return value, pullback


def over(module: types.ModuleType) -> Any:
    """`losses.over` with a learned loss, on triplets that use an entry of the matrix more than once."""
    module.over(losses.triplet_hinge, miners.all_triplets)  # a loss without parameters will do as well
    loss = module.over(shifted_hinge, miners.all_triplets)
    if len(parameters(loss, np.random.default_rng(0), 4)) != 1:
        raise ValueError("it must keep the parameters of its loss")

    def hinge_over_all_triplets(D: Float[Array, "k k"], shift: Float[Array, ""], /) -> Op[Array]:
        return loss(D, shift, LABELS)

    return hinge_over_all_triplets


LABELS = np.array([0, 0, 1, 1, 1])
A, P, N = np.nonzero(
    ((LABELS[:, None] == LABELS) & ~np.eye(5, dtype=bool))[:, :, None] & (LABELS[:, None] != LABELS)[:, None, :]
)
# ops that a function of the module makes: how, and what they should equal
MADE = {
    "distances": (
        calibrated,
        reference.specify(scales=(-2, 2))(lambda a, b, scale, bias: scale * reference.squared_l2(a, b) + bias),
    ),
    "losses.matrix": (
        over,
        reference.specify(lambda D, shift: D[A, P] - D[A, N] - shift + 0.5, sizes={"k": (5, 5)}, scales=(-2, 2))(
            lambda D, shift: reference.triplet_hinge(D[A, P], D[A, N] + shift, 0.5)
        ),
    ),
}


def battery(op: Any, definition: Any = None, points: int = 40) -> Battery:
    """Generic points and designed ones with their oracles' answers, and the rows of the table of kinks."""
    definition = definition or reference.of(op)
    expected = []
    cases = [(testing.generic(op, definition, seed), False, np.float64) for seed in range(points)]
    cases += [(case, op.__name__ != "cosine", np.float64) for case in designed(op)]
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
    return Battery(op.__name__, expected, kinks.of(op))


def passes(op: Any, tests: Battery) -> bool:
    """Whether an op passes its gradient tests: the oracles, float32, inputs left alone, linearity, kinks."""
    for number, e in enumerate(tests.expected):
        before = copy.deepcopy(e.case)
        if e.dtype == np.float32:
            if not near_in_single(op, e):
                return False
            continue
        value, pullback = op(*e.case.variables.values(), **e.case.constants)
        gradients = pullback(e.case.upstream)
        if not (isinstance(gradients, tuple) and len(gradients) == len(e.gradients)):
            return False
        if np.shape(value) != np.shape(e.value) or error(value, e.value, e.value_floor) > AUTOGRAD:
            return False
        if e.exact and not np.allclose(value, e.value, rtol=1e-9, atol=0):
            return False
        for ours, truth in zip(gradients, e.gradients, strict=True):
            if np.shape(ours) != np.shape(truth) or error(ours, truth, e.gradient_floor) > AUTOGRAD:
                return False
        if any(not np.array_equal(v, before.variables[n]) for n, v in e.case.variables.items()):
            return False
        if number < 3 and not _faithful(op, e.case):
            return False
    return all(at_kink(op, row) is None for row in tests.kinks)


def near_in_single(op: Any, e: Expected) -> bool:
    """Whether float32 keeps the digits of a collapsed embedding: 10⁻⁶ of a distance, 10⁻⁴ of the largest gradient."""
    value, pullback = e.case.call(op, np.float32)
    gradients = pullback(np.asarray(e.case.upstream, np.float32))
    rounding = 1e-15 * e.value_floor  # of 1 − cos, in the definition
    return np.allclose(value, e.value, rtol=2e-6, atol=rounding) and all(
        error(ours, truth, 0.0) < 1e-4 for ours, truth in zip(gradients, e.gradients, strict=True)
    )


def _faithful(op: Any, case: testing.Case) -> bool:
    """float32 in, float32 out; and what an op may be told not to compute, it does not."""
    value, pullback = case.call(op, np.float32)
    upstream = case.upstream if np.ndim(case.upstream) == 0 else np.asarray(case.upstream, np.float32)
    if any(np.asarray(array).dtype != np.float32 for array in (value, *pullback(upstream))):
        return False
    if "input_grad" in inspect.signature(op).parameters:
        dx, *rest = case._replace(constants=case.constants | {"input_grad": False}).call(op)[1](case.upstream)
        full = case.call(op)[1](case.upstream)[1:]
        return dx is None and all(np.array_equal(a, b) for a, b in zip(rest, full, strict=True))
    return True
