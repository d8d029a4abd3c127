"""Import matplotlib, whatever MPLBACKEND says: the figures of this package need no backend.

A process that a notebook starts inherits MPLBACKEND, and matplotlib cannot be imported if that backend is missing.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from .. import require

_backend = os.environ.pop("MPLBACKEND", None) if "matplotlib" not in sys.modules else None
try:
    import matplotlib
except ImportError as error:
    raise ImportError(f"figures need matplotlib: {require.how_to_install('figures')}") from error
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
if _backend:
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _backend
