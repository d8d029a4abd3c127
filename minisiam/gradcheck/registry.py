"""Find ops by name, in the library or in a learner's file."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import distances, losses, ops, pairwise, require

if TYPE_CHECKING:
    from types import ModuleType

    from ..typing import AnyOp

CORE = (ops, distances, pairwise, losses)


def ops_of(*modules: ModuleType) -> dict[str, AnyOp]:
    """All ops of these modules by name, for example "losses.contrastive"."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": f
        for module in modules
        for name, f in vars(module).items()
        if getattr(f, "is_op", False)
    }


def find(name: str, known: dict[str, AnyOp]) -> AnyOp:
    """Find an op by `losses.contrastive`, by `contrastive` if this is unique, or by `path/to/file.py:function`."""
    path, colon, function = name.rpartition(":")
    if not colon and name.endswith(".py"):
        raise ValueError(f"name the function of {name} to check: {name}:FUNCTION")
    if colon and not function:
        raise ValueError(f"name the function of {path} to check: {path}:FUNCTION")
    if colon:
        return _from_file(Path(path), function)
    named = [op for op in known if op == name or op.endswith(f".{name}")]
    if len(named) > 1:
        raise ValueError(f"{len(named)} ops are named {name}: use {' or '.join(named)}")
    if not named:
        require.one_of("op", name, known)
    return known[named[0]]


def _from_file(path: Path, function: str) -> AnyOp:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = f"_checked_{path.stem}"  # no name of a library, even for a file called random.py
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        sys.modules[name] = module  # dataclasses and annotations look their module up
        spec.loader.exec_module(module)
    except SystemExit as mistake:
        raise ValueError(f"{path} ends the program when it is read (sys.exit): remove this line") from mistake
    except Exception as mistake:
        raise ValueError(f"{path} does not run: {type(mistake).__name__}: {mistake}") from mistake
    found: Any = module
    for part in function.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        known = [key for key, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == name]
        raise ValueError(f"{path} has no function {function}; it has {', '.join(known) or 'none'}")
    if "." in function or not (inspect.isfunction(found) or inspect.isbuiltin(found)):
        kind = "a method" if "." in function else "a class" if inspect.isclass(found) else f"a {type(found).__name__}"
        raise ValueError(
            f"{function} is {kind}, and the check needs a function with annotated arguments: define one in {path} that "
            'calls it, as in  def loss(d: Float[Array, "n"], /): ...'
        )
    return found
