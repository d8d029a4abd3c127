"""`minisiam explore`: drag points in the plane and watch a loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import outputs
from ._options import Formatter, log

if TYPE_CHECKING:
    import argparse

HELP = "drag points in the plane and watch a loss"
ABOUT = """\
Drag five points in the plane, and watch a loss: its distances, its margins as rings, and the descent direction of each
point.

    minisiam explore contrastive                      pairs of an anchor; --loss pair-hinge
    minisiam explore triplet                          easy, semi-hard and hard; --loss soft-margin or ratio
    minisiam explore cosine                           angles on the unit circle
    minisiam explore triplet --save triplet.png       save the picture; no display is needed
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam explore`."""
    parser = subparsers.add_parser("explore", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("kind", metavar="KIND", help="contrastive, triplet or cosine")
    parser.add_argument("--loss", help="another loss of this kind (default: contrastive, hinge or cosine-embedding)")
    parser.add_argument("--margin", type=float, help="in units of the distance; for cosine, a cosine from -1 to 1")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help=f"save the picture instead of opening a window; {outputs.KEPT}",
    )
    parser.set_defaults(command=explore)


def explore(arguments: argparse.Namespace) -> int:
    """`minisiam explore`."""
    from ...plots import explorer_state, explorer_window, scene

    start = explorer_state.state(arguments.kind, None, arguments.margin, arguments.loss)
    if arguments.save is None:
        explorer_window.window(start)
        return 0
    outputs.require_free(arguments.save, "--save")
    outputs.save_figure(scene(start.kind, None, start.margin, start.loss), arguments.save, dpi=130)
    log(arguments.save)
    return 0
