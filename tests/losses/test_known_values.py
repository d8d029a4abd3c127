"""Values that can be worked out on paper or by a plain loop."""

from math import exp, log, sqrt

import numpy as np
import pytest

from minisiam import distances, encoders, initializers, losses, miners, ops, optimizers, pairwise, tree
from minisiam.op import init_params


def test_conv2d_is_a_loop_over_windows(rng):
    x, W, b = rng.normal(size=(2, 5, 6, 3)), rng.normal(size=(3, 3, 3, 2)), rng.normal(size=2)
    z, _ = ops.conv2d(x, W, b)
    for n, i, j, o in np.ndindex(z.shape):
        assert z[n, i, j, o] == pytest.approx((x[n, i : i + 3, j : j + 3] * W[..., o]).sum() + b[o])


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_same_padding_keeps_the_size_and_the_middle(rng, k):
    x, W, b = rng.normal(size=(1, 6, 7, 2)), rng.normal(size=(k, k, 2, 3)), rng.normal(size=3)
    same, _ = ops.conv2d(x, W, b, padding="same")
    valid, _ = ops.conv2d(x, W, b)
    before = (k - 1) // 2
    assert same.shape == (1, 6, 7, 3)
    np.testing.assert_allclose(same[:, before : before + 7 - k, before : before + 8 - k], valid)


def test_max_pool_is_a_loop_over_blocks_and_leaves_the_odd_edge_out(rng):
    x = rng.normal(size=(2, 5, 7, 3))
    y, pullback = ops.max_pool(x)
    assert y.shape == (2, 2, 3, 3)
    for n, i, j, c in np.ndindex(y.shape):
        assert y[n, i, j, c] == x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].max()
    (dx,) = pullback(np.ones_like(y))
    assert dx.sum() == y.size
    assert not dx[:, 4].any()
    assert not dx[:, :, 6].any()


def test_distances_of_a_right_triangle():
    a, b = np.array([[0.0, 0.0]]), np.array([[3.0, -4.0]])
    w, bias = np.array([2.0, 0.5]), np.array(1.0)
    assert distances.squared_l2(a, b)[0] == 25
    assert distances.l2(a, b)[0] == 5
    assert distances.l1(a, b)[0] == 7
    assert distances.weighted_l1(a, b, w, bias)[0] == 2 * 3 + 0.5 * 4 + 1


@pytest.mark.parametrize(("degrees", "expected"), [(0, 0), (60, 0.5), (90, 1), (180, 2)])
def test_cosine_at_named_angles(degrees, expected):
    angle = np.deg2rad(degrees)
    a, b = np.array([[2.0, 0.0]]), 3 * np.array([[np.cos(angle), np.sin(angle)]])
    assert distances.cosine(a, b)[0] == pytest.approx(expected, abs=1e-15)


def at_an_angle(rng, angle, features=8, rows=100):
    """Two directions at an angle and of different lengths, in no special position."""
    plane = np.linalg.qr(rng.normal(size=(rows, features, 2)))[0]
    a, across = plane[..., 0], plane[..., 1]
    return a, 3 * (np.cos(angle) * a + np.sin(angle) * across)


@pytest.mark.parametrize("angle", [1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-12])
@pytest.mark.parametrize("rows", [distances.cosine, lambda a, b: of_diagonal(pairwise.cosine, a, b)])
def test_cosine_keeps_the_digits_of_a_small_angle(rng, angle, rows):
    """Right to the rounding of the unit vectors, of which the angle is a difference."""
    a, b = at_an_angle(rng, angle)
    d, pullback = rows(a, b)
    da, db = pullback(np.ones_like(d))
    allowed = 1e-14 + 1e-15 / angle
    np.testing.assert_allclose(d, 2 * np.sin(angle / 2) ** 2, rtol=allowed)
    np.testing.assert_allclose(np.linalg.norm(da, axis=1), np.sin(angle), rtol=allowed)
    np.testing.assert_allclose(np.linalg.norm(db, axis=1), np.sin(angle) / 3, rtol=allowed)


def of_diagonal(distance, a, b):
    """A matrix distance, of row i to row i."""
    D, pullback = distance(a, b)
    return np.diag(D), lambda dd: pullback(np.diag(dd))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [distances.cosine, lambda a, b: of_diagonal(pairwise.cosine, a, b)])
