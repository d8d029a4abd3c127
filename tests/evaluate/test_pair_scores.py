"""Recall@k and retrieval by scores give what the distances of all pairs give, ties and rounding included."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import evaluate, pairwise
from minisiam.evaluate import retrieval, ties
from minisiam.evaluate.pair_scores import pair_scores

FORMS = (pairwise.l2, pairwise.squared_l2, pairwise.cosine, pairwise.dot)
any_form = pytest.mark.parametrize("distance", FORMS, ids=lambda f: f.__name__)
any_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def by_all_distances(distance):
    """The same distance under another name, so that no score replaces it."""
    return lambda a, b: distance(a, b)


def both(z, labels, distance, chunk=64):
    """Recall at 1, 3 and 10, and the scores of retrieval, by scores and by all distances."""
    return [
        [*(evaluate.recall_at_k(z, labels, k, f, chunk) for k in (1, 3, 10)), *retrieval.scores(z, labels, f, chunk)]
        for f in (distance, by_all_distances(distance))
    ]


@any_form
@any_dtype
@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1, 0), (1e-3, 100), (1e15, 0), (1e-15, 0), (1e-30, 0), (1e30, 0)],
    ids=["1", "far", "1e15", "1e-15", "underflow", "overflow"],
)
def test_scores_decide_as_distances_do(rng, distance, dtype, scale, offset):
    labels = rng.permutation(np.repeat(np.arange(30), 5))
    z = scale * (rng.normal(size=(150, 6)) + rng.normal(size=(30, 6))[labels]) + offset
    with np.errstate(over="ignore", invalid="ignore"):
        by_scores, by_distances = both(z.astype(dtype), labels, distance)
    assert by_scores == pytest.approx(by_distances, rel=1e-12)


@any_form
def test_distances_closer_than_any_float32_product_are_compared_by_themselves(rng, distance):
    """Each query is at 1 from its class, and at 1 plus or minus a few ties from another class."""
    steps = rng.permutation(np.repeat([-6, -3, 0, 3, 6], 16)) * ties.tolerance(np.dtype(float))
    u = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    place = 40 * np.arange(80)[:, None] * u[0]
    z = np.concatenate([place, place + u[1], place + (1 + steps)[:, None] * u[2]])
    labels = np.concatenate([np.arange(80), np.arange(80), 80 + np.arange(80) // 2])
    by_scores, by_distances = both(z, labels, distance)
    assert by_scores == by_distances
    if distance is pairwise.l2:  # right: a query with its class nearer, and all that are asked for it
        assert by_scores[0] == ((steps > 0).sum() + 80) / 240


@settings(max_examples=40)
@given(st.data())
def test_ties_count_against_the_model_whatever_the_chunk(data):
    """Few places: ties everywhere, classes of one image and of many, chunk bounds inside a class."""
    n = data.draw(st.integers(2, 60))
    whole = st.integers(0, 3)
    z = np.array(data.draw(st.lists(st.tuples(whole, whole), min_size=n, max_size=n)), float)
    labels = np.array(data.draw(st.lists(st.integers(0, 25), min_size=n, max_size=n)))
    if max(Counter(labels.tolist()).values()) < 2:
        return
    chunk, dtype = data.draw(st.integers(1, 70)), data.draw(st.sampled_from([np.float32, np.float64]))
    by_scores, by_distances = both(z.astype(dtype), labels, data.draw(st.sampled_from(FORMS)), chunk)
    assert by_scores == pytest.approx(by_distances, rel=1e-12)


@any_form
def test_the_order_of_two_scores_is_that_of_the_distances_beyond_the_margin(rng, distance):
    z = (rng.normal(size=(200, 50)) + 3).astype(np.float32)
    scores = pair_scores(z, distance)
    S, D = scores.left @ scores.right, distance(z.astype(float), z.astype(float))[0]
    np.testing.assert_allclose(S, S.T, atol=scores.margin.max())
    i, j, k = rng.integers(0, 200, (3, 20000))
    apart = S[i, j] - S[i, k] > scores.margin[i]
    assert apart.mean() > 0.4
    assert (D[i, j] > D[i, k])[apart].all()


@any_form
def test_the_margin_covers_the_rounding_of_a_sum(rng, distance):
    """The largest error of a float32 product is of another order than the margin, and never above half of it."""
    z = rng.normal(size=(300, 128)).astype(np.float32)
    scores = pair_scores(z, distance)
    exact = scores.left.astype(float) @ scores.right.astype(float)
    error = np.abs(scores.left @ scores.right - exact)
    assert (2 * error <= scores.margin[:, None]).all()


def test_collapsed_embeddings_score_0_by_scores_as_well():
    labels = np.repeat(np.arange(40), 5)
    for z in (np.full((200, 3), 0.1, np.float32), np.tile(np.eye(2), (100, 1))):
        assert evaluate.recall_at_k(z, labels) == 0
        assert retrieval.scores(z, labels) == (0, 0, 0)


def test_a_nan_distance_never_helps_recall():
    z, labels = np.eye(4), np.array([0, 0, 1, 1])
    nan_to_own = lambda a, b: (np.where(np.argmax(a, 1)[:, None] // 2 == np.argmax(b, 1) // 2, np.nan, 1.0), None)
    nan_to_other = lambda a, b: (np.where(np.argmax(a, 1)[:, None] // 2 != np.argmax(b, 1) // 2, np.nan, 1.0), None)
    assert evaluate.recall_at_k(z, labels, 1, nan_to_own) == 0
    assert evaluate.recall_at_k(z, labels, 1, nan_to_other) == 0
    assert evaluate.recall_at_k(z, labels, 3, nan_to_other) == 1


def test_names_are_labels(rng):
    z, labels = rng.normal(size=(90, 3)), np.repeat(np.arange(30), 3)
    names = np.array([f"{label:02}" for label in labels])
    assert evaluate.recall_at_k(z, names) == evaluate.recall_at_k(z, labels)
    assert retrieval.scores(z, names) == retrieval.scores(z, labels)
