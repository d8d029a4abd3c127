"""A loss in PyTorch has the value and the gradient of the op, and behaves as other modules do."""

import copy
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from every_loss import CASES, LABELS, SAME, z  # noqa: E402

from minisiam import distances, fast, losses, miners, networks, pairwise  # noqa: E402
from minisiam.interop.torch import Loss  # noqa: E402

pytestmark = pytest.mark.interop

Y = torch.from_numpy(LABELS)
supcon = Loss(losses.supcon, pairwise.cosine, temperature=0.5)


def tensors(*arrays):
    return [torch.from_numpy(a).requires_grad_(a.dtype.kind == "f") for a in map(np.copy, arrays)]


def embeddings(dtype=torch.float64):
    return torch.from_numpy(z()).to(dtype).requires_grad_()


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_every_loss_and_miner(name):
    loss, distance, options, batch = CASES[name]
    module = Loss(loss, distance, **options).double()
    learned, inputs = list(module.parameters()), tensors(*batch)
    assert torch.autograd.gradcheck(lambda *t: module(*t[: len(batch)]), (*inputs, *learned))


def test_the_value_is_that_of_the_op():
    Z = z()
    D, _ = pairwise.cosine(Z, Z)
    expected, _ = losses.supcon(D, LABELS, temperature=0.5)
    assert supcon(torch.from_numpy(Z), Y).item() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_gradient_and_parameters_have_their_own_dtypes(dtype):
    module, a, b = Loss(losses.margin_loss, distances.weighted_l1, size=5), embeddings(dtype), embeddings(dtype)
    value = module(a, b, torch.from_numpy(SAME))
    value.backward()
    assert {value.dtype, a.grad.dtype, b.grad.dtype} == {dtype}
    assert {p.grad.dtype for p in module.parameters()} == {torch.float32}
    assert list(module.state_dict()) == ["distance.0", "distance.1", "loss.0"]


def test_a_gradient_that_is_no_derivative_is_that_of_the_op():
    a = embeddings()
    (found,) = torch.autograd.grad(Loss(losses.circle, pairwise.cosine)(a, Y), a)
    D, pull_D = pairwise.cosine(a.detach().numpy(), a.detach().numpy())
    _, pull = losses.circle(D, LABELS)
    np.testing.assert_array_equal(found, sum(pull_D(*pull(1.0))))


def test_a_loss_of_many_values_has_the_gradient_of_each():
    module = Loss(losses.supcon, pairwise.cosine, reduction="none")
    assert module(embeddings(), Y).shape == (12,)
    assert torch.autograd.gradcheck(module, (embeddings(), Y))


def test_a_change_of_the_value_in_place_does_not_change_the_gradient():
    a, b, same = embeddings(), embeddings(), torch.from_numpy(SAME)
    module = Loss(losses.contrastive, distances.l2, reduction="none")
    expected = torch.autograd.grad(module(a, b, same).sum(), a)
    values = module(a, b, same)
    with torch.no_grad():
        values.zero_()
    torch.testing.assert_close(torch.autograd.grad(values.sum(), a), expected)


def test_the_first_parameters_repeat_after_manual_seed():
    def proxies():
        torch.manual_seed(3)
        return Loss(losses.arcface, pairwise.cosine, classes=3, size=5).proxies

    assert torch.equal(proxies(), proxies())


def test_the_same_gradient_blockwise():
    a = embeddings(torch.float32)
    grads = [
        torch.autograd.grad(Loss(losses.supcon, distance, temperature=0.5)(a, Y), a)[0]
        for distance in (pairwise.cosine, fast.blockwise(pairwise.cosine))
    ]
    torch.testing.assert_close(*grads)


def test_only_what_requires_a_gradient_gets_one():
    assert not supcon(embeddings().detach(), Y).requires_grad
    with torch.no_grad():
        assert not supcon(embeddings(), Y).requires_grad
    frozen = Loss(losses.arcface, pairwise.cosine, classes=3, size=5).requires_grad_(False)
    a = embeddings()
    frozen(a, Y).backward()
    assert a.grad is not None
    assert frozen.proxies.grad is None


