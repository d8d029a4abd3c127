"""The siamese network on one page, `lessons/siam.py`: the solution of the capstone, from which its file is cut."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

HERE = Path(__file__).parent
PLACES = (HERE / "siam.py", HERE.parents[1] / "lessons" / "siam.py")  # in a wheel, and in the repository
HOLE = 'raise NotImplementedError("your turn: {steps}")'


class Step(NamedTuple):
    """A step of the capstone: a function of the page, and what of it is graded."""

    function: str
    title: str


STEPS = (
    Step("distance", "the distance"),
    Step("distance", "the gradient of the distance"),
    Step("contrastive", "the loss"),
    Step("contrastive", "the gradient of the loss"),
    Step("dense", "a dense layer"),
    Step("relu", "max(x, 0)"),
    Step("encoder", "two layers"),
    Step("siamese", "two branches"),
    Step("pairs", "random pairs"),
    Step("train", "gradient descent"),
    Step("one_shot", "the test"),
    Step("main", "the whole page"),
)


def path() -> Path:
    """Where the page is."""
    return next(place for place in PLACES if place.is_file())


@cache
def source() -> str:
    """The text of the page."""
    return path().read_text(encoding="utf-8")


@cache
def module() -> ModuleType:
    """The page as a module."""
    spec = importlib.util.spec_from_file_location("siam", path())
    if spec is None or spec.loader is None:
        raise ImportError(f"{path()} is not a module")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def functions() -> dict[str, Any]:
    """The functions of the page that the learner writes, by name; `main` is given."""
    return {step.function: getattr(module(), step.function) for step in STEPS if step.function != "main"}


def page(name: str, /, *arguments: Any, **constants: Any) -> Any:
    """Call a function of the page `lessons/siam.py`."""
    return getattr(module(), name)(*arguments, **constants)


def page_in(namespace: dict[str, Any]) -> Callable[..., Any]:
    """The functions of a namespace as one, which calls the function of a name."""

    def page(name: str, /, *arguments: Any, **constants: Any) -> Any:
        return namespace[name](*arguments, **constants)

    return page


def stub(head: str, file: str) -> str:
    """The page as the file `file`: `head` above its docstring, and a hole for each function of the steps."""
    text = source().replace("python siam.py", f"python {file}")
    lines, tree = text.splitlines(), ast.parse(text)
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name in functions():
            lines[node.body[0].end_lineno : node.end_lineno] = ["    " + HOLE.format(steps=steps_of(node.name))]
    return f'"""{head}\n\n' + "\n".join(lines).removeprefix('"""') + "\n"


def steps_of(function: str) -> str:
    """The steps of a function, for its hole."""
    own = [f"step {n}, {step.title}" for n, step in enumerate(STEPS, start=1) if step.function == function]
    return "; then ".join(own)
