"""`python -m minisiam` is the command `minisiam`."""

import sys

from .cli import main

sys.exit(main())
