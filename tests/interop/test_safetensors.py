"""A safetensors file holds every parameter, and is the state of the same network in PyTorch."""

import json
import sys

import numpy as np
import pytest

from minisiam import distances, encoders, layers, losses, networks, pairwise
from minisiam.fast import convert
from minisiam.interop import safetensors, state_dict

try:
    import torch
except ImportError:
    torch = None


def parsed(path):
    """A reader of the format that shares no line with the package safetensors."""
    raw = path.read_bytes()
    length = int(np.frombuffer(raw[:8], "<u8")[0])
    header = json.loads(raw[8 : 8 + length])
    metadata, body, end = header.pop("__metadata__", {}), raw[8 + length :], 0
    assert length % 8 == 0
    arrays = {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        assert (entry["dtype"], start) == ("F32", end)  # one after the other, and nothing between
        arrays[name] = np.frombuffer(body[start:stop], "<f4").reshape(entry["shape"])
        end = stop
    assert end == len(body)
    return arrays, metadata


def written(path, encoder, shape=(28, 28, 1)):
    params, _ = encoder.init(np.random.default_rng(0), shape)
    safetensors.save_safetensors(path, {"encoder": params, "distance": (), "loss": ()}, {"made by": "a test"})
    return params, parsed(path)[0]


def test_names_shapes_and_numbers(tmp_path, rng):
    network = networks.proxy(encoders.conv2(16, norm="batch"), pairwise.weighted_l1, losses.proxy_anchor, 5)
    params = network.init(rng, (14, 14, 1))
    safetensors.save_safetensors(tmp_path / "file", params, {"made by": "a test"})
    found, metadata = parsed(tmp_path / "file")
    assert metadata == {"made by": "a test"}
    norm = ("weight", "bias", "running_mean", "running_var")
    assert {name: array.shape for name, array in found.items()} == {
        "encoder.0.weight": (32, 1, 5, 5),
        "encoder.0.bias": (32,),
        **{f"encoder.1.{name}": (32,) for name in norm},
        "encoder.3.weight": (64, 32, 2, 2),
        "encoder.3.bias": (64,),
        **{f"encoder.4.{name}": (64,) for name in norm},
        "encoder.7.weight": (16, 64 * 36),
        "encoder.7.bias": (16,),
        "distance.0": (16,),
        "distance.1": (),
        "proxies": (5, 16),
    }
    W, V = params["encoder"][3][0], params["encoder"][7][0]
    assert found["encoder.3.weight"][5, 3, 1, 0] == W[1, 0, 3, 5]
    assert found["encoder.7.weight"][2, 63 * 36 + 4 * 6 + 5] == V[(4 * 6 + 5) * 64 + 63, 2]
    np.testing.assert_array_equal(found["encoder.4.running_var"], params["encoder"][4]["running"][1])
    np.testing.assert_array_equal(found["proxies"], params["proxies"])
    network = networks.verification(encoders.mlp(4, 2), distances.calibrated(distances.l2), losses.binary_cross_entropy)
    assert [name for name in state_dict.to_state_dict(network.init(rng, (28, 28, 1))) if name[0] == "d"] == [
        "distance.0",
        "distance.1",
    ]


def test_other_trees_are_refused(tmp_path):
    for params in ((), {"encoder": ()}, {"W": np.zeros(2)}):
        with pytest.raises(ValueError, match="params must be those of a network"):
            safetensors.save_safetensors(tmp_path / "file", params)
    assert list(tmp_path.iterdir()) == []


def test_big_endian_and_transposed_parameters_give_the_same_file(tmp_path, rng):
    W, b = rng.normal(size=(4, 6)).astype(np.float32), np.zeros(4, np.float32)
    variants = {"plain": W.T.copy(), "transposed": W.T, "big": W.T.astype(">f4"), "wide": W.T.astype(float)}
    for name, array in variants.items():
        safetensors.save_safetensors(tmp_path / name, {"encoder": [(array, b)]}, {"a": "b"})
    assert {(tmp_path / name).read_bytes() for name in variants} == {(tmp_path / "plain").read_bytes()}
    np.testing.assert_array_equal(parsed(tmp_path / "plain")[0]["encoder.0.weight"], W)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    written(tmp_path / "file", encoders.mlp(4, 2))
    old = (tmp_path / "file").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path / "file", encoders.mlp(8, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == old


def test_without_the_package_an_error_gives_the_pip_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"python -m pip install -e '\.\[safetensors\]'"):
        written(tmp_path / "file", encoders.mlp(4, 2))


def in_torch(layer, before):
    """The module of a layer; `before` is the number of channels or inputs that it reads."""
    name, *sizes = layer.name.replace("@", "").replace("×", " ").split()
    nn = torch.nn
    made = {
        "Conv": lambda: nn.Conv2d(before, int(sizes[0]), int(sizes[1]), padding=sizes[-1]),
        "Dense": lambda: nn.Linear(before, int(sizes[0])),
        "MaxPool": lambda: nn.MaxPool2d(int(sizes[0])),
        "BatchNorm": lambda: nn.BatchNorm2d(before),
        "GroupNorm": lambda: nn.GroupNorm(int(sizes[0]), before),
        "PRelu": lambda: nn.PReLU(),
        "Relu": nn.ReLU,
        "Flatten": nn.Flatten,
    }
    return made[name]()


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize(
    "encoder",
    [
        encoders.mlp(32, 16),
        encoders.conv4(embedding=16),
        encoders.conv4(channels=8, embedding=16, norm="batch"),
        encoders.conv4(channels=8, norm="group"),
        encoders.bielski(),
    ],
    ids=["mlp", "conv4", "conv4 with batch norm", "conv4 with group norm", "bielski"],
)
def test_the_same_network_in_torch(tmp_path, encoder):
    rng = np.random.default_rng(1)
    params, arrays = written(tmp_path / "file", encoder)
    sequence, shape = [], (28, 28, 1)
    for layer in encoder.parts:
        sequence.append(in_torch(layer, shape[-1]))
        _, shape = layer.init(rng, shape)
    model = torch.nn.Sequential(*sequence).eval()
    state = {name.removeprefix("encoder."): torch.from_numpy(array.copy()) for name, array in arrays.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all("num_batches_tracked" in name for name in missing)
    x = rng.normal(size=(5, 28, 28, 1)).astype(np.float32)
    with torch.no_grad():
        theirs = model(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    ours, _ = layers.at_test(encoder)(params, x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_fast_encoder_is_exported_under_the_same_names(tmp_path):
    for make in (encoders.conv4, encoders.bielski, encoders.conv2):
        for norm in ("none", "batch"):
            _, plain = written(tmp_path / "plain", make(norm=norm))
            _, fast = written(tmp_path / "fast", convert(make(norm=norm)))
            assert list(plain) == list(fast)
            for name in plain:
                np.testing.assert_array_equal(plain[name], fast[name])
