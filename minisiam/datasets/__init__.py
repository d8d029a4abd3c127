"""Data to learn from: `pen_glyphs`, which ships with the package, published sets, your own pictures, two toys."""

from .dataset import UNKNOWN, Dataset, blurred, centred, resized, split, turned
from .folder import folder
from .mnist import fashion_mnist, mnist
from .omniglot import OneShotRun, omniglot, omniglot_runs
from .pen_glyphs import pen_glyphs, skeletons
from .published import SETS, fetch
from .safe import DamagedFile
from .toys import plane, posed_glyphs

__all__ = [
    "SETS",
    "UNKNOWN",
    "DamagedFile",
    "Dataset",
    "OneShotRun",
    "blurred",
    "centred",
    "fashion_mnist",
    "fetch",
    "folder",
    "mnist",
    "omniglot",
    "omniglot_runs",
    "pen_glyphs",
    "plane",
    "posed_glyphs",
    "resized",
    "skeletons",
    "split",
    "turned",
]
