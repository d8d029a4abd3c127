"""Retrieval equals its definition, a loop; and known values: by hand, at both extremes and at the chance level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisiam import pairwise
from minisiam.evaluate import retrieval


def by_definition(z, labels, distance):
    """P@1, R-precision and MAP@R as loops over all other images; at equal distances the query's class is last."""
    found = []
    for q in range(len(z)):
        others = [i for i in range(len(z)) if i != q]
        R = sum(labels[i] == labels[q] for i in others)
        if R == 0:
            continue
        d = distance(z[[q]], z)[0][0]
        ranked = sorted(others, key=lambda i: (d[i], labels[i] == labels[q]))
        right = [labels[i] == labels[q] for i in ranked[:R]]
        precision = [sum(right[: i + 1]) / (i + 1) for i in range(R)]
        found.append([right[0], sum(right) / R, sum(p for p, ok in zip(precision, right, strict=True) if ok) / R])
    return np.mean(found, axis=0)


def test_the_scores_equal_a_count_by_hand():
    """From 0: 1 a, 1.5 b, 4 a; from 1: 1.5 b, 0 a, 4 a; from 4: 1.5 b, 1 a, 0 a; the nearest to each b is an a."""
    z, labels = np.array([[0.0], [1.0], [4.0], [1.5], [10.0]]), np.array([0, 0, 0, 1, 1])
    assert retrieval.scores(z, labels).precision_at_1 == pytest.approx(1 / 5)
    assert retrieval.scores(z, labels).r_precision == pytest.approx((1 / 2 + 1 / 2 + 1 / 2) / 5)
    assert retrieval.scores(z, labels).map_at_r == pytest.approx((1 / 2 + 1 / 4 + 1 / 4) / 5)


def test_the_order_in_the_list_changes_map_and_not_r_precision():
    """For a query of class a with R = 2, the list is a, b, a or b, a, a."""
    labels, number = np.array([0, 0, 0, 1]), np.arange(4.0)[:, None]
    near, far, other = [1, 2, 0], [2, 0, 1], [3, 3, 3]  # of each a the nearer a, the farther a, and the b

    def asking(first, second, third):
        D = np.zeros((4, 4))
        for rank, who in enumerate((first, second, third), start=1):
            D[[0, 1, 2], who] = rank
        return retrieval.scores(number, labels, lambda a, b: (D[a[:, 0].astype(int)], None))

    assert asking(near, other, far) == (1, 1 / 2, 1 / 2)
    assert asking(other, near, far) == (0, 1 / 2, 1 / 4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=14), st.data())
def test_the_scores_equal_the_definition(points, data):
    """Few places and few classes: ties everywhere, classes of one image, classes of different sizes."""
    *z, labels = np.array(points).T
    z = np.stack(z, axis=1).astype(float)
    distance = data.draw(st.sampled_from([pairwise.l1, pairwise.dot]))  # exact on whole numbers
    if len(np.unique(labels)) == len(labels):
        with pytest.raises(ValueError, match="nothing to retrieve"):
            retrieval.scores(z, labels, distance)
        return
    found = retrieval.scores(z, labels, distance, chunk=data.draw(st.integers(1, 5)))
    np.testing.assert_allclose(found, by_definition(z, labels, distance), rtol=1e-12)


@pytest.mark.parametrize(("images", "classes"), [(60, 7), (203, 80)])
@pytest.mark.parametrize("distance", [pairwise.l2, pairwise.cosine, pairwise.l1, pairwise.dot])
def test_the_scores_do_not_depend_on_the_order_and_the_chunks(rng, distance, images, classes):
    z, labels = rng.normal(size=(images, 4)), rng.integers(0, classes, images)
    order = rng.permutation(images)
    found = retrieval.scores(z, labels, distance)
    assert found == pytest.approx(retrieval.scores(z[order], 5 - labels[order], distance, chunk=7), rel=1e-12)
    assert found == pytest.approx(by_definition(z, labels, distance), rel=1e-12)


def test_a_perfect_embedding_scores_1_and_a_constant_embedding_0():
    labels = np.repeat(np.arange(6), 5)
    assert retrieval.scores(np.eye(6)[labels], labels) == (1, 1, 1)
    for distance in (pairwise.l2, pairwise.squared_l2, pairwise.cosine, pairwise.l1):
        assert retrieval.scores(np.full((30, 3), 0.1, np.float32), labels, distance) == (0, 0, 0)


def test_noise_scores_the_chance_level(rng):
    """A place is right with p = R/(n − 1), two places with p · (R − 1)/(n − 2); MAP@R sums these over the places."""
    labels = np.repeat(np.arange(40), 10)
    R, n = 9, 400
    p, again = R / (n - 1), (R - 1) / (n - 2)
    map_at_r = sum(p * (1 + (i - 1) * again) / i for i in range(1, R + 1)) / R
    found = np.mean([retrieval.scores(rng.normal(size=(n, 8)), labels) for _ in range(150)], axis=0)
    np.testing.assert_allclose(found, [p, p, map_at_r], rtol=0.1)


def test_an_image_alone_in_its_class_is_a_reference_and_not_a_query():
    z = np.array([[0.0], [2.0], [0.9]])
    assert retrieval.scores(z, np.array([0, 0, 1])) == (0, 0, 0)  # 0.9 is nearer to both
    assert retrieval.scores(z[:2], np.array([0, 0])) == (1, 1, 1)


def test_a_nan_distance_counts_as_not_found():
    labels = np.array([0, 0, 1, 1])
    nowhere = lambda a, b: (np.full((len(a), len(b)), np.nan), None)
    assert retrieval.scores(np.eye(4), labels, nowhere) == (0, 0, 0)
    assert retrieval.scores(np.eye(4)[:2], labels[:2], nowhere) == (0, 0, 0)


def test_wrong_arguments_raise_errors():
    z, labels = np.eye(4), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="labels must have the shape"):
        retrieval.scores(z, labels[:3])
    with pytest.raises(ValueError, match="holds nan"):
        retrieval.scores(np.where(z == 1, np.nan, z), labels)
    with pytest.raises(ValueError, match="use more images per class"):
        retrieval.scores(z, np.arange(4))
    with pytest.raises(ValueError, match="chunk"):
        retrieval.scores(z, labels, chunk=0)