def test_cosine_is_0_of_a_row_and_itself_and_at_most_2(rng, rows, dtype):
    z = rng.normal(size=(1000, 16)).astype(dtype)
    d, pullback = rows(z, z)
    assert not d.any()
    assert not any(gradient.any() for gradient in pullback(np.ones_like(d)))
    for factor in (-1, -3):
        opposite = rows(z, factor * z)[0]
        assert (opposite <= 2).all()
        np.testing.assert_allclose(opposite, 2, rtol=1e-15)


def test_contrastive_by_hand():
    value, _ = losses.contrastive(np.array([0.5, 0.25, 3.0]), np.array([True, False, False]), margin=1.0)
    assert value == pytest.approx((0.5**2 + 0.75**2 + 0) / 2 / 3)


def test_triplet_losses_by_hand():
    near, far = np.array([1.0, 2.0]), np.array([3.0, 1.5])
    assert losses.triplet_hinge(near, far, margin=1.0)[0] == pytest.approx((0 + 1.5) / 2)
    assert losses.triplet_soft_margin(near, far)[0] == pytest.approx((log(1 + exp(-2)) + log(1 + exp(0.5))) / 2)
    shares = [exp(1) / (exp(1) + exp(3)), exp(2) / (exp(2) + exp(1.5))]
    assert losses.triplet_ratio(near, far)[0] == pytest.approx(sum(2 * s * s for s in shares) / 2)


def test_cross_entropy_by_hand():
    p = 1 / (1 + exp(-0.7))
    value, _ = losses.binary_cross_entropy(np.array([0.7, 0.7]), np.array([True, False]))
    assert value == pytest.approx(-(log(p) + log(1 - p)) / 2)


def test_margins_on_pairs_by_hand():
    d, same = np.array([0.5, 0.25, 3.0, 0.1]), np.array([True, False, False, True])
    assert losses.double_margin(d, same)[0] == pytest.approx((0.3**2 + 0.75**2) / 2 / 4)
    assert losses.pair_hinge(d, same, 0.2, 1.0)[0] == pytest.approx((0.3 + 0.75) / 4)
    assert losses.margin_loss(d, np.array(1.2), same)[0] == pytest.approx((0 + 1.15 + 0 + 0) / 4)
    assert losses.cosine_embedding(d, same, margin=0.5)[0] == pytest.approx((0.5 + 0.25 + 0 + 0.1) / 4)


def test_the_four_reductions_by_hand():
    d, same = np.array([2.0, 1.0, 3.0]), np.array([True, False, False])  # terms 2, 0, 0
    for reduction, value in {"mean": 2 / 3, "mean_active": 2, "sum": 2}.items():
        assert losses.contrastive(d, same, reduction=reduction)[0] == pytest.approx(value)
    terms, pullback = losses.contrastive(d, same, reduction="none")
    assert terms.tolist() == [2, 0, 0]
    assert pullback(np.array([3.0, 5.0, 7.0]))[0].tolist() == [6, 0, 0]


def test_softmax_losses_are_one_loss_on_different_columns():
    """CosFace, proxy-NCA and InfoNCE by the formulas of their papers."""
    D = np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.4]])
    s, targets = 1 - D, np.array([0, 1])
    cosface = [
        -log(
            exp(64 * (s[i, i] - 0.35))
            / (exp(64 * (s[i, i] - 0.35)) + sum(exp(64 * s[i, j]) for j in range(3) if j != i))
        )
        for i in range(2)
    ]
    ours, _ = losses.softmax_cross_entropy(D, targets, temperature=1 / 64, margin=0.35)
    assert ours == pytest.approx(sum(cosface) / 2)
    proxy_nca = [-log(exp(-D[i, i]) / sum(exp(-D[i, j]) for j in range(3) if j != i)) for i in range(2)]
    assert losses.softmax_cross_entropy(D, targets, others_only=True)[0] == pytest.approx(sum(proxy_nca) / 2)
    square = D[:, :2]
    rows = [-log(exp(-square[i, i]) / sum(exp(-square[i, j]) for j in range(2))) for i in range(2)]
    columns = [-log(exp(-square[i, i]) / sum(exp(-square[j, i]) for j in range(2))) for i in range(2)]
    assert losses.info_nce(square, temperature=1.0)[0] == pytest.approx((sum(rows) + sum(columns)) / 4)


