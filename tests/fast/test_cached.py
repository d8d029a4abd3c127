"""`fast.cached` gives the gradient of the whole batch, with the activations of one chunk in memory."""

import tracemalloc

import numpy as np
import pytest

from minisiam import encoders, fast, losses, networks, pairwise, tree

SHAPE = (12, 12, 1)


def batch(n, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.random((n, *SHAPE)).astype(dtype), np.arange(n) // 4


def step(encoder, params, x, labels):
    value, pullback = networks.batch(encoder, pairwise.cosine, losses.supcon)(params, x, labels)
    return value, tree.leaves(pullback(1.0)[0])


def network_params(encoder, dtype=np.float64):
    theta, _ = encoder.init(np.random.default_rng(1), SHAPE)
    return {"encoder": tree.cast(theta, dtype), "distance": (), "loss": ()}


@pytest.mark.parametrize("norm", ["none", "group", "layer"])
@pytest.mark.parametrize("chunk", [1, 5, 24, 100])
def test_value_and_gradient_are_those_of_the_whole_batch(norm, chunk):
    encoder = encoders.conv2(8, norm=norm)
    params, (x, labels) = network_params(encoder), batch(24)
    value, gradient = step(encoder, params, x, labels)
    found, found_gradient = step(fast.cached(encoder, chunk), params, x, labels)
    np.testing.assert_allclose(found, value, rtol=1e-12)
    for a, b in zip(found_gradient, gradient, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * np.abs(b).max())


def test_it_combines_with_the_other_fast_functions():
    encoder = encoders.conv2(8)
    fastest = fast.cached(fast.microbatch(fast.convert(encoder), chunk=4), 8)
    params, (x, labels) = network_params(encoder, np.float32), batch(24, np.float32)
    for a, b in zip(step(fastest, params, x, labels)[1], step(encoder, params, x, labels)[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())


def test_the_gradient_of_the_images_is_that_of_the_encoder():
    encoder = encoders.conv2(8)
    theta, _ = encoder.init(np.random.default_rng(1), SHAPE)
    x, _ = batch(7, np.float32)
    (z, pull), (found, found_pull) = encoder(theta, x), fast.cached(encoder, 3)(theta, x)
    np.testing.assert_allclose(found, z, rtol=1e-5)
    np.testing.assert_allclose(found_pull(z)[1], pull(z)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [lambda e: e, fast.convert, fast.microbatch])
def test_a_batch_norm_is_refused_with_a_remedy(make):
    with pytest.raises(ValueError, match=r'BatchNorm.*norm="group"'):
        fast.cached(make(encoders.conv4(norm="batch")))


def test_memory_depends_on_the_chunk_and_not_on_the_batch():
    encoder = encoders.conv2(8)
    theta, _ = encoder.init(np.random.default_rng(1), SHAPE)

    def peak(encoder, n):
        x, _ = batch(n, np.float32)
        dz = np.ones((n, 8), np.float32)
        tracemalloc.start()
        encoder(theta, x, input_grad=False)[1](dz)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(fast.cached(encoder, 16), 512) < 1.1 * peak(fast.cached(encoder, 16), 64)
    assert peak(encoder, 512) > 4 * peak(encoder, 64)
