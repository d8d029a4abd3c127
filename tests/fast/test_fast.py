"""Fast ops equal the readable ones, in numbers and errors; microbatches and threads do not change a network."""

import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import distances, encoders, fast, layers, losses, miners, networks, ops, pairwise, tree
from minisiam.fast import threads
from minisiam.fast.convert import algorithms, convert
from minisiam.fast.convolution import algorithm
from minisiam.fast.microbatch import microbatch
from minisiam.fast.stages import join, split
from minisiam.fast.threads import count, one_blas_thread, run
from minisiam.layers import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    MaxPool,
    PRelu,
    Relu,
    Tanh,
    at_test,
    serial,
)

F64, F32 = np.float64, np.float32
LONG = 200.0  # seconds, after which a test that hangs fails


def block(x, W, b, /, padding="valid"):
    """The definition of `conv_pool_relu` from readable ops."""
    z, pull_z = ops.conv2d(x, W, b, padding=padding)
    pooled, pull_pool = ops.max_pool(z)
    y, pull_y = ops.relu(pooled)
    return y, lambda dy: pull_z(*pull_pool(*pull_y(dy)))


# by name: the fast operation, what it should equal, the kernels that it takes, and its strides
CONVOLUTIONS = {
    "rows": (fast.conv2d_im2row, ops.conv2d, range(1, 12), 4),
    "winograd": (fast.conv2d_winograd, ops.conv2d, [3], 1),
    "fourier": (fast.conv2d_fft, ops.conv2d, range(1, 12), 1),
    "block": (fast.conv_pool_relu, block, range(1, 12), 1),
}
SIDES = [(name, k) for name, (_, _, sizes, _) in CONVOLUTIONS.items() for k in sizes]
every_convolution = pytest.mark.parametrize("name", CONVOLUTIONS)


def inside_out(x):
    """The same numbers in the memory layout of `fast.layout`: (h, w, n, c)."""
    return np.ascontiguousarray(x.transpose(1, 2, 0, 3)).transpose(2, 0, 1, 3)


def drawn(seed, shape, k, outputs):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=(k, k, shape[3], outputs)), rng.normal(size=outputs)


def called(op, variables, dy_seed=0, dtype=F64, **constants):
    """Value and gradients, from the same random upstream gradient for every op."""
    y, pullback = op(*(v.astype(dtype) for v in variables), **constants)
    dy = np.random.default_rng(dy_seed).normal(size=y.shape)
    return y, *pullback(dy.astype(dtype))


def near(ours, truth, tolerance, least=0.0):
    """Require equal shapes, leaf by leaf, and differences up to that share of the largest number, or of `least`."""
    ours, truth = tree.leaves(ours), tree.leaves(truth)
    for a, b in zip(ours, truth, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=least)


# of encoders, the size below which a number is rounding: before a batch norm the gradient of a bias is 0
close = partial(near, least=1.0)


def same(ours, truth):
    """Require equal bits, leaf by leaf."""
    for a, b in zip(tree.leaves(ours), tree.leaves(truth), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# numbers


@pytest.mark.parametrize(("name", "k"), SIDES)
@settings(max_examples=12)
@given(st.data())
def test_a_fast_convolution_equals_conv2d(name, k, data):
    op, truth, _, strides = CONVOLUTIONS[name]
    draw = lambda low, high: data.draw(st.integers(low, high))
    padding = data.draw(st.sampled_from(["same", "valid"]))
    least = (2 if name == "block" else 1) + (k - 1 if padding == "valid" else 0)
    shape = draw(1, 3), draw(least, least + 6), draw(least, least + 6), draw(1, 8)
    constants = {"padding": padding} | ({"stride": draw(1, strides)} if strides > 1 else {})
    x, W, b = drawn(draw(0, 2**32), shape, k, draw(1, 5))
    expected = called(truth, (x, W, b), **constants)
    for laid in (x, inside_out(x)):
        near(called(op, (laid, W, b), **constants), expected, 1e-12)
        single = called(op, (laid, W, b), dtype=F32, **constants)
        assert all(array.dtype == F32 for array in single)
        near(single, expected, 1e-5)


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.integers(1, 8), st.booleans())
def test_pool_2x2_equals_max_pool_exactly(seed, n, h, w, c, turned):
    x = np.random.default_rng(seed).integers(-1, 2, size=(n, h, w, c)).astype(float)  # with ties everywhere
    same(called(fast.pool_2x2, (inside_out(x) if turned else x,)), called(ops.max_pool, (x,)))


