"""Would the tests notice? Change every op's source, one place at a time, and see whether the gradient tests fail.

    make mutants                          every mutant; ends with  killed N of M, E equivalent, score 100.0 %
    python tools/mutants.py --list        what is changed, without running anything
    python tools/mutants.py losses.per_anchor   the mutants of some modules only

A mutant that computes the same function, so that no test can kill it, is listed in equivalent_mutants.toml with
its proof.
"""

from __future__ import annotations
import __future__

import argparse
import ast
import importlib
import sys
import time
import tomllib
import types
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from battery import MADE, Battery, battery, passes
from mutate import Mutant, mutants, parsed

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
# what is changed, the imported before the importing; a mutant is tried on the ops of its module, and of all that use it
MODULES = (
    "_numerics",
    "_gram",
    "ops.activations",
    "ops.layers",
    "ops.normalization",
    "ops.convolution",
    "fast.layout",
    "fast.im2row",
    "fast.winograd",
    "fast.fft",
    "fast.convolution",
    "fast.fused",
    "fast.batch_norm",
    "fast.windows",
    "fast.dense",
    "distances",
    "pairwise",
    "distance_matrix",
    "losses.reductions",
    "losses.per_anchor",
    "losses.pairs",
    "losses.triplets",
    "losses.penalties",
    "losses.softmax",
    "losses.image_text",
    "losses.several_positives",
    "losses.lifted_structure",
    "losses.angular_margin",
    "losses.histograms",
    "losses.proxies",
    "losses.combinators",
    "fast.terms",
    "fast.triplet_rows",
    "fast.all_pairs",
    "fast.all_triplets",
    "app.conventions.swapped",
    "fast.blockwise",
)
FUTURE = __future__.annotations.compiler_flag


@cache
def compiled(module: str) -> list[Any]:
    """The statements of a module, each compiled by itself: a mutant changes one and leaves the others as they are."""
    return [code(statement, module) for statement in parsed(module).body]


def code(statement: ast.stmt, module: str) -> Any:
    """One statement, ready to be run."""
    return compile(ast.Module([statement], []), f"minisiam.{module}", "exec", FUTURE, dont_inherit=True)


@cache
def imports(module: str) -> dict[str, tuple[str, str]]:
    """By its name in this module, what it imports from which of MODULES; "" is the module itself."""
    package = importlib.import_module(f"minisiam.{module}").__package__ or ""
    found = {}
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package.split(".")[1 : len(package.split(".")) - node.level + 1]
            room = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                if room in MODULES:
                    found[alias.asname or alias.name] = room, alias.name
                elif f"{room}.{alias.name}".lstrip(".") in MODULES:
                    found[alias.asname or alias.name] = f"{room}.{alias.name}".lstrip("."), ""
    return found


@cache
def imported(module: str) -> set[str]:
    """Which of MODULES another one imports, directly or not."""
    direct = {room for room, _ in imports(module).values()}
    return direct.union(*map(imported, direct))


@cache
def definitions(module: str) -> dict[str, ast.stmt]:
    """The statement that makes each name of a module."""
    found = {}
    for statement in parsed(module).body:
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", statement)]
        for target in targets:
            name = getattr(target, "id", None) or getattr(target, "name", None)
            if name:
                found[name] = statement
    return found


@cache
def reached(module: str, name: str) -> frozenset[tuple[str, str]]:
    """What a name may use, as far as one can read: (module, name), itself among them."""
    found, waiting = set(), [(module, name)]
    while waiting:
        here = waiting.pop()
        room, name = here
        if here in found or room not in MODULES:
            continue
        found.add(here)
        if not name:  # a module: all of it
            waiting += [(room, each) for each in definitions(room)]
            continue
        for node in ast.walk(definitions(room).get(name, ast.Pass())):
            used = getattr(node, "id", None)
            if used in definitions(room):
                waiting.append((room, used))
            elif used in imports(room):
                waiting.append(imports(room)[used])
    return frozenset(found)


