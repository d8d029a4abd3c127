"""Thresholds for a target, the rates they promise, and calibrated probabilities."""

import numpy as np
import pytest

from minisiam import evaluate


def pairs(rng, groups=8, each=200, spread=0.0):
    """Distances about 1 for same and 3 for different pairs; each group is shifted by a random amount."""
    group = np.repeat(np.arange(groups), each)
    same = np.tile(np.arange(each) % 2 == 0, groups)
    shift = spread * rng.normal(size=groups)[group]
    return np.where(same, 1.0, 3.0) + shift + 0.7 * rng.normal(size=len(group)), same, group


def rates(d, same, threshold):
    return (d <= threshold)[~same].mean(), (d > threshold)[same].mean()


def test_a_false_accept_rate_is_kept_on_the_pairs_that_chose_it():
    d, same, group = pairs(np.random.default_rng(0))
    for rate in (0.01, 0.05, 0.2):
        found = evaluate.choose_threshold(d, same, group, rate=rate)
        assert found.false_accept.rate == rates(d, same, found.value)[0] <= rate
        above = np.min(d[~same & (d > found.value)])
        assert rates(d, same, above)[0] > rate  # a larger threshold would accept more


@pytest.mark.parametrize("target", ["accuracy", "f1"])
def test_the_best_threshold_is_the_best_of_all(target):
    d, same, group = pairs(np.random.default_rng(1), each=50)

    def score(threshold):
        accepted = d <= threshold
        if target == "accuracy":
            return (accepted == same).mean()
        return 2 * (accepted & same).sum() / (accepted.sum() + same.sum())

    found = evaluate.choose_threshold(d, same, group, target)
    assert score(found.value) == max(score(t) for t in d)


def test_at_equal_error_both_rates_are_about_equal():
    d, same, group = pairs(np.random.default_rng(2))
    found = evaluate.choose_threshold(d, same, group, "equal-error")
    assert abs(found.false_accept.rate - found.false_reject.rate) < 0.02


def test_the_interval_holds_on_new_groups_as_often_as_it_promises():
    rng, held = np.random.default_rng(3), []
    for _ in range(300):
        d, same, group = pairs(rng, groups=12, spread=0.3)
        mine = group < 6
        found = evaluate.choose_threshold(d[mine], same[mine], group[mine], rate=0.1, unseen=6)
        rate = rates(d[~mine], same[~mine], found.value)[0]
        held.append(found.false_accept.low <= rate <= found.false_accept.high)
    assert 0.92 <= np.mean(held) <= 0.99


def test_one_new_group_varies_more_than_the_mean_of_many():
    d, same, group = pairs(np.random.default_rng(4), spread=0.3)
    one, many = (evaluate.choose_threshold(d, same, group, unseen=n).false_accept for n in (1, 20))
    assert one.high > many.high


def test_the_order_of_pairs_does_not_matter():
    d, same, group = pairs(np.random.default_rng(5), each=60)
    order = np.random.default_rng(0).permutation(len(d))
    assert evaluate.choose_threshold(d, same, group, rate=0.1) == evaluate.choose_threshold(
        d[order], same[order], group[order], rate=0.1
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, same, group: (d, same, group % 2), "at least 3"),
        (lambda d, same, group: (d[:180], same[:180], group[:180]), "at least 100"),
        (lambda d, same, group: (d, same | (group == 1), group), "both kinds"),
    ],
    ids=["two groups", "few pairs", "one kind"],
)
def test_too_few_pairs_are_refused_with_the_number_needed(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate.choose_threshold(*change(*pairs(np.random.default_rng(6), each=60)))


def test_calibration_recovers_the_probabilities_that_drew_the_pairs():
    rng = np.random.default_rng(7)
    d = rng.uniform(0, 4, 200_000)
    same = rng.random(len(d)) < 1 / (1 + np.exp(-(4 - 2 * d)))
    found = evaluate.calibrate(d, same, prior=float(same.mean()))
    assert found.slope == pytest.approx(2, rel=0.03)
    assert found.offset == pytest.approx(4, rel=0.03)


def test_a_rarer_class_of_pairs_lowers_the_probability_by_the_odds():
    d, same, _ = pairs(np.random.default_rng(8))
    even, rare = (evaluate.probability(evaluate.calibrate(d, same, prior), np.array([2.0]))[0] for prior in (0.5, 0.01))
    assert rare < 0.1 < even


def test_calibration_is_finite_where_a_threshold_separates_the_pairs():
    d, same = np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False])
    p = evaluate.probability(evaluate.calibrate(d, same), d)
    assert (np.diff(p) < 0).all()
    assert ((p > 0) & (p < 1)).all()
