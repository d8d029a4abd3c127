"""Losses on the distance matrix of a batch, compared with simpler computations, and their invariances."""

import sys
from functools import wraps
from math import log

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisiam import distances, fast, gradcheck, losses, miners, pairwise
from minisiam.fast import blockwise
from minisiam.gradcheck import reference
from minisiam.op import init_params, with_parameters
from minisiam.typing import Array, Float, Int, Op

quietly = settings(max_examples=15, suppress_health_check=list(HealthCheck))
PAIRS = [losses.contrastive, losses.double_margin, losses.pair_hinge, losses.cosine_embedding]
TRIPLETS = [losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio]
BY_ROWS = {  # losses that are sums over rows
    loss.__name__: loss
    for loss in (
        losses.supcon,
        losses.nt_xent,
        losses.nca,
        losses.generalised_lifted,
        losses.multi_similarity,
        losses.circle,
        losses.tuplet_margin,
        losses.fast_ap,
        *map(fast.all_triplets, TRIPLETS),
    )
}
BATCH = {
    **BY_ROWS,
    **{loss.__name__: loss for loss in map(fast.all_pairs, PAIRS)},
    **{
        loss.__name__: loss
        for loss in (
            losses.lifted,
            losses.angular,
            losses.histogram,
            losses.with_miner(losses.triplet_hinge, miners.batch_hard),
            losses.with_miner(losses.contrastive, miners.ordered_pairs),
        )
    },
}
LABELS = {
    "two classes": [0, 0, 1, 1],
    "sizes that differ, singletons, in no order": [3, 1, 3, -1, 1, 9, 3, 3, 1, 0],
    "one class of many": [0, 0, 0, 0, 0, 0, 5],
    "bytes, as label files hold them": np.array([0, 255, 255, 0, 7], np.uint8),
}
labelled = pytest.mark.parametrize("labels", [np.array(c) for c in LABELS.values()], ids=list(LABELS))


def matrix(labels, seed=0, whole_numbers=False):
    """An asymmetric matrix; of whole numbers it is full of ties."""
    rng, n = np.random.default_rng(seed), len(labels)
    return rng.integers(0, 4, (n, n)).astype(float) if whole_numbers else 1.8 * rng.random((n, n))