@pytest.mark.parametrize(
    ("name", "k", "channels"),
    [("rows", 2, 2), ("rows", 3, 6), ("winograd", 3, 2), ("block", 2, 3), ("block", 3, 6), ("block", 4, 6)],
)
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from(["same", "valid"]))
def test_on_whole_numbers_fast_ops_are_exact(name, k, channels, seed, padding):
    """Copying and Winograd's halving are exact, so ties have the same winner and 0 is exactly 0."""
    op, truth, _, _ = CONVOLUTIONS[name]
    rng = np.random.default_rng(seed)
    x, W, b = (rng.integers(-1, 2, s).astype(float) for s in ((2, 7, 8, channels), (k, k, channels, 3), 3))
    results = []
    for f in (op, truth):
        y, pullback = f(x, W, b, padding=padding)
        results.append((y, *pullback(np.random.default_rng(1).integers(-2, 3, y.shape).astype(float))))
    same(*results)


@every_convolution
@pytest.mark.parametrize("power", [-300, -30, 200])
def test_scaling_the_images_by_a_power_of_two_scales_the_outputs_exactly(name, power):
    op, (x, W, b) = CONVOLUTIONS[name][0], drawn(0, (2, 7, 8, 6), 3, 4)
    times = 2.0**power
    y, dx, dW, db = called(op, (x, W, 0 * b))
    same(called(op, (times * x, W, 0 * b)), (times * y, dx, times * dW, db))


@pytest.mark.parametrize("name", ["rows", "winograd", "fourier"])
def test_a_fast_convolution_is_linear_and_its_pullback_is_its_transpose(name):
    op, (x, W, b), (other, _, _) = CONVOLUTIONS[name][0], drawn(0, (2, 7, 8, 6), 3, 4), drawn(1, (2, 7, 8, 6), 3, 4)
    z = lambda x, W: op(x, W, 0 * b, padding="same")[0]
    near(z(x - 2 * other, W), z(x, W) - 2 * z(other, W), 1e-12)
    dz = drawn(2, (2, 7, 8, 4), 1, 1)[0]
    dx, dW, db = op(x, W, b, padding="same")[1](dz)
    assert np.sum(dz * z(other, W)) == pytest.approx(np.sum(dx * other), rel=1e-12)
    assert np.sum(dz * z(x, W)) == pytest.approx(np.sum(dW * W), rel=1e-12)
    np.testing.assert_allclose(db, dz.sum(axis=(0, 1, 2)), rtol=1e-12)


@every_convolution
def test_input_grad_false_changes_no_other_gradient(name):
    op, variables = CONVOLUTIONS[name][0], drawn(0, (2, 7, 8, 6), 3, 4)
    dx, *rest = called(op, variables, input_grad=False)[1:]
    assert dx is None
    same(rest, called(op, variables)[2:])