def test_supcon_nca_and_nt_xent_combine_several_positives_as_documented():
    D = np.zeros((4, 4))
    D[0] = [0, 1, 2, 3]
    labels = np.array([0, 0, 0, 1])
    e = [exp(-k) for k in range(4)]
    total = e[1] + e[2] + e[3]
    first = lambda loss: loss(D, labels, temperature=1.0, reduction="none")[0][0]
    assert first(losses.supcon) == pytest.approx(-(log(e[1] / total) + log(e[2] / total)) / 2)
    assert first(losses.nca) == pytest.approx(-log((e[1] + e[2]) / total))
    assert first(losses.nt_xent) == pytest.approx(-log(e[1] / (e[1] + e[3])) - log(e[2] / (e[2] + e[3])))


def test_supcon_cannot_fall_below_the_logarithm_of_its_positives():
    labels = np.repeat(np.arange(3), 4)
    D = np.where(labels[:, None] == labels, 0.0, 100.0)
    assert losses.supcon(D, labels)[0] == pytest.approx(log(4 - 1))


def test_lifted_losses_by_hand():
    D = np.array([[0, 0.5, 0.8], [0.5, 0, 1.3], [0.8, 1.3, 0]])
    labels = np.array([0, 0, 1])
    J = 0.5 + log(exp(1 - 0.8) + exp(1 - 1.3))
    assert losses.lifted(D, labels)[0] == pytest.approx(J**2 / 2)
    softened = [0.5 + 1 - 0.8, 0.5 + 1 - 1.3, log(exp(1 - 0.8) + exp(1 - 1.3))]
    assert losses.generalised_lifted(D, labels)[0] == pytest.approx(sum(softened) / 3)


@pytest.mark.parametrize(("degrees", "margin"), [(20, 30), (90, 30), (120, 45), (170, 30), (60, 0)])
def test_angular_margins_at_named_angles(degrees, margin):
    """The target is at an angle, the other proxy at a right angle: s = 0."""
    theta, m = np.deg2rad(degrees), np.deg2rad(margin)
    logit = np.cos(theta + m) if degrees <= 180 - margin else np.cos(theta) - m * np.sin(m)
    D = np.array([[1 - np.cos(theta), 1.0]])
    ours, _ = losses.arcface(D, np.array([0]), margin=float(margin), scale=4.0)
    assert ours == pytest.approx(log(1 + exp(0 - 4 * logit)))
    batch = np.array([[0, D[0, 0], 1], [1, 0, 1], [1, 1, 0]])
    ours, _ = losses.tuplet_margin(batch, np.array([0, 0, 1]), margin=float(margin), scale=4.0, reduction="none")
    assert ours[0] == pytest.approx(log(1 + exp(0 - 4 * np.cos(theta - m))))


@pytest.mark.parametrize("angle", [20.0, 45.0])
def test_the_angular_loss_by_hand(angle):
    tan2 = np.tan(np.deg2rad(angle)) ** 2
    D = np.array([[0, 0.4, 0.9], [0.4, 0, 0.7], [0.9, 0.7, 0]])
    f = 4 * tan2 * (0.1 + 0.3) - 2 * (1 + tan2) * 0.6
    assert losses.angular(D, np.array([0, 0, 1]), angle=angle)[0] == pytest.approx(log(1 + exp(f)))


def test_histogram_losses_by_hand_at_distances_on_the_nodes(rng):
    """On nodes nothing is shared: the histogram loss counts pairs out of order, and FastAP is 1 − AP with ties."""
    labels = np.array([0, 0, 0, 1, 1, 2])
    D = rng.integers(0, 5, (6, 6)) / 2.0
    n = range(6)
    positive = [D[i, j] for i in n for j in n if i != j and labels[i] == labels[j]]
    negative = [D[i, j] for i in n for j in n if labels[i] != labels[j]]
    wrong = sum(far >= near for far in positive for near in negative) / len(positive) / len(negative)
    assert losses.histogram(D, labels, bins=4)[0] == pytest.approx(wrong)
    for i in range(5):
        others = [j for j in n if j != i]
        mine = [j for j in others if labels[j] == labels[i]]
        precision = [sum(D[i, j] <= D[i, p] for j in mine) / sum(D[i, j] <= D[i, p] for j in others) for p in mine]
        value = losses.fast_ap(D, labels, bins=8, reduction="none")[0][i]
        assert value == pytest.approx(1 - sum(precision) / len(mine))


