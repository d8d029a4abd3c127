"""A plugin that runs tests in another order, reversed or shuffled with a seed.

PYTHONPATH=tests:. pytest -p orders --order reversed
"""

from __future__ import annotations

import numpy as np
import pytest


def pytest_addoption(parser):
    """Add `--order`."""
    parser.addoption("--order", default="usual", help="usual, reversed, or the seed of a random order")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Put the tests in this order."""
    order = config.getoption("--order")
    if order == "reversed":
        items.reverse()
    elif order != "usual":
        items[:] = [items[i] for i in np.random.default_rng(int(order)).permutation(len(items))]