@pytest.mark.parametrize("k", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("channels", [1, 4, 5, 16])
def test_the_algorithm_depends_on_kernel_channels_and_stride(k, channels):
    W = np.zeros((k, k, channels, 2))
    module = fast.im2row if channels < 5 else {1: fast.im2row, 3: fast.winograd, 4: fast.im2row}.get(k, fast.fft)
    assert algorithm(W) is module
    assert algorithm(W, 2) is fast.im2row


# errors and side effects

A = np.zeros((2, 6, 6, 2)), np.zeros((3, 3, 2, 4)), np.zeros(4)
WRONG = {
    "whole numbers": ((A[0].astype(int), *A[1:]), {}),
    "one image": ((A[0][0], *A[1:]), {}),
    "kernels of whole numbers": ((A[0], A[1].astype(int), A[2]), {}),
    "one channel too many": ((np.zeros((2, 6, 6, 3)), *A[1:]), {}),
    "oblong kernels": ((A[0], np.zeros((3, 2, 2, 4)), A[2]), {}),
    "a bias too many": ((*A[:2], np.zeros(5)), {}),
    "a bias for each kernel": ((*A[:2], np.zeros((4, 1))), {}),
    "small images": ((A[0][:, :2], *A[1:]), {}),
    "an unknown padding": (A, {"padding": "sane"}),
    "no stride": (A, {"stride": 0}),
    "half a stride": (A, {"stride": 1.5}),
}


@pytest.mark.parametrize("wrong", WRONG)
@every_convolution
def test_fast_convolutions_raise_the_errors_of_conv2d(name, wrong):
    op, _, _, strides = CONVOLUTIONS[name]
    variables, constants = WRONG[wrong]
    if "stride" in constants and strides == 1:
        return
    with pytest.raises((TypeError, ValueError)) as truth:
        ops.conv2d(*variables, **constants)
    with pytest.raises(truth.type) as ours:
        op(*variables, **constants)
    assert str(ours.value) == str(truth.value)


@pytest.mark.parametrize("x", [A[0].astype(int), A[0][0], A[0][:, :1]], ids=["whole numbers", "one image", "small"])
def test_pool_2x2_raises_the_errors_of_max_pool(x):
    with pytest.raises((TypeError, ValueError)) as truth:
        ops.max_pool(x)
    with pytest.raises(truth.type) as ours:
        fast.pool_2x2(x)
    assert str(ours.value) == str(truth.value)


def test_errors_of_special_convolutions_name_the_general_one():
    with pytest.raises(ValueError, match=r"W must have 3×3 kernels, not 5×5: use fast.conv2d_im2row"):
        fast.conv2d_winograd(A[0], np.zeros((5, 5, 2, 4)), A[2])
    with pytest.raises(ValueError, match="images of 3×6 leave no 2×2 block to pool after a 3×3 kernel"):
        fast.conv_pool_relu(A[0][:, :3], *A[1:])


FAST = {name: op for name, (op, *_) in CONVOLUTIONS.items()} | {"pool": lambda x, W, b: fast.pool_2x2(x)}
LAYOUTS = {"batch first": np.ascontiguousarray, "places first": inside_out}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("name", FAST)
def test_calls_do_not_affect_each_other_or_change_their_inputs(name, k, layout):
    """Two forward passes before the first pullback, each pulled back twice; the inputs are read-only."""
    op = FAST[name] if name != "winograd" or k == 3 else fast.conv2d_im2row

    def given_to(seed):
        x, W, b = drawn(seed, (2, 7, 8, 6), k, 4)
        x = LAYOUTS[layout](x)
        for array in (x, W, b):
            array.setflags(write=False)
        return x, W, b

    first, second = given_to(0), given_to(1)
    alone = [called(op, variables) for variables in (first, second)]
    (y, pull), (y2, pull2) = op(*first), op(*second)
    dy = np.random.default_rng(0).normal(size=y.shape)
    for laid in (dy, inside_out(dy)):
        laid.setflags(write=False)
        same([(y2, *pull2(laid)), (y, *pull(laid)), (y, *pull(laid)), (y2, *pull2(laid))], [*alone[::-1], *alone])
    kept = [*pull(dy), *pull(dy), *pull2(dy), y, y2, dy, *first, *second]
    assert not any(np.may_share_memory(a, b) for i, a in enumerate(kept) for b in kept[:i])


# encoders


def started(encoder, shape, dtype=F64, seed=0):
    return tree.cast(encoder.init(np.random.default_rng(seed), shape)[0], dtype)


def images(n, shape, seed=0, dtype=F64):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


def passed(encoder, params, x, **constants):
    """Embeddings, gradients of the parameters and of the images."""
    y, pullback = encoder(params, x, **constants)
    return y, *pullback(np.random.default_rng(5).normal(size=y.shape).astype(y.dtype))


ENCODERS = {
    "conv4": (partial(encoders.conv4, 8, 3), (17, 16, 1)),
    "conv4 of colours": (partial(encoders.conv4, 6), (16, 19, 3)),
    "conv4, batch norm": (partial(encoders.conv4, 8, 3, norm="batch"), (18, 16, 1)),
    "conv4, group norm": (partial(encoders.conv4, 8, 3, norm="group"), (16, 16, 1)),
    "conv4, layer norm": (partial(encoders.conv4, 8, 3, norm="layer"), (16, 16, 1)),
    "bielski": (encoders.bielski, (17, 18, 1)),
    "bielski, batch norm": (partial(encoders.bielski, norm="batch"), (16, 16, 1)),
    "koch28": (partial(encoders.koch, 28, 8), (28, 28, 1)),
    "koch35": (partial(encoders.koch, 35, 8, init="he"), (35, 35, 1)),
    "conv2": (partial(encoders.conv2, 8), (14, 15, 1)),
    "conv2, batch norm": (partial(encoders.conv2, 8, norm="batch"), (14, 14, 1)),
}
every_encoder = pytest.mark.parametrize("name", ENCODERS)


@every_encoder
def test_a_fast_encoder_equals_the_readable_encoder(name):
    """The same tree of parameters with the same random numbers, and the same function up to rounding."""
    make, shape = ENCODERS[name]
    plain = make()
    quick = convert(plain)
    for encoder in (quick, convert(quick)):
        one, two = (e.init(np.random.default_rng(3), shape) for e in (plain, encoder))
        same(one[0], two[0])
        assert one[1] == two[1]
        assert len(encoder.parts) == len(plain.parts)
    params, x = started(plain, shape), images(3, shape)
    expected = passed(plain, params, x)
    close(passed(quick, params, x), expected, 1e-9)
    close(passed(at_test(quick), params, x), passed(at_test(plain), params, x), 1e-9)
    same(passed(convert(quick), params, x), passed(quick, params, x))
    y, dparams, dx = passed(quick, params, x, input_grad=False)
    assert dx is None
    same((y, dparams), passed(quick, params, x)[:2])
    single = passed(quick, tree.cast(params, F32), x.astype(F32))
    assert all(leaf.dtype == F32 for leaf in tree.leaves(single))


@every_encoder
def test_a_fast_encoder_has_other_names_and_ops(name):
    make, shape = ENCODERS[name]
    plain = make()
    quick = convert(plain)
    assert all(way.endswith("by conv2d") for way in algorithms(plain, started(plain, shape)))
    done = algorithms(quick, started(quick, shape))
    assert len(done) == len(algorithms(plain, started(plain, shape)))
    assert not any(way.endswith("by conv2d") for way in done)
    assert "fast" in encoders.summary(quick, np.random.default_rng(0), shape)
    assert "fast" not in encoders.summary(plain, np.random.default_rng(0), shape)


ODD = {
    "a stride, and pooling": serial(Conv(6, 3), Conv(6, 3, stride=2), Relu, MaxPool(2), Flatten),
    "pooling by three": serial(Conv(6, 3), Relu, MaxPool(3), Flatten),
    "no pooling": serial(Conv(6, 3), Relu, Conv(5, 3, padding="same"), Flatten),
    "pooling first": serial(MaxPool(2), Conv(6, 2), Tanh, MaxPool(2), Relu, MaxPool(2), Flatten),
    "a serial in a serial": serial(serial(Conv(6, 3), Relu, MaxPool(2)), serial(Conv(6, 5, padding="same")), Flatten),
    "cut between serials": serial(serial(Conv(6, 3), Relu), MaxPool(2), Flatten),
    "a norm before its pooling": serial(Conv(6, 3), serial(BatchNorm(), Relu, MaxPool(2)), MaxPool(2), Flatten),
    "a norm without pooling": serial(Conv(6, 3), BatchNorm(), Relu, Conv(5, 3), BatchNorm(), Flatten),
    "a norm of windows": serial(Conv(18, 3), BatchNorm(), Relu, MaxPool(2), Conv(3, 2), Flatten),
    "a norm of long windows": serial(Conv(17, 3), BatchNorm(), Relu, MaxPool(2), Flatten),
    "large kernels": serial(Conv(6, 4), Conv(5, 7, padding="same"), Relu, MaxPool(2), Flatten, BatchNorm()),
    "one layer": Conv(6, 3, padding="same"),
    "not a convolution": Tanh,
}


@pytest.mark.parametrize("name", ODD)
def test_every_encoder_can_be_converted_and_microbatched(name):
    encoder, shape = ODD[name], (13, 14, 2)
    params, x = started(encoder, shape), images(5, shape)
    expected, tested = passed(encoder, params, x), passed(at_test(encoder), params, x)
    for made in (convert(encoder), microbatch(encoder, 2, threads=1), microbatch(convert(encoder), 2, threads=1)):
        same(started(made, shape), params)
        close(passed(made, params, x), expected, 1e-9)
        close(passed(at_test(made), params, x), tested, 1e-9)


def test_pooled_batch_norm_is_right_for_slopes_of_every_sign():
    block = BatchNorm(), Relu, MaxPool(2), Flatten
    for first, shape in ((), (6, 7, 3)), ((Conv(3, 1),), (6, 7, 2)):  # the norm of an array, and of windows
        encoder = serial(*first, *block)
        params, x = started(encoder, shape), images(5, shape)
        params[len(first)] |= {"scale": np.array([2.0, -0.5, -1.0]), "shift": np.array([0.1, -0.2, 0.3])}
        expected = passed(encoder, params, x)
        for made in (convert(encoder), microbatch(convert(encoder), 2, threads=1)):
            close(passed(made, params, x), expected, 1e-11)


# microbatches

SMALL = {
    "conv": serial(Conv(6, 3), Relu, MaxPool(2), Flatten, Dense(4)),
    "batch norm": serial(Conv(9, 3), BatchNorm(), Relu, MaxPool(2), Conv(7, 2), BatchNorm(), Relu, Flatten, Dense(4)),
    "batch norm of rows": serial(
        Conv(2, 5), Flatten, Dense(20), serial(BatchNorm(), Relu, Dense(5)), Tanh, BatchNorm(), Dense(3)
    ),
    "group norm": serial(Conv(6, 3), GroupNorm(2), Relu, MaxPool(2), Flatten, Dense(40), PRelu(), Dense(3)),
    "layer norm": serial(Conv(6, 3), LayerNorm(), Relu, MaxPool(2), Flatten, Dense(4)),
}
LITTLE = (8, 9, 1)
every_small = pytest.mark.parametrize("name", SMALL)


@pytest.mark.parametrize("n", [1, 2, 7, 64, 65])
@every_small
def test_a_microbatched_encoder_equals_the_encoder(name, n):
    encoder = SMALL[name]
    if n == 1 and "rows" in name:
        return  # one row has no variance
    params, x = started(encoder, LITTLE), images(n, LITTLE)
    expected = passed(encoder, params, x)
    for chunk in (1, 3, 32, 100) if n < 64 else (7, 32):
        for made in (microbatch(encoder, chunk, threads=1), microbatch(convert(encoder), chunk, threads=1)):
            same(made.init(np.random.default_rng(0), LITTLE)[0], encoder.init(np.random.default_rng(0), LITTLE)[0])
            close(passed(made, params, x), expected, 1e-10)
            y, dparams, dx = passed(made, params, x, input_grad=False)
            assert dx is None
            same((y, dparams), passed(made, params, x)[:2])


@every_small
def test_the_number_of_threads_does_not_change_any_bit(name):
    encoder, x = convert(SMALL[name]), images(65, LITTLE, dtype=F32)
    params = started(encoder, LITTLE, F32)
    expected = passed(microbatch(encoder, 8, threads=1), params, x)
    assert all(leaf.dtype == F32 for leaf in tree.leaves(expected))
    for workers in (2, 3):
        for _ in range(3):
            same(passed(microbatch(encoder, 8, threads=workers), params, x), expected)


@pytest.mark.parametrize("offset", [0.0, 2.0**12, -(2.0**20)])
def test_an_offset_of_the_batch_or_of_a_chunk_costs_no_digits(offset):
    """On numbers that are exact in float32, compared with float64 without the offset."""
    norm, shape = serial(AS_IT_IS, BatchNorm()), (4, 5, 3)
    params, x = started(norm, shape), np.round(8 * images(6, shape)) / 8
    single = microbatch(norm, 2, threads=1)
    found = passed(single, tree.cast(params, F32), (x + offset).astype(F32)), passed(norm, params, x)
    for _, dparams, _ in found:
        dparams.pop(0)  # this has the offset, and so have the running statistics
        dparams[0].pop("running")
    close(*found, 2e-5)
    x[:2] += 1000  # the difference between chunks contributes to the variance
    close(passed(microbatch(norm, 2, threads=1), params, x), passed(norm, params, x), 1e-8)


@every_small
def test_at_test_time_a_microbatched_encoder_equals_the_encoder(name):
    encoder, x = SMALL[name], images(9, LITTLE)
    params = started(encoder, LITTLE)
    made = at_test(microbatch(encoder, 4, threads=1))
    close(passed(made, params, x), passed(at_test(encoder), params, x), 1e-12)
    close(made(params, x)[0], np.concatenate([at_test(encoder)(params, x[i : i + 1])[0] for i in range(9)]), 1e-12)
    assert at_test(made) is made
    assert made.op is microbatch  # it is in chunks, too


def networks_of(encoder):
    classes, hinge = np.arange(12) // 3, losses.with_miner(losses.triplet_hinge, miners.all_triplets)
    x = [images(12, LITTLE, seed) for seed in range(3)]
    return {
        "siamese": (networks.siamese(encoder, distances.l2, losses.contrastive), (*x[:2], classes % 2 == 0)),
        "triplet": (networks.triplet(encoder, distances.cosine, losses.triplet_soft_margin), tuple(x)),
        "batch": (networks.batch(encoder, pairwise.l2, losses.supcon), (x[0], classes)),
        "a batch's triplets": (networks.batch(encoder, pairwise.l2, hinge), (x[0], classes)),
    }


@pytest.mark.parametrize("network", networks_of(Flatten))
@pytest.mark.parametrize("name", ["conv", "batch norm"])
def test_a_microbatched_encoder_works_in_every_network(name, network):
    (plain, batch), (made, _) = (
        networks_of(e)[network] for e in (SMALL[name], microbatch(convert(SMALL[name]), 5, threads=2))
    )
    params = plain.init(np.random.default_rng(0), LITTLE)
    same(made.init(np.random.default_rng(0), LITTLE), params)
    params = tree.cast(params, F64)
    (value, pullback), (truth, true_pullback) = made(params, *batch), plain(params, *batch)
    assert value == pytest.approx(truth, rel=1e-9)
    close(pullback(1.0)[0], true_pullback(1.0)[0], 1e-8)


@pytest.mark.parametrize(
    "made", [convert, lambda encoder: microbatch(convert(encoder), 5, threads=2)], ids=["fast", "microbatched"]
)
@every_small
def test_two_threads_can_use_one_encoder_at_the_same_time(name, made):
    encoder = made(SMALL[name])
    params = started(encoder, LITTLE)
    batches = [images(11, LITTLE, seed) for seed in range(6)]
    go = threading.Barrier(2)

    def work(some):
        go.wait(LONG)
        return [passed(encoder, params, x) for x in some]

    expected = [passed(encoder, params, x) for x in batches]
    with ThreadPoolExecutor(2) as pool:
        same([*pool.map(work, (batches[:3], batches[3:]))], [expected[:3], expected[3:]])


@pytest.mark.parametrize(
    "made", [convert, lambda encoder: microbatch(convert(encoder), 3, threads=2)], ids=["fast", "microbatched"]
)
@every_small
def test_calls_of_an_encoder_do_not_affect_each_other_or_change_their_inputs(name, made):
    """Two forward passes before the first pullback, each pulled back twice; the inputs are read-only."""
    encoder = made(SMALL[name])
    params, batches = started(encoder, LITTLE), [images(7, LITTLE, seed) for seed in range(2)]
    for array in (*tree.leaves(params), *batches):
        array.setflags(write=False)
    alone = [passed(encoder, params, x) for x in batches]
    results = [encoder(params, x) for x in batches]
    dy = np.random.default_rng(5).normal(size=results[0][0].shape)
    dy.setflags(write=False)
    twice = [*results[::-1], *results]
    same([(y, *pullback(dy)) for y, pullback in twice], [*alone[::-1], *alone])


AS_IT_IS = Conv(3, 1, weights=lambda rng, shape: np.eye(3, dtype=F32).reshape(shape))  # else nothing is in chunks


NOT_FIT = {
    "one value": (BatchNorm(), images(1, (1, 1, 3))),
    "too many features": (serial(Flatten, Dense(3)), images(4, (1, 2, 3))),
    "images for Dense": (Dense(3), images(4, (1, 1, 3))),
    "too few channels": (serial(Flatten, Dense(3)), images(4, (1, 1, 2))),
    "whole numbers": (serial(Flatten, Dense(3)), images(4, (1, 1, 3)).astype(int)),
}


@pytest.mark.parametrize("wrong", NOT_FIT)
def test_a_microbatched_encoder_raises_the_same_errors(wrong):
    layer, x = NOT_FIT[wrong]
    encoder, (theta, _) = serial(AS_IT_IS, layer), AS_IT_IS.init(np.random.default_rng(0), (1, 1, 3))
    params = [theta, started(layer, (3,) if wrong == "images for Dense" else (1, 1, 3))]
    with pytest.raises((TypeError, ValueError)) as truth:
        encoder(params, x)
    with pytest.raises(truth.type) as ours:
        microbatch(encoder, 2, threads=1)(params, x)
    words = lambda mistake: re.sub(r"\d+", "", str(mistake.value))  # a piece has fewer rows
    assert words(ours) == words(truth)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("layer", [serial(Flatten, Dense(3)), BatchNorm()], ids=["Dense", "BatchNorm"])
def test_underflow_is_silent_in_layers(layer, workers):
    tiny, encoder, shape = 1e-200, serial(AS_IT_IS, layer), (1, 2, 3)
    params = tree.map(lambda p: p * tiny, started(encoder, shape))
    made = microbatch(encoder, 2, threads=workers) if workers else encoder
    x = tiny * images(4, shape)
    dy = tiny * np.ones_like(encoder(params, x)[0])
    with np.errstate(all="raise"):
        y, pullback = made(params, x)
        grads = pullback(dy)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves((y, grads)))


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"chunk": 0}, "chunk must be a whole number, at least 1"),
        ({"chunk": 2.5}, "chunk must be a whole number"),
        ({"threads": 0}, "threads must be a whole number, at least 1"),
        ({"threads": 1.5}, "threads must be a whole number"),
    ],
)
def test_microbatch_rejects_wrong_options(constants, message):
    with pytest.raises(ValueError, match=message):
        microbatch(Relu, **constants)


