"""The mistakes that each grader must detect, of all lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import batches, capstone, evaluation, gradients, losses

if TYPE_CHECKING:
    from .common import Mistakes

MISTAKES: Mistakes = gradients.MISTAKES | losses.MISTAKES | batches.MISTAKES | evaluation.MISTAKES | capstone.MISTAKES
