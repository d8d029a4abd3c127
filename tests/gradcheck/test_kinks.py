"""Where a derivative does not exist, every op gives exactly the result in the table of kinks."""

import numpy as np
import pytest
from every_op import OPS

from minisiam import distances, fast, losses, ops, pairwise
from minisiam.gradcheck import kinks
from minisiam.gradcheck.check import at_kink

MODULES = {"ops": ops, "distances": distances, "pairwise": pairwise, "losses": losses, "fast": fast}


@pytest.mark.parametrize("row", kinks.TABLE, ids=lambda row: f"{row.op}: {row.where}")
def test_an_op_follows_the_convention_at_a_kink(row):
    module, name = row.op.split(".")
    found = at_kink(getattr(MODULES[module], name), row)
    assert found is None, found


def test_the_table_has_no_duplicates():
    assert len(kinks.TABLE) >= 50
    assert len({(row.op, row.where) for row in kinks.TABLE}) == len(kinks.TABLE)


@pytest.mark.parametrize("op", OPS)
def test_every_docstring_describes_the_kink(op):
    assert "kink" in op.__doc__.lower() or "overflow" in op.__doc__.lower()


def test_coincident_points_of_different_classes_are_not_separated_and_noise_is_the_remedy(rng):
    """The contrastive loss pushes, but the distance has no direction there."""
    same = np.array([False])
    force = lambda a, b: distances.l2(a, b)[1](*losses.contrastive(distances.l2(a, b)[0], same)[1](1.0))
    here = np.zeros((1, 2))
    np.testing.assert_array_equal(force(here, here), [here, here])
    da, db = force(here + 1e-6 * rng.normal(size=(1, 2)), here)
    assert np.linalg.norm(da) == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(da, -db)
