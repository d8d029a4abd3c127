"""All ops of the package as test parameters, so that every new op is tested."""

import pytest

from minisiam import fast
from minisiam.gradcheck import registry

MODULES = (*registry.CORE, fast)
OPS = [pytest.param(op, id=name) for name, op in registry.ops_of(*MODULES).items()]
