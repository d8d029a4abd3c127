"""Miners: each is its definition in plain loops, and chooses what pytorch-metric-learning chooses."""

import json
import tracemalloc
from functools import partial
from math import ceil, degrees
from pathlib import Path

import numpy as np
import pytest

from minisiam import miners, pairwise
from minisiam.analysis import counts
from minisiam.analysis.registry import MINERS

SEEDS = range(25)
ORACLE = json.loads((Path(__file__).parents[1] / "interop" / "oracle" / "pml_oracle.json").read_text())


def batch(seed, ties=False):
    """A batch with labels in any order, classes of any size and an asymmetric D; with ties, one decimal of it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 11))
    labels = rng.permutation(np.concatenate([[3, 3, 8], rng.choice([-1, 3, 8, 20, 21], n - 3)]))
    D = 1.4 * rng.random((n, n))
    D = D.round(1) if ties else D
    D.flags.writeable = False
    return D, labels


# ------------------------------------------------------------------------------- the definitions, in plain loops


def relatives(labels, a):
    P = [j for j in range(len(labels)) if j != a and labels[j] == labels[a]]
    return P, [j for j in range(len(labels)) if labels[j] != labels[a]]


def positives(labels):
    return [(a, p) for a in range(len(labels)) for p in relatives(labels, a)[0]]


def triplets_where(keep):
    def define(D, labels):
        return [(a, p, n) for a, p in positives(labels) for n in relatives(labels, a)[1] if keep(D, a, p, n)]

    return define


def pairs_where(keep):
    def define(D, labels):
        pairs = [(i, j) for i, j in np.ndindex(D.shape) if i != j]
        return [(i, j, labels[i] == labels[j]) for i, j in pairs if keep(D, labels, i, j)]

    return define


def gap(D, a, p, n):
    return D[a, n] - D[a, p]


def wide_angle(D, a, p, n):
    """The angle at the middle of the segment, from its two sides, of three points that have these distances."""
    to_middle = np.sqrt(max(D[a, n] ** 2 / 2 + D[p, n] ** 2 / 2 - D[a, p] ** 2 / 4, 0))
    return degrees(np.arctan2(D[a, p], 2 * to_middle)) > 20


def similar(D, labels, i, j):
    P, N = relatives(labels, i)
    if j in P:
        return any(D[i, j] + 0.1 > D[i, n] for n in N)
    return any(D[i, j] - 0.1 < D[i, p] for p in P)


def outside(D, labels, i, j):
    return D[i, j] > 0.2 if labels[i] == labels[j] else D[i, j] < 0.8


def hardest(D, labels, fraction=0.5):
    pairs = [(i, j, labels[i] == labels[j]) for i, j in np.ndindex(D.shape) if i != j]
    P, N = [p for p in pairs if p[2]], [p for p in pairs if not p[2]]
    P = sorted(P, key=lambda pair: -D[pair[:2]])[: ceil(fraction * len(P))]
    return P + sorted(N, key=lambda pair: D[pair[:2]])[: ceil(fraction * len(N))]


def facenet(D, labels, margin=0.2):
    found = []
    for a, p in positives(labels):
        N = [n for n in relatives(labels, a)[1] if 0 < gap(D, a, p, n) <= margin]
        found += [(a, p, min(N, key=lambda n: D[a, n]))] if N else []
    return found


def tensorflow(D, labels):
    found = []
    for a, p in positives(labels):
        N = relatives(labels, a)[1]
        farther = [n for n in N if D[a, n] > D[a, p]]
        choose, some = (min, farther) if farther else (max, N)
        found.append((a, p, choose(some, key=lambda n: D[a, n])))
    return found


def easy_hard(positive, negative):
    def define(D, labels):
        return [(a, p, n) for a in range(len(labels)) for p, n in of_anchor(D, labels, a)]

    def of_anchor(D, labels, a):
        P, N = relatives(labels, a)
        near = lambda some: [min(some, key=lambda j: D[a, j])] if some else []
        far = lambda some: [max(some, key=lambda j: D[a, j])] if some else []
        easy_or_hard_p = {"easy": near, "hard": far, "all": list}
        easy_or_hard_n = {"easy": far, "hard": near, "all": list}
        if positive == "semi-hard":
            N = easy_or_hard_n[negative](N)
            P = far([p for p in P if all(D[a, p] < D[a, n] for n in N)])
        elif negative == "semi-hard":
            P = easy_or_hard_p[positive](P)
            N = near([n for n in N if all(D[a, n] > D[a, p] for p in P)])
        else:
            P, N = easy_or_hard_p[positive](P), easy_or_hard_n[negative](N)
        return [(p, n) for p in P for n in N]

    return define


WORDS = ["easy", "hard", "semi-hard", "all"]
COMPATIBLE = [(p, n) for p in WORDS for n in WORDS if "semi-hard" not in (p, n) or {p, n} & {"easy", "hard"}]
DEFINITIONS = {
    "all pairs": (miners.all_pairs, pairs_where(lambda D, labels, i, j: i < j)),
    "ordered pairs": (miners.ordered_pairs, pairs_where(lambda D, labels, i, j: True)),
    "pair margin": (miners.pair_margin, pairs_where(outside)),
    "multi-similarity": (miners.multi_similarity, pairs_where(similar)),
    "hardest pairs": (miners.hardest_pairs, hardest),
    "hardest fifth": (partial(miners.hardest_pairs, fraction=0.2), partial(hardest, fraction=0.2)),
    "all triplets": (miners.all_triplets, triplets_where(lambda D, a, p, n: True)),
    "triplet margin": (miners.triplet_margin, triplets_where(lambda *t: gap(*t) <= 0.2)),
    "semi-hard": (
        partial(miners.triplet_margin, kind="semi-hard", margin=0.4),
        triplets_where(lambda *t: 0 < gap(*t) <= 0.4),
    ),
    "hard": (miners.hard, triplets_where(lambda *t: gap(*t) <= 0)),
    "hard by its kind": (partial(miners.triplet_margin, kind="hard"), triplets_where(lambda *t: gap(*t) <= 0)),
    "easy": (miners.easy, triplets_where(lambda *t: gap(*t) > 0.2)),
    "easy by its kind": (partial(miners.triplet_margin, kind="easy"), triplets_where(lambda *t: gap(*t) > 0.2)),
    "angular": (miners.angular, triplets_where(wide_angle)),
    "semi-hard facenet": (miners.semi_hard_facenet, facenet),
    "semi-hard tensorflow": (miners.semi_hard_tensorflow, tensorflow),
    "batch hard": (miners.batch_hard, easy_hard("hard", "hard")),
    "batch easy-hard": (miners.batch_easy_hard, easy_hard("easy", "semi-hard")),
} | {
    f"batch {p} {n}": (partial(miners.batch_easy_hard, positive=p, negative=n), easy_hard(p, n)) for p, n in COMPATIBLE
}


@pytest.fixture(params=DEFINITIONS)
def defined(request):
    return DEFINITIONS[request.param]


@pytest.mark.parametrize("ties", [False, True])
def test_every_miner_equals_its_definition(defined, ties):
    miner, definition = defined
    for seed in SEEDS:
        D, labels = batch(seed, ties)
        found = miner(D, labels)
        assert [tuple(row) for row in zip(*found, strict=True)] == definition(D, labels)
        assert all(index.dtype == np.intp for index in found[:2])


def test_the_size_of_the_chunks_does_not_change_the_result(defined, monkeypatch):
    miner, definition = defined
    monkeypatch.setattr("minisiam.miners.types.CHUNK", 1)
    D, labels = batch(7)
    assert [tuple(row) for row in zip(*miner(D, labels), strict=True)] == definition(D, labels)


def test_rounding_of_a_fraction_does_not_add_a_pair(rng):
    """0.07 · 100 is 7.000000000000001, and seven of a hundred positive pairs are meant."""
    found = miners.hardest_pairs(rng.random((100, 100)), np.arange(100) // 2, 0.07)
    assert found.same.sum() == 7
    assert (~found.same).sum() == 7 * 98


@pytest.mark.parametrize("name", sorted(set(DEFINITIONS) - {"all pairs"}))  # i < j is a matter of order
def test_permuting_the_batch_permutes_the_result(name):
    miner, _ = DEFINITIONS[name]
    for seed in SEEDS:
        D, labels = batch(seed)
        order = np.random.default_rng(seed).permutation(len(labels))
        first, *more = miner(D[np.ix_(order, order)], labels[order])
        shuffled = {tuple(row) for row in zip(order[first], *map(partial(back, order), more), strict=True)}
        assert shuffled == set(zip(*miner(D, labels), strict=True))


def back(order, part):
    """What is an index goes back to the old order; `same` stays."""
    return part if part.dtype == bool else order[part]


def test_a_float32_matrix_is_compared_in_float32(defined):
    miner, definition = defined
    D, labels = batch(3)
    D = D.astype(np.float32)
    assert [tuple(row) for row in zip(*miner(D, labels), strict=True)] == definition(D, labels)


# ------------------------------------------------------------------------------- what comes back


def test_entries_and_targets_are_the_arguments_of_a_loss():
    D, labels = batch(0)
    pairs, triplets = miners.all_pairs(D, labels), miners.all_triplets(D, labels)
    ((rows, columns),) = pairs.entries
    np.testing.assert_array_equal(pairs.targets[0], labels[rows] == labels[columns])
    (a, p), (b, n) = triplets.entries
    np.testing.assert_array_equal(a, b)
    assert ((labels[a] == labels[p]) & (labels[a] != labels[n])).all()
    assert triplets.targets == ()


def test_pairs_become_triplets_and_triplets_pairs():
    for seed in SEEDS:
        D, labels = batch(seed)
        pairs, triplets = miners.pair_margin(D, labels), miners.triplet_margin(D, labels)
        listed = list(zip(*pairs, strict=True))
        expected = [(a, p, n) for a, p, same in listed for b, n, other in listed if a == b and same and not other]
        assert list(zip(*pairs.triplets, strict=True)) == expected
        listed = list(zip(*triplets, strict=True))
        expected = {(a, p, True) for a, p, _ in listed} | {(a, n, False) for a, _, n in listed}
        assert list(zip(*triplets.pairs, strict=True)) == sorted(expected)


def test_a_miner_that_finds_nothing_returns_empty_indices():
    labels = np.array([0, 1, 0, 1])
    D = np.where(labels[:, None] == labels, 0.0, 5.0)
    for miner in (
        miners.pair_margin,
        miners.multi_similarity,
        miners.triplet_margin,
        miners.hard,
        partial(miners.easy, margin=6),
        miners.angular,
        miners.semi_hard_facenet,
        partial(miners.batch_easy_hard, positive="hard", negative="semi-hard"),
    ):
        inverted = 5 - D if isinstance(miner, partial) and miner.func is miners.batch_easy_hard else D
        found = miner(inverted, labels)
        assert [len(part) for part in found] == [0, 0, 0]
        assert all(part.dtype in (np.intp, bool) for part in found)
        assert all(len(rows) == 0 for rows, _ in found.entries)
        other = found.triplets if isinstance(found, miners.Pairs) else found.pairs
        assert [len(part) for part in other] == [0, 0, 0]


# ------------------------------------------------------------------------------- pytorch-metric-learning 2.9.0

RAW = np.array(ORACLE["embeddings"])
UNIT = RAW / np.linalg.norm(RAW, axis=1, keepdims=True)
SETTINGS = {
    "BatchHardMiner()": (miners.batch_hard, pairwise.l2, UNIT),
    "BatchHardMiner(raw)": (miners.batch_hard, pairwise.l2, RAW),
    "BatchEasyHardMiner()": (miners.batch_easy_hard, pairwise.l2, UNIT),
    "BatchEasyHardMiner(hard,semihard)": (
        partial(miners.batch_easy_hard, positive="hard", negative="semi-hard"),
        pairwise.l2,
        UNIT,
    ),
    "TripletMarginMiner()": (miners.triplet_margin, pairwise.l2, UNIT),
    "TripletMarginMiner(semihard)": (partial(miners.triplet_margin, kind="semi-hard"), pairwise.l2, UNIT),
    "TripletMarginMiner(hard)": (miners.hard, pairwise.l2, UNIT),
    "TripletMarginMiner(easy)": (miners.easy, pairwise.l2, UNIT),
    "TripletMarginMiner(semihard,raw)": (partial(miners.triplet_margin, kind="semi-hard"), pairwise.l2, RAW),
    "MultiSimilarityMiner()": (miners.multi_similarity, pairwise.cosine, RAW),
    "PairMarginMiner()": (miners.pair_margin, pairwise.l2, UNIT),
    "AngularMiner()": (miners.angular, pairwise.l2, RAW),
    "HDCMiner()": (miners.hardest_pairs, pairwise.l2, UNIT),
}


@pytest.mark.parametrize("setting", ORACLE["miners"])
def test_miners_choose_what_the_reference_library_chooses(setting):
    miner, distance, z = SETTINGS[setting]
    expected = ORACLE["miners"][setting]
    found = miner(distance(z, z)[0], np.array(ORACLE["labels"]))
    if len(expected) == 3:
        assert set(zip(*found, strict=True)) == set(zip(*expected, strict=True))
        return
    pairs = found.pairs if isinstance(found, miners.Triplets) else found
    a, p, b, n = expected
    assert {(i, j) for i, j, same in zip(*pairs, strict=True) if same} == set(zip(a, p, strict=True))
    assert {(i, j) for i, j, same in zip(*pairs, strict=True) if not same} == set(zip(b, n, strict=True))


def test_angular_of_points_at_a_known_angle():
    """n stands square to the middle of a p, and sees half of it at 30°."""
    z = np.array([[-1.0, 0], [1, 0], [0, np.sqrt(3)], [0, 9]])
    labels = np.array([0, 0, 1, 2])
    for scale in (1e-160, 1e-3, 1, 1e300):
        with np.errstate(over="ignore", under="ignore"):
            D = scale * pairwise.l2(z, z)[0]
        with np.errstate(all="raise"):
            assert list(zip(*miners.angular(D, labels, 29.9), strict=True)) == [(0, 1, 2), (1, 0, 2)]
            assert len(miners.angular(D, labels, 30.1).anchor) == 0


# ------------------------------------------------------------------------------- chance


def test_all_random_triplets_are_equally_likely():
    D, labels = batch(5)
    draws = 3000
    found = miners.random_triplets(D, labels, rng=np.random.default_rng(0), per_anchor=draws)
    everything = miners.all_triplets(D, labels)
    anchors = np.unique(everything.anchor)
    np.testing.assert_array_equal(found.anchor, np.repeat(anchors, draws))
    np.testing.assert_array_equal(miners.random_triplets(D, labels, rng=np.random.default_rng(0)).anchor, anchors)
    counts = dict.fromkeys(zip(*everything, strict=True), 0)
    for triplet in zip(*found, strict=True):
        counts[triplet] += 1
    for (a, _, _), count in counts.items():
        expected = draws / (everything.anchor == a).sum()
        assert abs(count - expected) < 5 * np.sqrt(expected)


def test_distance_weighted_draws_with_the_probabilities_of_the_formula():
    """240 anchors that are all equally far from eight negatives."""
    d = np.array([0.1, 0.5, 0.6, 0.8, 1.0, 1.2, 1.39, 1.4])
    labels = np.repeat([4, 1], [240, 8])
    D = np.full((248, 248), 1.9)
    D[:240, 240:] = d
    for dimensions in (2, 3, 4, 8):
        clipped = np.maximum(d, 0.5)
        q = clipped ** (dimensions - 2) * (1 - clipped**2 / 4) ** ((dimensions - 3) / 2)
        weight = np.where(d < 1.4, 1 / q, 0)
        found = miners.distance_weighted(D, labels, rng=np.random.default_rng(dimensions), dimensions=dimensions)
        a, p = np.nonzero(~np.eye(240, dtype=bool))  # the other eight have no negative inside the cutoff
        np.testing.assert_array_equal([found.anchor, found.positive], [a, p])
        count, share = np.bincount(found.negative - 240, minlength=8), weight / weight.sum()
        assert (np.abs(count - len(a) * share) <= 3 * np.sqrt(len(a) * share * (1 - share))).all()


def test_distance_weighted_draws_every_distance_equally_often(rng):
    """q is the density of distances on the sphere, so that what is drawn by 1 / q is uniform."""
    z = rng.normal(size=(1500, 4))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    z[:60] = z[0]
    D, labels = pairwise.l2(z, z)[0], np.maximum(np.arange(1500), 60)
    a, _, n = miners.distance_weighted(D, np.where(labels == 60, 0, labels), rng=rng, dimensions=4)
    drawn, there = (np.histogram(d, bins=3, range=(0.5, 1.4))[0] for d in (D[a, n], D[0]))
    np.testing.assert_allclose(drawn / drawn.sum(), 1 / 3, atol=0.05)
    assert there[2] > 2.5 * there[0]


def test_distance_weighted_works_in_many_dimensions():
    """1 / q spans 10³⁰⁰ and more here; the nearest is drawn all but always, and nothing overflows."""
    labels = np.array([0, 0, 1, 2])
    D = np.array([[0, 1, 0.6, 1.3], [1, 0, 1.3, 0.6], [0.6, 1.3, 0, 1], [1.3, 0.6, 1, 0]], np.float32)
    with np.errstate(all="raise"):
        found = miners.distance_weighted(D, labels, rng=np.random.default_rng(0), dimensions=4096)
    assert list(zip(*found, strict=True)) == [(0, 1, 2), (1, 0, 3)]


def test_distance_weighted_accepts_a_distance_of_two_with_rounding(rng):
    labels, far = np.array([0, 0, 1]), np.float32(2.0000002)
    D = np.array([[0, far, 0.4], [far, 0, 0.9], [0.4, 0.9, 0]], np.float32)
    found = miners.distance_weighted(D, labels, rng=rng, dimensions=3, nonzero_loss_cutoff=0.8)
    assert list(zip(*found, strict=True)) == [(0, 1, 2)]


@pytest.mark.parametrize("miner", [miners.random_triplets, partial(miners.distance_weighted, dimensions=3)])
def test_equal_generators_give_equal_triplets(miner):
    D, labels = batch(9)
    first, again, other = (miner(D, labels, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert [part.tolist() for part in first] != [part.tolist() for part in other]
    everything = set(zip(*miners.all_triplets(D, labels), strict=True))
    assert set(zip(*first, strict=True)) <= everything


# ------------------------------------------------------------------------------- counts


@pytest.mark.parametrize("ties", [False, True])
def test_counts_equal_those_of_a_loop(ties):
    for seed in SEEDS:
        D, labels = batch(seed, ties)
        for margin in (0, 0.2, 0.5):
            gaps = [gap(D, *t) for t in DEFINITIONS["all triplets"][1](D, labels)]
            expected = (
                sum(g > margin for g in gaps),
                sum(0 < g <= margin for g in gaps),
                sum(g <= 0 for g in gaps),
            )
            found = counts.count(D, labels, margin)
            assert found == expected
            assert (found.easy, found.semi_hard, found.hard) == expected
            assert all(type(number) is int for number in found)
            assert sum(found) == counts.population(labels).triplets
            assert counts.count_mined(D, miners.all_triplets(D, labels), margin) == expected


def test_counts_of_what_a_miner_chose():
    D, labels = batch(2)
    easy, semi_hard, hard = counts.count(D, labels, 0.3)
    assert counts.count_mined(D, miners.easy(D, labels, 0.3), 0.3) == (easy, 0, 0)
    assert counts.count_mined(D, miners.triplet_margin(D, labels, 0.3), 0.3) == (0, semi_hard, hard)
    assert counts.count_mined(D, miners.hard(D, labels), 0.3) == (0, 0, hard)


def test_population_equals_that_of_a_loop():
    for seed in SEEDS:
        D, labels = batch(seed)
        same = miners.all_pairs(D, labels).same
        triplets = DEFINITIONS["all triplets"][1](D, labels)
        assert counts.population(labels) == (same.sum(), (~same).sum(), len(triplets))
    assert counts.population(np.array([], int)) == (0, 0, 0)
    assert counts.population(np.array([7])) == (0, 0, 0)
    assert counts.population(np.zeros(3, int)) == (3, 0, 0)
    assert counts.count(np.zeros((3, 3)), np.zeros(3, int), 0.2) == (0, 0, 0)


@pytest.mark.parametrize(
    "call",
    [partial(counts.count, margin=0.2), miners.semi_hard_facenet, miners.batch_hard, miners.hardest_pairs],
    ids=["count", "semi_hard_facenet", "batch_hard", "hardest_pairs"],
)
def test_no_miner_needs_memory_for_n_cubed_booleans(rng, call):
    """500 images have a cube of 125 MB, and twelve million triplets in classes of fifty."""
    D, labels = rng.random((500, 500)), rng.permutation(np.arange(500) // 50)
    tracemalloc.start()
    call(D, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


# ------------------------------------------------------------------------------- the command line, and errors


def test_every_miner_is_in_MINERS_under_its_name_with_hyphens():
    D, labels = batch(1)
    needs = {"random-triplets": {"rng": np.random.default_rng(0)}}
    needs["distance-weighted"] = {"rng": np.random.default_rng(0), "dimensions": 8}
    assert "semi-hard-facenet" in MINERS
    assert len(MINERS) == 16
    for name, miner in MINERS.items():
        assert getattr(miners, name.replace("-", "_")) is miner
        assert isinstance(miner(D, labels, **needs.get(name, {})), miners.Pairs | miners.Triplets)


GOOD, LABELS = batch(1)
ERRORS = {
    "rows only": (lambda: miners.batch_hard(GOOD[0], LABELS), ValueError, r"D must have the shape \(n, n\)"),
    "not square": (lambda: miners.all_triplets(GOOD[:-1], LABELS[:-1]), ValueError, "D must be square"),
    "integers": (lambda: miners.all_pairs(np.eye(2, dtype=int), LABELS[:2]), TypeError, "D must be a floating"),
    "NaN": (
        lambda: miners.hard(np.where(np.isin(GOOD, GOOD[1, 2]), np.nan, GOOD), LABELS),
        ValueError,
        r"nan at \(1, 2\)",
    ),
    "infinity": (lambda: miners.batch_hard(GOOD + np.inf, LABELS), ValueError, "smaller learning rate"),
    "too few labels": (lambda: miners.angular(GOOD, LABELS[1:]), ValueError, "labels must have the shape"),
    "float labels": (lambda: counts.count(GOOD, LABELS.astype(float), 0.2), TypeError, "return_inverse"),
    "a margin below 0": (lambda: miners.triplet_margin(GOOD, LABELS, -1), ValueError, "margin must be"),
    "a margin of NaN": (lambda: counts.count(GOOD, LABELS, np.nan), ValueError, "margin must be"),
    "counting in half a matrix": (
        lambda: counts.count_mined(GOOD[:-1], miners.hard(GOOD, LABELS), 0.2),
        ValueError,
        "D must be square",
    ),
    "a margin for counting": (
        lambda: counts.count_mined(GOOD, miners.hard(GOOD, LABELS), -1),
        ValueError,
        "margin must be",
    ),
    "facenet's margin": (lambda: miners.semi_hard_facenet(GOOD, LABELS, -0.1), ValueError, "margin must be"),
    "a positive margin": (lambda: miners.pair_margin(GOOD, LABELS, -1), ValueError, "positive_margin must be"),
    "a negative margin": (lambda: miners.pair_margin(GOOD, LABELS, 1, -1), ValueError, "negative_margin must be"),
    "epsilon": (lambda: miners.multi_similarity(GOOD, LABELS, -1), ValueError, "epsilon must be"),
    "none of them": (lambda: miners.hardest_pairs(GOOD, LABELS, 0), ValueError, "fraction must be .* greater than 0"),
    "more than all": (lambda: miners.hardest_pairs(GOOD, LABELS, 1.1), ValueError, "at most 1"),
    "a right angle": (lambda: miners.angular(GOOD, LABELS, 90), ValueError, "degrees must be .* less than 90"),
    "not L2": (lambda: miners.angular(GOOD - 0.7, LABELS), ValueError, "needs L2 distances, but D holds -"),
    "seminard": (
        lambda: miners.triplet_margin(GOOD, LABELS, kind="seminard"),
        ValueError,
        "unknown kind 'seminard': did you mean 'semi-hard'",
    ),
    "semihard": (
        lambda: miners.batch_easy_hard(GOOD, LABELS, negative="semihard"),
        ValueError,
        "unknown negative 'semihard': did you mean 'semi-hard'",
    ),
    "esay": (lambda: miners.batch_easy_hard(GOOD, LABELS, "esay"), ValueError, "unknown positive .* mean 'easy'"),
    "a seed": (lambda: miners.random_triplets(GOOD, LABELS, rng=0), TypeError, "default_rng"),
    "no triplet": (
        lambda: miners.random_triplets(GOOD, LABELS, rng=np.random.default_rng(0), per_anchor=0),
        ValueError,
        "per_anchor must be",
    ),
    "one class": (lambda: miners.ordered_pairs(GOOD, 0 * LABELS), ValueError, "no negative: draw it with samplers.pk"),
    "one image of each": (
        lambda: miners.semi_hard_tensorflow(GOOD, np.arange(len(LABELS))),
        ValueError,
        "no positive: draw it with samplers.pk",
    ),
} | {
    f"{p} and {n}": (
        partial(miners.batch_easy_hard, GOOD, LABELS, p, n),
        ValueError,
        f"{p!r} cannot be combined .*{n!r}",
    )
    for p in WORDS
    for n in WORDS
    if (p, n) not in COMPATIBLE
}


@pytest.mark.parametrize("name", ERRORS)
def test_bad_input_raises_an_error_that_names_the_argument(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("D", "options", "message"),
    [
        (GOOD, {"dimensions": 1}, "dimensions must be"),
        (GOOD, {"cutoff": 0}, "cutoff must be .* greater than 0"),
        (GOOD, {"cutoff": 1.5}, "cutoff must be .* at most 1.4"),
        (GOOD, {"nonzero_loss_cutoff": 2}, "nonzero_loss_cutoff must be .* less than 2"),
        (GOOD * 2.01 / GOOD.max(), {}, "between 0 and 2, but D holds .* end the encoder with Normalize"),
        (GOOD - 1, {}, "but D holds -"),
    ],
)
def test_bad_input_of_distance_weighted_raises_an_error_that_names_the_argument(rng, D, options, message):
    with pytest.raises(ValueError, match=message):
        miners.distance_weighted(D, LABELS, **{"rng": rng, "dimensions": 8, **options})
