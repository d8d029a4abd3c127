"""An exported encoder gives the same embeddings in onnxruntime, for any number of images."""

import sys

import numpy as np
import pytest

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from minisiam import encoders, evaluate, layers, ops, tree  # noqa: E402
from minisiam.fast import convert, microbatch  # noqa: E402
from minisiam.interop.onnx import OPERATORS, save_onnx  # noqa: E402

pytestmark = pytest.mark.interop

NORMS = [layers.BatchNorm(1e-3), layers.GroupNorm(2, 1e-3), layers.LayerNorm(1e-3)]
ENCODERS = {
    "mlp": (encoders.mlp(32, 16, normalize=True), (28, 28, 1)),
    "mlp of colour images": (encoders.mlp(8, 4), (6, 5, 3)),
    "conv2": (encoders.conv2(8, norm="batch"), (14, 14, 1)),
    "conv3": (encoders.conv3(8), (9, 13, 3)),
    "conv4": (encoders.conv4(8, norm="batch"), (28, 28, 1)),
    "conv4 with group norm": (encoders.conv4(16, 8, norm="group"), (17, 19, 3)),
    "conv4 with layer norm": (encoders.conv4(8, norm="layer"), (28, 28, 1)),
    "hoffer": (encoders.hoffer(), (28, 28, 1)),
    "bielski": (encoders.bielski(norm="batch"), (28, 28, 1)),
    "koch": (encoders.koch(28, 64), (28, 28, 1)),
    "rows": (layers.serial(layers.Dense(8), layers.Tanh, *NORMS, layers.Dense(6), layers.Normalize), (7,)),
    "images, in a serial": (
        layers.serial(layers.serial(layers.Conv(4, 4, "same", 3), *NORMS), layers.PRelu(), layers.MaxPool(2)),
        (19, 14, 2),
    ),
    "one layer": (layers.Dense(3), (4,)),
}


def trained(encoder, shape):
    """Parameters that are all different, with positive variances."""
    rng = np.random.default_rng(0)
    params, _ = encoder.init(rng, shape)
    return tree.map(lambda a: np.asarray(a + 0.1 * rng.random(np.shape(a)), np.float32), params)


def embeddings(path, images):
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"images": images})[0]


@pytest.mark.parametrize("name", ENCODERS)
def test_the_embeddings_are_equal(name, tmp_path):
    encoder, shape = ENCODERS[name]
    params = trained(encoder, shape)
    save_onnx(tmp_path / "file", encoder, params, shape)
    for n in (1, 5):
        images = np.random.default_rng(n).normal(size=(n, *shape)).astype(np.float32)
        found, expected = embeddings(tmp_path / "file", images), evaluate.embed(encoder, params, images)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_every_layer_of_the_package_has_an_operator():
    def made(layer):
        return {layer.op} if not layer.parts else set().union(*map(made, layer.parts))

    one = [
        getattr(layers, name) for name in vars(layers) if name[0].isupper() and name not in ("Layer", "Any", "Mapping")
    ]
    known = [layer for layer in one if isinstance(layer, layers.Layer)]
    known += [layers.Dense(1), layers.Conv(1, 1), layers.MaxPool(), layers.PRelu(), *NORMS]
    known += [encoder for encoder, _ in ENCODERS.values()]
    assert set().union(*map(made, known)) == set(OPERATORS)


def test_a_zero_row_has_no_direction(tmp_path):
    save_onnx(tmp_path / "file", layers.Normalize, (), (3,))
    rows = np.array([[0, 0, 0], [3, 0, 4]], np.float32)
    np.testing.assert_allclose(embeddings(tmp_path / "file", rows), ops.normalize(rows)[0], rtol=1e-6)


def test_parameters_in_float64_and_metadata(tmp_path):
    import onnx

    encoder = encoders.mlp(4, 2)
    params = tree.cast(trained(encoder, (3,)), np.float64)
    save_onnx(tmp_path / "file", encoder, params, (3,), {"distance": "cosine"})
    model = onnx.load(tmp_path / "file")
    assert [(p.key, p.value) for p in model.metadata_props] == [("distance", "cosine")]
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(embeddings(tmp_path / "file", x), evaluate.embed(encoder, params, x), rtol=1e-5)


@pytest.mark.parametrize("faster", [convert, microbatch, layers.at_test])
def test_a_fast_encoder_is_refused_with_the_remedy(faster, tmp_path):
    encoder = faster(encoders.conv4(norm="batch"))
    params, _ = encoder.init(np.random.default_rng(0), (28, 28, 1))
    with pytest.raises(ValueError, match=r"before fast.convert, fast.microbatch"):
        save_onnx(tmp_path / "file", encoder, params, (28, 28, 1))
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused(tmp_path):
    encoder = encoders.mlp(4, 2)
    params = trained(encoder, (3, 3, 1))
    with pytest.raises(ValueError, match=r"params must be those of mlp, 4 entries: params\['encoder'\]"):
        save_onnx(tmp_path / "file", encoder, {"encoder": params}, (3, 3, 1))
    with pytest.raises(ValueError, match=r"of 'Dense 4' have the shapes \[\(9, 4\), \(4,\)\], and images of \(16,\)"):
        save_onnx(tmp_path / "file", encoder, params, (4, 4, 1))


def test_without_the_package_an_error_gives_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "minisiam.interop.onnx")
    with pytest.raises(ImportError, match=r"pip install -e '\.\[interop-onnx\]'"):
        import minisiam.interop.onnx  # noqa: F401
