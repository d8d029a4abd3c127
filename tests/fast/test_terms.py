"""The terms that whole-batch losses use are those of the losses on pairs and triplets."""

from inspect import signature

import numpy as np
import pytest

from minisiam import fast, losses
from minisiam.fast.terms import PAIR_TERMS, TRIPLET_TERMS

# constants of each loss: the defaults, and others
PAIRS = [
    (losses.contrastive, {}),
    (losses.contrastive, {"margin": 0.75}),
    (losses.double_margin, {}),
    (losses.double_margin, {"positive_margin": 0.25, "negative_margin": 1.5}),
    (losses.pair_hinge, {}),
    (losses.pair_hinge, {"positive_margin": 0.25, "negative_margin": 1.5}),
    (losses.cosine_embedding, {}),
    (losses.cosine_embedding, {"margin": 0.5}),
]
TRIPLETS = [
    (losses.triplet_soft_margin, {}),
    (losses.triplet_soft_margin, {"margin": 0.25}),
    (losses.triplet_ratio, {}),
]
KINKS = [0.0, 0.2, 0.25, 0.5, 0.75, 1.0, 1.5]  # of these margins


def test_every_term_is_compared_with_its_loss():
    assert {loss for loss, _ in PAIRS} == set(PAIR_TERMS)
    assert {loss for loss, _ in TRIPLETS} == set(TRIPLET_TERMS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("loss", "constants"), PAIRS)
def test_a_term_is_the_loss_on_one_pair(loss, constants, dtype, rng):
    d = np.array([*KINKS, *2 * rng.random(100)], dtype)
    for same, term in zip((True, False), PAIR_TERMS[loss](**constants), strict=True):
        values, slopes = term(d)
        assert values.dtype == slopes.dtype == dtype
        for k in range(len(d)):
            value, pullback = loss(d[k : k + 1], np.array([same]), **constants)
            assert (values[k], slopes[k]) == (value, pullback(1.0)[0][0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("loss", "constants"), TRIPLETS)
def test_a_term_is_the_loss_on_one_triplet(loss, constants, dtype, rng):
    x = np.array([*KINKS, *np.negative(KINKS), *rng.normal(size=100)], dtype)
    values, slopes = TRIPLET_TERMS[loss](**constants)(x)
    assert values.dtype == slopes.dtype == dtype
    for k in range(len(x)):
        value, pullback = loss(x[k : k + 1], np.zeros(1, dtype), **constants)
        dpositive, dnegative = pullback(1.0)
        assert (values[k], slopes[k], -slopes[k]) == (value, dpositive[0], dnegative[0])


@pytest.mark.parametrize(("loss", "terms"), [*PAIR_TERMS.items(), *TRIPLET_TERMS.items()])
def test_a_term_takes_the_constants_of_its_loss(loss, terms):
    of_the_loss = {name: each.default for name, each in signature(loss).parameters.items() if "margin" in name}
    assert {name: each.default for name, each in signature(terms).parameters.items()} == of_the_loss


@pytest.mark.parametrize("loss", [losses.contrastive, losses.double_margin, losses.pair_hinge, losses.cosine_embedding])
def test_all_pairs_refuses_what_is_not_a_plain_loss_on_pairs(loss):
    with pytest.raises(ValueError, match="separately=True"):
        fast.all_pairs(losses.balanced(loss))
