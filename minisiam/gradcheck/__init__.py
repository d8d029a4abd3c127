"""Is this gradient right? One check for every op, of the library and of a learner.

    gradcheck.check(op)            print "correct", or the smallest input for which the op is wrong, with a clue
    gradcheck.run_check(op)        return the same as a value: inputs tried, largest error, fault if there is one

The first oracle is autograd on the printed formula in `reference`. The second is finite differences, which do not need
a derivative. Where no derivative exists, `kinks` lists the right results. No other folder imports autograd.
"""

from .. import require

try:
    import autograd  # noqa: F401
    import hypothesis  # noqa: F401
    import jaxtyping  # noqa: F401
except ImportError as error:
    raise ImportError(f"checking gradients needs {error.name}: {require.how_to_install('check')}") from error

from .check import CheckResult, check, run_check
from .compare import Fault
from .inputs import Case, generic, ladder, shapes, variables

__all__ = ["Case", "CheckResult", "Fault", "check", "generic", "ladder", "run_check", "shapes", "variables"]
