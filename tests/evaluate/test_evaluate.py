"""Evaluation is not biased: noise scores the chance level, a constant embedding 0, pixels their known scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisiam import datasets, encoders, evaluate, pairwise, tree
from minisiam.analysis import statistics
from minisiam.samplers import Episode

LABELS = np.repeat(np.arange(30), 4)
T_OF_10, T_OF_20 = 2.262, 2.093  # of Student's t, 95 %, for so many runs


def test_a_constant_embedding_scores_nothing_rather_than_everything(rng):
    assert evaluate.few_shot(np.ones((120, 3)), LABELS, rng, episodes=20).accuracy == 0


def test_noise_scores_the_chance_level(rng):
    score = evaluate.few_shot(rng.normal(size=(120, 3)), LABELS, rng, way=5, episodes=400)
    assert score.low < 0.2 < score.high


def test_shuffled_labels_score_the_chance_level(rng):
    z = np.eye(30)[LABELS] + 0.01 * rng.normal(size=(120, 30))
    assert evaluate.few_shot(z, LABELS, rng, way=5, episodes=50).accuracy == 1
    score = evaluate.few_shot(z, rng.permutation(LABELS), rng, way=5, episodes=400)
    assert score.accuracy == pytest.approx(0.2, abs=0.05)


def test_ties_count_against_the_model():
    z = np.array([[0.0], [1.0], [0.5], [0.9]])
    episode = Episode(np.array([0, 1]), np.array([0, 1]), np.array([2, 3]), np.array([0, 1]))
    assert evaluate.answer(z, episode).tolist() == [-1, 1]


def test_the_nearest_of_several_support_images_decides():
    z = np.array([[0.0], [10.0], [4.0], [5.0], [9.0]])
    episode = Episode(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]), np.array([4]), np.array([0]))
    assert evaluate.answer(z, episode).tolist() == [0]


def test_the_95_percent_interval_covers_the_true_accuracy(rng):
    inside = [
        s.low <= 0.5 <= s.high
        for s in (evaluate.mean_score((rng.random((40, 20)) < 0.5).mean(axis=1)) for _ in range(300))
    ]
    assert 0.9 < np.mean(inside) < 0.99


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0.1, 4))
def test_wilson_is_the_set_of_proportions_that_the_score_test_accepts(n, share, z):
    found = evaluate.wilson(share, n, z)
    assert 0 <= found.low <= share <= found.high <= 1 and found.low < found.high
    for end, side in ((found.low, -1), (found.high, 1)):
        if 0 < end < 1:
            assert (share - end) ** 2 == pytest.approx(z * z * end * (1 - end) / n, rel=1e-6, abs=1e-12)
            assert side * (end - share) >= 0


def test_all_correct_is_no_certainty():
    assert str(evaluate.wilson(1.0, 400)) == "100.0 % (99.0 to 100.0)"
    assert str(statistics.clustered(np.ones((20, 20), bool), T_OF_20)) == "100.0 % (98.9 to 100.0)"
    assert str(evaluate.mean_score(np.ones(400))) == "100.0 % (99.0 to 100.0)"
    assert evaluate.mean_score(np.zeros(50)).high > 0.05


def test_an_interval_over_runs_covers_runs_that_differ(rng):
    """20 runs of 20 questions, easy and hard runs: an interval over questions is too narrow."""
    truth, inside = 0.8, {"runs": 0, "questions": 0}
    for _ in range(1000):
        right = rng.random((20, 20)) < rng.beta(8, 2, (20, 1))
        for name, score in (
            ("runs", statistics.clustered(right, T_OF_20)),
            ("questions", evaluate.wilson(right.mean(), 400)),
        ):
            inside[name] += score.low <= truth <= score.high
    assert 930 <= inside["runs"] <= 980 and inside["questions"] < 850


def test_an_interval_over_units_is_never_narrower_than_that_of_independent_questions(rng):
    right = np.tile([True, True, True, False], (10, 5))  # no run differs from another at all
    score, independent = statistics.clustered(right, T_OF_10), evaluate.wilson(0.75, 200)
    assert score.low < independent.low and score.high > independent.high


def test_the_interval_of_a_difference_by_hand():
    """Newcombe (1998), table II, method 10: 56 of 70 and 48 of 80."""
    low, high = statistics.difference(evaluate.wilson(48 / 80, 80), evaluate.wilson(56 / 70, 70))
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_interval_of_a_difference_covers_it(rng):
    p, n, inside = (0.9, 0.94), 300, 0
    for _ in range(1000):
        a, b = (evaluate.wilson(rng.binomial(n, share) / n, n) for share in p)
        low, high = statistics.difference(a, b)
        inside += low <= p[1] - p[0] <= high
    assert 930 <= inside <= 975


def test_26_errors_contained_in_32_of_the_same_questions_differ():
    wrong = np.arange(400)
    found = statistics.mcnemar(wrong >= 26, wrong >= 32)
    assert found == (6, 0, 2 / 2**6)
    assert statistics.mcnemar(wrong >= 32, wrong >= 26) == (0, 6, 0.03125)
    apart = statistics.mcnemar(wrong >= 26, wrong < 368)  # as many errors, none in common: 26 against 32 of 58
    assert apart == (32, 26, pytest.approx(0.5118, abs=1e-4))


def test_mcnemar_raises_false_alarms_as_rarely_as_it_says(rng):
    alarms = sum(statistics.mcnemar(*(rng.random((2, 60)) < 0.7)).p <= 0.05 for _ in range(2000))
    assert alarms <= 0.05 * 2000
    assert statistics.mcnemar(np.ones(5, bool), np.ones(5, bool)).p == 1
    with pytest.raises(ValueError, match="booleans of one shape"):
        statistics.mcnemar(np.ones(5), np.ones(5))


@pytest.mark.slow
def test_pixels_score_what_is_known_of_them():
    """Raw 38, centred 54, centred and blurred 64 % on held-out alphabets, by an earlier drawing of the same letters."""
    _, test = datasets.split(datasets.pen_glyphs())
    middle = datasets.centred(test.images)
    for images, known in ((test.images, 0.38), (middle, 0.54), (datasets.blurred(middle), 0.64)):
        score = evaluate.few_shot(
            evaluate.pixels(images), test.labels, np.random.default_rng(0), groups=test.groups, drawers=test.drawers
        )
        assert score.accuracy == pytest.approx(known, abs=0.03)


def test_knn_accuracy_equals_a_count_by_hand():
    z, labels = np.array([[0.0], [1.0], [1.2], [5.0]]), np.array([0, 1, 1, 0])
    queries, truth = np.array([[0.1], [1.1], [0.6]]), np.array([0, 1, 1])
    assert evaluate.knn_accuracy(z, labels, queries, truth) == pytest.approx(1)
    assert evaluate.knn_accuracy(z, labels, queries, truth, k=3) == pytest.approx(2 / 3)
    assert evaluate.knn_accuracy(np.zeros((4, 1)), labels, queries, truth) == 0


def test_recall_equals_a_count_by_hand():
    z, labels = np.array([[0.0], [1.0], [3.0], [3.5], [7.0]]), np.array([0, 1, 0, 1, 2])
    assert evaluate.recall_at_k(z, labels) == 0  # each has one of the other class nearest; the last is not asked
    assert evaluate.recall_at_k(z, labels, k=2) == 2 / 4  # 0 → 3 and 3.5 → 1 have one nearer; the ways back have two
    assert evaluate.recall_at_k(z, labels, k=3) == 1


def test_recall_counts_ties_against_the_model():
    z, labels = np.array([[0.0], [1.0], [-1.0]]), np.array([0, 0, 1])
    assert evaluate.recall_at_k(z, labels) == 1 / 2
    assert evaluate.recall_at_k(np.zeros((4, 2)), np.array([0, 0, 1, 1])) == 0
    assert evaluate.recall_at_k(np.zeros((4, 2)), np.array([0, 0, 1, 1]), k=2) == 0
    assert evaluate.recall_at_k(np.zeros((4, 2)), np.array([0, 0, 1, 1]), k=3) == 1


def test_recall_does_not_depend_on_the_chunks_and_grows_with_k(rng):
    z, labels = rng.normal(size=(40, 2)), rng.integers(0, 6, 40)
    assert evaluate.recall_at_k(z, labels, 3, chunk=7) == evaluate.recall_at_k(z, labels, 3)
    scores = [evaluate.recall_at_k(z, labels, k) for k in range(1, 40)]
    assert scores == sorted(scores)
    assert scores[-1] == 1


def test_recall_at_1_is_the_accuracy_of_the_nearest_other_image(rng):
    z, labels = rng.normal(size=(30, 2)), np.repeat(np.arange(10), 3)
    alone = [
        evaluate.knn_accuracy(np.delete(z, i, 0), np.delete(labels, i), z[i : i + 1], labels[i : i + 1])
        for i in range(30)
    ]
    assert evaluate.recall_at_k(z, labels) == pytest.approx(np.mean(alone))


def test_recall_needs_a_class_with_two_images():
    with pytest.raises(ValueError, match="two images of a class"):
        evaluate.recall_at_k(np.zeros((3, 1)), np.arange(3))


def test_roc_equals_a_count_by_hand():
    d, same = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False])
    curve = evaluate.roc(d, same)
    np.testing.assert_array_equal(curve.false_accept, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_array_equal(curve.true_accept, [0, 0.5, 0.5, 1, 1])
    assert evaluate.auc(d, same) == pytest.approx(0.75)  # three of the four pairings are in order
    assert evaluate.equal_error(d, same).rate == pytest.approx(0.5)
    assert evaluate.threshold_at(d, same, 0) == 1
    assert evaluate.threshold_at(d, same, 0.5) == 3


def test_a_perfect_distance_has_no_errors_and_a_constant_one_has_an_eer_of_one_half():
    d, same = np.array([0.1, 0.2, 3.0, 4.0]), np.array([True, True, False, False])
    assert evaluate.auc(d, same) == 1
    assert evaluate.equal_error(d, same) == evaluate.EqualError(0.0, 0.2)
    assert evaluate.auc(np.ones(4), same) == 0.5
    assert evaluate.equal_error(np.ones(4), same).rate == 0.5
    assert evaluate.threshold_at(np.ones(4), same, 0.1) == -np.inf


def test_auc_is_the_share_of_same_pairs_nearer_than_different_pairs(rng):
    d, same = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    gaps = np.subtract.outer(d[~same], d[same])
    assert evaluate.auc(d, same) == pytest.approx((gaps > 0).mean() + (gaps == 0).mean() / 2)


def test_the_embedding_does_not_depend_on_the_chunks(rng):
    encoder = encoders.mlp(8, 3)
    params, _ = encoder.init(rng, (4, 4, 1))
    params, images = tree.map(np.float64, params), rng.random((10, 4, 4, 1))
    np.testing.assert_allclose(evaluate.embed(encoder, params, images, chunk=3), encoder(params, images)[0], rtol=1e-6)


def test_few_shot_accepts_other_distances(rng):
    z = rng.normal(size=(120, 1)) + 10 * LABELS[:, None]
    by_length = evaluate.few_shot(np.hstack([z, z]), LABELS, rng, pairwise.cosine, way=5, episodes=20)
    assert by_length.accuracy < evaluate.few_shot(z, LABELS, rng, way=5, episodes=20).accuracy


def test_a_nan_distance_counts_as_wrong():
    episode = Episode(np.array([0, 1]), np.array([0, 1]), np.array([2, 3]), np.array([0, 1]))
    nowhere = lambda a, b: (np.full((len(a), len(b)), np.nan), None)
    assert evaluate.answer(np.zeros((4, 1)), episode, nowhere).tolist() == [-1, -1]