def agree(ours, truth, g=0.7, rtol=1e-12):
    """Two values and two pullbacks are the same."""
    np.testing.assert_allclose(ours[0], truth[0], rtol=rtol, atol=1e-14)
    g = g if np.ndim(ours[0]) == 0 else np.random.default_rng(0).normal(size=np.shape(ours[0]))
    for a, b in zip(ours[1](g), truth[1](g), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


# the same loss, computed in two ways


@pytest.mark.parametrize("loss", [*PAIRS, losses.margin_loss, losses.binary_cross_entropy])
@pytest.mark.parametrize("same", [[True, False, False, True, False], 5 * [True], 5 * [False]])
def test_balanced_is_the_sum_of_the_losses_on_same_and_on_different_pairs(loss, same, rng):
    d, same = rng.random(5), np.array(same)
    params = [np.array(0.6)] if loss is losses.margin_loss else []
    for reduction in ("mean", "sum", "mean_active"):
        value, pullback = losses.balanced(loss)(d, *params, same, reduction=reduction)
        parts = [
            (kind, *loss(d[kind], *params, same[kind], reduction=reduction)) for kind in (same, ~same) if kind.any()
        ]
        assert value == pytest.approx(sum(part for _, part, _ in parts), rel=1e-14)
        dd, *dparams = pullback(0.7)
        for kind, _, pull in parts:
            np.testing.assert_array_equal(dd[kind], pull(0.7)[0])
        for k, dparam in enumerate(dparams, start=1):
            assert dparam == pytest.approx(sum(pull(0.7)[k] for _, _, pull in parts))
    agree(losses.balanced(loss)(d, *params, same, reduction="none"), loss(d, *params, same, reduction="none"))


@labelled
def test_a_learned_loss_with_a_miner_takes_parameters_and_constants(labels):
    D, beta = matrix(labels), np.array(0.6)
    pairs = miners.ordered_pairs(D, labels)
    for loss in (losses.margin_loss, losses.balanced(losses.margin_loss)):
        value, pullback = losses.with_miner(loss, miners.ordered_pairs)(D, beta, labels, margin=0.3, reduction="sum")
        truth, pull = loss(D[pairs.rows, pairs.columns], beta, pairs.same, margin=0.3, reduction="sum")
        (dD, dbeta), (dd, dtruth) = pullback(0.7), pull(0.7)
        assert value == truth
        assert dbeta == dtruth
        np.testing.assert_array_equal(dD[pairs.rows, pairs.columns], dd)


def test_balanced_keeps_the_name_and_the_parameters_of_its_loss(rng):
    assert losses.balanced(losses.contrastive).__name__ == "contrastive"
    assert init_params(losses.balanced(losses.margin_loss), rng, 4) == init_params(losses.margin_loss, rng, 4)
    assert init_params(losses.balanced(losses.contrastive), rng, 4) == ()


def test_the_gradients_of_an_entry_that_is_used_twice_add_up():
    again = lambda D, labels: miners.Pairs(np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([True, True, True]))
    D = np.array([[0.0, 2.0], [3.0, 0.0]])
    value, pullback = losses.with_miner(losses.contrastive, again)(D, np.array([0, 0]), reduction="sum")
    assert value == (4 + 4 + 9) / 2
    np.testing.assert_array_equal(pullback(1.0)[0], [[0, 4], [3, 0]])


@with_parameters(lambda rng, size: (np.zeros((), np.float32),))
def shifted_hinge(positive, negative, shift, /):
    """A hinge with a learned shift of d₋."""
    value, pull = losses.triplet_hinge(positive, negative + shift)
    return value, lambda dl: (*pull(dl), pull(dl)[1].sum())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_loss_is_0_if_the_miner_finds_nothing(dtype):
    labels = np.array([0, 0, 1])
    D = np.array([[0, 1, 9], [1, 0, 9], [9, 9, 0]], dtype)
    value, pullback = losses.with_miner(losses.triplet_hinge, miners.hard)(D, labels)
    assert (value, value.dtype) == (0, dtype)
    (dD,) = pullback(1.0)
    assert dD.dtype == dtype
    np.testing.assert_array_equal(dD, np.zeros((3, 3)))
    terms, _ = losses.with_miner(losses.triplet_hinge, miners.hard)(D, labels, reduction="none")
    assert terms.shape == (0,)
    value, pullback = losses.with_miner(shifted_hinge, miners.hard)(D, np.array(0.5, dtype), labels)
    dD, dshift = pullback(1.0)
    assert value == dshift == 0
    assert dshift.dtype == dtype
    assert not dD.any()


def held(D, weights, labels, margin, scale):
    """The circle loss with its weights held constant."""

    def term(i):
        others = [j for j in range(len(labels)) if j != i]
        near = [scale * weights[i, p] * (D[i, p] - margin) for p in others if labels[p] == labels[i]]
        far = [scale * weights[i, n] * (1 - margin - D[i, n]) for n in others if labels[n] != labels[i]]
        return anp.logaddexp(0, anp.log(sum(map(anp.exp, near))) + anp.log(sum(map(anp.exp, far)))) if near else None

    terms = [t for t in map(term, range(len(labels))) if t is not None]
    return sum(terms) / len(terms)


@labelled
def test_the_gradient_of_the_circle_loss_treats_its_weights_as_constants(labels):
    D = matrix(labels)
    margin, scale = 0.3, 4.0
    weights = np.maximum(np.where(labels[:, None] == labels, D + margin, 1 + margin - D), 0)
    assert (weights == 0).any() or len(labels) < 6
    value, pullback = losses.circle(D, labels, margin, scale)
    assert value == pytest.approx(held(D, weights, labels, margin, scale))
    assert value == losses.circle(D, labels, margin, scale, detached=False)[0]
    expected = autograd.grad(held)(D, weights, labels, margin, scale)
    np.testing.assert_allclose(pullback(1.0)[0], expected, rtol=1e-10, atol=1e-14)
    assert not np.allclose(losses.circle(D, labels, margin, scale, detached=False)[1](1.0)[0], expected)


def test_the_circle_loss_attracts_no_negative_unless_its_weights_are_differentiated():
    """Two classes of two: positives at D = 0, and negatives beyond a right angle, where −m < s < 0."""
    labels, margin, scale, far = np.array([0, 0, 1, 1]), 0.25, 32.0, 1.1
    D = np.where(labels[:, None] == labels, 0, far)
    weight, rest = 1 + margin - far, 1 - margin - far
    exponent = log(2) + scale * (weight * rest - margin**2)  # two negatives
    share = 1 / (1 + np.exp(-exponent)) / 2 / 4  # of each negative in the mean of four anchors
    held, differentiated = (losses.circle(D, labels, margin, scale, which)[1](1.0)[0][0, 2] for which in (True, False))
    assert held == pytest.approx(-share * scale * weight, rel=1e-12) == pytest.approx(-0.029, abs=5e-4)
    assert differentiated == pytest.approx(share * scale * 2 * (far - 1), rel=1e-12) == pytest.approx(0.038, abs=5e-4)


@quietly
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.25, 0.4]))
def test_the_circle_loss_pushes_no_positive_and_pulls_no_negative(seed, margin):
    labels = np.array([0, 0, 1, 1, 2, 0])
    D = 2 * np.random.default_rng(seed).random((6, 6))
    same = labels[:, None] == labels
    (dD,) = losses.circle(D, labels, margin)[1](1.0)
    assert (dD[same] >= 0).all()
    assert (dD[~same] <= 0).all()


