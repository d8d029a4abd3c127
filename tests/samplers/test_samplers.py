"""Samplers yield the arguments of a network, use every image and class, and pair no image with itself."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from minisiam import samplers

LABELS = np.repeat([3, 5, 7, 9], [2, 3, 4, 5])
GROUPS = np.repeat([0, 0, 1, 1], [2, 3, 4, 5])
IMAGES = np.arange(len(LABELS), dtype=np.float32)[:, None]  # an image is its own row number


def rows_of(images):
    return images[:, 0].astype(int)


def test_pairs_have_the_given_share_of_same_classes(rng):
    for x1, x2, same in islice(samplers.pairs(IMAGES, LABELS, rng, size=8, same=0.25), 50):
        i, j = rows_of(x1), rows_of(x2)
        assert same.dtype == bool
        assert same.sum() == 2
        assert ((LABELS[i] == LABELS[j]) == same).all()
        assert (i != j).all()


def test_triplets_are_an_anchor_a_positive_and_a_negative(rng):
    for batch in islice(samplers.triplets(IMAGES, LABELS, rng, size=8), 50):
        a, p, n = map(rows_of, batch)
        assert (LABELS[a] == LABELS[p]).all()
        assert (LABELS[a] != LABELS[n]).all()
        assert (a != p).all()


def test_with_groups_negatives_come_from_the_same_group(rng):
    for batch in islice(samplers.triplets(IMAGES, LABELS, rng, size=8, groups=GROUPS), 50):
        a, _, n = map(rows_of, batch)
        assert (GROUPS[a] == GROUPS[n]).all()
        assert (LABELS[a] != LABELS[n]).all()
    for x1, x2, _ in islice(samplers.pairs(IMAGES, LABELS, rng, size=8, groups=GROUPS), 50):
        assert (GROUPS[rows_of(x1)] == GROUPS[rows_of(x2)]).all()


def test_every_partner_is_equally_likely(rng):
    partners = Counter()
    for batch in islice(samplers.triplets(IMAGES, LABELS, rng, size=14), 4000):
        a, p, n = map(rows_of, batch)
        partners.update(zip(a, p, strict=True))
        partners.update(zip(a, n, strict=True))
    for anchor in range(len(LABELS)):
        same = [partners[anchor, j] for j in range(14) if j != anchor and LABELS[j] == LABELS[anchor]]
        other = [partners[anchor, j] for j in range(14) if LABELS[j] != LABELS[anchor]]
        for counts in (same, other):
            assert min(counts) > 0.7 * 4000 / len(counts)
            assert max(counts) < 1.3 * 4000 / len(counts)


@pytest.mark.parametrize("size", [1, 4, 5, 14])
def test_an_epoch_uses_every_image_once(rng, size):
    stream = samplers.triplets(IMAGES, LABELS, rng, size=size)
    seen = np.concatenate([rows_of(anchor) for anchor, *_ in islice(stream, 3 * 14)])
    counts = np.array([np.bincount(seen[: k + 1], minlength=14) for k in range(len(seen))])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 2  # 1 but for the order across a boundary
    assert (np.bincount(seen[: len(seen) // 14 * 14]) == len(seen) // 14).all()


def test_pk_yields_p_classes_with_k_images_each(rng):
    labels = np.repeat(np.arange(7), 4)
    images = np.arange(28, dtype=np.float32)[:, None]
    classes, shown = Counter(), Counter()
    for x, y in islice(samplers.pk(images, labels, rng, classes=3, per_class=2), 70):
        assert (labels[rows_of(x)] == y).all()
        assert sorted(Counter(y).values()) == [2, 2, 2]
        assert len(set(rows_of(x))) == 6
        classes.update(set(y))
        shown.update(rows_of(x).tolist())
    assert set(classes.values()) == {30}
    assert set(shown.values()) == {15}


@pytest.mark.parametrize(("classes", "per_class", "name"), [(1, 4, "classes"), (4, 1, "per_class")])
def test_pk_rejects_settings_without_positives_or_negatives(rng, classes, per_class, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 2; it is 1"):
        next(samplers.pk(IMAGES, LABELS, rng, classes, per_class))


def test_pk_with_groups_uses_one_group_after_the_other(rng):
    labels = np.repeat(np.arange(12), 3)
    groups = labels // 4
    stream = islice(samplers.pk(labels.astype(float)[:, None], labels, rng, classes=4, per_class=2, groups=groups), 60)
    shown = Counter()
    for number, (_, y) in enumerate(stream):
        assert len(set(y // 4)) == 1
        shown.update(set(y))
        if number % 3 == 2:
            assert len(set(shown.values())) == 1
    with pytest.raises(ValueError, match="a class must be in one group"):
        next(samplers.pk(labels.astype(float)[:, None], labels, rng, 4, 2, np.arange(36)))


def test_an_episode_has_one_group_and_different_drawers_of_support_and_queries(rng):
    labels = np.repeat(np.arange(6), 3)
    groups, drawers = labels // 3, np.tile([0, 1, 2], 6)
    stream = samplers.episode_indices(labels, rng, way=3, shot=1, queries=2, groups=groups, drawers=drawers)
    for e in islice(stream, 100):
        assert len(set(groups[np.concatenate([e.support, e.query])])) == 1
        assert not set(drawers[e.support]) & set(drawers[e.query])
        assert len(set(drawers[e.support])) == 1
        assert sorted(e.support_labels) == [0, 1, 2]
        number = dict(zip(labels[e.support], e.support_labels, strict=True))
        assert [number[c] for c in labels[e.query]] == e.labels.tolist()
        assert not set(e.support) & set(e.query)


def test_the_position_of_the_right_answer_is_random(rng):
    labels = np.repeat(np.arange(5), 2)
    first = [e.labels[0] for e in islice(samplers.episode_indices(labels, rng, way=5), 200)]
    classes = [labels[e.support[0]] for e in islice(samplers.episode_indices(labels, rng, way=5), 200)]
    assert set(first) == set(classes) == set(range(5))


def test_episodes_yields_the_images_of_episode_indices(rng):
    support, support_labels, query, labels = next(samplers.episodes(IMAGES, LABELS, rng, way=3, shot=2, queries=1))
    assert support.shape == (6, 1)
    assert query.shape == (3, 1)
    assert sorted(support_labels) == [0, 0, 1, 1, 2, 2]
    assert sorted(labels) == [0, 1, 2]


@pytest.mark.parametrize("sampler", [samplers.pairs, samplers.triplets])
def test_the_same_seed_gives_the_same_batches(sampler):
    first, second = (next(sampler(IMAGES, LABELS, np.random.default_rng(4))) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_episodes_use_only_classes_with_all_drawers(rng):
    """Six classes, each drawn by three of four drawers: any two drawers have at least three classes in common."""
    drawers = np.array([p for c in range(6) for p in range(4) if p != c % 4])
    labels = np.repeat(np.arange(6), 3)
    for e in islice(samplers.episode_indices(labels, rng, way=3, drawers=drawers), 200):
        assert len(set(labels[e.support])) == 3
        assert not set(drawers[e.support]) & set(drawers[e.query])
