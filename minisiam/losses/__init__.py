"""What should the distances be?     value, pullback = loss(distances, /, targets, margin)

A loss sees distances and nothing else, so any loss goes with any distance and any encoder. Every loss is
a mean over its rows: a batch twice as large has a value of the same size.
"""

from .matrix import over
from .pairs import contrastive, cross_entropy
from .penalties import l2_penalty
from .triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

__all__ = [
    "contrastive",
    "cross_entropy",
    "l2_penalty",
    "over",
    "triplet_hinge",
    "triplet_ratio",
    "triplet_soft_margin",
]
