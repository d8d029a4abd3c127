"""Axioms and invariances: what a distance is, and what a loss on distances may not notice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import distances, losses, miners, pairwise

METRICS = ["l2", "l1"]
TRANSLATION_INVARIANT = ["l2", "squared_l2", "l1"]
ROTATION_INVARIANT = ["l2", "squared_l2", "cosine"]
LEARNED = {"weighted_l1": lambda d: (np.linspace(0.5, 2, d), np.array(0.3))}
ALL = [*TRANSLATION_INVARIANT, "weighted_l1", "cosine"]

on_points = given(
    seed=st.integers(0, 2**32), n=st.integers(1, 5), d=st.integers(1, 4), scale=st.sampled_from([1e-6, 1, 1e6])
)
few = settings(max_examples=30, deadline=None)


def points(seed, n, d, scale, sets=3):
    return scale * np.random.default_rng(seed).normal(size=(sets, n, d))


def rows(name, a, b):
    return getattr(distances, name)(a, b, *LEARNED.get(name, lambda d: ())(a.shape[1]))


def matrix(name, a, b):
    return getattr(pairwise, name)(a, b, *LEARNED.get(name, lambda d: ())(a.shape[1]))


@pytest.mark.parametrize("name", METRICS)
@few
@on_points
def test_metrics_satisfy_their_axioms(name, seed, n, d, scale):
    a, b, c = points(seed, n, d, scale)
    ab, bc, ac = (rows(name, x, y)[0] for x, y in ((a, b), (b, c), (a, c)))
    assert (ab >= 0).all()
    assert (rows(name, a, a)[0] == 0).all()
    np.testing.assert_array_equal(ab, rows(name, b, a)[0])
    assert (ac <= (ab + bc) * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", ALL)
@few
@on_points
def test_the_diagonal_of_the_matrix_is_the_row_form(name, seed, n, d, scale):
    a, b, _ = points(seed, n, d, scale)
    D, pull_D = matrix(name, a, b)
    r, pull_r = rows(name, a, b)
    np.testing.assert_allclose(np.diag(D), r, rtol=1e-9, atol=1e-12)
    for ours, truth in zip(pull_D(np.eye(n)), pull_r(np.ones(n)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-9, atol=1e-12 * max(scale, 1 / scale))


@pytest.mark.parametrize("name", TRANSLATION_INVARIANT)
@few
@on_points
def test_a_translation_changes_no_distance_and_the_gradients_cancel(name, seed, n, d, scale):
    a, b, shift = points(seed, n, d, scale)
    r, pullback = rows(name, a, b)
    np.testing.assert_allclose(rows(name, a + shift, b + shift)[0], r, rtol=1e-6, atol=1e-12 * scale)
    da, db = pullback(np.ones(n))
    np.testing.assert_array_equal(da, -db)


@pytest.mark.parametrize("name", ROTATION_INVARIANT)
@few
@on_points
def test_a_rotation_changes_no_distance_and_rotates_the_gradients(name, seed, n, d, scale):
    a, b, _ = points(seed, n, d, scale)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    r, pullback = rows(name, a, b)
    turned, turned_pullback = rows(name, a @ Q, b @ Q)
    np.testing.assert_allclose(turned, r, rtol=1e-9, atol=1e-12)
    for ours, truth in zip(turned_pullback(np.ones(n)), pullback(np.ones(n)), strict=True):
        np.testing.assert_allclose(ours, truth @ Q, rtol=1e-6, atol=1e-9 * max(1, 1 / scale))


@few
@on_points
def test_cosine_ignores_length_and_its_gradient_is_tangent(seed, n, d, scale):
    a, b, _ = points(seed, n, d, scale)
    r, pullback = distances.cosine(a, b)
    np.testing.assert_allclose(distances.cosine(7 * a, 0.1 * b)[0], r, atol=1e-12)
    for x, dx in zip((a, b), pullback(np.ones(n)), strict=True):
        np.testing.assert_allclose((x * dx).sum(axis=1), 0, atol=1e-12)


@few
@on_points
def test_on_the_sphere_squared_l2_is_twice_the_cosine_distance(seed, n, d, scale):
    a, b, _ = points(seed, n, d, scale)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    np.testing.assert_allclose(distances.squared_l2(a, b)[0], 2 * distances.cosine(a, b)[0], atol=1e-12)


@pytest.mark.parametrize("miner", [miners.all_triplets, miners.batch_hard])
@given(seed=st.integers(0, 2**32))
@few
def test_the_order_of_a_batch_does_not_matter(miner, seed):
    rng = np.random.default_rng(seed)
    labels = np.array([0, 0, 1, 1, 1, 2])
    D = rng.random((6, 6))
    order = rng.permutation(6)
    loss = losses.with_miner(losses.triplet_hinge, miner)
    value, pullback = loss(D, labels)
    shuffled, shuffled_pullback = loss(D[np.ix_(order, order)], labels[order])
    assert value == pytest.approx(shuffled)
    np.testing.assert_allclose(pullback(1.0)[0][np.ix_(order, order)], shuffled_pullback(1.0)[0], atol=1e-15)


@given(seed=st.integers(0, 2**32))
@few
def test_triplet_losses_depend_on_the_difference_only(seed):
    near, far = np.random.default_rng(seed).normal(size=(2, 4))
    for loss in (losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio):
        assert loss(near + 3, far + 3)[0] == pytest.approx(loss(near, far)[0])
        dnear, dfar = loss(near, far)[1](1.0)
        np.testing.assert_array_equal(dnear, -dfar)


def test_a_step_shortens_same_pairs_and_lengthens_different_ones(rng):
    a, b = rng.normal(size=(2, 6, 3))
    b = a + 0.3 * b
    same = np.array([True, False] * 3)
    d, pull_d = distances.l2(a, b)
    _, pull = losses.contrastive(d, same, margin=5.0)
    da, db = pull_d(*pull(1.0))
    moved, _ = distances.l2(a - 0.1 * da, b - 0.1 * db)
    assert (moved[same] < d[same]).all()
    assert (moved[~same] > d[~same]).all()
