"""Invariants hold for all finite inputs: duplicates, zeros, subnormals, numbers up to 10¹⁵⁰."""

import numpy as np
import pytest
import soak
from every_op import OPS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minisiam import distances, evaluate, gradcheck, losses, miners, optimizers, pairwise
from minisiam.gradcheck import inputs, reference
from minisiam.gradcheck.inputs import cases, wild

quietly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
large = st.floats(-1e150, 1e150)
two_sets = st.integers(1, 4).flatmap(
    lambda n: st.integers(1, 4).flatmap(lambda d: st.tuples(*2 * [arrays(float, (n, d), elements=large)]))
)
numbers = st.integers(1, 5).flatmap(lambda n: st.tuples(*2 * [arrays(float, n, elements=large)]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("op", OPS)
def test_finite_inputs_give_finite_outputs_of_the_right_shape_and_dtype(op, dtype):
    definition = reference.of(op)

    @quietly
    @given(wild(op, definition, dtype), st.sampled_from(cases(op, definition)), st.integers(0, 2**32))
    def holds(drawn, constants, seed):
        names = gradcheck.variables(op)
        constants = constants | {name: array for name, array in drawn.items() if name not in names}
        with np.errstate(all="raise"):
            value, pullback = op(*[drawn[name] for name in names], **constants)
            g = np.random.default_rng(seed).normal(size=np.shape(value)).astype(dtype)[()]
            gradients = pullback(g)
        for array, like in [(value, value), *zip(gradients, [drawn[n] for n in names], strict=True)]:
            assert np.isfinite(array).all()
            assert np.asarray(array).dtype == dtype
            assert np.shape(array) == np.shape(like)

    holds()


@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1"])
@quietly
@given(two_sets)
def test_a_distance_is_symmetric_and_its_gradients_add_up_to_0(name, sets):
    a, b = sets
    for module in (distances, pairwise):
        d, pullback = getattr(module, name)(a, b)
        np.testing.assert_allclose(getattr(module, name)(b, a)[0], d.T, rtol=1e-13 if module is pairwise else 0)
        da, db = pullback(np.ones_like(d))
        if module is distances:
            np.testing.assert_array_equal(da, -db)
        else:
            size = np.abs(da).max(initial=0) + np.abs(db).max(initial=0)
            np.testing.assert_allclose(da.sum(axis=0) + db.sum(axis=0), 0, atol=1e-9 * size)


@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1", "cosine"])
@quietly
@given(two_sets, st.randoms())
def test_a_distance_is_invariant_to_the_order_of_rows_and_to_quarter_turns(name, sets, random):
    a, b = sets
    n, features = a.shape
    rows, columns = (np.array(random.sample(range(k), k)) for k in (n, features))
    d, pullback = getattr(distances, name)(a, b)
    permuted, permuted_pullback = getattr(distances, name)(a[rows], b[rows])
    np.testing.assert_array_equal(permuted, d[rows])
    g = np.linspace(-1, 2, n)
    for ours, truth in zip(permuted_pullback(g[rows]), pullback(g), strict=True):
        np.testing.assert_array_equal(ours, truth[rows])
    turn = np.array([random.choice([-1.0, 1.0]) for _ in range(features)])  # axes exchanged and mirrored: exact
    turned, turned_pullback = getattr(distances, name)(a[:, columns] * turn, b[:, columns] * turn)
    np.testing.assert_allclose(turned, d, rtol=1e-12, atol=1e-15 if name == "cosine" else 0)
    for ours, truth in zip(turned_pullback(g), pullback(g), strict=True):
        size = np.abs(truth).max(initial=0)
        np.testing.assert_allclose(ours, truth[:, columns] * turn, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1"])
@quietly
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_a_distance_is_exactly_invariant_to_translation(name, seed, n, features):
    """On whole numbers, for which addition is exact."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-3, 4, (2, n, features)).astype(float)
    shift = rng.integers(-(10**6), 10**6, features).astype(float)
    for module in (distances, pairwise):
        here, pull_here = getattr(module, name)(a, b)
        there, pull_there = getattr(module, name)(a + shift, b + shift)
        np.testing.assert_allclose(there, here, rtol=1e-12 if module is pairwise else 0)
        g = rng.integers(-2, 3, here.shape).astype(float)
        for ours, truth in zip(pull_there(g), pull_here(g), strict=True):
            np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-9 if module is pairwise else 0)


@pytest.mark.parametrize("loss", [losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio])
@quietly
@given(numbers, st.randoms())
def test_triplet_losses_are_invariant_to_order_and_their_gradients_have_opposite_signs(loss, distances_of, random):
    near, far = distances_of
    value, pullback = loss(near, far)
    dnear, dfar = pullback(1.0)
    np.testing.assert_array_equal(dnear, -dfar)
    assert (dnear >= 0).all()
    order = np.array(random.sample(range(len(near)), len(near)))
    shuffled, shuffled_pullback = loss(near[order], far[order])
    assert shuffled == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(shuffled_pullback(1.0)[0], dnear[order])


@quietly
@given(numbers, st.integers(0, 31))
def test_pair_losses_attract_same_pairs_and_repel_different_pairs(distances_of, bits):
    d = np.abs(distances_of[0])
    same = np.array([bool(bits >> i & 1) for i in range(len(d))])
    for value, pullback, sign in ((*losses.contrastive(d, same), 1), (*losses.binary_cross_entropy(d, same), -1)):
        (dd,) = pullback(1.0)
        assert value >= 0
        assert (sign * dd[same] >= 0).all()
        assert (sign * dd[~same] <= 0).all()


@quietly
@given(two_sets)
def test_miners_and_evaluation_accept_all_finite_numbers(sets):
    z = np.concatenate(sets)
    labels = np.arange(len(z)) // 2
    with np.errstate(all="raise"):
        D, _ = pairwise.l2(z, z)
        if len(z) > 2:
            for mine in (miners.all_pairs, miners.all_triplets, miners.batch_hard):
                mine(D, labels)
            evaluate.knn_accuracy(z, labels, z, labels)
        d, same = D[0], labels == labels[0]
        if not same.all():
            assert 0 <= evaluate.auc(d, same) <= 1
            assert 0 <= evaluate.equal_error(d, same).rate <= 1


@quietly
@given(arrays(float, (2, 3), elements=large), arrays(float, (2, 3), elements=large))
def test_optimizers_accept_all_finite_gradients(p, g):
    with np.errstate(all="raise"):
        for optimizer in (optimizers.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1), optimizers.adam(0.1)):
            state, params = optimizer.init({"W": p}), {"W": p}
            for _ in range(2):
                params, state = optimizer.update({"W": g}, state, params)
            assert np.isfinite(params["W"]).all()


@pytest.mark.parametrize("module", [distances, pairwise])
@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1", "cosine"])
def test_overflow_gives_infinity_and_not_nan(module, name):
    a, b = np.array([[1e200, -1e200], [1.0, 2.0]]), np.array([[-1e200, 3.0], [1e200, -1e200]])
    with np.errstate(all="ignore"):
        d, pullback = getattr(module, name)(a, b)
        gradients = pullback(np.ones_like(d))
    assert not any(np.isnan(array).any() for array in (d, *gradients))
    assert np.isinf(d).any() == (name == "squared_l2")


def test_the_soak_test_finds_a_planted_overflow():
    """It reports the number of the input."""
    planted = next(n for n in range(500) if soak.example(n)[0] is distances.squared_l2)
    for limit in inputs.LIMITS:
        assert inputs.LIMITS[limit] < np.sqrt(np.finfo(limit).max)
    huge = {dtype: float(np.finfo(dtype).max) / 4 for dtype in inputs.LIMITS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "LIMITS", huge)
        with pytest.raises(AssertionError, match=r"input \d+, minisiam.*(overflow|finite)"):
            soak.soak(planted, planted + 2000)


@pytest.mark.slow
def test_the_soak_test_passes_on_a_sample():
    soak.soak(0, 10_000)
