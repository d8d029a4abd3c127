"""Would the tests notice? Change every op's source, one place at a time, and see whether the gradient tests fail.

    make mutants                          every mutant; ends with  killed N of M, E equivalent, score 100.0 %
    python tests/mutants.py --list        what is changed, without running anything

A mutant that computes the same function, so that no test can kill it, is listed in equivalent_mutants.toml with
its proof.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
import time
import tomllib
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from battery import MADE, Battery, battery, passes
from mutate import Mutant, mutants

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
MODULES = (
    "numerics",
    "ops.activations",
    "ops.layers",
    "ops.convolution",
    "distances",
    "pairwise",
    "losses.pairs",
    "losses.triplets",
    "losses.penalties",
    "losses.matrix",
)
# a module whose functions others have imported by name: these are built anew around the mutant
USERS = {
    "numerics": ("ops.activations", "ops.layers", "distances", "pairwise", "losses.pairs", "losses.triplets"),
}
SHARED = ("logistic", "softplus", "directions")


def built(module: str, tree: ast.Module | None = None) -> types.ModuleType:
    """A fresh copy of a module, from a changed tree if one is given."""
    original = importlib.import_module(f"minisiam.{module}")
    if tree is None:
        tree = ast.parse(Path(original.__file__ or "").read_text())
    fresh = types.ModuleType(original.__name__)
    fresh.__package__ = original.__package__
    fresh.__file__ = original.__file__
    exec(compile(tree, original.__file__ or "", "exec"), fresh.__dict__)
    if hasattr(fresh, "CHUNK"):
        fresh.CHUNK = 3  # so that the loop over chunks is a loop
    return fresh


def survives(mutant: Mutant, batteries: dict[str, list[Battery]]) -> bool:
    """Whether every gradient test passes on a mutant."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            changed = built(mutant.module, mutant.tree)
            for user in USERS.get(mutant.module, (mutant.module,)):
                module = changed if user == mutant.module else built(user)
                for name in SHARED:
                    if user != mutant.module and hasattr(changed, name) and hasattr(module, name):
                        setattr(module, name, getattr(changed, name))
                for tests in batteries[user]:
                    op = getattr(module, tests.name, None) or MADE[user][0](module)
                    if not passes(op, tests):
                        return False
        except Exception:
            return False
    return True


def ops_of(module: str) -> list[Any]:
    """The ops that a module defines."""
    found = importlib.import_module(f"minisiam.{module}")
    return [f for f in vars(found).values() if getattr(f, "is_op", False) and f.__module__ == found.__name__]


def run(chosen: list[Mutant], say: Any) -> list[Mutant]:
    """The mutants that survive."""
    batteries = {module: [battery(op) for op in ops_of(module)] for module in MODULES if module != "numerics"}
    for module, (make, definition) in MADE.items():
        batteries[module].append(battery(make(built(module)), definition))
    for module, tests in batteries.items():
        fresh = built(module)
        for each in tests:
            if not passes(getattr(fresh, each.name, None) or MADE[module][0](fresh), each):
                raise AssertionError(f"{module}.{each.name} fails its own tests unchanged")
    survivors, told = [], time.perf_counter()
    for number, mutant in enumerate(chosen, start=1):
        if survives(mutant, batteries):
            survivors.append(mutant)
        if time.perf_counter() - told > 2:
            told = time.perf_counter()
            say(f"{number} of {len(chosen)} mutants, {len(survivors)} alive")
    return survivors


def equivalent() -> dict[tuple[str, str, str, str], str]:
    """The listed mutants that compute the same function, each with its proof."""
    rows = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    return {(row["module"], row["function"], row["before"], row["after"]): row["proof"] for row in rows}


def main() -> int:
    """Run all mutants; 0 if every one is killed or listed with a proof, and nothing else is listed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    arguments = parser.parse_args()
    everyone = [mutant for module in MODULES for mutant in mutants(module)]
    if arguments.list:
        for mutant in everyone:
            print(f"{mutant.module}.{mutant.function}:  {mutant.before}  →  {mutant.after}")
        return 0
    survivors = run(everyone, lambda line: print(line, file=sys.stderr, flush=True))
    proved = equivalent()
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
