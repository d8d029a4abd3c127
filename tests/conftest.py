import numpy as np
import pytest
from hypothesis import settings

from minisiam import datasets

# the same examples in every run, here and elsewhere: exploring is what `make soak` is for
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def glyphs():
    """A small copy of the built-in data: every class, six drawers."""
    return datasets.pen_glyphs(drawers=6)