def test_a_step_of_an_optimizer_lowers_the_loss():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    module = Loss(losses.arcface, pairwise.cosine, classes=3, size=4, scale=8.0)
    step = torch.optim.SGD([*model.parameters(), *module.parameters()], 0.1)
    x, values = embeddings(torch.float32).detach(), []
    for _ in range(20):
        step.zero_grad()
        value = module(model(x), Y)
        value.backward()
        step.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2


def test_a_view_and_a_transposed_tensor_are_embeddings_too():
    wide = torch.randn(5, 24, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: supcon(w.T[::2], Y), (wide,))


def test_backward_twice_and_a_change_in_place_are_errors_of_pytorch():
    a = embeddings()
    value = supcon(a, Y)
    value.backward(retain_graph=True)
    once = a.grad.clone()
    value.backward()
    torch.testing.assert_close(a.grad, 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()
    moved = a * 2
    value = supcon(moved, Y)
    moved.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_a_backward_frees_the_pullback():
    freed = []

    class Array(np.ndarray):
        def __del__(self):
            freed.append(self.shape)

    def kept(D, /, labels):
        mine = D.copy().view(Array)
        return D.sum(), lambda dl: (np.ones_like(mine, subok=False) * dl,)

    value = Loss(kept, pairwise.l2)(embeddings(), Y)
    value.backward()
    assert freed


def test_a_second_derivative_is_an_error():
    a = embeddings()
    (gradient,) = torch.autograd.grad(supcon(a, Y), a, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        gradient.square().sum().backward()
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.func.grad(lambda a: torch.func.grad(supcon)(a, Y).sum())(a)


def test_functional_gradients_compile_and_deepcopy():
    a = embeddings()
    (expected,) = torch.autograd.grad(supcon(a, Y), a)
    torch.testing.assert_close(torch.func.grad(supcon)(a, Y), expected)
    assert copy.deepcopy(supcon)(a, Y) == supcon(a, Y)


BAD = {
    "another device": (lambda: supcon(embeddings().to("meta"), Y), ValueError, "x is on the device meta"),
    "labels on another device": (lambda: supcon(embeddings(), Y.to("meta")), ValueError, "labels is on the device"),
    "parameters on another device": (
        lambda: Loss(losses.arcface, pairwise.cosine, classes=3, size=5).to("meta")(embeddings(), Y),
        ValueError,
        "loss is on the device meta",
    ),
    "half precision": (lambda: supcon(embeddings().half(), Y), TypeError, r"not float16: x.float\(\)"),
    "an array": (lambda: supcon(z(), Y), TypeError, r"torch.as_tensor\(x\)"),
    "no labels": (lambda: supcon(embeddings()), TypeError, r"2 arguments, \(x, labels\), not 1"),
    "0 and 1 for same": (
        lambda: Loss(losses.contrastive, distances.l2)(embeddings(), embeddings(), Y % 2),
        TypeError,
        r"np.asarray\(same\) == 0",
    ),
    "pairs on a matrix": (lambda: Loss(losses.contrastive, pairwise.l2), TypeError, "distances.l2"),
    "a batch on rows": (lambda: Loss(losses.supcon, distances.l2), TypeError, "pairwise.l2"),
    "no classes": (lambda: Loss(losses.arcface, pairwise.cosine), ValueError, "classes=10, size=64"),
    "no size": (lambda: Loss(losses.arcface, pairwise.cosine, classes=3), ValueError, "size=64"),
    "a misspelt constant": (lambda: Loss(losses.supcon, pairwise.l2, temprature=1), ValueError, "'temperature'"),
    "classes without a distance": (
        lambda: Loss(losses.vicreg, network=networks.proxy),
        ValueError,
        "needs a distance and the number of classes",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_the_remedy(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


def test_repr_names_the_arguments():
    assert "(anchor, positive, negative)" in repr(Loss(losses.triplet_hinge, distances.l2))
    assert "(x, labels)" in repr(Loss(losses.with_miner(losses.triplet_hinge, miners.batch_hard), pairwise.l2))


def test_without_pytorch_an_error_gives_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "minisiam.interop.torch")
    with pytest.raises(ImportError, match=r"pip install -e '\.\[interop-torch\]'"):
        import minisiam.interop.torch  # noqa: F401
