"""Normalisation: its invariances, its gradient, and how batch norm makes images of a batch depend on each other."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import checkpoint, distances, evaluate, losses, networks, ops, optimizers, tree
from minisiam.fast.stages import join, stages_of, through
from minisiam.layers import BatchNorm, Dense, Flatten, GroupNorm, LayerNorm, Relu, Tanh, at_test, serial

SHAPE = (3, 2, 2, 4)
# by its name: the op, and the axes over which it averages, of an array whose channels are in two groups
NORMS = {
    "batch": (ops.batch_norm, (0, 1, 2)),
    "group": (lambda *variables, **constants: ops.group_norm(*variables, groups=2, **constants), (1, 2, 4)),
    "layer": (ops.layer_norm, (1, 2, 3, 4)),
}
every_norm = pytest.mark.parametrize("name", NORMS)
some = given(seed=st.integers(0, 2**32))
few = settings(max_examples=30)


def drawn(seed, shape=SHAPE):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(2, *shape))
    return x, rng.normal(size=shape[-1]), rng.normal(size=shape[-1]), dy


def averaged(name, a):
    """The means over the entries that a norm averages."""
    parted = a.reshape(*a.shape[:-1], *((2, -1) if name != "batch" else a.shape[-1:]))
    return parted.mean(axis=NORMS[name][1])


def plain(name, x, **constants):
    """The norm with scale 1 and shift 0."""
    return NORMS[name][0](x, np.ones(x.shape[-1]), np.zeros(x.shape[-1]), **constants)


# invariances


@every_norm
@few
@some
def test_normalised_values_have_mean_0_and_variance_1(name, seed):
    y, _ = plain(name, drawn(seed)[0], epsilon=1e-12)
    np.testing.assert_allclose(averaged(name, y), 0, atol=1e-12)
    np.testing.assert_allclose(averaged(name, y * y), 1, rtol=1e-6)


@every_norm
@few
@some
def test_a_norm_is_invariant_to_a_shift_and_a_stretch_of_its_input(name, seed):
    x, scale, shift, dy = drawn(seed)
    norm = NORMS[name][0]
    y, pullback = norm(x, scale, shift, epsilon=1e-30)
    moved, moved_pullback = norm(7 * x + 3, scale, shift, epsilon=1e-30)
    np.testing.assert_allclose(moved, y, rtol=1e-9, atol=1e-9)
    for there, here, times in zip(moved_pullback(dy), pullback(dy), (7, 1, 1), strict=True):
        np.testing.assert_allclose(times * there, here, rtol=1e-9, atol=1e-9)


@every_norm
@few
@some
def test_dx_is_orthogonal_to_shifts_and_stretches(name, seed):
    """A shift of x, so Σ dx = 0, and but for ε a stretch, so Σ dx x̂ = 0: over everything that is averaged together."""
    x, scale, shift, dy = drawn(seed)
    dx, *_ = NORMS[name][0](x, scale, shift, epsilon=1e-30)[1](dy)
    np.testing.assert_allclose(averaged(name, dx), 0, atol=1e-12 * np.abs(dx).max())
    np.testing.assert_allclose(averaged(name, dx * plain(name, x)[0]), 0, atol=1e-9 * np.abs(dx).max())


@few
@some
def test_group_norm_of_one_example_is_batch_norm_over_its_places(seed):
    """One example and one channel a group: then its places are what a batch is."""
    x, scale, shift, dy = drawn(seed)
    y, pullback = ops.group_norm(x, scale, shift, groups=4)
    for i in range(len(x)):
        one, pull = ops.batch_norm(x[i : i + 1], scale, shift)
        np.testing.assert_allclose(y[i : i + 1], one, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(pullback(dy)[0][i : i + 1], pull(dy[i : i + 1])[0], rtol=1e-9, atol=1e-12)


@every_norm
def test_rows_are_normalised_as_images_of_one_pixel(name):
    x, scale, shift, dy = drawn(0, (5, 6))
    y, pullback = NORMS[name][0](x, scale, shift)
    image, pull = NORMS[name][0](x[:, None, None], scale, shift)
    np.testing.assert_array_equal(y, image[:, 0, 0])
    for ours, truth in zip(pullback(dy), pull(dy[:, None, None]), strict=True):
        np.testing.assert_array_equal(ours, truth.reshape(ours.shape))


def test_at_test_time_batch_norm_is_affine():
    x, scale, shift, dy = drawn(0)
    given = {"mean": np.arange(4.0), "variance": np.arange(1.0, 5.0)}
    y = lambda x: ops.batch_norm(x, scale, shift, **given)[0]
    np.testing.assert_allclose(y(2 * x) - y(x), y(x) - y(0 * x), rtol=1e-12, atol=1e-12)
    dx, *_ = ops.batch_norm(x, scale, shift, **given)[1](dy)
    np.testing.assert_array_equal(dx, ops.batch_norm(0 * x, scale, shift, **given)[1](dy)[0])


# numbers and memory


@every_norm
@pytest.mark.parametrize("offset", [0, 2.0**12, -(2.0**20)])
def test_an_offset_costs_no_digits(name, offset):
    """On numbers that are exact in float32, compared with float64 without the offset."""
    x, scale, shift, dy = (np.round(64 * a) / 64 for a in drawn(1, (4, 3, 3, 4)))
    x = np.round(4 * x) / 4 + np.arange(4)
    single = [np.asarray(a, np.float32) for a in (x + offset, scale, shift)]
    y, pullback = NORMS[name][0](*single)
    truth, true_pullback = NORMS[name][0](x, scale, shift)
    np.testing.assert_allclose(y, truth, rtol=1e-5, atol=2e-6)
    for ours, right in zip(pullback(dy.astype(np.float32)), true_pullback(dy), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)


@every_norm
@pytest.mark.parametrize("size", [1e-150, 1e-20, 1.0, 1e20, 1e150])
def test_a_constant_becomes_the_shift_exactly(name, size):
    _, scale, shift, dy = drawn(2)
    y, pullback = NORMS[name][0](np.full(SHAPE, 0.1 * size), scale, shift)
    np.testing.assert_array_equal(y, np.broadcast_to(shift, SHAPE))
    dx, dscale, dshift = pullback(dy)
    np.testing.assert_array_equal(dscale, 0)
    np.testing.assert_allclose(dshift, dy.sum(axis=(0, 1, 2)), rtol=1e-12)
    assert np.isfinite(dx).all()


@every_norm
def test_a_norm_keeps_the_memory_order_of_images(name):
    x, scale, shift, dy = drawn(3)
    inside_out = np.ascontiguousarray(x.transpose(1, 2, 0, 3)).transpose(2, 0, 1, 3)  # (h, w, n, c) in memory
    y, pullback = NORMS[name][0](x, scale, shift)
    other, other_pullback = NORMS[name][0](inside_out, scale, shift)
    assert other.strides == inside_out.strides
    for ours, truth in zip((other, *other_pullback(dy)), (y, *pullback(dy)), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-12, atol=1e-12)


@every_norm
def test_a_pullback_keeps_one_array_of_the_size_of_its_input(name):
    x, scale, shift, _ = drawn(0, (8, 16, 16, 4))
    tracemalloc.start()
    pullback = NORMS[name][0](x, scale, shift)[1]
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert callable(pullback)
    assert x.nbytes < kept < 1.1 * x.nbytes


# layers: running statistics


def embedding(*norms, size=3):
    return serial(Flatten, Dense(6), *norms, Tanh, Dense(size))


def started(layer, shape=(2, 2, 1), seed=0):
    return layer.init(np.random.default_rng(seed), shape)[0]


def images(seed, n=8, shape=(2, 2, 1)):
    return np.random.default_rng(seed).normal(1, 2, (n, *shape)).astype(np.float32)


OPTIMIZERS = {
    "sgd": optimizers.sgd(0.01),
    "sgd with everything": optimizers.sgd(0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": optimizers.adam(0.1, weight_decay=0.1),
    "a rate of 0": optimizers.sgd(0.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_running_statistics_are_the_exponential_average_of_the_textbook(name):
    """m ← 0.9 m + 0.1 μ, with the variance over n − 1, whatever the optimizer does to the weights."""
    layer, optimizer = BatchNorm(), OPTIMIZERS[name]
    params, mean, variance = started(layer), np.zeros(1), np.ones(1)
    state = optimizer.init(params)
    for step in range(5):
        x = images(step)
        y, pullback = layer(params, x)
        grads, _ = pullback(y)
        params, state = optimizer.update(grads, state, params)
        mean = 0.9 * mean + 0.1 * x.mean(axis=(0, 1, 2), dtype=float)
        variance = 0.9 * variance + 0.1 * x.astype(float).var(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(params["running"][0], mean, rtol=1e-5)
    np.testing.assert_allclose(params["running"][1], variance, rtol=1e-5)
    assert all(leaf.dtype == np.float32 for leaf in tree.leaves(params))


def test_two_branches_move_the_running_statistics_twice():
    """m ← m − 0.1 ((m − μ₁) + (m − μ₂)), each branch by its own batch."""
    network = networks.siamese(serial(Flatten, BatchNorm(), Dense(2)), distances.l2, losses.contrastive)
    params = network.init(np.random.default_rng(0), (2, 2, 1))
    optimizer, same = optimizers.sgd(0.05), np.arange(8) % 2 == 0
    state, mean, variance = optimizer.init(params), np.zeros(4), np.ones(4)
    for step in range(4):
        x1, x2 = images(2 * step), images(2 * step + 1)
        (grads,) = network(params, x1, x2, same)[1](1.0)
        params, state = optimizer.update(grads, state, params)
        flat = [x.reshape(8, 4).astype(float) for x in (x1, x2)]
        mean = mean - 0.1 * sum(mean - z.mean(axis=0) for z in flat)
        variance = variance - 0.1 * sum(variance - z.var(axis=0, ddof=1) for z in flat)
    for ours, truth in zip(params["encoder"][1]["running"], (mean, variance), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5)


def test_the_slope_of_running_does_not_depend_on_dy_and_is_0_at_test_time():
    layer, x = BatchNorm(), images(0)
    params = started(layer)
    y, pullback = layer(params, x)
    tree.map(np.testing.assert_array_equal, pullback(y)[0]["running"], pullback(0 * y)[0]["running"])
    assert all((leaf != 0).all() for leaf in pullback(y)[0]["running"])
    y, pullback = at_test(layer)(params, x)
    assert all((leaf == 0).all() for leaf in pullback(y)[0]["running"])


def test_the_gradient_of_a_network_with_batch_norm_equals_differences():
    encoder = embedding(BatchNorm())
    x, dz = images(0).astype(float), np.random.default_rng(1).normal(size=(8, 3))
    params = tree.cast(started(encoder), np.float64)
    for layer in (encoder, at_test(encoder)):
        rng = np.random.default_rng(2)
        direction = tree.map(lambda p, rng=rng: rng.normal(size=p.shape), params)
        direction = tree.map_under("running", np.zeros_like, direction)
        value = lambda h, layer=layer, u=direction: np.sum(
            dz * layer(tree.map(lambda p, v: p + h * v, params, u), x)[0]
        )
        dparams, _ = layer(params, x)[1](dz)
        along = sum(np.sum(g * u) for g, u in zip(tree.leaves(dparams), tree.leaves(direction), strict=True))
        assert along == pytest.approx((value(1e-6) - value(-1e-6)) / 2e-6, rel=1e-6)


def test_a_checkpoint_holds_the_running_statistics(tmp_path):
    encoder = embedding(BatchNorm())
    params = tree.map(lambda p: p + np.float32(0.25), started(encoder))
    checkpoint.save(tmp_path / "model.npz", params, {})
    opened = checkpoint.load(tmp_path / "model.npz", started(encoder, seed=1))
    tree.map(np.testing.assert_array_equal, opened, params)
    assert list(opened[2]) == ["scale", "shift", "running"]


def test_without_momentum_there_is_no_velocity():
    params = {"W": np.ones((2, 2))}
    assert optimizers.sgd(0.1).init(params) == {"step": 0}
    _, state = optimizers.sgd(0.1).update(params, {"step": 0}, params)
    assert state == {"step": 1}
    assert "velocity" in optimizers.sgd(0.1, momentum=lambda step: 0.0).init(params)


# layers: who sees whom


def test_at_test_returns_a_layer_with_the_same_parameters():
    encoder = serial(Dense(3), serial(BatchNorm(), Relu, name="inner"), name="outer")
    tested = at_test(encoder)
    assert [tested.name, tested.parts[1].name] == ["outer", "inner"]
    assert at_test(tested) is tested
    assert at_test(embedding(GroupNorm(2))).parts[2].name == "GroupNorm 2"
    assert at_test(Relu) is Relu
    params = started(encoder, (4,))
    tree.map(np.testing.assert_array_equal, params, started(tested, (4,)))
    assert not np.allclose(encoder(params, images(0).reshape(8, 4))[0], tested(params, images(0).reshape(8, 4))[0])


NORM_LAYERS = {"BatchNorm": BatchNorm(), "GroupNorm": GroupNorm(2), "LayerNorm": LayerNorm()}


def depends(layer, params):
    """Whether the first embedding depends on the second image, and whether its gradient reaches that image."""
    x = images(0)
    other = np.copy(x)
    other[1] += 1
    z, pullback = layer(params, x)
    dz = np.zeros_like(z)
    dz[0] = 1
    return not np.array_equal(z[0], layer(params, other)[0][0]), bool(np.any(pullback(dz)[1][1]))


@pytest.mark.parametrize("name", NORM_LAYERS)
def test_images_depend_on_each_other_only_with_batch_norm_in_training(name):
    encoder = embedding(NORM_LAYERS[name])
    params = started(encoder)
    assert depends(encoder, params) == 2 * (name == "BatchNorm",)
    assert depends(at_test(encoder), params) == (False, False)


def test_with_batch_norm_an_embedding_depends_on_the_other_images():
    """Two embeddings of one image in two batches are equal at test time, but not in training."""
    encoder = embedding(BatchNorm())
    params, x1, x2 = started(encoder), images(0), images(1)
    x2[0] = x1[0]
    apart = lambda layer: np.abs(layer(params, x1)[0][0] - layer(params, x2)[0][0]).max()
    assert apart(encoder) > 0.01
    assert apart(at_test(encoder)) == 0


@pytest.mark.parametrize("name", NORM_LAYERS)
def test_at_test_time_an_embedding_does_not_depend_on_the_batch(name):
    encoder = embedding(NORM_LAYERS[name])
    params, x = started(encoder), images(0, n=7)
    alone = np.concatenate([evaluate.embed(encoder, params, x[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(evaluate.embed(encoder, params, x), alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(evaluate.embed(encoder, params, x, chunk=3), alone, rtol=1e-5, atol=1e-6)


def test_batch_norm_gives_the_same_result_in_chunks():
    layer, x = BatchNorm(), images(0).astype(np.float64)
    params = tree.cast(started(layer), np.float64)
    y, pullback = layer(params, x)
    stages = stages_of(layer)
    ys, pull = through(stages, [params] * len(stages), [x[:3], x[3:]], True, lambda work, items: [*map(work, items)])
    np.testing.assert_allclose(join(ys), y, rtol=1e-12, atol=1e-12)
    dparams, dxs = pull([y[:3], y[3:]])
    (dtheta,) = (found for found in dparams if found is not None)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), dtheta, pullback(y)[0])
    np.testing.assert_allclose(join(dxs), pullback(y)[1], rtol=1e-12, atol=1e-12)
