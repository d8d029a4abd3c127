"""The universal test: every op of the library, against autograd on its formula and against differences."""

import inspect

import pytest

from minisiam import distances, losses, miners, ops, pairwise, reference, testing
from minisiam.typing import Array, Float, Op

ROOMS = (ops, distances, pairwise, losses)
NOT_OPS = {"calibrated", "over"}  # these take an op and return one


def public_ops():
    """Every public function of the rooms that hold ops: a new op is tested from the moment it exists."""
    for room in ROOMS:
        names = getattr(room, "__all__", None) or [n for n in vars(room) if not n.startswith("_")]
        for name in names:
            f = getattr(room, name)
            if inspect.isfunction(f) and name not in NOT_OPS and testing.variables(f):
                yield pytest.param(f, id=f"{room.__name__.split('.')[-1]}.{name}")


OPS = list(public_ops())


def test_every_formula_has_its_op():
    names = {p.values[0].__name__ for p in OPS}
    assert {n for n, f in vars(reference).items() if hasattr(f, "cases")} <= names


@pytest.mark.parametrize("op", OPS)
def test_value_and_pullback(op):
    testing.check(op)


@pytest.mark.parametrize("room", [distances, pairwise])
def test_calibrated(room):
    def calibrated_squared_l2(
        a: Float[Array, "n d"], b: Float[Array, "n d"], scale: Float[Array, ""], bias: Float[Array, ""], /
    ) -> Op[Array]:
        return room.calibrated(room.squared_l2)(a, b, scale, bias)

    squared = reference.squared_l2 if room is distances else reference.matrix(reference.squared_l2)
    testing.check(calibrated_squared_l2, lambda a, b, scale, bias: scale * squared(a, b) + bias)


def test_a_loss_over_mined_pairs():
    labels = testing.np.array([0, 0, 1, 1])

    def contrastive_over_all_pairs(z: Float[Array, "4 d"], /) -> Op[Array]:
        D, pull_D = pairwise.squared_l2(z, z)
        value, pull = losses.over(losses.contrastive, miners.all_pairs)(D, labels)
        return value, lambda dl: (sum(pull_D(*pull(dl))),)

    def definition(z):
        anp = reference.np
        i, j = anp.triu_indices(4, 1)
        return reference.contrastive(reference.squared_l2(z[i], z[j]), labels[i] == labels[j])

    definition.sizes = {"4": (4, 4)}
    definition.corner = lambda z: 1 - ((z[[0, 0, 1, 1]] - z[[2, 3, 2, 3]]) ** 2).sum(axis=1)
    testing.check(contrastive_over_all_pairs, definition)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda da: (da, da), "gradient of b"),
        (lambda da: (2 * da, -da), "gradient of a"),
        (lambda da: da, "must return a tuple"),
    ],
)
def test_the_check_finds_a_wrong_pullback(wrong, message):
    def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Array]:
        d, pull = distances.squared_l2(a, b)
        return d, lambda dd: wrong(pull(dd)[0])

    with pytest.raises(AssertionError, match=message):
        testing.check(squared_l2)