# threads


def in_time(work):
    """Return or raise what `work` does; raise an error if it hangs."""
    done = Future()

    def go():
        try:
            done.set_result(work())
        except Exception as mistake:
            done.set_exception(mistake)

    threading.Thread(target=go, daemon=True).start()
    return done.result(LONG)


def test_threads_share_the_items_and_results_are_in_order():
    meet, numbers = threading.Barrier(3), set()

    def work(i):
        if i < 3:
            meet.wait(LONG)  # three at once, or never
        time.sleep((9 - i) / 1000)
        numbers.add(threading.get_ident())
        return i * i

    assert in_time(lambda: run(work, range(9), 3)) == [i * i for i in range(9)]
    assert len(numbers) == 3
    assert run(work, [4], 3) == [16]
    assert run(work, [], 3) == []


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_exception_is_raised_after_all_threads_have_stopped(wrong):
    meet, working = threading.Barrier(2), set()

    def work(i):
        working.add(i)
        meet.wait(LONG)
        if i == wrong:
            raise KeyError(f"item {i}")
        time.sleep(0.05)
        working.discard(i)

    with pytest.raises(KeyError, match=f"item {wrong}"):
        in_time(lambda: run(work, [0, 1], 2))
    assert working == {wrong}
    assert in_time(lambda: run(str, [1, 2, 3], 2)) == ["1", "2", "3"]


