"""Distances at every scale that a dtype holds: their ranges, their values in wider arithmetic, their three forms."""

import numpy as np
import pytest

from minisiam import distances, fast, ops, pairwise

SEEDS = range(5)
both = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def wild_rows(seed, dtype, highest=36):
    """Rows at scales of 10⁻³⁶ to 10³⁶ (float64: 10²⁸⁸), with zeros, duplicates and opposite rows."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** (rng.uniform(-highest, highest, (24, 1)) * (1 if dtype == np.float32 else 8))
    z = (rng.normal(size=(24, 5 if seed % 2 else 64)) * scale).astype(dtype)
    z[0] = 0
    z[1:4], z[4:7] = z[7:10], -z[7:10]
    z[10:13] = z[13:16] * dtype(1 + 4 * np.finfo(dtype).eps)
    return z, z[rng.permutation(24)]


def forms(name, a, b):
    """The same distances as a matrix, in blocks, and row by row."""
    matrix, rows = getattr(pairwise, name), getattr(distances, name)
    blocks = fast.blockwise(matrix)(a, b)[0].map_rows(lambda some, _: some.copy())
    each = [rows(np.repeat(row[None], len(b), axis=0), b)[0] for row in a]
    return {"matrix": matrix(a, b)[0], "blocks": np.vstack(blocks), "rows": np.stack(each)}


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_l2_is_right_at_every_scale(seed, dtype):
    a, b = wild_rows(seed, dtype)
    wide = (a[:, None] - b).astype(np.longdouble)
    truth = np.sqrt((wide * wide).sum(axis=2))
    for name, D in forms("l2", a, b).items():
        np.testing.assert_allclose(D, truth, rtol=2e-6 if dtype == np.float32 else 1e-12, err_msg=name)


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_the_slope_of_l2_is_a_unit_vector_at_every_scale(seed, dtype):
    a, b = wild_rows(seed, dtype)
    d, pullback = distances.l2(a, b)
    da, db = pullback(np.ones_like(d))
    np.testing.assert_allclose(np.linalg.norm(da.astype(float), axis=1), d > 0, rtol=1e-5)
    np.testing.assert_array_equal(da, -db)
    for ours, truth in zip(pairwise.l2(a, b)[1](np.eye(24, dtype=dtype)), (da, db), strict=True):
        np.testing.assert_allclose(ours, truth, atol=2e-6)


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_the_cosine_is_between_0_and_2_and_right_at_every_scale(seed, dtype):
    a, b = wild_rows(seed, dtype)
    unit = [unit_in_wide(z) for z in (a, b)]
    truth = 1 - unit[0] @ unit[1].T
    rounding = 16 * np.finfo(dtype).eps
    for name, D in forms("cosine", a, b).items():
        assert D.min() >= 0, name
        assert D.max() <= 2, name
        assert not np.isnan(np.sqrt(2 * D) + np.arccos(1 - D)).any()
        np.testing.assert_allclose(D, truth, atol=rounding, err_msg=name)


def unit_in_wide(z):
    """z / ‖z‖ in long double; 0 for rows that the package takes for 0."""
    wide = z.astype(np.longdouble)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > np.sqrt(np.finfo(z.dtype).tiny))


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_that_is_not_tiny_is_brought_to_the_sphere(seed, dtype):
    z, _ = wild_rows(seed, dtype)
    y, pullback = ops.normalize(z)
    np.testing.assert_allclose(y, unit_in_wide(z), atol=4 * np.finfo(dtype).eps)
    (dz,) = pullback(np.ones_like(z))
    assert np.isfinite(dz).all()
    assert (dz[(y == 0).all(axis=1)] == 0).all()


@both
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1", "dot"])
def test_the_three_forms_of_a_distance_agree_and_have_its_sign(name, seed, dtype):
    a, b = wild_rows(seed, dtype, highest=18)
    found = forms(name, a, b)
    size = np.abs(a.astype(float)) @ np.abs(b.T.astype(float)) if name == "dot" else found["rows"].astype(float)
    for form, D in found.items():
        assert np.isfinite(D).all(), form
        assert name == "dot" or D.min() >= 0, form
        error = np.abs(D.astype(float) - found["rows"])
        assert (error <= 1024 * np.finfo(dtype).eps * size + np.finfo(dtype).tiny).all(), form


@both
def test_the_square_of_a_long_difference_is_infinite_and_its_slope_is_right(dtype):
    top = np.sqrt(np.finfo(dtype).max) * dtype(2)
    a, b = np.array([[top, 0]], dtype), np.zeros((1, 2), dtype)
    for module in (distances, pairwise):
        with np.errstate(over="ignore"):
            d, pullback = module.squared_l2(a, b)
        assert np.isinf(d).all()
        np.testing.assert_allclose(pullback(np.ones_like(d))[0], 2 * a)


def test_opposite_and_equal_rows_of_1e20_have_the_cosines_2_and_0():
    a = np.full((2, 64), 1e20, np.float32)
    a[1] = -a[1]
    for form in ("matrix", "blocks", "rows"):
        np.testing.assert_allclose(forms("cosine", a, a)[form], [[0, 2], [2, 0]], atol=1e-6)
    y, pullback = ops.normalize(a)
    np.testing.assert_allclose(np.abs(y), 1 / 8, rtol=1e-6)
    assert np.isfinite(pullback(np.ones_like(a))[0]).all()


@pytest.mark.parametrize("l2", [distances.l2, pairwise.l2, fast.blockwise(pairwise.l2)])
def test_the_gradient_of_l2_is_finite_down_to_the_smallest_number(l2):
    z = np.zeros((3, 2), np.float32)
    z[1, 0], z[2, 0] = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).tiny
    d, pullback = l2(z, z[[1, 2, 0]])
    dd = np.full(d.shape, 100, np.float32)
    for gradient in pullback(dd):
        assert (np.abs(gradient) <= 300).all()