def test_proxies_by_hand():
    D = np.array([[0.2, 1.1], [0.6, 0.9], [1.0, 0.3]])
    near = [log(1 + exp(2 * (0.1 - 0.8)) + exp(2 * (0.1 - 0.4))), log(1 + exp(2 * (0.1 - 0.7)))]
    far = [log(1 + exp(2 * (0.0 + 0.1))), log(1 + exp(2 * (-0.1 + 0.1)) + exp(2 * (0.1 + 0.1)))]
    ours, _ = losses.proxy_anchor(D, np.array([0, 0, 1]), margin=0.1, scale=2.0)
    assert ours == pytest.approx(sum(near) / 2 + sum(far) / 2)
    p = exp(-0.2) / (exp(-0.2) + exp(-1.1))
    assert losses.soft_triple_distance(D[:1], centres=2, gamma=1.0)[0][0, 0] == pytest.approx(p * 0.2 + (1 - p) * 1.1)


def test_vicreg_is_0_for_two_equal_views_with_uncorrelated_features():
    z = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * 2
    assert losses.vicreg(z, z)[0] == 0
    assert losses.vicreg(z, z + 3.0)[0] == pytest.approx(25 * 9)


def test_swapping_the_labels_raises_a_good_loss():
    d, same = np.array([0.1, 0.2, 1.4]), np.array([True, True, False])
    assert losses.contrastive(d, same)[0] < losses.contrastive(d, ~same)[0]
    assert losses.binary_cross_entropy(0.7 - d, same)[0] < losses.binary_cross_entropy(0.7 - d, ~same)[0]


def test_the_penalty_shrinks_the_weights():
    W = np.array([[3.0, -4.0]])
    value, pullback = losses.l2_penalty(W, strength=0.1)
    assert value == pytest.approx(2.5)
    stepped = W - 0.5 * pullback(1.0)[0]
    assert (np.abs(stepped) < np.abs(W)).all()


def test_miners_equal_a_triple_loop(rng):
    labels = np.array([0, 1, 0, 2, 1, 0, 3])
    n = len(labels)
    D = rng.random((n, n))
    triplets = [(a, p, m) for a, p, m in np.ndindex(n, n, n) if a != p and labels[a] == labels[p] != labels[m]]
    assert list(zip(*miners.all_triplets(D, labels), strict=True)) == triplets
    a, p, m = miners.batch_hard(D, labels)
    assert a.tolist() == sorted({t[0] for t in triplets})
    for anchor, far, near in zip(a, p, m, strict=True):
        assert D[anchor, far] == max(D[anchor, q] for b, q, _ in triplets if b == anchor)
        assert D[anchor, near] == min(D[anchor, q] for b, _, q in triplets if b == anchor)
    rows, columns, same = miners.all_pairs(D, labels)
    assert len(rows) == n * (n - 1) / 2
    assert (same == (labels[rows] == labels[columns])).all()


def test_koch_has_the_published_number_of_parameters(rng):
    """38,951,745 with the weighted L1 and its bias (the table of shapes of Koch et al. 2015, figure 4)."""
    shape, total = (105, 105, 1), 0
    for layer in encoders.koch(105, init="he").parts:
        params, shape = layer.init(rng, shape)
        total += tree.size(params)
    assert shape == (4096,)
    assert total + tree.size(init_params(distances.weighted_l1, rng, 4096)) == 38_951_745


@pytest.mark.parametrize(
    ("encoder", "pixels", "size"),
    [
        (encoders.mlp(8, 3), 28, 3),
        (encoders.bielski(), 28, 2),
        (encoders.conv4(), 28, 64),
        (encoders.conv4(embedding=5), 28, 5),
        (encoders.koch(35, 10), 35, 10),
        (encoders.koch(28, 10, init="he"), 28, 10),
    ],
)
def test_encoders_give_the_shape_they_promise(rng, encoder, pixels, size):
    params, shape = encoder.init(rng, (pixels, pixels, 1))
    z, pullback = encoder(params, rng.random((2, pixels, pixels, 1)).astype(np.float32), input_grad=False)
    dparams, dx = pullback(z)
    assert shape == (size,)
    assert z.shape == (2, size)
    assert dx is None
    assert [g.shape for g in tree.leaves(dparams)] == [p.shape for p in tree.leaves(params)]
    assert {np.asarray(a).dtype for a in [z, *tree.leaves(params), *tree.leaves(dparams)]} == {np.dtype(np.float32)}


def test_koch_starts_as_the_paper_says(rng):
    params, _ = encoders.koch(28).init(rng, (28, 28, 1))
    (conv, conv_bias), (dense, dense_bias) = params[0], params[-2]
    assert conv.std() == pytest.approx(0.01, rel=0.05)
    assert dense.std() == pytest.approx(0.2, rel=0.05)
    assert conv_bias.mean() == pytest.approx(0.5, abs=0.01)
    assert dense_bias.std() == pytest.approx(0.01, rel=0.1)


