"""A loss in JAX has the value and the gradient of the op, compiled or not."""

import sys

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from every_loss import CASES, LABELS, z  # noqa: E402

from minisiam import distances, fast, losses, pairwise, tree  # noqa: E402
from minisiam.interop import embeddings  # noqa: E402
from minisiam.interop.jax import loss  # noqa: E402

pytestmark = pytest.mark.interop

supcon = loss(losses.supcon, pairwise.cosine, temperature=0.5)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_of_every_loss_and_miner(name):
    op, distance, options, batch = CASES[name]
    options = dict(options)
    size = options.pop("size", None)
    f = loss(op, distance, **options)
    params = tree.cast(f.init(np.random.default_rng(0), size), np.float64)
    floats = [k for k, a in enumerate(batch) if a.dtype.kind == "f"]

    def value(params, *z):
        return f(*[z[floats.index(k)] if k in floats else a for k, a in enumerate(batch)], params=params)

    found, grads = jax.jit(jax.value_and_grad(value, tuple(range(1 + len(floats)))))(
        params, *(batch[k] for k in floats)
    )
    expected, pull = embeddings.evaluate(f.network, tree.map(np.asarray, params), *batch)
    dparams, dz = pull(1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    for ours, theirs in zip([*tree.leaves(dparams), *dz], tree.leaves(grads), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_gradient_have_the_dtype_of_the_embeddings(dtype):
    value, gradient = jax.value_and_grad(supcon)(jnp.asarray(z(), dtype), LABELS)
    assert {value.dtype, gradient.dtype} == {np.dtype(dtype)}


def test_without_x64_everything_is_float32():
    with jax.enable_x64(False):
        assert jax.jit(jax.grad(supcon))(z(), LABELS).dtype == np.float32


def test_the_gradient_passes_through_an_encoder():
    W, x = z(5, 3), z()
    gradient = jax.jit(jax.grad(lambda W: 3 * supcon(jnp.tanh(x @ W), LABELS)))(W)
    step = 1e-6 * z(5, 3)
    rise = 3 * (supcon(jnp.tanh(x @ (W + step)), LABELS) - supcon(jnp.tanh(x @ (W - step)), LABELS))
    np.testing.assert_allclose(2 * (gradient * step).sum(), rise, rtol=1e-6)


def test_vmap_calls_once_for_each_example():
    many, labels = jnp.stack([z(), z()]), jnp.stack([LABELS, LABELS[::-1]])
    for over, y in ((None, LABELS), (0, labels)):
        values, grads = jax.vmap(jax.value_and_grad(supcon), (0, over))(many, y)
        for k in range(2):
            one, gradient = jax.value_and_grad(supcon)(many[k], y if over is None else y[k])
            np.testing.assert_allclose(values[k], one)
            np.testing.assert_allclose(grads[k], gradient)


def test_a_large_batch_and_a_blockwise_matrix():
    labels = np.arange(2048) // 4
    big = jnp.asarray(z(2048, 64), jnp.float32)
    whole, rows = (
        jax.jit(jax.grad(loss(losses.supcon, distance)))(big, labels)
        for distance in (pairwise.cosine, fast.blockwise(pairwise.cosine))
    )
    np.testing.assert_allclose(whole, rows, atol=1e-6)


SECOND = {
    "hessian": lambda a: jax.hessian(supcon)(a, LABELS),
    "reverse twice": lambda a: jax.grad(lambda a: jax.grad(supcon)(a, LABELS).sum())(a),
    "compiled": lambda a: jax.jit(jax.jacrev(jax.grad(supcon)))(a, LABELS),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_second_derivative_is_an_error(name):
    with pytest.raises(NotImplementedError, match="no second derivative"):
        SECOND[name](z())


ARCFACE = loss(losses.arcface, pairwise.cosine, classes=3)
BAD = {
    "half precision": (lambda: supcon(z().astype(np.float16), LABELS), TypeError, r"x.astype\(jnp.float32\)"),
    "no labels": (lambda: supcon(z()), TypeError, r"2 arguments, \(x, labels\), not 1"),
    "many values": (lambda: loss(losses.supcon, pairwise.l2, reduction="none"), ValueError, 'reduction="mean"'),
    "no parameters": (lambda: ARCFACE(z(), LABELS), TypeError, r"params=loss.init\(np.random.default_rng\(0\)"),
    "no size": (lambda: ARCFACE.init(np.random.default_rng(0)), ValueError, "size=64"),
    "pairs on a matrix": (lambda: loss(losses.contrastive, pairwise.l2), TypeError, "distances.l2"),
    "0 and 1 for same": (
        lambda: loss(losses.contrastive, distances.l2)(z(), z(), LABELS % 2),
        Exception,
        r"np.asarray\(same\) == 0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_the_remedy(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


def test_a_loss_of_many_values_is_refused_when_it_is_called():
    def values(D, /, labels):
        return D[0], lambda dl: (D,)

    with pytest.raises(Exception, match="returns one number, and this loss gives 12"):
        loss(values, pairwise.l2)(z(), LABELS)


def test_repr_names_the_arguments():
    assert repr(supcon) == "loss(x, labels)"


def test_without_jax_an_error_gives_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "minisiam.interop.jax")
    with pytest.raises(ImportError, match=r"pip install -e '\.\[interop-jax\]'"):
        import minisiam.interop.jax  # noqa: F401
