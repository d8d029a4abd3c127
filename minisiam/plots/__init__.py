"""Figures of trained networks (clusters, distances, curves, predictions), of gradients in the plane, and of forces.

Every function returns a matplotlib Figure and changes no global state: save it with `figure.savefig(path)`.
The colours are those of Okabe and Ito, which colour-blind readers can distinguish. Whatever a colour shows, a marker or
a line style shows too.
"""

from . import _backend  # noqa: F401
from .alphabets import alphabet_errors
from .comparison import methods_compared
from .explorer_scene import scene
from .forces import xray
from .gradients import distance_fields, gradient_page
from .maps import image_map, view_map, view_sheet
from .sheets import distortion_sheet, few_shot_sheet, glyph_sheet, pairs_sheet, triplets_sheet
from .training import clusters, clusters_side_by_side, curves, distances, one_shot_bars, plane_of, roc

__all__ = [
    "alphabet_errors",
    "clusters",
    "clusters_side_by_side",
    "curves",
    "distance_fields",
    "distances",
    "distortion_sheet",
    "few_shot_sheet",
    "glyph_sheet",
    "gradient_page",
    "image_map",
    "methods_compared",
    "one_shot_bars",
    "pairs_sheet",
    "plane_of",
    "roc",
    "scene",
    "triplets_sheet",
    "view_map",
    "view_sheet",
    "xray",
]