def test_initializers_keep_the_variance(rng):
    x = rng.normal(size=(400, 300))
    assert np.maximum(x @ initializers.he(rng, (300, 500)), 0).var() == pytest.approx(1 - 1 / np.pi, rel=0.1)
    assert (x @ initializers.glorot(rng, (300, 300))).var() == pytest.approx(1, rel=0.1)
    assert np.abs(initializers.glorot(rng, (2, 2, 3, 5))).max() <= sqrt(6 / (12 + 20))


def test_pairwise_float32_is_right_for_collapsed_and_offset_embeddings(rng):
    """1e-6 relative on every pair, where ‖a‖² − 2ab + ‖b‖² loses every digit."""
    spread = rng.normal(size=(60, 64))
    tight = np.repeat(rng.normal(size=(6, 64)), 10, axis=0) + 1e-4 * spread
    for offset in (0, 10, 1e4):
        for scale in (1, 1e-3):
            for shape in (spread, tight):
                z = (offset + scale * shape).astype(np.float32)
                exact = ((z[:, None].astype(float) - z[None].astype(float)) ** 2).sum(axis=2)
                D = pairwise.squared_l2(z, z)[0]
                assert (np.diag(D) == 0).all()
                np.testing.assert_allclose(D, exact, rtol=1e-6)
                np.testing.assert_allclose(pairwise.l2(z, z)[0], np.sqrt(exact), rtol=1e-6)


@pytest.mark.parametrize("d", [64, 512])
def test_pairwise_float32_is_right_where_the_product_form_is_worst(d):
    """Two coherent clusters on either side of the centre: every entry of the product has one sign."""
    rng = np.random.default_rng(d)
    base = np.abs(rng.normal(size=d))
    sides = np.repeat([-1.0, 1.0], 32)[:, None]
    for share in (0.3, 0.5, 0.75):
        z = (sides * base + share * rng.normal(size=(64, d)) * base).astype(np.float32)
        exact = ((z[:, None].astype(float) - z[None].astype(float)) ** 2).sum(axis=2)
        np.testing.assert_allclose(pairwise.squared_l2(z, z)[0], exact, rtol=1e-6)


def test_batch_hard_gives_a_tie_to_the_first_and_leaves_singletons_out():
    D = np.ones((5, 5)) - np.eye(5)
    a, p, n = miners.batch_hard(D, np.array([0, 0, 0, 1, 2]))
    assert a.tolist() == [0, 1, 2]
    assert p.tolist() == [1, 0, 0]
    assert n.tolist() == [3, 3, 3]


def test_pairwise_cosine_float32_is_right_for_collapsed_embeddings(rng):
    z = (rng.normal(size=64) + 1e-3 * rng.normal(size=(50, 64))).astype(np.float32)
    wide = z.astype(float) / np.linalg.norm(z.astype(float), axis=1, keepdims=True)
    exact = ((wide[:, None] - wide[None]) ** 2).sum(axis=2) / 2
    np.testing.assert_allclose(pairwise.cosine(z, z)[0], exact, rtol=1e-6)


def test_a_relu_halves_the_mean_square_and_takes_more_of_the_variance(rng):
    """So that He's weights, which double it again, keep the mean square of a layer of ReLUs."""
    x = rng.normal(size=(400, 1000))
    y, _ = ops.relu(x)
    assert (y**2).mean() == pytest.approx(1 / 2, rel=0.01)
    assert y.var() == pytest.approx(1 / 2 - 1 / (2 * np.pi), rel=0.01) == pytest.approx(0.34, abs=0.005)
    for _ in range(5):
        z, _ = ops.dense(x, initializers.he(rng, (1000, 1000)).astype(float), np.zeros(1000))
        x, _ = ops.relu(z)
        assert (z**2).mean() == pytest.approx(2, rel=0.15)
        assert (x**2).mean() == pytest.approx(1, rel=0.15)


