"""The texts of each exercise, by lesson: the task, and three hints: an idea, an identity and a first line of code.

One paragraph each, in this order. The line breaks of a task are kept, those of a hint are not.
"""

from . import batches, capstone, evaluation, gradients, losses

HINTS = ("idea", "identity", "first line")
TEXTS = gradients.TEXTS | losses.TEXTS | batches.TEXTS | evaluation.TEXTS | capstone.TEXTS

__all__ = ["HINTS", "TEXTS"]