def test_a_nested_run_uses_one_thread():
    def one(i, j):
        time.sleep(0.002)  # long enough for another to help, if it could
        return i, j, threading.get_ident()

    inner = lambda i: run(partial(one, i), range(3), 3)  # another number, whose threads have nothing to do
    for each in in_time(lambda: run(inner, range(8), 2)):
        assert [found[:2] for found in each] == [(each[0][0], j) for j in range(3)]
        assert len({who for _, _, who in each}) == 1


def test_two_callers_at_the_same_time_get_their_own_results():
    work = lambda i: (time.sleep(0.001), i)[1]
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(run, work, range(k, k + 20), 2) for k in range(4)]
        assert [f.result(LONG) for f in found] == [[*range(k, k + 20)] for k in range(4)]


def test_threads_use_the_errstate_of_the_caller():
    meet = threading.Barrier(2)

    def work(_):
        meet.wait(LONG)
        return np.geterr()["divide"]

    def under(state):
        with np.errstate(divide=state):
            return run(work, [0, 1], 2)

    assert in_time(lambda: under("raise")) == ["raise", "raise"]
    assert in_time(lambda: under("ignore")) == ["ignore", "ignore"]


def blas_threads():
    """Of the libraries that were loaded when the threads were first limited: a later import of SciPy brings another."""
    pytest.importorskip("threadpoolctl")
    return {pool["num_threads"] for pool in threads._controller().info() if pool["user_api"] == "blas"}


