"""Networks: shared weights, networks that must agree with each other, and gradients from end to end."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import distances, encoders, layers, losses, miners, networks, optimizers, pairwise, tree
from minisiam.fast.blockwise import blockwise

DISTANCES = ["l2", "squared_l2", "l1", "weighted_l1", "cosine"]
TRIPLET_LOSSES = [losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio]


def wide(params):
    return tree.cast(params, np.float64)


def close(a, b, tolerance=1e-12):
    tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance), a, b)


def started(network, rng, shape=(5,)):
    return wide(network.init(rng, shape))


def agrees_with_differences(network, params, *batch):
    """The gradient along a random direction of all parameters at once, against a central difference."""
    rng = np.random.default_rng(3)
    direction = tree.map(lambda p: rng.normal(size=np.shape(p)), params)
    moved = lambda h: network(tree.map(lambda p, u: p + h * u, params, direction), *batch)[0]
    (grads,) = network(params, *batch)[1](1.0)
    along = sum(np.sum(g * u) for g, u in zip(tree.leaves(grads), tree.leaves(direction), strict=True))
    assert along == pytest.approx((moved(1e-6) - moved(-1e-6)) / 2e-6, rel=1e-6, abs=1e-9)
    assert [np.shape(g) for g in tree.leaves(grads)] == [np.shape(p) for p in tree.leaves(params)]


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 6, 5))
    return x, rng.random(6) < 0.5, np.array([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("name", DISTANCES)
def test_the_gradient_of_siamese_is_the_slope(rng, batch, name):
    (x1, x2, _), same, _ = batch
    network = networks.siamese(encoders.mlp(7, 3), getattr(distances, name), losses.contrastive)
    agrees_with_differences(network, started(network, rng), x1, x2, same)


@pytest.mark.parametrize("loss", TRIPLET_LOSSES)
@pytest.mark.parametrize("name", DISTANCES)
def test_the_gradient_of_triplet_is_the_slope(rng, batch, name, loss):
    network = networks.triplet(encoders.mlp(7, 3), getattr(distances, name), loss)
    agrees_with_differences(network, started(network, rng), *batch[0])


@pytest.mark.parametrize("name", DISTANCES)
def test_the_gradient_of_verification_is_the_slope(rng, batch, name):
    (x1, x2, _), same, _ = batch
    distance = getattr(distances, name)
    if name != "weighted_l1":
        distance = distances.calibrated(distance, scale=2.0, threshold=0.5)
    network = networks.verification(encoders.mlp(7, 3), distance, losses.binary_cross_entropy)
    agrees_with_differences(network, started(network, rng), x1, x2, same)


@pytest.mark.parametrize("miner", [miners.all_triplets, miners.batch_hard])
@pytest.mark.parametrize("name", DISTANCES)
def test_the_gradient_of_batch_is_the_slope(rng, batch, name, miner):
    x, _, labels = batch
    network = networks.batch(
        encoders.mlp(7, 3), getattr(pairwise, name), losses.with_miner(losses.triplet_soft_margin, miner)
    )
    agrees_with_differences(network, started(network, rng), x[0], labels)


@pytest.mark.parametrize("loss", [losses.supcon, losses.with_miner(losses.triplet_soft_margin, miners.batch_hard)])
@pytest.mark.parametrize("name", [*DISTANCES, "dot"])
def test_a_blockwise_distance_gives_the_same_batch_loss(rng, batch, name, loss):
    """The same value and gradient, whether the matrix is in memory or not."""
    x, labels = batch[0][0], batch[2]
    matrix = getattr(pairwise, name)
    whole, by_rows = (networks.batch(encoders.mlp(7, 3), d, loss) for d in (matrix, blockwise(matrix)))
    params = started(whole, rng)
    value, pullback = whole(params, x, labels)
    blockwise_value, blockwise_pullback = by_rows(params, x, labels)
    assert blockwise_value == pytest.approx(value, rel=1e-12)
    close(blockwise_pullback(1.0)[0], pullback(1.0)[0], 1e-11)


@pytest.mark.parametrize("name", [*DISTANCES, "dot"])
def test_the_gradient_of_proxy_is_the_slope(rng, batch, name):
    x, labels = batch[0][0], batch[2]
    network = networks.proxy(encoders.mlp(9, 3), getattr(pairwise, name), losses.softmax_cross_entropy, classes=3)
    params = started(network, rng)
    assert params["proxies"].shape == (3, 3)
    agrees_with_differences(network, params, x, labels)


@pytest.mark.parametrize("name", [*DISTANCES, "dot"])
def test_the_gradients_of_networks_on_episodes_are_the_slopes(rng, batch, name):
    support, query, labels = batch[0][0], batch[0][1], batch[2]
    encoder, matrix = encoders.mlp(7, 3), getattr(pairwise, name)
    for network in (
        networks.prototypical(encoder, matrix, losses.softmax_cross_entropy),
        networks.matching(encoder, matrix, losses.matching),
    ):
        agrees_with_differences(network, started(network, rng), support, labels, query, labels[::-1])


def test_with_one_shot_prototypical_and_matching_networks_agree(rng, batch):
    """With one support image per class, the mean is the image."""
    x, query = batch[0][0][:3], batch[0][1][:3]
    labels, encoder = np.arange(3), encoders.mlp(7, 3)
    means = networks.prototypical(encoder, pairwise.squared_l2, losses.softmax_cross_entropy)
    neighbours = networks.matching(encoder, pairwise.squared_l2, losses.matching)
    params = started(means, rng)
    one, two = (network(params, x, labels, query, labels) for network in (means, neighbours))
    assert one[0] == pytest.approx(two[0], rel=1e-12)
    close(one[1](1.0)[0], two[1](1.0)[0], 1e-11)


def test_the_gradient_of_two_view_is_the_slope(rng, batch):
    x1, x2, _ = batch[0]
    encoder = encoders.mlp(7, 3)
    for network in (
        networks.joint_embedding(encoder, losses.vicreg),
        networks.two_view(encoder, pairwise.cosine, losses.info_nce),
        networks.two_view(encoder, pairwise.calibrated(pairwise.cosine), losses.info_nce),
    ):
        agrees_with_differences(network, started(network, rng), x1, x2)


def towers(pairwise, loss, second=None):
    return networks.two_towers(encoders.mlp(7, 6), second or encoders.mlp(6, normalize=True), pairwise, loss)


ONE = partial(losses.info_nce, temperature=1.0)
OF_TOWERS = [
    (pairwise.tempered(pairwise.cosine, 3), ONE),
    (pairwise.tempered(pairwise.dot, 3, -2), losses.pairwise_sigmoid),
    (pairwise.nested(pairwise.tempered(pairwise.cosine, 3), (2, 6)), losses.nested(ONE, (1, 2))),
]


@pytest.mark.parametrize(("distance", "loss"), OF_TOWERS)
def test_the_gradient_of_two_towers_is_the_slope(rng, batch, distance, loss):
    network = towers(distance, loss)
    params = wide(network.init(rng, (5,), (3,)))
    agrees_with_differences(network, params, batch[0][0], batch[0][1][:, :3])


def test_further_rows_of_the_second_tower_are_hard_negatives(rng, batch):
    network = towers(pairwise.cosine, losses.softmax_cross_entropy)
    params = wide(network.init(rng, (5,), (3,)))
    x1, x2 = batch[0][0][:2], batch[0][1][:, :3]
    agrees_with_differences(network, params, x1, x2, np.arange(2))
    without, _ = network(params, x1, x2[:2], np.arange(2))
    assert network(params, x1, x2, np.arange(2))[0] > without


def test_two_towers_start_in_single_precision_and_stay_there(rng, batch):
    network = towers(*OF_TOWERS[1])
    params = network.init(rng, (5,), (3,))
    x1, x2 = batch[0][0].astype(np.float32), batch[0][1][:, :3].astype(np.float32)
    value, pullback = network(params, x1, x2)
    leaves = [value, *tree.leaves(params), *tree.leaves(pullback(1.0))]
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}
    assert [float(p) for p in params["distance"]] == pytest.approx([np.log(3), -2])


def test_towers_of_two_sizes_are_refused(rng):
    with pytest.raises(ValueError, match=r"must have one size, not \(6,\) and \(4,\)"):
        towers(pairwise.cosine, ONE, encoders.mlp(4)).init(rng, (5,), (3,))


@pytest.mark.parametrize(("slope", "free", "clamped"), [(-9.0, 9.0, np.log(100)), (9.0, -9.0, 0.0), (1.0, -1.0, 0.0)])
def test_the_temperature_is_clamped_after_a_step(slope, free, clamped):
    params = {"encoder": [np.ones(2)], "distance": (np.zeros(()), np.zeros(()))}
    grads = {"encoder": [np.ones(2)], "distance": (np.array(slope), np.array(-7.0))}
    plain = optimizers.sgd(1.0)
    bounded = optimizers.projected(plain, networks.clamp_log_scale)
    for optimizer, log_scale in ((plain, free), (bounded, clamped)):
        moved, _ = optimizer.update(grads, optimizer.init(params), params)
        close(moved, {"encoder": [np.zeros(2)], "distance": (log_scale, 7.0)})


def test_there_is_no_temperature_to_clamp_in_a_plain_distance(rng):
    params = towers(pairwise.cosine, ONE).init(rng, (5,), (3,))
    with pytest.raises(ValueError, match=r"needs a learned scale: .* distances\.tempered"):
        networks.clamp_log_scale(params)


def test_prototypical_rejects_support_labels_that_skip_a_class(rng, batch):
    network = networks.prototypical(encoders.mlp(7, 3), pairwise.l2, losses.softmax_cross_entropy)
    x, labels = batch[0][0], np.array([0, 0, 2, 2, 3, 3])
    with pytest.raises(ValueError, match=r"every number from 0 up, .*np\.unique"):
        network(started(network, rng), x, labels, x, labels)


@pytest.mark.parametrize(
    "encoder",
    [encoders.bielski(3), encoders.conv2(3), encoders.conv4(4, embedding=3), encoders.koch(28, 3, init="he")],
    ids=lambda e: e.name,
)
def test_the_gradient_of_convolutional_encoders_is_the_slope(rng, encoder):
    side = 14 if encoder.name == "conv2" else 28
    x1, x2 = rng.random((2, 2, side, side, 1))
    network = networks.siamese(encoder, distances.squared_l2, losses.contrastive)
    agrees_with_differences(network, started(network, rng, (side, side, 1)), x1, x2, np.array([True, False]))


def test_the_gradient_of_regularized_is_the_slope(rng, batch):
    (x1, x2, _), same, _ = batch
    plain = networks.siamese(encoders.mlp(7, 3), distances.weighted_l1, losses.contrastive)
    network = networks.regularized(plain, lambda W: losses.l2_penalty(W, strength=0.1))
    params = started(network, rng)
    agrees_with_differences(network, params, x1, x2, same)
    weights = [p for p in tree.leaves(params) if p.ndim > 1]
    penalty = 0.1 * sum((W**2).sum() for W in weights)
    assert network(params, x1, x2, same)[0] == pytest.approx(plain(params, x1, x2, same)[0] + penalty)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 4), name=st.sampled_from(DISTANCES))
def test_two_branches_have_the_gradient_of_one_stacked_batch(seed, n, name):
    """The gradients of the two branches add up to the gradient of the stacked batch."""
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(size=(2, n, 5))
    same = rng.random(n) < 0.5
    encoder, distance = encoders.mlp(7, 3), getattr(distances, name)
    network = networks.siamese(encoder, distance, losses.contrastive)
    params = started(network, rng)
    value, pullback = network(params, x1, x2, same)

    z, pull_z = encoder(params["encoder"], np.concatenate([x1, x2]))
    d, pull_d = distance(z[:n], z[n:], *params["distance"])
    stacked, pull = losses.contrastive(d, same)
    dz1, dz2, *_ = pull_d(*pull(1.0))
    dtheta, _ = pull_z(np.concatenate([dz1, dz2]))
    assert value == pytest.approx(stacked)
    close(pullback(1.0)[0]["encoder"], dtheta)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_batch_equals_siamese_on_the_same_pairs(rng, batch, name):
    x, labels = batch[0][0], batch[2]
    encoder = encoders.mlp(7, 3)
    siamese = networks.siamese(encoder, getattr(distances, name), losses.contrastive)
    batched = networks.batch(encoder, getattr(pairwise, name), losses.with_miner(losses.contrastive, miners.all_pairs))
    params = started(siamese, rng)
    i, j = np.triu_indices(len(x), 1)
    value, pullback = siamese(params, x[i], x[j], labels[i] == labels[j])
    batch_value, batch_pullback = batched(params, x, labels)
    assert value == pytest.approx(batch_value)
    close(pullback(1.0)[0], batch_pullback(1.0)[0], 1e-11)


def test_the_last_bias_has_no_gradient_under_l2(rng, batch):
    """A common shift of both embeddings changes no difference."""
    (x1, x2, _), same, _ = batch
    network = networks.siamese(encoders.mlp(7, 3), distances.l2, losses.contrastive)
    (grads,) = network(started(network, rng), x1, x2, same)[1](1.0)
    np.testing.assert_allclose(grads["encoder"][-1][1], 0, atol=1e-15)


def test_pullbacks_of_an_encoder_do_not_disturb_each_other(rng, batch):
    encoder = encoders.mlp(7, 3)
    theta = wide(encoder.init(rng, (5,))[0])
    x1, x2, x3 = batch[0]
    z1, first = encoder(theta, x1)
    _, second = encoder(theta, x2)
    g = rng.normal(size=z1.shape)
    before = first(g)
    second(g)
    encoder(theta, x3)
    tree.map(np.testing.assert_array_equal, before, first(g))


@pytest.mark.parametrize("name", DISTANCES)
def test_a_float32_step_gives_float32_gradients(rng, batch, name):
    x, same, labels = batch[0].astype(np.float32), batch[1], batch[2]
    encoder = encoders.mlp(7, 3)
    for network, arguments in (
        (networks.siamese(encoder, getattr(distances, name), losses.contrastive), (x[0], x[1], same)),
        (networks.triplet(encoder, getattr(distances, name), losses.triplet_hinge), (*x,)),
        (
            networks.batch(
                encoder, getattr(pairwise, name), losses.with_miner(losses.triplet_soft_margin, miners.batch_hard)
            ),
            (x[0], labels),
        ),
    ):
        params = network.init(rng, (5,))
        value, pullback = network(params, *arguments)
        found = {np.asarray(a).dtype for a in [value, *tree.leaves(params), *tree.leaves(pullback(np.float64(1))[0])]}
        assert found == {np.dtype(np.float32)}


def test_serial_of_parameterless_layers_needs_no_input_gradient(rng):
    encoder = layers.serial(layers.Flatten, layers.Relu, layers.Dense(2))
    params, _ = encoder.init(rng, (2, 2, 1))
    z, pullback = encoder(params, rng.normal(size=(3, 2, 2, 1)), input_grad=False)
    dparams, dx = pullback(z)
    assert dx is None
    assert dparams[2][0].shape == (4, 2)
