"""`python -m minisiam` is the command `minisiam`."""

import sys

from ._shadowed import explained

with explained():
    from .app.cli import main

sys.exit(main())
