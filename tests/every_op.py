"""Every op of the package, as parameters of a test: a new op is tested from the moment it exists."""

import pytest

from minisiam import fast
from minisiam.gradcheck import registry

MODULES = (*registry.CORE, fast)
OPS = [pytest.param(op, id=name) for name, op in registry.ops_of(*MODULES).items()]
