"""Every range, bound and exact value that a docstring promises of an op's result holds, to the last digit.

A range is read from the docstring, so a new promise is tested from the moment it is written. What else is promised
is in EXACT; a docstring that promises more than is tested fails.
"""

import re
from functools import partial
from math import inf, log

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promises import DISTANCES, EXCEPT, PROMISES, kept, promised, returned, separated

from minisiam import distances, fast, gradcheck, losses, ops, pairwise
from minisiam.gradcheck import reference, registry
from minisiam.gradcheck.inputs import cases, wild

quietly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
both = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def alike(op, definition, seed):
    """An ordinary input; in two of three, later variables are the first one again, or its opposite.

    There differences cancel, so that rounding may leave a range by its last digit. Classes are then all apart, or all
    nearer to others than to themselves.
    """
    case = gradcheck.generic(op, definition, seed)
    first, *rest = case.variables
    if seed % 3 and first == "D" and "labels" in case.constants:
        case.variables["D"] = separated(case.constants["labels"], seed, seed % 3 == 2)
    for name in rest if seed % 3 else []:
        if np.shape(case.variables[name]) == np.shape(case.variables[first]):
            case.variables[name] = (-1) ** (seed % 3) * case.variables[first]
    return case


@both
@pytest.mark.parametrize("name", PROMISES)
def test_a_value_is_in_its_range_whatever_the_numbers(name, dtype):
    op = registry.ops_of(*registry.CORE, fast)[name]
    definition = reference.of(op)

    @quietly
    @given(wild(op, definition, dtype), st.sampled_from(cases(op, definition)))
    def holds(drawn, constants):
        names = gradcheck.variables(op)
        drawn = {key: np.abs(array) if name in DISTANCES and key == "d" else array for key, array in drawn.items()}
        constants = constants | {key: array for key, array in drawn.items() if key not in names}
        value, _ = op(*[drawn[key] for key in names], **constants)
        assert kept(name, value, drawn, constants), value

    holds()


@pytest.mark.slow
@both
@pytest.mark.parametrize("name", PROMISES)
def test_a_value_is_in_its_range_where_rounding_could_leave_it(name, dtype):
    op = registry.ops_of(*registry.CORE, fast)[name]
    definition = reference.of(op)
    for seed in range(120):
        case = alike(op, definition, seed)
        if name in DISTANCES:
            case.variables["d"] = np.abs(case.variables["d"])
        value, _ = case.call(op, dtype)
        assert kept(name, value, case.variables, case.constants), (seed, value)


def test_ranges_are_read_as_they_are_written():
    assert PROMISES["ops.tanh"] == (-1, 1)
    assert PROMISES["distances.cosine"] == PROMISES["pairwise.cosine"] == PROMISES["losses.triplet_ratio"] == (0, 2)
    assert PROMISES["losses.histogram"] == (0, 1)
    assert PROMISES["losses.contrastive"] == (0, inf)
    assert set(EXCEPT) <= set(PROMISES)


def test_a_range_that_is_left_is_noticed():
    assert not kept("distances.cosine", np.array([0.5, -4e-16]), {}, {})
    assert not kept("distances.cosine", np.nextafter(2, 3), {}, {})
    assert not kept("losses.softmax_cross_entropy", -1.0, {}, {"others_only": False})


def test_every_comparison_in_a_returns_section_is_a_range_that_is_read():
    signs = re.compile(r"[<>≤≥]|in \[|between|at (?:least|most)|from −?\d")
    for name, op in registry.ops_of(*registry.CORE, fast).items():
        said = returned(op).split("`pullback(")[0]
        assert len(signs.findall(said)) == (promised(op) is not None), f"{name}: {said}"


def collapsed(loss, expected, n=6, labels=(0, 0, 1, 1, 2, 2), **constants):
    """A loss on a matrix of zeros."""
    value, _ = loss(np.zeros((n, n)), *([np.array(labels)] if labels else []), **constants)
    assert value == pytest.approx(expected, rel=1e-14)


def same_rows(distance, rng):
    z = rng.normal(size=(50, 7)) * 10.0 ** rng.integers(-9, 9, (50, 1))
    d = distance(z, z.copy())[0]
    assert not (d if d.ndim == 1 else np.diag(d)).any()


def unit_rows(rng):
    x = rng.normal(size=(200, 5)) * 10.0 ** rng.integers(-150, 150, (200, 1))
    x[::10] = 0
    length = np.sqrt((ops.normalize(x)[0] ** 2).sum(axis=1))
    np.testing.assert_allclose(length, (np.arange(200) % 10 > 0).astype(float), rtol=1e-15)


def one_of_a_class(rng):
    D = rng.normal(size=(40, 12)) * 10.0 ** rng.integers(-9, 9, (40, 1))
    for gamma in (1e-9, 0.1, 1e9):
        d = losses.soft_triple_distance(D, centres=4, gamma=gamma)[0]
        parts, rounding = D.reshape(40, 3, 4), 1e-15 * np.abs(D).max(axis=1, keepdims=True)
        assert (parts.min(axis=2) - rounding <= d).all()
        assert (d <= parts.max(axis=2) + rounding).all()


def a_collapsed_triplet(loss, expected, **constants):
    for d in (0.0, 0.3, 1e6):
        assert loss(np.full(5, d), np.full(5, d), **constants)[0] == expected


TARGETS = (3, 0, 5, 1, 1, 2)
EXACT = {
    "ops.normalize": unit_rows,
    "distances.cosine": partial(same_rows, distances.cosine),
    "pairwise.cosine": partial(same_rows, pairwise.cosine),
    "pairwise.squared_l2": partial(same_rows, pairwise.squared_l2),
    "losses.soft_triple_distance": one_of_a_class,
    "losses.softmax_cross_entropy": lambda rng: (
        collapsed(losses.softmax_cross_entropy, log(6), labels=TARGETS),
        collapsed(losses.softmax_cross_entropy, log(5), labels=TARGETS, others_only=True),
    ),
    "losses.info_nce": lambda rng: collapsed(losses.info_nce, log(6), labels=()),
    "losses.n_pair": lambda rng: collapsed(losses.n_pair, log(3)),
    "losses.nt_xent": lambda rng: collapsed(losses.nt_xent, log(1 + 4)),
    "losses.supcon": lambda rng: collapsed(losses.supcon, log(5)),
    "losses.histogram": lambda rng: collapsed(losses.histogram, 1),
    "losses.fast_ap": lambda rng: collapsed(losses.fast_ap, 1 - 1 / 5),
    "losses.triplet_hinge": lambda rng: a_collapsed_triplet(losses.triplet_hinge, 0.7, margin=0.7),
    "losses.triplet_ratio": lambda rng: a_collapsed_triplet(losses.triplet_ratio, 0.5),
    "losses.triplet_soft_margin": lambda rng: a_collapsed_triplet(losses.triplet_soft_margin, log(2)),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_promised_exactly(name, rng):
    EXACT[name](rng)


def test_every_other_promise_of_a_returns_section_has_its_test():
    words = re.compile(r"exactly|collapsed|of length|from the")
    assert {name for name, op in registry.ops_of(*registry.CORE, fast).items() if words.search(returned(op))} == set(
        EXACT
    )