def test_one_blas_thread_applies_until_the_last_thread_leaves():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    arrived, leave = threading.Barrier(2), threading.Event()

    def other():
        with one_blas_thread:
            arrived.wait(LONG)
            leave.wait(LONG)

    with threadpoolctl.threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(1) as pool:
        assert blas_threads() == {2}
        with one_blas_thread:
            with one_blas_thread:
                assert blas_threads() == {1}
            assert blas_threads() == {1}
            still = pool.submit(other)
            arrived.wait(LONG)
        assert blas_threads() == {1}
        leave.set()
        still.result(LONG)
        assert blas_threads() == {2}
        with pytest.raises(KeyError), one_blas_thread:
            raise KeyError
        assert blas_threads() == {2}
        passed(microbatch(AS_IT_IS, 2, threads=2), started(AS_IT_IS, (2, 2, 3)), images(8, (2, 2, 3)))
        assert blas_threads() == {2}


def test_without_threadpoolctl_there_is_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "find_spec", lambda name: None)
    assert count(None) == 1
    assert count(1) == 1
    for ask in (lambda: count(2), lambda: microbatch(Relu, threads=2)):
        with pytest.raises(ModuleNotFoundError, match=r"python -m pip install -e '\.\[threads\]'"):
            ask()
    with one_blas_thread:
        assert one_blas_thread.limit is None
    encoder = microbatch(SMALL["conv"], 3)
    close(
        encoder(started(encoder, LITTLE), images(7, LITTLE))[0],
        SMALL["conv"](started(encoder, LITTLE), images(7, LITTLE))[0],
        1e-10,
    )


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000", "cpu.max": "max 100000"}, 3),
        ("0::/a", {"a/cpu.max": "50000 100000"}, 1),
        ("0::/gone", {}, 8),
        ("0::/", {"cpu.max": "nonsense"}, 8),
        ("0::/", {"cpu.max": "9000000 100000"}, 8),
        (
            "4:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "400000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("4:cpu,cpuacct:/x", {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("3:memory:/a", {"memory/a/cpu.max": "100000 100000"}, 8),
        (None, {}, 8),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(tmp_path, monkeypatch, group, files, expected):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for root in ("PROC", "CGROUP"):
        monkeypatch.setattr(threads, root, tmp_path / root)
    written = ({"PROC/self/cgroup": group} if group else {}) | {f"CGROUP/{name}": text for name, text in files.items()}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
    assert threads.cores() == expected


def test_with_threadpoolctl_there_are_as_many_as_the_process_may_use(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "PROC", tmp_path)  # no quota
    monkeypatch.setattr(threads, "find_spec", lambda name: object())
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: {3, 5, 6}, raising=False)
    assert count(None) == 3
    monkeypatch.delattr(threads.os, "sched_getaffinity")
    for cores, expected in ((5, 5), (1, 1), (None, 1)):
        monkeypatch.setattr(threads.os, "cpu_count", lambda cores=cores: cores)
        assert count(None) == expected
    assert count(7) == 7


def test_an_encoder_without_convolutions_is_not_microbatched():
    encoder = encoders.mlp(4, 2)
    assert microbatch(encoder) is encoder
    assert at_test(microbatch(encoder)) is encoder


def test_join_and_split_are_inverse():
    x = images(7, (2,))
    chunks = [x[:3], x[3:4], x[4:]]
    same(join(chunks), x)
    same(split(2 * x, chunks), [2 * chunk for chunk in chunks])
    assert join([x]) is x


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("k", [3, 5])
def test_in_an_empty_image_every_algorithm_is_exactly_at_the_kink_of_relu(k, dtype):
    rng = np.random.default_rng(0)
    encoder = encoders.convnet(encoders.Block(8, k), encoders.Block(16, k))
    params = tree.cast(encoder.init(rng, (24, 24, 1))[0], dtype)
    x = np.zeros((3, 24, 24, 1), dtype)
    x[:, :6, :6] = rng.random((3, 6, 6, 1))
    z, pullback = encoder(params, x)
    dz = rng.normal(size=z.shape).astype(dtype)
    fast_z, fast_pullback = convert(encoder)(params, x)
    near(fast_z, z, 1e-5)
    near(fast_pullback(dz)[0], pullback(dz)[0], 1e-3 if dtype is F32 else 1e-10)


@pytest.mark.parametrize("op", [fast.conv2d_im2row, fast.conv2d_winograd, fast.conv2d_fft, fast.conv_pool_relu])
@pytest.mark.parametrize("channels", [1, 6])
def test_a_batch_without_images_has_no_outputs(op, channels):
    x, W, b = np.zeros((0, 8, 8, channels)), np.ones((3, 3, channels, 2)), np.ones(2)
    y, pullback = op(x, W, b)
    assert len(y) == 0
    dx, dW, db = pullback(y)
    assert dx.shape == x.shape
    assert not dW.any()
    assert not db.any()


@pytest.mark.parametrize("op", [fast.conv2d_im2row, fast.conv2d_winograd, fast.conv2d_fft])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_result_has_the_wider_dtype_as_in_conv2d(op, which):
    variables = list(drawn(0, (2, 8, 8, 6), 3, 4))
    variables = [v.astype(F64 if i == which else F32) for i, v in enumerate(variables)]
    y, _ = op(*variables)
    assert y.dtype == F64
    near(y, ops.conv2d(*variables)[0], 1e-6)


def residual(inner):
    """A layer with parts that is not a `serial` of them."""

    def apply(params, x, /, input_grad=True):
        y, pull = inner(params, x)
        return x + y, lambda dy: (lambda dparams, dx: (dparams, dx + dy))(*pull(dy))

    return layers.Layer(inner.init, apply, "residual", inner.parts)


def test_convert_does_not_change_layers_with_parts_other_than_serial():
    block = residual(serial(Conv(3, 3, "same"), Tanh))
    encoder = serial(Conv(3, 3, "same"), block, Flatten)
    params, x = started(encoder, (6, 6, 2)), images(4, (6, 6, 2))
    for made in (convert(encoder), microbatch(encoder, 2), microbatch(convert(encoder), 2), at_test(encoder)):
        near(made(params, x)[0], encoder(params, x)[0], 1e-5)


def test_pooled_batch_norm_rejects_images_that_are_too_small():
    encoder = serial(Conv(4, 1), BatchNorm(), Relu, MaxPool())
    params = encoder.parts[0].init(np.random.default_rng(0), (1, 1, 2))[0], BatchNorm().init(None, (1, 1, 4))[0], (), ()
    for made in (encoder, convert(encoder)):
        with pytest.raises(ValueError, match="smaller than one block of 2×2"):
            made(list(params), images(3, (1, 1, 2)))


@pytest.mark.parametrize(
    "x", [np.ones((2, 6, 6, 1), np.uint8), np.zeros((0, 6, 6, 1)), np.zeros((2, 6, 6)), np.zeros((2, 6, 6, 2))]
)
def test_a_postponed_convolution_refuses_what_the_readable_one_refuses(x):
    encoder = serial(Conv(9, 3), BatchNorm(), Relu, MaxPool())
    params = started(encoder, (6, 6, 1))
    errors = []
    for made in (encoder, convert(encoder)):
        with pytest.raises((ValueError, TypeError)) as caught:
            made(params, x)
        errors.append((caught.type, str(caught.value)[:40]))
    assert errors[0] == errors[1]


def test_channels_with_scale_0_tie_and_the_first_gets_the_gradient():
    encoder = serial(BatchNorm(), Relu, MaxPool())
    params, x = started(encoder, (4, 4, 3)), images(5, (4, 4, 3)).astype(F64)
    params = tree.cast(params, F64)
    params[0]["scale"] = np.array([0.0, -1.0, 1.0])
    params[0]["shift"] = np.ones(3)
    y, pullback = encoder(params, x)
    fast_y, fast_pullback = convert(encoder)(params, x)
    near(fast_y, y, 1e-12)
    near(fast_pullback(y), pullback(y), 1e-10)


def test_a_gradient_of_another_length_is_an_error():
    encoder = microbatch(AS_IT_IS, 2)
    _, pullback = encoder(started(AS_IT_IS, (2, 2, 3)), images(4, (2, 2, 3)))
    with pytest.raises(ValueError, match="dy must have 4 rows, as y has, not 9"):
        pullback(np.ones((9, 12)))


def test_the_child_of_a_fork_can_use_threads():
    with one_blas_thread:
        child = threads.os.fork()
        if child == 0:  # the child has its own lock and thread pool
            done = run(abs, [-1, -2, -3], 2) == [1, 2, 3] and one_blas_thread.holders == 0
            threads.os._exit(0 if done else 1)
    assert threads.os.waitpid(child, 0)[1] == 0


def test_after_an_exception_no_thread_takes_another_item():
    worked = []

    def work(item):
        worked.append(item)
        time.sleep(0.01)
        raise ValueError(item)

    with pytest.raises(ValueError, match=r"0|1"):
        run(work, list(range(40)), 2)
    assert len(worked) <= 3
