"""The universal test compares every op with autograd on its formula, differences, laws and kinks."""

import ast
import inspect

import autograd.numpy
import numpy as np
import pytest
from every_op import MODULES, OPS

from minisiam import distances, gradcheck, losses, miners, ops, pairwise
from minisiam.gradcheck import reference
from minisiam.typing import Array, Float, Op


def test_every_op_is_marked():
    """Every public function that returns `Op` has the mark, so the universal test finds it."""
    for module in MODULES:
        for name, f in vars(module).items():
            if inspect.isfunction(f) and "Op[" in str(inspect.signature(f).return_annotation):
                assert f.is_op, name


def test_every_op_has_a_definition():
    names = {p.values[0].__name__ for p in OPS}
    parts = {"log_sum_exp"}  # a part of several losses, which `minisiam learn` uses
    assert reference.DEFINITIONS.keys() == names | parts


def test_definitions_are_written_in_autograd_numpy():
    """Plain NumPy would silently give autograd a gradient of zero."""
    assert reference.np is autograd.numpy
    imported = {
        alias.name
        for module in reference.MODULES
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == {"autograd.numpy"}


def test_a_definition_in_plain_numpy_is_an_error():
    with pytest.raises(ValueError, match="autograd cannot differentiate"):
        gradcheck.run_check(ops.tanh, lambda x: np.array(np.vectorize(lambda v: 0.0)(np.array([1.0]))))


def trials(op):
    """The number of inputs: fewer if the definition is a slow loop, more if most inputs lie on a node."""
    if op in (losses.histogram, losses.fast_ap):
        return {"examples": 4, "points": 120}
    if "labels" in inspect.signature(op).parameters:
        return {"examples": 12, "points": 80}
    return {"examples": 20} if op.__module__.startswith(losses.__name__) else {}


# tests/fast compares these with ops.conv2d
SLOW = ("fast.conv2d_fft", "fast.conv2d_im2row", "fast.conv2d_winograd", "fast.conv_pool_relu")


@pytest.mark.parametrize(
    "op", [pytest.param(*op.values, id=op.id, marks=[pytest.mark.slow] * (op.id in SLOW)) for op in OPS]
)
def test_an_op_equals_its_definition(op):
    found = gradcheck.run_check(op, **trials(op), signed=True)
    assert found, str(found)
    assert found.remark == ""
    assert found.points > 100
    assert found.error < 1e-10


@pytest.mark.parametrize("module", [distances, pairwise])
def test_calibrated_equals_its_definition(module):
    def calibrated_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return module.calibrated(module.squared_l2)(a, b, scale, bias)

    squared = reference.squared_l2 if module is distances else reference.matrix(reference.squared_l2)
    found = gradcheck.run_check(calibrated_squared_l2, lambda a, b, scale, bias: scale * squared(a, b) + bias)
    assert found, str(found)


@pytest.mark.parametrize("module", [distances, pairwise])
def test_tempered_equals_its_definition(module):
    def tempered_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], s: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return module.tempered(module.squared_l2, bias=0.0)(a, b, s, bias)

    def without_bias(a: Float[Array, "n d"], b: Float[Array, "n d"], s: Float[Array, ""], /) -> Op[Array]:
        return module.tempered(module.squared_l2)(a, b, s)

    squared = reference.squared_l2 if module is distances else reference.matrix(reference.squared_l2)
    near_1 = reference.specify(scales=(-1, 0), unit=1.0)
    for op, bias in ((tempered_squared_l2, 1), (without_bias, 0)):
        definition = near_1(lambda a, b, s, *given, k=bias: reference.np.exp(s) * squared(a, b) - k * sum(given))
        found = gradcheck.run_check(op, definition)
        assert found, str(found)


def test_nested_sizes_equal_their_definition():
    """A learned scale is shared by the sizes, a learned boundary by the terms of the loss."""
    distance = pairwise.nested(pairwise.tempered(pairwise.squared_l2), (1, 3))
    loss = losses.nested(losses.with_miner(losses.margin_loss, miners.all_pairs), weights=(0.5, 2.0))
    labels = np.array([0, 0, 1])

    def nested(
        a: Float[Array, "3 4"], b: Float[Array, "3 4"], s: Float[Array, ""], beta: Float[Array, ""], /
    ) -> Op[Array]:
        D, pull_D = distance(a, b, s)
        value, pull = loss(D, beta, labels)

        def pullback(dl):
            dD, dbeta = pull(dl)
            return *pull_D(dD), dbeta

        return value, pullback

    (i, j), square = np.triu_indices(3, 1), reference.matrix(reference.squared_l2)
    pairs = lambda a, b, s, size: reference.np.exp(s) * square(a[:, :size], b[:, :size])[i, j]
    same = labels[i] == labels[j]

    def definition(a, b, s, beta):
        return sum(
            weight * reference.margin_loss(pairs(a, b, s, size), beta, same) for size, weight in ((1, 0.5), (3, 2.0))
        )

    corner = lambda a, b, s, beta: np.concatenate(
        [reference.margin_loss.corner(pairs(a, b, s, size), beta, same) for size in (1, 3)]
    )
    found = gradcheck.run_check(nested, reference.specify(corner, scales=(-1, 0), unit=1.0)(definition))
    assert found, str(found)


def test_a_loss_over_mined_pairs_equals_its_definition():
    labels = np.array([0, 0, 1, 1])

    def contrastive_over_all_pairs(z: Float[Array, "4 d"], /) -> Op[Array]:
        D, pull_D = pairwise.squared_l2(z, z)
        value, pull = losses.with_miner(losses.contrastive, miners.all_pairs)(D, labels)
        return value, lambda dl: (sum(pull_D(*pull(dl))),)

    def definition(z):
        anp = reference.np
        i, j = anp.triu_indices(4, 1)
        return reference.contrastive(reference.squared_l2(z[i], z[j]), labels[i] == labels[j])

    corner = lambda z: 1 - ((z[[0, 0, 1, 1]] - z[[2, 3, 2, 3]]) ** 2).sum(axis=1)
    found = gradcheck.run_check(contrastive_over_all_pairs, reference.specify(corner, 2, scales=(-1, 1))(definition))
    assert found, str(found)
