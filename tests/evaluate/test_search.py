"""`evaluate.nearest` against its definition: every distance, sorted."""

import numpy as np
import pytest

from minisiam import distances, evaluate, pairwise

NAMES = ("l2", "squared_l2", "cosine", "dot", "l1")
wild = pytest.mark.parametrize(
    ("scale", "offset"),
    [(1, 0), (1e-3, 100), (1e3, 0), (1e15, 0), (1e-15, 0)],
    ids=["1", "far", "1e3", "1e15", "1e-15"],
)


def embeddings(dtype=np.float32, n=203, m=40, scale=1.0, offset=0.0):
    rng = np.random.default_rng(0)
    z, queries = (scale * rng.normal(size=(rows, 7)) + offset for rows in (n, m))
    z[n // 2] = z[0] = queries[3]
    return z.astype(dtype), queries.astype(dtype)


def sorted_distances(z, queries, k, rows):
    D = np.stack([rows(np.repeat(query[None], len(z), axis=0), z)[0] for query in queries])
    index = np.argsort(D, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(D, index, axis=1), index


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES[:4])
@wild
def test_the_nearest_are_the_first_of_all_distances_sorted(name, dtype, scale, offset):
    z, queries = embeddings(dtype, scale=scale, offset=offset)
    for k in (1, 5, len(z)):
        d, index = evaluate.nearest(z, queries, k, getattr(pairwise, name), chunk=16)
        right_d, right = sorted_distances(z, queries, k, getattr(distances, name))
        np.testing.assert_array_equal(index, right)
        np.testing.assert_array_equal(d, right_d)
        assert index.dtype == np.intp


def test_any_matrix_distance_can_be_searched():
    z, queries = embeddings()
    d, index = evaluate.nearest(z, queries, 5, pairwise.l1)
    right_d, right = sorted_distances(z, queries, 5, distances.l1)
    np.testing.assert_array_equal(index, right)
    np.testing.assert_allclose(d, right_d, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_result_does_not_depend_on_the_chunk(name):
    z, queries = embeddings()
    one, all_ = (evaluate.nearest(z, queries, 4, getattr(pairwise, name), chunk=chunk) for chunk in (1, 1000))
    for a, b in zip(one, all_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_of_equal_rows_the_first_comes_first(name):
    z = np.ones((70, 3), np.float32)
    _, index = evaluate.nearest(z, z[:2], 4, getattr(pairwise, name))
    assert index.tolist() == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((0, 2)), np.ones((1, 2))), "z is empty"),
        ((np.ones((2, 2)), np.ones((1, 3))), "same number of columns"),
        ((np.ones((2, 2)), np.full((1, 2), np.nan)), "queries holds nan"),
        ((np.ones((2, 2)), np.ones((1, 2)), 3), "k must be at most 2"),
        ((np.ones((2, 2)), np.ones((1, 2)), 0), "k must be a whole number"),
    ],
    ids=["no rows", "columns", "nan", "large k", "small k"],
)
def test_bad_input_raises_an_error_that_names_it(arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate.nearest(*arguments)


def test_no_queries_have_no_neighbours():
    d, index = evaluate.nearest(np.ones((3, 2)), np.ones((0, 2)), 2)
    assert d.shape == index.shape == (0, 2)
