"""Losses by the names of libraries and papers are ops, and equal plain loops over the formulas of these libraries.

That they equal pytorch-metric-learning is tested in tests/interop/test_oracle.py.
"""

import json
from itertools import product

import numpy as np
import pytest

from minisiam import fast, losses, miners, pairwise
from minisiam.app import conventions
from minisiam.app.conventions import compare
from minisiam.app.conventions.swapped import swapped

EVERY = [(name, convention) for name, conventions in conventions.known().items() for convention in conventions]
LABELS = np.array([7, -3, 7, 2, -3, 7, 5, 2, -3])
TARGETS = np.unique(LABELS, return_inverse=True)[1]
SMALL = {"soft_triple": {"centers_per_class": 2}}


@pytest.fixture
def z(rng):
    return rng.normal(size=(len(LABELS), 4)) + 0.5 * rng.normal(size=(4, 4))[TARGETS]


def arguments(named, z, rng):
    """Variables and labels for a named loss."""
    if named.variables == ("z1", "z2"):
        return [z, z + 0.1 * rng.normal(size=z.shape).astype(z.dtype)], []
    if named.variables == ("z", "proxies"):
        return [z, rng.normal(size=(8, 4)).astype(z.dtype)], [TARGETS]
    return [z], [LABELS]


def slope(f, variables, directions, step=1e-6):
    ahead, behind = (f(*(v + sign * step * d for v, d in zip(variables, directions, strict=True))) for sign in (1, -1))
    return (ahead - behind) / (2 * step)


@pytest.mark.parametrize(("name", "convention"), EVERY)
def test_every_named_loss_is_an_op_with_the_gradient_of_its_value(z, rng, name, convention):
    named = conventions.loss(name, convention, **SMALL.get(name, {}))
    variables, labels = arguments(named, z, rng)
    value, pullback = named(*variables, *labels)
    grads = pullback(2.0)
    assert value > 0
    assert [g.shape for g in grads] == [v.shape for v in variables]
    directions = [rng.normal(size=v.shape) for v in variables]
    expected = 2 * slope(lambda *some: named(*some, *labels)[0], variables, directions)
    found = sum((g * d).sum() for g, d in zip(grads, directions, strict=True))
    if name != "circle":  # its weights are held fixed
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("name", "convention"), EVERY)
def test_named_losses_keep_float32(z, rng, name, convention):
    named = conventions.loss(name, convention, **SMALL.get(name, {}))
    variables, labels = arguments(named, z.astype(np.float32), rng)
    value, pullback = named(*variables, *labels)
    assert {np.asarray(a).dtype for a in (value, *pullback(np.float32(1)))} == {np.dtype(np.float32)}
    wide = named(*(v.astype(np.float64) for v in variables), *labels)[0]
    assert value == pytest.approx(wide, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(("name", "convention"), EVERY)
def test_named_losses_describe_themselves(name, convention):
    named = conventions.loss(name, convention)
    for text in (named.formula, named.distance, named.reduction, named.source):
        assert text
    assert isinstance(named.squared, bool)


# overrides and errors


def test_overrides_change_one_thing_at_a_time(z):
    facenet = conventions.loss("triplet", "facenet")
    wider = conventions.loss("triplet", "facenet", margin=0.5)
    assert (facenet.margin, wider.margin) == ("margin 0.2", "margin 0.5")
    summed = conventions.loss("triplet", "keras", reduction="sum")(z, LABELS)[0]
    mean = conventions.loss("triplet", "keras")(z, LABELS)[0]
    assert summed == pytest.approx(mean * len(miners.all_triplets(pairwise.l2(z, z)[0], LABELS).anchor))
    plain = conventions.loss("triplet", "keras", distance="l2", margin=0.5, normalize=False, miner=miners.batch_hard)
    hinge = losses.with_miner(lambda p, n: losses.triplet_hinge(p, n, 0.5), miners.batch_hard)
    assert plain(z, LABELS)[0] == hinge(pairwise.l2(z, z)[0], LABELS)[0]
    assert not plain.squared


def test_pml_takes_our_words_for_distance_reduction_and_miner(z):
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    hinge = losses.with_miner(lambda p, n: losses.triplet_hinge(p, n, 0.2), miners.batch_hard)
    chosen = {"margin": 0.2, "distance": "squared_l2", "reduction": "mean", "miner": miners.batch_hard}
    for normalize, points in ((True, unit), (False, z)):
        ported = conventions.loss("triplet", **chosen, normalize=normalize)
        assert ported(z, LABELS)[0] == pytest.approx(hinge(pairwise.squared_l2(points, points)[0], LABELS)[0])
        assert (ported.squared, ported.normalized, ported.reduction) == (True, normalize, "all terms")
    pairs = losses.with_miner(losses.balanced(losses.pair_hinge), miners.all_pairs)
    mined = conventions.loss("contrastive", pos_margin=0.0, neg_margin=1.0, miner=miners.all_pairs, reduction="mean")
    assert mined(z, LABELS)[0] == pytest.approx(
        pairs(pairwise.l2(unit, unit)[0], LABELS, positive_margin=0.0, negative_margin=1.0)[0]
    )


def test_pml_margins_on_the_cosine_are_margins_on_the_similarity(z):
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    s, same = unit @ unit.T, LABELS[:, None] == LABELS
    near, far = 0.9 - s[same & ~np.eye(len(z), dtype=bool)], s[~same] - 0.1
    expected = near[near > 0].mean() + far[far > 0].mean()
    loss = conventions.loss("contrastive", distance="cosine", pos_margin=0.9, neg_margin=0.1)
    assert loss(z, LABELS)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("words", "overrides", "message"),
    [
        (("tripplet",), {}, "did you mean 'triplet'"),
        (("triplet", "kerass"), {}, "did you mean 'keras'"),
        (("supcon", "hadsell"), {}, "unknown convention"),
        (("triplet", "keras"), {"margins": 1}, "did you mean 'margin'"),
        (("triplet", "keras"), {"distance": "L2"}, "unknown distance"),
        (("triplet", "keras"), {"reduction": "average"}, "unknown reduction"),
        (("triplet", "hoffer"), {"margin": 1.0}, "has no margin"),
        (("triplet",), {"marginn": 1}, "did you mean 'margin'"),
        (("triplet",), {"reduction": "median"}, "unknown reduction"),
        (("triplet",), {"distance": "l3"}, "unknown distance"),
        (("supcon",), {"miner": miners.batch_hard}, "unknown override 'miner'"),
        (("vicreg",), {"distance": "l2"}, "unknown override 'distance'"),
        (("circle",), {"distance": "l2"}, "no other distance than the cosine"),
        (("triplet",), {"margin": -0.1, "miner": miners.batch_hard}, "negative margin"),
    ],
)
def test_an_unknown_name_is_an_error_with_a_suggestion(words, overrides, message):
    with pytest.raises(ValueError, match=message):
        conventions.loss(*words, **overrides)