@pytest.mark.parametrize("detached", [True, False])
def test_the_gradient_check_distinguishes_the_two_gradients_of_the_circle_loss(detached):
    def other(
        D: Float[Array, "n n"], /, labels: Int[Array, "n"], margin=0.4, scale=80.0, detached=detached, reduction="mean"
    ) -> Op[Array]:
        return losses.circle(D, labels, margin, scale, not detached, reduction)

    @wraps(reference.circle)
    def definition(*args, **constants):
        return reference.circle(*args, **constants)

    definition.cases = ({"scale": 8.0, "detached": detached},)
    found = gradcheck.run_check(other, definition, examples=4, points=4)
    assert found.fault is not None
    assert found.fault.what == "the gradient of D is wrong"


# a matrix that is never in memory as a whole


def embeddings(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def extra(name):
    return (np.array([0.5, -0.2, 1.0]), np.array(0.3)) if name == "weighted_l1" else ()


@pytest.fixture(params=[(1, 1), (1, 3), (20, 2)])
def tiny(request, monkeypatch):
    """Blocks of a row or a few."""
    for name, size in zip(("LARGEST", "LEAST"), request.param, strict=True):
        monkeypatch.setattr(sys.modules[blockwise.__module__], name, size)


NAMES = ["l2", "squared_l2", "cosine", "dot", "l1", "weighted_l1"]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("distance", NAMES)
@pytest.mark.parametrize("loss", [*BY_ROWS, *map(fast.all_pairs, PAIRS), "batch_hard"])
def test_a_loss_on_a_blockwise_matrix_equals_the_loss_on_the_whole_matrix(loss, distance):
    loss = (
        BY_ROWS.get(loss, loss)
        if loss != "batch_hard"
        else losses.with_miner(losses.triplet_soft_margin, miners.batch_hard)
    )
    labels = np.array(LABELS["sizes that differ, singletons, in no order"])
    z, made, params = embeddings(len(labels)), getattr(pairwise, distance), extra(distance)
    results = []
    for op in (made, blockwise(made, threads=1), blockwise(made, threads=2)):
        for reduction in ("mean", "sum", "mean_active"):
            D, pull_D = op(z, z, *params)
            value, pull = loss(D, labels, reduction=reduction)
            results.append((value, pull_D(*pull(0.7))))
    for whole, one, two in zip(results[:3], results[3:6], results[6:], strict=True):
        assert one[0] == two[0]
        assert one[0] == pytest.approx(whole[0], rel=1e-12)
        assert len(one[1]) == len(whole[1]) == 2 + len(params)
        for ours, threaded in zip(one[1], two[1], strict=True):
            np.testing.assert_array_equal(ours, threaded)
        for truth, ours in zip(shared(whole[1]), shared(one[1]), strict=True):
            np.testing.assert_allclose(ours, truth, rtol=1e-12, atol=1e-12)


def shared(gradients):
    """The gradient of a set against itself is da + db; how it is divided between the two may differ."""
    da, db, *dparams = gradients
    return [da + db, *dparams]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("distance", NAMES)
def test_the_blocks_of_a_blockwise_matrix_are_its_rows(distance):
    a, b, params = embeddings(7), embeddings(5, 1), extra(distance)
    D, _ = getattr(pairwise, distance)(a, b, *params)
    S, _ = blockwise(getattr(pairwise, distance), threads=1)(a, b, *params)
    assert (S.shape, S.dtype) == (D.shape, D.dtype)
    blocks = S.map_rows(lambda rows, some: (some, rows))
    assert len(blocks) > 1
    np.testing.assert_allclose(np.concatenate([rows for _, rows in blocks]), D, rtol=1e-12, atol=1e-14)
    assert [i for some, _ in blocks for i in range(*some.indices(7))] == list(range(7))


def test_a_blockwise_distance_has_the_parameters_of_its_distance(rng):
    ours, truth = (init_params(op, rng, 3) for op in (blockwise(pairwise.weighted_l1), pairwise.weighted_l1))
    for a, b in zip(ours, truth, strict=True):
        np.testing.assert_array_equal(a, b)
    assert init_params(blockwise(pairwise.l2), rng, 3) == ()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("distance", NAMES)
def test_a_loss_on_a_blockwise_float32_matrix_is_float32(distance):
    labels, z = np.array([0, 0, 1, 1, 1, 2]), embeddings(6).astype(np.float32)
    params = tuple(np.float32(p) for p in extra(distance))
    D, pull_D = blockwise(getattr(pairwise, distance))(z, z, *map(np.asarray, params))
    for loss in (losses.supcon, fast.all_triplets(losses.triplet_hinge), fast.all_pairs(losses.contrastive)):
        value, pull = loss(D, labels)
        assert {np.asarray(array).dtype for array in (value, *pull_D(*pull(np.float64(1))))} == {np.dtype(np.float32)}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("loss", [*BY_ROWS.values(), *map(fast.all_pairs, PAIRS)])
def test_a_loss_on_a_blockwise_matrix_names_the_position_of_a_nan(loss):
    labels, z = np.array([0, 0, 1, 1, 1, 2]), embeddings(6)
    z[4, 1] = np.nan
    D, _ = blockwise(pairwise.l1, threads=1)(z, z)
    with pytest.raises(ValueError, match=r"D holds nan at \(0, 4\)"):
        loss(D, labels)


@pytest.mark.usefixtures("tiny")
def test_batch_hard_on_a_blockwise_matrix_names_the_position_of_a_nan():
    D, _ = blockwise(pairwise.l1, threads=1)(np.array([[0.0], [1.0], [0.0]]), np.array([[0.0], [1.0], [2.0]]))
    assert len(miners.batch_hard(D, np.array([0, 0, 1])).anchor) == 2
    D.a[2] = np.nan
    with pytest.raises(ValueError, match=r"D holds nan at \(2, 0\)"):
        miners.batch_hard(D, np.array([0, 0, 1]))


# for any distances


@st.composite
def batches(draw):
    n = draw(st.integers(4, 8))
    labels = np.array([0, 0, 1, 1, *draw(st.lists(st.integers(0, 4), min_size=n - 4, max_size=n - 4))])
    order = np.array(draw(st.permutations(range(n))))
    return draw(st.integers(0, 2**32)), labels, order


@pytest.mark.parametrize("name", BATCH)
@quietly
@given(batches())
def test_a_loss_is_at_least_0_and_does_not_depend_on_the_order_of_the_batch(name, batch):
    seed, labels, order = batch
    D, loss = matrix(labels, seed), BATCH[name]
    value, pullback = loss(D, labels)
    shuffled, pull_shuffled = loss(D[np.ix_(order, order)], labels[order])
    assert value >= 0
    assert shuffled == pytest.approx(value, rel=1e-12)
    (dD,), (moved,) = pullback(1.0), pull_shuffled(1.0)
    np.testing.assert_allclose(moved, dD[np.ix_(order, order)], rtol=1e-10, atol=1e-13 * (1 + np.abs(dD).max()))
    assert (np.diag(dD) == 0).all()


@pytest.mark.parametrize("name", BATCH)
@pytest.mark.parametrize("distance", ["l2", "squared_l2", "l1"])
def test_the_forces_on_a_batch_sum_to_zero(name, distance, rng):
    """A translation of the whole batch changes no distance."""
    labels, z = np.array([0, 1, 0, 1, 2, 0]), 0.3 * rng.normal(size=(6, 3))
    D, pull_D = getattr(pairwise, distance)(z, z)
    _, pullback = BATCH[name](D, labels)
    dz = sum(pull_D(*pullback(1.0)))
    assert dz.any() or name == "histogram"  # which is flat between bins
    np.testing.assert_allclose(dz.sum(axis=0), 0, atol=1e-12 * np.abs(dz).max())


@pytest.mark.parametrize("name", BY_ROWS)
def test_the_loss_of_an_anchor_depends_on_its_own_row_only(name):
    """D may be asymmetric: the distance of the same pair in another row does not matter."""
    labels = np.array(LABELS["sizes that differ, singletons, in no order"])
    D = matrix(labels)
    values, pullback = BY_ROWS[name](D, labels, reduction="none")
    for i in range(len(labels)):
        (dD,) = pullback(np.eye(len(labels))[i])
        assert not np.delete(dD, i, axis=0).any()
        other = matrix(labels, seed=9)
        other[i] = D[i]
        assert BY_ROWS[name](other, labels, reduction="none")[0][i] == pytest.approx(values[i], rel=1e-13)


N, K = 12, 3  # four classes of three
NEGATIVES = N - K
COLLAPSED = {
    "supcon": log(N - 1),
    "nca": log((N - 1) / (K - 1)),
    "nt_xent": log(1 + NEGATIVES),
    "generalised_lifted": 1 + log((K - 1) * NEGATIVES),
    "multi_similarity": log(1 + (K - 1) * np.exp(-1)) / 2 + log(1 + NEGATIVES * np.exp(25)) / 50,
    "circle": log(1 + (K - 1) * NEGATIVES * np.exp(80 * (0.4 * -0.4 + 1.4 * 0.6))),
    "tuplet_margin": log(1 + NEGATIVES * np.exp(64 * (1 - np.cos(np.deg2rad(5.73))))),
    "fast_ap": 1 - (K - 1) / (N - 1),
    "triplet_hinge_over_all_triplets": 1,
    "triplet_soft_margin_over_all_triplets": log(2),
    "triplet_ratio_over_all_triplets": 1 / 2,
    "contrastive_over_all_pairs": 0.5 * NEGATIVES / (N - 1),
    "double_margin_over_all_pairs": 0.5 * NEGATIVES / (N - 1),
    "pair_hinge_over_all_pairs": NEGATIVES / (N - 1),
    "cosine_embedding_over_all_pairs": NEGATIVES / (N - 1),
    "lifted": (1 + log(2 * NEGATIVES)) ** 2 / 2,
    "angular": log(1 + NEGATIVES * np.exp(6 * np.tan(np.deg2rad(40)) ** 2 - 2)),
    "histogram": 1,
    "triplet_hinge_over_batch_hard": 1,
    "contrastive_over_ordered_pairs": 0.5 * NEGATIVES / (N - 1),
}


@pytest.mark.parametrize("name", BATCH)
def test_a_loss_has_its_known_value_on_a_collapsed_batch(name):
    value, pullback = BATCH[name](np.zeros((N, N)), np.repeat(np.arange(N // K), K))
    assert value == pytest.approx(COLLAPSED[name], rel=1e-12)
    assert np.isfinite(pullback(1.0)[0]).all()


def test_n_pair_info_nce_and_prototypes_collapse_to_a_logarithm():
    labels = np.repeat(np.arange(4), 3)
    assert losses.n_pair(np.zeros((12, 12)), labels)[0] == pytest.approx(log(4))
    assert losses.info_nce(np.zeros((5, 5)))[0] == pytest.approx(log(5))
    assert losses.softmax_cross_entropy(np.zeros((5, 7)), np.arange(5))[0] == pytest.approx(log(7))


def test_the_diagonal_of_a_matrix_of_products_is_their_row_form():
    for dtype in (np.float64, np.float32):
        a, b = embeddings(6).astype(dtype), embeddings(6, 1).astype(dtype)
        rows, pull_rows = distances.dot(a, b)
        D, pull_D = pairwise.dot(a, b)
        np.testing.assert_allclose(np.diag(D), rows, rtol=1e-6 if dtype == np.float32 else 1e-14)
        dd = np.arange(6).astype(dtype)
        for ours, truth in zip(pull_rows(dd), pull_D(np.diag(dd)), strict=True):
            np.testing.assert_allclose(ours, truth, rtol=1e-6)
