"""Data sets: `pen_glyphs`, which ships with the package, published sets, folders of pictures, three synthetic sets."""

from .dataset import UNKNOWN, Dataset, blurred, centred, resized, rotated, split
from .downloads import SETS, fetch
from .folder import Pictures, folder, read_pictures
from .mnist import EMNIST, digits, emnist, fashion_mnist, mnist
from .omniglot import OneShotRun, omniglot, omniglot_runs
from .pen_glyphs import pen_glyphs, skeletons
from .rendered import AZIMUTHS, ELEVATIONS, LIGHTS, POSED, angles_of, pose_of, rendered
from .safe_io import DamagedFile
from .shifted import SHIFTS, shifted
from .synthetic import plane, posed_glyphs

__all__ = [
    "AZIMUTHS",
    "ELEVATIONS",
    "EMNIST",
    "LIGHTS",
    "POSED",
    "SETS",
    "SHIFTS",
    "UNKNOWN",
    "DamagedFile",
    "Dataset",
    "OneShotRun",
    "Pictures",
    "angles_of",
    "blurred",
    "centred",
    "digits",
    "emnist",
    "fashion_mnist",
    "fetch",
    "folder",
    "mnist",
    "omniglot",
    "omniglot_runs",
    "pen_glyphs",
    "plane",
    "pose_of",
    "posed_glyphs",
    "read_pictures",
    "rendered",
    "resized",
    "rotated",
    "shifted",
    "skeletons",
    "split",
]
