"""Parameters of PyTorch become parameters of minisiam, and the network computes the same numbers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from minisiam import distances, encoders, layers, losses, networks, pairwise, tree  # noqa: E402
from minisiam.fast import convert  # noqa: E402
from minisiam.interop import safetensors  # noqa: E402
from minisiam.interop.torch import from_state_dict, to_state_dict  # noqa: E402

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
]
GREY, COLOUR = (12, 12, 1), (12, 12, 3)


def convolution(a, b, *after, kernel=3, **options):
    return [nn.Conv2d(a, b, kernel, **({"padding": "same"} | options)), *after]


def head(features, size=5):
    return [nn.Flatten(), nn.Linear(features, size)]


Conv, Norm = layers.Conv, layers.BatchNorm
# the network in PyTorch, the encoder, the shape of an image
SAME = {
    "convolutions": (
        [*convolution(3, 4, nn.ReLU(), nn.MaxPool2d(2)), *convolution(4, 6, nn.ReLU()), *head(216)],
        [
            Conv(4, 3, "same"),
            layers.Relu,
            layers.MaxPool(2),
            Conv(6, 3, "same"),
            layers.Relu,
            layers.Flatten,
            layers.Dense(5),
        ],
        COLOUR,
    ),
    "an even kernel, a stride, and no bias": (
        [*convolution(1, 4, kernel=2), *convolution(4, 6, kernel=5, stride=2, padding=2, bias=False), *head(216)],
        [Conv(4, 2, "same"), Conv(6, 5, "same", 2), layers.Flatten, layers.Dense(5)],
        GREY,
    ),
    "batch norm": (
        [*convolution(1, 4, nn.BatchNorm2d(4), nn.ReLU(), bias=False), *head(576, 8), nn.BatchNorm1d(8, affine=False)],
        [Conv(4, 3, "same"), Norm(), layers.Relu, layers.Flatten, layers.Dense(8), Norm()],
        GREY,
    ),
    "a norm of flattened channels": (
        [*convolution(1, 4), nn.Flatten(), nn.BatchNorm1d(576), nn.Linear(576, 5)],
        [Conv(4, 3, "same"), layers.Flatten, Norm(), layers.Dense(5)],
        GREY,
    ),
    "group norm": (
        [*convolution(1, 8, nn.GroupNorm(4, 8), nn.Tanh()), *convolution(8, 8, nn.GroupNorm(1, 8)), *head(1152)],
        [
            Conv(8, 3, "same"),
            layers.GroupNorm(4),
            layers.Tanh,
            Conv(8, 3, "same"),
            layers.LayerNorm(),
            layers.Flatten,
            layers.Dense(5),
        ],
        GREY,
    ),
    "layer norm and PReLU of rows": (
        [nn.Linear(7, 6), nn.LayerNorm(6), nn.PReLU(), nn.Linear(6, 5), nn.Sigmoid()],
        [layers.Dense(6), layers.LayerNorm(), layers.PRelu(), layers.Dense(5), layers.Sigmoid],
        (7,),
    ),
    "colour images without a convolution": (
        [nn.Flatten(), nn.Linear(432, 8), nn.ReLU(), nn.Linear(8, 5)],
        encoders.mlp(8, 5).parts,
        COLOUR,
    ),
    "sequences in a sequence, with a dropout": (
        [nn.Sequential(*convolution(3, 4)), nn.Dropout(), nn.Identity(), nn.Sequential(*head(576))],
        [layers.serial(Conv(4, 3, "same")), layers.Flatten, layers.serial(layers.Dense(5))],
        COLOUR,
    ),
    "more than ten layers": (
        [layer for _ in range(12) for layer in (nn.Linear(6, 6), nn.ReLU())],
        [layer for _ in range(12) for layer in (layers.Dense(6), layers.Relu)],
        (6,),
    ),
}


def trained(modules):
    """A network whose parameters and running statistics are all different."""
    torch.manual_seed(0)
    model = nn.Sequential(*modules)
    for tensor in model.state_dict().values():
        if tensor.dtype.is_floating_point:
            tensor.add_(0.2 * torch.rand_like(tensor))
    return model.eval()


def outputs(model, encoder, params, shape):
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    theirs = model(torch.from_numpy(np.moveaxis(x, -1, 1).copy() if len(shape) == 3 else x)).detach().numpy()
    return layers.at_test(encoder)(params, x)[0], theirs


@pytest.mark.parametrize("name", SAME)
def test_the_outputs_are_equal(name):
    modules, parts, shape = SAME[name]
    model, encoder = trained(modules), layers.serial(*parts)
    params = from_state_dict(model.state_dict(), encoder, shape)
    np.testing.assert_allclose(*outputs(model, encoder, params, shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SAME)
def test_there_and_back_is_the_identity(name, tmp_path):
    pytest.importorskip("safetensors")
    modules, parts, shape = SAME[name]
    encoder = layers.serial(*parts)
    params = from_state_dict(trained(modules).state_dict(), encoder, shape)
    safetensors.save_safetensors(tmp_path / "file", params, channels=shape[-1])
    for again in (
        from_state_dict(to_state_dict(params, channels=shape[-1]), encoder, shape),
        safetensors.load_safetensors(tmp_path / "file", encoder, shape),
    ):
        tree.map(np.testing.assert_array_equal, params, again)


def test_our_parameters_load_into_pytorch():
    modules, parts, shape = SAME["convolutions"]
    encoder = layers.serial(*parts)
    params, _ = encoder.init(np.random.default_rng(0), shape)
    model = nn.Sequential(*modules)
    model.load_state_dict(to_state_dict(params))
    np.testing.assert_allclose(*outputs(model, encoder, params, shape), rtol=1e-5, atol=1e-5)


def test_a_file_of_pytorch_and_another_dtype(tmp_path):
    save = pytest.importorskip("safetensors.torch").save_file
    modules, parts, shape = SAME["more than ten layers"]
    model, encoder = trained(modules), layers.serial(*parts)
    for dtype, close in ((torch.float32, 1e-5), (torch.float64, 1e-5), (torch.float16, 1e-2)):
        save({name: a.to(dtype) for name, a in model.state_dict().items()}, tmp_path / "file")
        params = safetensors.load_safetensors(tmp_path / "file", encoder, shape)
        np.testing.assert_allclose(*outputs(model, encoder, params, shape), rtol=close, atol=close)
    save(model.bfloat16().state_dict(), tmp_path / "file")
    with pytest.raises(TypeError, match=r"bfloat16.* save model.float\(\)"):
        safetensors.load_safetensors(tmp_path / "file", encoder, shape)


def test_a_network_with_learned_parts(tmp_path):
    pytest.importorskip("safetensors")
    network = networks.proxy(encoders.conv2(6, norm="batch"), pairwise.weighted_l1, losses.proxy_anchor, 5)
    params = network.init(np.random.default_rng(0), (14, 14, 1))
    safetensors.save_safetensors(tmp_path / "file", params)
    other = safetensors.load_safetensors(tmp_path / "file", network, (14, 14, 1))
    x, labels = np.ones((4, 14, 14, 1), np.float32), np.arange(4)
    assert network(params, x, labels)[0] == network(other, x, labels)[0]
    fast = convert(encoders.conv2(6, norm="batch"))  # the encoder alone, made of other ops
    alone = safetensors.load_safetensors(tmp_path / "file", fast, (14, 14, 1))
    np.testing.assert_array_equal(alone[0][0], params["encoder"][0][0])
    with pytest.raises(ValueError, match=r"no loss.0, and the network needs one of the shape \(\)"):
        safetensors.load_safetensors(
            tmp_path / "file", networks.siamese(fast, distances.l2, losses.margin_loss), (14, 14, 1)
        )


STATE = trained(SAME["batch norm"][0]).state_dict()
ENCODER = layers.serial(*SAME["batch norm"][1])
OTHERS = {
    "another shape": ({"4.weight": torch.zeros(7, 576)}, r"4.weight has the shape \(7, 576\), .* needs \(8, 576\)"),
    "a grouped convolution": (
        {"0.weight": torch.zeros(4, 2, 3, 3)},
        r"0.weight .*\(4, 2, 3, 3\), .* needs \(4, 1, 3, 3\)",
    ),
    "a layer too many": ({"9.weight": torch.zeros(2, 3)}, r"no parameter for 9.weight, of the shape \(2, 3\)"),
    "a parameter too many": ({"1.slope": torch.zeros(2)}, r"no parameter for 1.slope, of the shape \(2,\)"),
    "no running statistics": ({"1.running_mean": None}, r"no 1.running_mean, .* shape \(4,\)"),
    "no weights": ({"4.weight": None}, r"no 4.weight, .* shape \(8, 576\)"),
    "a layer too few": ({"5.running_mean": None, "5.running_var": None}, r"no 5.running_mean|no 5.weight"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_architecture_is_an_error_with_key_and_shapes(name):
    changes, message = OTHERS[name]
    state = {key: a for key, a in (STATE | changes).items() if a is not None}
    with pytest.raises(ValueError, match=message):
        from_state_dict(state, ENCODER, GREY)


def test_other_errors_name_the_cause(tmp_path):
    pytest.importorskip("safetensors")
    with pytest.raises(TypeError, match=r"model.state_dict\(\)"):
        from_state_dict(nn.Linear(4, 3), ENCODER, GREY)
    with pytest.raises(ValueError, match=r"layers.serial\(layer\)"):
        from_state_dict(STATE, layers.Dense(3), (4,))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        safetensors.load_safetensors(tmp_path / "none", ENCODER, GREY)
    (tmp_path / "file").write_bytes(b"no numbers")
    with pytest.raises(ValueError, match="damaged or not a safetensors file"):
        safetensors.load_safetensors(tmp_path / "file", ENCODER, GREY)
