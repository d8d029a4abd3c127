"""`minisiam check`: check the gradient of an op."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis import _markdown
from .. import outputs
from ._options import Formatter, log

if TYPE_CHECKING:
    import argparse

    from ...typing import AnyOp

HEAD = ("op", "variables", "largest error", "kinks", "seconds")
HELP = "check the gradient of an op, of the library or your own"
ABOUT = """\
Compare an op's value and gradients with autograd and with finite differences, and its kinks with their documented
values. Prints "correct", or the smallest input on which the op is wrong, with a clue.

    minisiam check losses.contrastive              an op of the library
    minisiam check my_losses.py:contrastive        your function, named like one of the library
    minisiam check my_losses.py:mine --definition my_losses.py:formula
    minisiam check --all                           a table of every op
    minisiam check --figure contrastive            the loss, its slope and its forces in the plane

A file to be checked has this form:

    from __future__ import annotations
    import numpy as np
    from minisiam.typing import Array, Bool, Float

    def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
        value = ...
        def pullback(dl):
            return (dd,)                # a tuple, one gradient for each argument before the slash
        return value, pullback
"""


def add(subparsers: Any) -> None:
    """The options of `minisiam check`."""
    parser = subparsers.add_parser("check", description=ABOUT, formatter_class=Formatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("op", nargs="?", metavar="OP", help="losses.contrastive, or path/to/file.py:function")
    what.add_argument("--all", action="store_true", help="every op of the library, as a table")
    what.add_argument("--figure", metavar="NAME", help="draw a distance or a loss, its slope and its forces")
    parser.add_argument(
        "--definition", metavar="FILE:FUNCTION", help="its formula in autograd.numpy, if it is not the library's"
    )
    parser.add_argument(
        "--limit", type=float, default=10.0, metavar="SECONDS", help="for one call of your functions (default: 10)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"where the figure goes (default: NAME.png); {outputs.KEPT}"
    )
    parser.set_defaults(command=check)


def check(arguments: argparse.Namespace) -> int:
    """`minisiam check`: 0 if everything that was checked is correct."""
    if arguments.figure:
        return _draw(arguments.figure, arguments.out)
    from ... import fast, gradcheck, require
    from ...gradcheck import registry
    from .._time_limit import OutOfTime, limited, time_limit  # needs gradcheck, an extra

    require.between("limit", arguments.limit, 0, open_low=True)
    known = registry.ops_of(*registry.CORE, fast)
    if arguments.all:
        return 0 if _table(known) else 1
    try:
        with time_limit(arguments.limit, arguments.op):
            op = registry.find(arguments.op, known)
            definition = registry.find(arguments.definition, known) if arguments.definition else None
        op = limited(op, arguments.limit)
        return 0 if gradcheck.check(op, definition and limited(definition, arguments.limit)) else 1
    except OutOfTime as error:
        raise ValueError(str(error)) from error


def _table(known: dict[str, AnyOp]) -> bool:
    """Print a Markdown table of ops, each row as soon as it is computed; return whether all are correct."""
    from ...gradcheck import kinks, run_check

    log(_markdown.heading(HEAD))
    wrong = []
    for name, op in known.items():
        found = run_check(op)
        error = (f"{found.error:.0e}" if found.error else "0") if found else "**wrong**"
        log(_markdown.row((f"`{name}`", ", ".join(found.variables), error, found.kinks, f"{found.seconds:.1f}")))
        wrong += [] if found else [found]
    for found in wrong:
        log(f"\n{found}")
    log(f"\n{len(known) - len(wrong)} of {len(known)} ops correct, {len(kinks.TABLE)} kinks as documented")
    return not wrong


def _draw(name: str, out: Path | None) -> int:
    from ...plots import gradient_page

    path = outputs.require_free(out, "--out") if out else outputs.unused(Path(f"{name}.png"))
    outputs.save_figure(gradient_page(name), path, dpi=110)
    log(path)
    return 0
