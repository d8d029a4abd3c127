"""Pictures: of what a network learnt (clusters, distances, curves, answers), of a gradient over the plane, of forces.

Every function returns a matplotlib Figure and touches no global state: save it with `figure.savefig(path)`.
Colours are Okabe and Ito's, told apart by the colour-blind; what a colour says a marker or a line style says too.
"""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install 'minisiam[figures]'") from error

from .alphabets import alphabet_errors
from .explore import scene
from .gradients import distance_fields, gradient_page
from .maps import image_map, view_map, view_sheet
from .methods import losses_compared
from .sheets import distortion_sheet, few_shot_sheet, glyph_sheet, pairs_sheet, triplets_sheet
from .training import clusters, clusters_side_by_side, curves, distances, one_shot_bars, plane_of, roc
from .xray import xray

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
    "losses_compared",
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