# on


def test_on_adds_the_gradient_of_rows_and_columns(z):
    value, pullback = conventions.on(pairwise.l2, losses.supcon)(z, LABELS)
    D, pull_D = pairwise.l2(z, z)
    expected, pull = losses.supcon(D, LABELS)
    assert value == expected
    np.testing.assert_array_equal(pullback(1.0)[0], sum(pull_D(*pull(1.0))))


def test_on_takes_a_blockwise_distance_and_a_learned_loss(z):
    whole, blockwise = (
        conventions.on(d, losses.supcon, True)(z, LABELS) for d in (pairwise.l2, fast.blockwise(pairwise.l2))
    )
    assert blockwise[0] == pytest.approx(whole[0])
    np.testing.assert_allclose(blockwise[1](1.0)[0], whole[1](1.0)[0])
    boundary = losses.with_miner(losses.margin_loss, miners.all_pairs)
    _, pullback = conventions.on(pairwise.l2, boundary)(z, np.array(1.2), LABELS)
    assert [g.shape for g in pullback(1.0)] == [z.shape, ()]


# the libraries of `compare`, each by a loop over its formula


def triplets(labels):
    n = range(len(labels))
    return [(a, p, q) for a, p, q in product(n, n, n) if a != p and labels[a] == labels[p] != labels[q]]


def row(z, labels, name, convention):
    return next(r for r in compare.table(z, labels) if (r.loss, r.convention) == (name, convention))


def distance(z, power=1):
    return lambda i, j: float(np.linalg.norm(z[i] - z[j])) ** power


def test_pml_triplets_by_a_loop(z):
    d = distance(z / np.linalg.norm(z, axis=1, keepdims=True))
    values = [d(a, p) - d(a, n) + 0.05 for a, p, n in triplets(LABELS)]
    assert row(z, LABELS, "triplet", "pml").value == pytest.approx(np.mean([v for v in values if v > 0]))


def test_facenet_by_a_loop(z):
    d = distance(z / np.linalg.norm(z, axis=1, keepdims=True), 2)
    nearest = {}
    for a, p, n in triplets(LABELS):
        if 0 < d(a, n) - d(a, p) <= 0.2:
            nearest[a, p] = min(nearest.get((a, p), np.inf), d(a, n))
    expected = np.mean([d(a, p) - far + 0.2 for (a, p), far in nearest.items()])
    assert row(z, LABELS, "triplet", "facenet").value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("convention", "margin"), [("omoindrot-batch-hard", 0.5), ("sentence-transformers-batch-hard", 5)]
)
def test_batch_hard_counts_every_anchor(z, convention, margin):
    d, n = distance(z), range(len(z))
    hardest = [max([d(a, p) for p in n if LABELS[p] == LABELS[a] and p != a], default=0) for a in n]
    nearest = [min(d(a, q) for q in n if LABELS[q] != LABELS[a]) for a in n]
    expected = np.mean([max(0, p - q + margin) for p, q in zip(hardest, nearest, strict=True)])
    assert row(z, LABELS, "triplet", convention).value == pytest.approx(expected)


