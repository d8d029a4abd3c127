"""A loss that no longer changes is noticed after a number of steps, and one that still varies is not."""

import numpy as np
import pytest

from minisiam.analysis import plateau


def length(losses):
    """The number of steps for which the last loss has been constant."""
    found = None
    for loss in losses:
        found = plateau.extended(found, loss)
    return found.steps


@pytest.mark.parametrize("scale", [1e-3, 1.0, -1e3])
def test_constant_losses_are_counted_from_the_last_change(scale):
    assert length(scale * np.array([3.0, 2.0, 1.0, 1.0, 1.0])) == 2
    assert length(scale * np.array([3.0, 1.0, 1.0 + 3e-4, 1.0 - 3e-4])) == 2
    assert length(scale * np.array([3.0, 1.0, 1.01, 1.0])) == 0


def test_a_slow_fall_is_a_change():
    assert length(1 - 1e-4 * np.arange(500)) < 11


def test_a_loss_of_zero_from_the_first_batch_is_constant():
    assert length(np.zeros(7)) == 6


def test_it_is_over_after_as_many_steps_as_the_patience_and_never_without_one():
    found = plateau.Plateau(1.0, 0.0, 5)
    assert plateau.is_over(found, 5)
    assert not plateau.is_over(found, 6)
    assert not plateau.is_over(found, 0)
    assert not plateau.is_over(None, 5)
