"""What happens where a derivative does not exist: each choice, with its exact numbers."""

import numpy as np
import pytest

from minisiam import distances, losses, ops, pairwise

Z, ONE = np.zeros((1, 2)), np.ones(1)
SAME, DIFFERENT = np.array([True]), np.array([False])


def array(*numbers):
    return np.array(numbers, float)


# op, its arguments, its constants, upstream, value, gradients
KINKS = {
    "relu at 0 has slope 0": (ops.relu, [array(0, -0.0)], {}, array(1, 1), array(0, 0), [array(0, 0)]),
    "leaky_relu at 0 has its slope": (ops.leaky_relu, [array(0)], {"slope": 0.1}, ONE, array(0), [array(0.1)]),
    "prelu at 0 has its slope": (ops.prelu, [array(0), np.array(0.3)], {}, ONE, array(0), [array(0.3), 0]),
    "sigmoid saturates": (ops.sigmoid, [array(-1e4, 1e4)], {}, array(1, 1), array(0, 1), [array(0, 0)]),
    "tanh saturates": (ops.tanh, [array(-1e4, 1e4)], {}, array(1, 1), array(-1, 1), [array(0, 0)]),
    "normalize of nothing is nothing": (ops.normalize, [Z], {}, np.ones((1, 2)), Z, [Z]),
    "max_pool gives a tie to the first": (
        ops.max_pool,
        [np.ones((1, 2, 2, 1))],
        {},
        np.ones((1, 1, 1, 1)),
        np.ones((1, 1, 1, 1)),
        [array(1, 0, 0, 0).reshape(1, 2, 2, 1)],
    ),
    "l2 at 0 has no direction": (distances.l2, [Z, Z], {}, ONE, array(0), [Z, Z]),
    "squared_l2 at 0 is flat": (distances.squared_l2, [Z, Z], {}, ONE, array(0), [Z, Z]),
    "l1 at 0 has no sign": (distances.l1, [Z, Z], {}, ONE, array(0), [Z, Z]),
    "l1 with one equal feature": (distances.l1, [array([0, 3]), Z], {}, ONE, array(3), [array([0, 1]), array([0, -1])]),
    "weighted_l1 at 0 has no sign": (
        distances.weighted_l1,
        [Z, Z, array(2, 3), np.array(0.5)],
        {},
        ONE,
        array(0.5),
        [Z, Z, array(0, 0), 1],
    ),
    "cosine of nothing is 1": (distances.cosine, [Z, np.ones((1, 2))], {}, ONE, array(1), [Z, Z]),
    "cosine of nothing and nothing is 1": (distances.cosine, [Z, Z], {}, ONE, array(1), [Z, Z]),
    "pairwise l2 at 0": (pairwise.l2, [Z, Z], {}, np.ones((1, 1)), np.zeros((1, 1)), [Z, Z]),
    "pairwise l1 at 0": (pairwise.l1, [Z, Z], {}, np.ones((1, 1)), np.zeros((1, 1)), [Z, Z]),
    "pairwise cosine of nothing": (pairwise.cosine, [Z, Z], {}, np.ones((1, 1)), np.ones((1, 1)), [Z, Z]),
    "contrastive at its margin": (losses.contrastive, [array(1)], {"same": DIFFERENT}, 1.0, 0, [array(0)]),
    "contrastive: coincident and different are pushed by the whole margin": (
        losses.contrastive,
        [array(0)],
        {"same": DIFFERENT, "margin": 2.0},
        1.0,
        2,
        [array(-2)],
    ),
    "triplet_hinge at its margin is satisfied": (
        losses.triplet_hinge,
        [ONE, 2 * ONE],
        {},
        1.0,
        0,
        [array(0), array(0)],
    ),
    "triplet_hinge of a collapsed network is the margin": (
        losses.triplet_hinge,
        [array(0), array(0)],
        {"margin": 0.4},
        1.0,
        0.4,
        [array(1), array(-1)],
    ),
    "soft margin of a collapsed network is log 2": (
        losses.triplet_soft_margin,
        [array(0), array(0)],
        {},
        1.0,
        np.log(2),
        [array(0.5), array(-0.5)],
    ),
    "ratio of a collapsed network is one half": (
        losses.triplet_ratio,
        [array(0), array(0)],
        {},
        1.0,
        0.5,
        [array(0.5), array(-0.5)],
    ),
    "a hopeless triplet gets no gradient from the ratio": (
        losses.triplet_ratio,
        [array(1e4), array(0)],
        {},
        1.0,
        2,
        [array(0), array(0)],
    ),
    "cross_entropy sure and right": (losses.cross_entropy, [array(1e4)], {"same": SAME}, 1.0, 0, [array(0)]),
    "cross_entropy sure and wrong": (losses.cross_entropy, [array(1e4)], {"same": DIFFERENT}, 1.0, 1e4, [array(1)]),
    "cross_entropy that knows nothing": (
        losses.cross_entropy,
        [array(0)],
        {"same": SAME},
        1.0,
        np.log(2),
        [array(-0.5)],
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_kink(name):
    op, arguments, constants, g, value, gradients = KINKS[name]
    ours, pullback = op(*arguments, **constants)
    np.testing.assert_allclose(ours, value, rtol=1e-15, atol=1e-300)
    for dx, expected in zip(pullback(g), gradients, strict=True):
        np.testing.assert_array_equal(dx, expected)


def test_coincident_points_of_different_classes_are_not_separated():
    """The contrastive loss pushes, but the distance has no direction there: noise on the images is the remedy."""
    d, pull_d = distances.l2(Z, Z)
    value, pull = losses.contrastive(d, DIFFERENT)
    assert value == 0.5
    np.testing.assert_array_equal(pull_d(*pull(1.0)), [Z, Z])


def test_a_used_hinge_gives_each_row_its_share():
    _, pullback = losses.triplet_hinge(array(1, 5, 0, 0), array(0, 0, 5, 9))
    np.testing.assert_array_equal(pullback(1.0), [array(0.25, 0.25, 0, 0), array(-0.25, -0.25, 0, 0)])
