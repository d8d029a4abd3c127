"""The command line: the list of commands, and `main`. Each command is a file in `commands`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .._version import VERSION
from ..analysis import _console
from ..datasets.safe_io import expanded
from ..fast import launcher
from . import guardian, ranks
from .commands import (
    benchmark,
    check,
    compare,
    data,
    embed,
    enrol,
    evaluate,
    explore,
    identify,
    learn,
    papers,
    plot,
    search,
    train,
    verify,
    xray,
)
from .completion import PrintCompletion
from .outputs import explained

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "use it": {
        **{"train": train, "evaluate": evaluate, "plot": plot, "data": data},
        **{"embed": embed, "enrol": enrol, "search": search, "identify": identify, "verify": verify},
    },
    "understand": {"check": check, "explore": explore, "xray": xray, "compare": compare},
    "learn": {"learn": learn},
    "papers": {"papers": papers, "benchmark": benchmark},
}
ABOUT = """\
Siamese and triplet networks from first principles, in NumPy.

A method is an encoder × a distance × a loss. The encoder maps an image to a vector, its embedding; the distance
compares two embeddings; the loss says how far apart they should be. Begin with

    minisiam train                train a network on the built-in letters, in about a minute
    minisiam explore triplet      drag points in the plane and watch a loss
    minisiam learn                write the functions of this library yourself
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    It is 0, or 1 after an error that the message explains, 130 after Ctrl-C, and 141 if the reader of a pipe has gone.
    """
    _console.accept_any_text()
    try:
        try:
            return _run(argv)
        finally:
            _console.flush()
    except BrokenPipeError:
        _console.discard()
        return _console.CLOSED
    except OSError as error:  # of the output itself
        _console.discard()
        print(f"minisiam: the output cannot be written: {explained(error)}", file=sys.stderr)
        return 1


def _run(argv: Sequence[str] | None) -> int:
    with ranks.first_speaks():
        arguments = _parsed(argv)
    try:
        if guardian.is_needed() and arguments.command is train.train:
            return guardian.end(guardian.run(sys.argv[1:] if argv is None else argv))
        return arguments.command(arguments)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"minisiam: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("minisiam: interrupted", file=sys.stderr)
        return 130


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    made = parser()
    arguments = _with_home(made.parse_args(argv))
    if launcher.processes() > 1 and arguments.command is not train.train:
        made.error("only minisiam train uses more than one process: leave mpiexec out")
    return arguments


def _with_home(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments with ~ expanded in every path, which a shell does not do in --out=~/run."""
    for name, value in vars(arguments).items():
        if isinstance(value, Path):
            setattr(arguments, name, expanded(value))
        elif isinstance(value, list):
            setattr(arguments, name, [expanded(one) if isinstance(one, Path) else one for one in value])
    return arguments


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="minisiam",
        usage="minisiam COMMAND [options]",
        description=f"{ABOUT}\n{_listed()}",
        epilog="minisiam COMMAND --help explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"minisiam {VERSION}")
    top.add_argument(
        "--print-completion",
        action=PrintCompletion,
        default=argparse.SUPPRESS,  # the commands read all that is in the namespace
        metavar="SHELL",
        help="print a script for completion in bash, zsh or tcsh",
    )
    top.set_defaults(command=partial(_help, top))
    subparsers = top.add_subparsers(prog="minisiam", metavar="COMMAND", help=argparse.SUPPRESS)
    for commands in COMMANDS.values():
        for command in commands.values():
            command.add(subparsers)
    return top


def _listed() -> str:
    """The commands in their groups, a line each."""
    lines = []
    for group, commands in COMMANDS.items():
        lines += [group, *(f"    {name:10} {command.HELP}" for name, command in commands.items()), ""]
    return "\n".join(lines)


def _help(top: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    top.print_help()
    return 2
