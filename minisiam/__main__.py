"""`python -m minisiam` is the command `minisiam`."""

import sys

from .app.cli import main

sys.exit(main())
