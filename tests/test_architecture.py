"""Who may import whom. An arrow that is not here is a mistake, or a decision to be written down here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minisiam

ROOT = Path(minisiam.__file__).parent
ARROWS = {
    "require": set(),
    "numerics": set(),
    "op": set(),
    "tree": set(),
    "initializers": {"require"},
    "ops": {"require", "numerics", "op"},
    "distances": {"require", "numerics", "op"},
    "products": set(),
    "pairwise": {"require", "numerics", "op", "distances", "products"},
    "threads": {"require"},
    "streaming": {"require", "numerics", "op", "tree", "distances", "pairwise", "products", "threads"},
    "losses": {"require", "numerics", "op", "tree"},
    "miners": {"require"},
    "layers": {"require", "initializers", "op", "ops", "stages", "tree"},
    "stages": {"tree"},
    "fast": {"ops", "layers", "stages"},
    "sharding": {"require", "layers", "stages", "threads"},
    "encoders": {"require", "initializers", "layers", "fast", "tree"},
    "networks": {"require", "op", "tree"},  # it receives its encoder, distance and loss
    "samplers": {"require"},
    "graphs": {"require", "datasets", "pairwise", "samplers"},
    "optimizers": {"require", "tree"},
    "train": set(),
    "xray": {"require", "numerics", "pairwise", "miners"},
    "evaluate": {"require", "layers", "ops", "pairwise", "samplers", "students"},
    "retrieval": {"require", "pairwise"},
    "regression": {"require"},
    "students": {"require"},
    "fair": {
        *("require", "settings", "sources", "methods", "runs", "report", "train", "threads", "op"),
        *("datasets", "retrieval", "plots", "losses", "miners"),
    },
    "diagnose": {"require"},  # it receives numbers and arrays
    "datasets": {"require"},
    "augment": {"require", "datasets"},
    "checkpoint": {"tree", "version"},
    "export": {"checkpoint"},
    "lesson": set(),
    "version": set(),
    "plots": {"require", "distances", "losses"},
    "reference": set(),
    "kinks": set(),
    "testing": {"require", "reference", "kinks", "typing", "ops", "distances", "pairwise", "losses"},
    "learn": {"require", "typing", "reference", "kinks", "testing", "ops", "distances", "pairwise", "losses", "miners"}
    | {"networks", "samplers", "evaluate", "datasets", "encoders", "optimizers", "train"},  # what it asks for again
    "presets": {"require", "op", "ops", "pairwise", "losses", "miners"},
    "compare": {"require", "presets"},
    "typing": set(),
}
OUTSIDE = {
    "plots": {"matplotlib"},
    "lesson": {"matplotlib"},
    "threads": {"threadpoolctl"},
    "fair": {"scipy"},  # where a mean has an interval
    "datasets": {"matplotlib", "pooch"},  # to read PNG, and to download: each where it is asked for
    "reference": {"autograd"},
    "testing": {"autograd", "hypothesis", "jaxtyping"},
    "typing": {"jaxtyping"},
}
FREE = {
    "__init__",
    "__main__",
    "cli",
    "manual",
    "commands",
    "sources",
    "settings",
    "batching",
    "methods",
    "experiments",
    "runs",
    "report",
}  # these put the others together


def imports(path):
    """Names of the package's rooms and of other packages that a file imports when it runs, type checking aside."""
    inside, outside = set(), set()

    def visit(node):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.level:
            depth = len(path.relative_to(ROOT).parts) - node.level
            base = path.relative_to(ROOT).parts[:depth]
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            inside.update([base[0]] if base else names)
        elif isinstance(node, ast.ImportFrom):
            outside.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            outside.update(alias.name.split(".")[0] for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return inside, outside - set(sys.stdlib_module_names)


FILES = sorted(ROOT.rglob("*.py"))


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows(path):
    name = room(path)
    if name in FREE:
        return
    inside, outside = imports(path)
    assert inside - {name} <= ARROWS[name]
    assert outside <= {"numpy"} | OUTSIDE.get(name, set())


def test_every_room_is_on_the_map():
    assert {room(path) for path in FILES} == set(ARROWS) | FREE


def test_importing_the_package_imports_numpy_and_nothing_else():
    heavy = ["matplotlib", "pooch", "autograd", "hypothesis", "jaxtyping"]
    code = f"import sys, minisiam; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_assert_and_no_pickle(path):
    source = path.read_text()
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    assert not found
    assert "allow_pickle=True" not in source
    assert "np.random.seed" not in source
