"""A distance matrix in memory and one computed in blocks have the same methods."""

import numpy as np
import pytest

from minisiam import losses, pairwise
from minisiam.distance_matrix import DistanceMatrix, RowLoss, Whole, as_matrix
from minisiam.fast import blockwise

DISTANCES = [pairwise.l2, pairwise.squared_l2, pairwise.l1, pairwise.cosine, pairwise.dot]
every_distance = pytest.mark.parametrize("distance", DISTANCES)


def both(distance, rng):
    """A matrix of two sets, in memory and in blocks."""
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    (D, pull), (B, _) = distance(a, b), blockwise(distance, threads=1)(a, b)
    return as_matrix(D), B, pull


def half_of_the_square(rows, some):
    """A row loss: ½ Σ D²."""
    return RowLoss((rows * rows).sum(axis=1) / 2, np.full(len(rows), 7), (rows > 0).sum(axis=1), rows.copy())


def test_as_matrix_wraps_an_array_without_a_copy(rng):
    D = rng.random((4, 5))
    matrix = as_matrix(D)
    assert isinstance(matrix, Whole)
    assert matrix.whole("a test") is D
    assert (matrix.shape, matrix.dtype) == ((4, 5), np.float64)


def test_as_matrix_returns_a_distance_matrix_itself(rng):
    for matrix in both(pairwise.l2, rng)[:2]:
        assert isinstance(matrix, DistanceMatrix)
        assert as_matrix(matrix) is matrix


@pytest.mark.parametrize("wrong", [[[0.0]], np.zeros((2, 2), int), None])
def test_as_matrix_refuses_what_is_not_a_floating_point_array(wrong):
    with pytest.raises(TypeError, match="D must be a floating-point NumPy array"):
        as_matrix(wrong)


@every_distance
def test_both_kinds_of_matrix_have_the_same_entries(distance, rng):
    whole, blocks, _ = both(distance, rng)
    assert (blocks.shape, blocks.dtype) == (whole.shape, whole.dtype)
    places = (np.array([0, 3, 3]), np.array([2, 1, 1])), (np.array([6]), np.array([0]))
    for ours, truth in zip(blocks.entries(*places)[0], whole.entries(*places)[0], strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-12, atol=1e-14)
    rows = np.concatenate(blocks.map_rows(lambda rows, some: rows))
    np.testing.assert_allclose(rows, whole.whole("a test"), rtol=1e-12, atol=1e-14)


@every_distance
def test_both_kinds_of_matrix_give_a_row_loss_the_same_sum_and_gradient(distance, rng):
    whole, blocks, pull = both(distance, rng)
    ours, truth = blocks.sum_rows(half_of_the_square), whole.sum_rows(half_of_the_square)
    assert ours.value == pytest.approx(truth.value, rel=1e-12)
    assert ours[1:3] == truth[1:3]
    for gradient, expected in zip(ours.gradient, pull(truth.gradient), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12)


@every_distance
def test_a_blockwise_matrix_refuses_to_be_whole_and_names_its_distance(distance, rng):
    _, blocks, _ = both(distance, rng)
    with pytest.raises(TypeError, match=rf"lifted needs the whole matrix.*: use pairwise\.{distance.__name__} instead"):
        losses.lifted(blocks, np.array([0, 0, 1, 1, 2, 2, 2]))


def test_a_loss_on_single_distances_refuses_a_matrix_in_blocks(rng):
    _, blocks, _ = both(pairwise.l2, rng)
    with pytest.raises(TypeError, match="d must be a floating-point NumPy array, not BlockwiseMatrix"):
        losses.contrastive(blocks, np.ones(7, bool))
