"""Completion in a shell: `minisiam --print-completion bash` prints the script, which shtab makes from the parser."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import require
from ..interop import require_package

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = ("RUN", "FOLDER")  # metavars of paths to folders


class PrintCompletion(argparse.Action):
    """The option: it makes the command that prints the script."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:  # noqa: D102
        namespace.command = partial(print_completion, parser, values)


def print_completion(parser: argparse.ArgumentParser, shell: str, _: argparse.Namespace) -> int:
    """Print the script for a shell."""
    require_package("--print-completion", "shtab", "completion")
    import shtab

    require.one_of("shell", shell, shtab.SUPPORTED_SHELLS)
    for action in _actions(parser):
        _add_completion(action, shtab)
    print(shtab.complete(parser, shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def _add_completion(action: Any, shtab: Any) -> None:
    """Complete paths as paths, and one of several words as these words; show the commands, which have no help here."""
    if isinstance(action, argparse._SubParsersAction):
        action.help = "a command"
        names: Any = action
        names._choices_actions = [names._ChoicesPseudoAction(name, [], name) for name in action.choices]
        return
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if metavar in FOLDERS:
        action.complete = shtab.DIRECTORY
    elif action.type is Path or metavar.startswith("FILE"):
        action.complete = shtab.FILE
    elif words := getattr(action.help, "words", None):
        action.choices = words
