"""The universal test: every op of the library, against autograd on its formula, differences, laws and kinks."""

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
    """What returns an op's pair and is public bears the mark: nothing slips past the universal test."""
    for module in MODULES:
        for name, f in vars(module).items():
            if inspect.isfunction(f) and "Op[" in str(inspect.signature(f).return_annotation):
                assert f.is_op, name


def test_every_formula_has_its_op():
    names = {p.values[0].__name__ for p in OPS}
    parts = {"log_sum_exp"}  # of several losses: `minisiam learn` asks for it
    assert {n for n, f in vars(reference).items() if hasattr(f, "cases")} == names | parts


def test_definitions_are_written_in_autograd_numpy():
    """Plain NumPy would silently give autograd a gradient of zero."""
    assert reference.np is autograd.numpy
    imported = {
        alias.name
        for node in ast.walk(ast.parse(inspect.getsource(reference)))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert imported == {"annotations", "autograd.numpy"}


def test_a_definition_in_plain_numpy_is_refused():
    with pytest.raises(TypeError, match="autograd cannot see through"):
        gradcheck.examine(ops.tanh, lambda x: np.array(np.vectorize(lambda v: 0.0)(np.array([1.0]))))


def trials(op):
    """How many inputs: fewer where the definition is a loop over a batch, more where most of them lie on a node."""
    if op in (losses.histogram, losses.fast_ap):
        return {"examples": 4, "points": 120}
    if "labels" in inspect.signature(op).parameters:
        return {"examples": 12, "points": 80}
    return {"examples": 20} if op.__module__.startswith(losses.__name__) else {}


@pytest.mark.parametrize("op", OPS)
def test_op(op):
    found = gradcheck.examine(op, **trials(op))
    assert found, str(found)
    assert found.points > 100
    assert found.error < 1e-10


@pytest.mark.parametrize("room", [distances, pairwise])
def test_calibrated(room):
    def calibrated_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return room.calibrated(room.squared_l2)(a, b, scale, bias)

    squared = reference.squared_l2 if room is distances else reference.matrix(reference.squared_l2)
    found = gradcheck.examine(calibrated_squared_l2, lambda a, b, scale, bias: scale * squared(a, b) + bias)
    assert found, str(found)


def test_a_loss_over_mined_pairs():
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
    found = gradcheck.examine(contrastive_over_all_pairs, reference.specify(corner, 2, scales=(-1, 1))(definition))
    assert found, str(found)
