"""Data to learn from: `pen_glyphs`, which ships with the package, and two toy sets for pictures."""

from .dataset import Dataset, blurred, centred, resized, split, turned
from .pen_glyphs import pen_glyphs, skeletons
from .toys import plane, posed_glyphs

__all__ = [
    "Dataset",
    "blurred",
    "centred",
    "pen_glyphs",
    "plane",
    "posed_glyphs",
    "resized",
    "skeletons",
    "split",
    "turned",
]
