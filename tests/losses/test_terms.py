"""The terms that whole batches use are the losses on single pairs and triplets."""

from functools import partial

import numpy as np
import pytest

from minisiam import losses
from minisiam.losses.terms import PAIR_TERMS, TRIPLET_TERMS, function_and_constants, terms_of

PAIR_LOSSES = [
    losses.contrastive,
    partial(losses.contrastive, margin=0.75),
    losses.double_margin,
    partial(losses.double_margin, positive_margin=-0.5, negative_margin=0.25),
    losses.pair_hinge,
    partial(losses.pair_hinge, positive_margin=0.5, negative_margin=0.75),
    losses.cosine_embedding,
    partial(losses.cosine_embedding, margin=-0.25),
]
TRIPLET_LOSSES = [
    losses.triplet_hinge,
    partial(losses.triplet_hinge, margin=0.25),
    losses.triplet_soft_margin,
    partial(losses.triplet_soft_margin, margin=0.5),
    losses.triplet_ratio,
]


@pytest.fixture
def numbers(rng):
    """Random numbers, and the kinks of every loss above: each margin, and 0."""
    kinks = [sign * margin for margin in (0.0, 0.2, 0.25, 0.5, 0.75, 1.0, 1.25) for sign in (1, -1)]
    return np.append(rng.normal(scale=2, size=100), kinks)


def name_of(loss):
    """The name of a loss and its constants, the same in every process."""
    function, constants = function_and_constants(loss)
    return f"{function.__name__} {constants or ''}".strip()


@pytest.mark.parametrize("kind", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("loss", PAIR_LOSSES, ids=name_of)
def test_a_term_of_pairs_is_the_loss_on_one_pair(loss, kind, numbers):
    terms_for, constants = terms_of(loss, PAIR_TERMS)
    attract, repel = terms_for(**constants)
    values, slopes = (attract if kind else repel)(numbers)
    for d, value, slope in zip(numbers, values, slopes, strict=True):
        expected, pullback = loss(np.array([d]), np.array([kind]), reduction="sum")
        assert (value, slope) == (expected, *pullback(1.0)[0])


@pytest.mark.parametrize("loss", TRIPLET_LOSSES, ids=name_of)
def test_a_term_of_triplets_is_the_loss_on_one_triplet(loss, numbers, rng):
    negatives = rng.permutation(numbers) * np.repeat([1.0, 0.0], [100, len(numbers) - 100])  # 0 keeps the kinks
    term_for, constants = terms_of(loss, TRIPLET_TERMS)
    values, slopes = term_for(**constants)(numbers - negatives)
    for positive, negative, value, slope in zip(numbers, negatives, values, slopes, strict=True):
        expected, pullback = loss(np.array([positive]), np.array([negative]), reduction="sum")
        (dpositive,), (dnegative,) = pullback(1.0)
        assert (value, slope, -slope) == (expected, dpositive, dnegative)


def test_every_term_is_compared_with_its_loss():
    compared = {getattr(loss, "func", loss) for loss in PAIR_LOSSES + TRIPLET_LOSSES}
    assert compared == {*PAIR_TERMS, *TRIPLET_TERMS}


@pytest.mark.parametrize(
    ("combinator", "loss"), [(losses.all_pairs, losses.contrastive), (losses.all_triplets, losses.triplet_hinge)]
)
def test_another_loss_with_the_name_of_a_loss_is_refused(combinator, loss):
    def other(*arguments, **constants):
        raise AssertionError("never called")

    other.__name__ = loss.__name__
    for impostor in (other, losses.balanced(losses.contrastive)):
        with pytest.raises(ValueError, match="unknown loss"):
            combinator(impostor)
