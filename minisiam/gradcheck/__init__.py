"""Is this gradient right? One check for every op, for the library's own and for a learner's.

    testing.check(op)              prints "correct", or the smallest input on which it is wrong, with a clue
    gradcheck.check(op)            the same as a value: what was tried, the largest error, the fault if there is one

The first oracle is autograd on the printed formula of `reference`; the second is differences, which know nothing of
formulas; where a derivative does not exist the answer stands in `kinks`. autograd lives in `reference` and here, and
nowhere else.
"""

try:
    import autograd  # noqa: F401
    import hypothesis  # noqa: F401
    import jaxtyping  # noqa: F401
except ImportError as error:
    raise ImportError(f"checking gradients needs {error.name}: pip install 'minisiam[check]'") from error

from .check import Examination, check, examine
from .compare import Fault, fault
from .inputs import Case, generic, ladder, shapes, variables

__all__ = ["Case", "Examination", "Fault", "check", "examine", "fault", "generic", "ladder", "shapes", "variables"]
