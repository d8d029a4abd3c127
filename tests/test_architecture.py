"""Who may import whom: the core in its order, and the folders beside it. There are no exemptions."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import minisiam

ROOT = Path(minisiam.__file__).parent
# the order in which the core is read; a module may import only earlier ones
CORE_ORDER = (
    "_shadowed",
    "_version",
    "typing",
    "_arrays",
    "require",
    "op",
    "_numerics",
    "tree",
    "ops",
    "distances",
    "_gram",
    "pairwise",
    "distance_matrix",
    "miners",
    "losses",
    "initializers",
    "layers",
    "encoders",
    "networks",
    "samplers",
    "optimizers",
    "train",
    "evaluate",
    "checkpoint",
    "gallery",
)
# which folders a folder may import, besides the core and itself
ARROWS = {
    "datasets": set(),
    "fast": set(),
    "gradcheck": set(),
    "analysis": {"datasets", "gradcheck"},
    "distributed": {"fast"},
    "interop": {"datasets", "gradcheck", "analysis"},
    "plots": {"datasets", "gradcheck", "analysis"},
    "course": {"datasets", "fast", "gradcheck", "analysis", "interop", "plots", "distributed"},
    "app": {"datasets", "fast", "gradcheck", "analysis", "interop", "plots", "distributed"},
}
# other packages, each an extra
PACKAGES = {
    "typing": {"jaxtyping"},
    "analysis": {"scipy"},
    "datasets": {"PIL", "pooch"},
    "distributed": {"mpi4py"},
    "fast": {"threadpoolctl"},
    "gradcheck": {"autograd", "hypothesis", "jaxtyping"},
    "interop": {"jax", "onnx", "safetensors", "sklearn", "torch"},
    "plots": {"matplotlib"},
    "course": {"matplotlib"},
    "app": {"shtab"},
}
FILES = sorted(ROOT.rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def module_of(path):
    """The dotted name of a file below the package: "losses.pairs"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path):
    """The modules of the package and the other packages that a file imports, for type checking or not."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = path.relative_to(ROOT).parts
            base = [*parts[: len(parts) - node.level], *(node.module.split(".") if node.module else [])]
            inside.update(existing([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outside.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            outside.update(alias.name.split(".")[0] for alias in node.names)
    return inside - {module_of(path)}, outside - set(sys.stdlib_module_names) - {"numpy"}


def existing(parts):
    """The longest beginning of a dotted name that is a file or a folder."""
    while parts and not ((ROOT.joinpath(*parts)).is_dir() or ROOT.joinpath(*parts).with_suffix(".py").is_file()):
        parts = parts[:-1]
    return ".".join(parts)


def top(module):
    """The core module or the folder that a module belongs to; "" is `minisiam/__init__.py`."""
    return module.partition(".")[0]


def test_everything_is_in_the_core_or_in_a_folder():
    assert {top(module_of(path)) for path in FILES} - {"", "__main__"} == set(CORE_ORDER) | set(ARROWS)


@every_file
def test_a_core_module_imports_only_earlier_ones(path):
    here = top(module_of(path))
    if here in CORE_ORDER:
        earlier = CORE_ORDER[: CORE_ORDER.index(here) + 1]
        assert {top(module) for module in imports(path)[0]} <= set(earlier)


@every_file
def test_a_folder_imports_only_where_its_arrows_lead(path):
    here = top(module_of(path))
    if here in ARROWS:
        also = {"course"} if module_of(path) == "app.commands.learn" else set()
        allowed = {here, *CORE_ORDER, *ARROWS[here]} | also
        assert {top(module) for module in imports(path)[0]} <= allowed


@every_file
def test_other_packages_are_imported_only_where_they_are_needed(path):
    assert imports(path)[1] <= PACKAGES.get(top(module_of(path)), set())


def test_no_modules_import_each_other():
    graph = {module_of(path): imports(path)[0] for path in FILES}
    done, waiting = set(), []

    def visit(module):
        if module in done:
            return
        assert module not in waiting, " → ".join([*waiting[waiting.index(module) :], module])
        waiting.append(module)
        for other in sorted(graph.get(module, ())):
            if not module.startswith(f"{other}."):  # a file and the folder that holds it
                visit(other)
        waiting.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)


def test_the_package_lists_the_core_in_its_order():
    listed = [line.split()[0] for line in minisiam.__doc__.splitlines() if line.startswith("    ") and line.split()]
    core = [name for name in CORE_ORDER if not name.startswith("_") and name != "typing"]
    assert listed == core + [name for name in listed if name in ARROWS]
    assert set(listed) == set(core) | set(ARROWS)


def test_importing_the_package_imports_numpy_and_the_core_and_nothing_else():
    code = "import sys, numpy; before = set(sys.modules); import minisiam; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout)) - {"minisiam", "__future__"}
    assert {module.partition(".")[2].partition(".")[0] for module in loaded} <= set(CORE_ORDER)
    assert {module for module in loaded if not module.startswith("minisiam.")} == set()


@every_file
def test_no_assert_and_no_pickle(path):
    source = path.read_text()
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    assert "allow_pickle=True" not in source
    assert "np.random.seed" not in source
