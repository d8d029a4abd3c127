import numpy as np
import pytest
from hypothesis import settings

from minisiam import datasets

# the same examples in every run, here and elsewhere: exploring is what `make soak` is for
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


# they need torch, which the tests do not
collect_ignore = ["interop/oracle/make_oracle.py", "interop/towers/make_oracle.py"]
ORACLE_SAID = pytest.StashKey()  # one line a file, from test_oracle.py


def pytest_addoption(parser):
    parser.addoption("--oracle", action="append", metavar="FILE.json", help="check the losses and miners of this file")


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(ORACLE_SAID, []):
        terminalreporter.write_line(line)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def glyphs():
    """A small copy of the built-in data: every class, six drawers."""
    return datasets.pen_glyphs(drawers=6)
