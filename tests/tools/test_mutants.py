"""Every mutant of every op is killed by the gradient tests, or is proved to compute the same function."""

import mutants
import pytest


@pytest.mark.slow
def test_no_mutant_survives_unproved():
    everyone = [mutant for module in mutants.MODULES for mutant in mutants.mutants(module)]
    survivors = {mutant.key for mutant in mutants.run(everyone, lambda line: None)}
    proved = mutants.equivalent()
    assert len(everyone) > 2500
    assert survivors - set(proved) == set(), "new survivors: kill them with a test, or prove them equivalent"
    assert set(proved) - survivors == set(), "listed as equivalent, but killed or gone"
    assert all(proved.values()), "every one needs its proof"
