import numpy as np
import pytest

from minisiam import datasets


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def glyphs():
    """A small copy of the built-in data: every class, six drawers."""
    return datasets.pen_glyphs(drawers=6)