def test_vicreg_with_other_weights_is_equation_6_of_the_paper(rng):
    n, d = 8, 5
    z1, z2 = rng.normal(size=(2, n, d))
    lamda, mu, nu = 25.0, 25.0, 1.0

    def v(z):
        return np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean()

    def c(z):
        C = np.cov(z.T)
        return (C**2).sum() / d - (np.diag(C) ** 2).sum() / d

    printed = lamda * ((z1 - z2) ** 2).sum(axis=1).mean() + mu * (v(z1) + v(z2)) + nu * (c(z1) + c(z2))
    assert losses.vicreg(z1, z2, d * lamda, 2 * mu, nu)[0] == pytest.approx(printed, rel=1e-12)
    assert losses.vicreg(z1, z2, lamda, mu, nu)[0] < printed


def test_the_sign_that_koch_prints_moves_every_weight_upwards():
    W = np.array([[-2.0, 3.0]])
    (dW,) = losses.l2_penalty(W, strength=0.1)[1](1.0)
    np.testing.assert_allclose(np.abs(W - dW), 0.8 * np.abs(W))  # the step of this one shrinks both
    printed = W + 2 * 0.1 * np.abs(W)
    assert (printed > W).all()
    assert (np.abs(printed) > np.abs(W)).tolist() == [[False, True]]


@pytest.mark.parametrize("rising", [False, True])
def test_nesterov_is_sutskever_s_step_where_rate_and_momentum_are_constant(rng, rising):
    curvature, eta = np.array([[1.0, 30.0]]), 0.02
    mu = optimizers.linear(0.5, 0.9, 10) if rising else (lambda step: 0.9)
    optimizer = optimizers.sgd(eta, momentum=mu, nesterov=True)
    theta = np.array([[1.0, -1.0]])
    ahead = {"W": theta}  # θ + μ v, which is what PyTorch calls θ
    velocity, state = np.zeros((1, 2)), optimizer.init(ahead)
    for step in range(20):
        velocity = mu(step) * velocity - eta * curvature * (theta + mu(step) * velocity)
        theta = theta + velocity
        ahead, state = optimizer.update({"W": curvature * ahead["W"]}, state, ahead)
    looked = theta + mu(20) * velocity
    assert np.allclose(ahead["W"], looked, rtol=1e-10, atol=0) != rising


def test_sgd_by_hand():
    p, g = {"W": np.array([[1.0]])}, {"W": np.array([[0.5]])}
    plain = optimizers.sgd(0.1, momentum=0.9)
    state = plain.init(p)
    once, state = plain.update(g, state, p)
    twice, _ = plain.update(g, state, once)
    assert once["W"] == pytest.approx(1 - 0.1 * 0.5)
    assert twice["W"] == pytest.approx(1 - 0.1 * 0.5 - 0.1 * (0.9 * 0.5 + 0.5))
    ahead = optimizers.sgd(0.1, momentum=0.9, nesterov=True)
    assert ahead.update(g, ahead.init(p), p)[0]["W"] == pytest.approx(1 - 0.1 * (0.5 + 0.9 * 0.5))
    heavy = optimizers.sgd(0.1, weight_decay=0.2)
    assert heavy.update(g, heavy.init(p), p)[0]["W"] == pytest.approx(1 - 0.1 * (0.5 + 0.2))


def test_weight_decay_leaves_biases_alone():
    p, nothing = {"W": np.ones((1, 1)), "b": np.ones(1)}, {"W": np.zeros((1, 1)), "b": np.zeros(1)}
    for optimizer in (optimizers.sgd(0.1, weight_decay=0.5), optimizers.adam(0.1, weight_decay=0.5)):
        moved, _ = optimizer.update(nothing, optimizer.init(p), p)
        assert moved["W"] < 1
        assert moved["b"] == 1


def test_adam_first_step_has_the_size_of_the_learning_rate():
    p = {"W": np.array([[1.0, 1.0]])}
    adam = optimizers.adam(0.01)
    moved, _ = adam.update({"W": np.array([[1e-3, -50.0]])}, adam.init(p), p)
    np.testing.assert_allclose(moved["W"], [[0.99, 1.01]], rtol=1e-6)


def test_schedules():
    koch = optimizers.exponential(0.1, 0.99, every=10)
    assert [koch(0), koch(9), koch(10)] == pytest.approx([0.1, 0.1, 0.099])
    cosine = optimizers.cosine_decay(1.0, 100, warmup=10)
    assert [cosine(0), cosine(9), cosine(10), cosine(55), cosine(100)] == pytest.approx([0.1, 1, 1, 0.5, 0])
    rising = optimizers.linear(0.5, 0.9, 10)
    assert [rising(0), rising(5), rising(99)] == pytest.approx([0.5, 0.7, 0.9])