class World:
    """Fresh copies of modules, in which a changed one has taken its place."""

    def __init__(self, mutant: Mutant | None = None) -> None:
        self.mutant, self.modules = mutant, dict[str, types.ModuleType]()

    def __getitem__(self, name: str) -> types.ModuleType:
        """A module, and under it the changed one if it is imported; what is not touched is the original."""
        if self.mutant and name != self.mutant.module and self.mutant.module not in imported(name):
            return importlib.import_module(f"minisiam.{name}")
        if name not in self.modules:
            self.modules[name] = self.built(name)
        return self.modules[name]

    def built(self, name: str) -> types.ModuleType:
        original = importlib.import_module(f"minisiam.{name}")
        fresh = types.ModuleType(original.__name__)
        fresh.__package__, fresh.__file__ = original.__package__, original.__file__
        codes = compiled(name)
        if self.mutant and name == self.mutant.module:
            codes = list(codes)
            codes[self.mutant.place] = code(self.mutant.definition, name)
        for statement in codes:
            exec(statement, fresh.__dict__)
        self.relink(fresh, name)
        for constant, small in SMALL.items():
            if constant in vars(fresh):
                setattr(fresh, constant, small)
        return fresh

    def relink(self, fresh: types.ModuleType, name: str) -> None:
        """What was imported from an original is taken from its copy."""
        for here, (room, there) in imports(name).items():
            if hasattr(fresh, here):  # what is imported for type checking alone is not
                setattr(fresh, here, getattr(self[room], there) if there else self[room])


SMALL = {"CHUNK": 13, "LARGEST": 7, "LEAST": 2}  # so that a loop over chunks is a loop


def made(module: str, world: World) -> list[tuple[Any, Any]]:
    """The ops of a module: its own, and those that it makes, with what these should equal."""
    room, original = world[module], importlib.import_module(f"minisiam.{module}")
    own = [
        name for name, f in vars(original).items() if getattr(f, "is_op", False) and f.__module__ == original.__name__
    ]
    return [(getattr(room, name), ()) for name in own] + [(make(room), rest) for make, *rest in MADE.get(module, [])]


def survives(mutant: Mutant, batteries: dict[str, list[Battery]]) -> bool:
    """Whether every gradient test passes on a mutant."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            world, changed = World(mutant), (mutant.module, mutant.top)
            for module in (m for m in MODULES if m == mutant.module or mutant.module in imported(m)):
                for (op, _), tests in zip(made(module, world), batteries[module], strict=True):
                    own = tests.name if tests.name in definitions(module) else ""
                    if changed in reached(module, own) and not passes(op, tests):
                        return False
        except Exception:
            return False
    return True


def run(chosen: list[Mutant], say: Any) -> list[Mutant]:
    """The mutants that survive."""
    world = World()
    batteries = {
        module: [battery(op, *rest) for op, rest in made(module, world)]
        for module in MODULES
        if any(m.module == module or m.module in imported(module) for m in chosen)
    }
    unharmed(batteries)
    survivors, told = [], time.perf_counter()
    for number, mutant in enumerate(chosen, start=1):
        if survives(mutant, batteries):
            survivors.append(mutant)
        if time.perf_counter() - told > 2:
            told = time.perf_counter()
            say(f"{number} of {len(chosen)} mutants, {len(survivors)} alive")
    unharmed(batteries)
    return survivors


def unharmed(batteries: dict[str, list[Battery]]) -> None:
    """The ops as they are pass their tests, so these can tell; and no mutant has spoilt them for the next."""
    for module, each in batteries.items():
        for (op, _), tests in zip(made(module, World()), each, strict=True):
            if not passes(op, tests):
                raise AssertionError(f"{module}.{tests.name} fails its own tests unchanged")


def equivalent() -> dict[tuple[str, str, str, str], str]:
    """The listed mutants that compute the same function, each with its proof."""
    rows = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    return {(row["module"], row["function"], row["before"], row["after"]): row["proof"] for row in rows}


def main() -> int:
    """Run all mutants; 0 if every one is killed or listed with a proof, and nothing else is listed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"some of {', '.join(MODULES)}; all by default")
    arguments = parser.parse_args()
    modules = arguments.modules or MODULES
    everyone = [mutant for module in modules for mutant in mutants(module)]
    if arguments.list:
        for mutant in everyone:
            print(f"{mutant.module}.{mutant.function}:  {mutant.before}  →  {mutant.after}")
        return 0
    survivors = run(everyone, lambda line: print(line, file=sys.stderr, flush=True))
    proved = {key: proof for key, proof in equivalent().items() if key[0] in modules}
    alive = [m for m in survivors if m.key not in proved]
    for m in alive:
        print(f"SURVIVED  {m.module}.{m.function}\n    {m.before}\n    {m.after}")
    gone = set(proved) - {m.key for m in survivors}
    for key in gone:
        print("LISTED AS EQUIVALENT, BUT KILLED OR GONE  " + "  |  ".join(key))
    known = len(survivors) - len(alive)
    killed = len(everyone) - len(survivors)
    score = 100 * killed / max(1, len(everyone) - known)
    print(f"killed {killed} of {len(everyone)}, {known} equivalent, score {score:.1f} %")
    return 1 if alive or gone else 0


if __name__ == "__main__":
    sys.exit(main())
