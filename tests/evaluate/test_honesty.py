"""An embedding without information about the class scores the chance level, or less if it has ties."""

import numpy as np
import pytest

from minisiam import datasets, evaluate, pairwise
from minisiam.analysis import statistics
from minisiam.app import data_spec, report

WAY = 20


@pytest.fixture(scope="module")
def test_set():
    return data_spec.split(datasets.pen_glyphs(drawers=6)).test


def score(z, data, episodes=400, labels=None):
    labels = data.labels if labels is None else labels
    return evaluate.few_shot(
        z, labels, np.random.default_rng(0), pairwise.l2, WAY, 1, episodes, data.groups, data.known_drawers
    )


def test_a_constant_encoder_scores_0(test_set):
    constant = np.ones((len(test_set.images), 8), np.float32)
    assert score(constant, test_set).accuracy == 0  # every answer is a tie, and ties count against it
    shaken = constant + 1e-3 * np.random.default_rng(1).normal(size=constant.shape).astype(np.float32)
    found = score(shaken, test_set)
    assert found.low <= 1 / WAY <= found.high


def test_an_encoder_of_the_drawer_scores_the_chance_level(test_set):
    noise = 1e-3 * np.random.default_rng(1).normal(size=(len(test_set.images), 6)).astype(np.float32)
    found = score(np.eye(6, dtype=np.float32)[test_set.drawers] + noise, test_set)
    assert found.low <= 1 / WAY <= found.high


def test_shuffled_labels_score_the_chance_level(test_set):
    pixels = evaluate.pixels(datasets.blurred(datasets.centred(test_set.images)))
    assert score(pixels, test_set).accuracy > 0.4
    rng = np.random.default_rng(2)
    shuffled = test_set.labels.copy()
    for group in np.unique(test_set.groups):  # within an alphabet and a drawer, so that every class stays whole
        for drawer in np.unique(test_set.drawers):
            rows = np.flatnonzero((test_set.groups == group) & (test_set.drawers == drawer))
            shuffled[rows] = rng.permutation(shuffled[rows])
    assert score(pixels, test_set, labels=shuffled).accuracy == pytest.approx(1 / WAY, abs=0.02)


def test_with_few_classes_evaluation_uses_all_of_them(test_set):
    few = test_set.where(np.isin(test_set.labels, np.unique(test_set.labels)[:5]))
    assert report.default_way(few) == 5
    assert report.default_way(test_set) == WAY
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=(40, len(few.images), 4)).astype(np.float32)
    found = np.mean([report.few_shot(z, few, 40, pairwise.l2).accuracy for z in drawn])
    assert found == pytest.approx(1 / 5, abs=0.03)


def test_a_paired_interval_is_narrower_than_one_of_independent_episodes(rng):
    hard = rng.random(400)
    a, b = hard, np.clip(hard + 0.02 + 0.05 * rng.normal(size=400), 0, 1)
    low, high = statistics.paired_difference(a, b)
    assert 0 < low < float((b - a).mean()) < high
    wide = statistics.difference(evaluate.mean_score(a), evaluate.mean_score(b))
    assert high - low < (wide[1] - wide[0]) / 3
    assert statistics.paired_difference(b, a) == pytest.approx((-high, -low))
    assert statistics.paired_difference(a, a) == (0.0, 0.0)
    middle = (low + high) / 2
    wider = statistics.paired_difference(a, b, t=2 * 1.96)
    assert wider == pytest.approx((middle - (high - low), middle + (high - low)))


def test_a_paired_interval_contains_the_true_difference_in_about_95_of_100_samples(rng):
    found = [statistics.paired_difference(np.zeros(50), 0.1 + 0.2 * rng.normal(size=50)) for _ in range(400)]
    assert 0.9 < np.mean([low <= 0.1 <= high for low, high in found]) < 0.99