def test_siamese_triplet_by_a_loop(z):
    d = distance(z, 2)
    values = [max(0, d(a, p) - d(a, n) + 1) for a, p, n in triplets(LABELS) if a < p]
    assert row(z, LABELS, "triplet", "siamese-triplet").value == pytest.approx(np.mean(values))


def test_tensorflow_similarity_by_a_loop(z):
    unit, n = z / np.linalg.norm(z, axis=1, keepdims=True), range(len(z))
    d = lambda i, j: 1 - float(unit[i] @ unit[j])
    values = []
    for a in (a for a in n if (LABELS[a] == LABELS).sum() > 1):
        hardest = max(d(a, p) for p in n if LABELS[p] == LABELS[a] and p != a)
        negatives = [d(a, q) for q in n if LABELS[q] != LABELS[a]]
        chosen = min((x for x in negatives if x > hardest), default=max(negatives))
        values.append(np.log1p(np.exp(hardest - chosen)))
    assert row(z, LABELS, "triplet", "tensorflow-similarity").value == pytest.approx(np.mean(values))


def test_contrastive_by_loops(z):
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(len(z)) for j in range(i)]
    near = lambda d: [d(i, j) for i, j in pairs if LABELS[i] == LABELS[j]]
    far = lambda d: [d(i, j) for i, j in pairs if LABELS[i] != LABELS[j]]
    raw, on_sphere, cosine = distance(z), distance(unit), lambda i, j: 1 - float(unit[i] @ unit[j])

    squares = [x * x for x in near(raw)] + [max(0, 1 - x) ** 2 for x in far(raw)]
    assert row(z, LABELS, "contrastive", "hadsell").value == pytest.approx(np.mean(squares) / 2)
    assert row(z, LABELS, "contrastive", "keras").value == pytest.approx(np.mean(squares))

    active = [x for x in (1 - x for x in far(on_sphere)) if x > 0]
    assert row(z, LABELS, "contrastive", "pml").value == pytest.approx(np.mean(near(on_sphere)) + np.mean(active))

    hard = [x * x for x in near(cosine) if x > min(far(cosine))]
    hard += [max(0, 0.5 - x) ** 2 for x in far(cosine) if x < max(near(cosine))]
    assert row(z, LABELS, "contrastive", "sentence-transformers-online").value == pytest.approx(sum(hard))


def test_the_table_has_every_convention_and_says_how_to_port(rng):
    z, labels = compare.example(rng)
    said = []
    compare.run(z, labels, said.append)
    for name, known in conventions.CONVENTIONS.items():
        for convention in known:
            assert f"  {convention} " in said[0]
            assert f"  {convention}: " in said[0]
            named = conventions.loss(name, convention)
            assert row(z, labels, name, convention).value == named(z, labels)[0]
    assert "To port a result" in said[0]
    assert max(map(len, said[0].splitlines())) <= 120
    compare.run(z, labels, said.append, as_json=True)
    assert len(json.loads(said[1])) == len(compare.table(z, labels))


def test_a_batch_from_a_file(tmp_path, rng):
    z, labels = compare.example(rng)
    np.savez(tmp_path / "batch.npz", embeddings=z.astype(np.float32), labels=labels)
    read, same = compare.load(tmp_path / "batch.npz")
    np.testing.assert_allclose(read, z, rtol=1e-6)
    np.testing.assert_array_equal(same, labels)
    np.savez(tmp_path / "other.npz", labels=labels)
    with pytest.raises(ValueError, match="has no array 'embeddings'"):
        compare.load(tmp_path / "other.npz")


@pytest.mark.parametrize("whole_numbers", [False, True])
def test_swap_takes_the_smaller_distance_of_the_negative(whole_numbers, rng):
    labels, g, n = LABELS, 0.7, len(LABELS)
    D = rng.integers(0, 4, (n, n)).astype(float) if whole_numbers else 1.8 * rng.random((n, n))
    value, pullback = losses.with_miner(losses.triplet_hinge, swapped(miners.all_triplets))(D, labels, margin=0.4)
    triplets = list(zip(*miners.all_triplets(D, labels), strict=True))
    total, dD = 0.0, np.zeros_like(D)
    for a, p, n in triplets:
        end = p if D[p, n] < D[a, n] else a  # a tie is the anchor's
        term = max(0.0, D[a, p] - D[end, n] + 0.4)
        total += term / len(triplets)
        dD[a, p] += g * (term > 0) / len(triplets)
        dD[end, n] -= g * (term > 0) / len(triplets)
    assert value == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(pullback(g)[0], dD, atol=1e-14)


def test_a_swap_needs_triplets():
    with pytest.raises(TypeError, match="swap exchanges two ends of a triplet, and the miner chooses Pairs"):
        losses.with_miner(losses.contrastive, swapped(miners.all_pairs))(np.ones((4, 4)), np.array([0, 0, 1, 1]))
