"""No NaN, no infinity and no warning, from any op, on a million wild inputs.

    make soak                            10⁶ inputs; an interrupted run continues where it stopped
    python tools/soak.py --examples 5000 --fresh

Entries are zeros, ones, duplicates, subnormal, ordinary and up to 10¹⁵⁰ (float32: 10¹⁸), mixed within one array; every
floating-point exception is an error. An input is named by its number: `--only N` repeats it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from minisiam import distances, fast
from minisiam.checkpoint import replacing
from minisiam.gradcheck import Case, reference, registry
from minisiam.gradcheck.inputs import cases, dimensions, integers, kind, shapes, split, wildest

STATE = Path(".soak.json")
OPS = list(registry.ops_of(*registry.CORE, fast).values())


def wild(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, limit: float) -> Any:
    """An array of any finite numbers up to a limit, the awkward ones often."""
    tiny = float(np.finfo(dtype).smallest_subnormal)
    size = int(np.prod(shape))
    exponents = rng.uniform(np.log10(tiny) + 1, np.log10(limit), size)
    kinds = [
        np.zeros(size),
        rng.choice([-1.0, 1.0], size),
        rng.integers(-3, 4, size) / 2,
        rng.normal(size=size),
        rng.choice([-1.0, 1.0], size) * 10.0**exponents,
        rng.choice([-limit, limit], size),
        np.full(size, rng.normal()),
        rng.choice([-tiny, tiny], size),
    ]
    few = rng.choice(len(kinds), 3)  # three kinds an array, so that some are all of one kind
    picked = np.stack(kinds)[rng.choice(few, size), np.arange(size)] if size else np.zeros(0)
    return np.clip(picked, -limit, limit).reshape(shape).astype(dtype)


def example(number: int) -> tuple[Any, Any, Case]:
    """Input number N: an op, a dtype, and its arguments."""
    rng = np.random.default_rng([number, 7])
    op, dtype = OPS[number % len(OPS)], (np.float64, np.float32)[number // len(OPS) % 2]
    definition = reference.of(op)
    sizes: dict[str, int] = {}

    def size(name):
        low, high = definition.sizes.get(name, (1, 4))
        return sizes.setdefault(name, int(rng.integers(low, high + 1)))

    def any_of(name, hint):
        shape = dimensions(hint, size)
        if kind(hint) == "int":
            return integers(name, shape, definition, size, lambda k: int(rng.integers(k)))
        return rng.random(shape) < 0.5 if kind(hint) == "bool" else wild(rng, shape, dtype, wildest(definition, dtype))

    drawn = {name: any_of(name, hint) for name, hint in shapes(op).items()}
    if "b" in drawn and op in vars(distances).values() and rng.random() < 0.3:
        drawn["b"] = drawn["a"].copy()  # coincident points
    known = cases(op, definition)
    return op, dtype, split(op, drawn, known[rng.integers(len(known))], rng)


def survives(number: int) -> None:
    """Run one input with every exception of floating point raised; fail if anything is not finite."""
    op, dtype, case = example(number)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        value, pullback = case.call(op)
        rng = case.upstream
        upstream = rng.normal(size=np.shape(value)).astype(dtype)[()]
        gradients = pullback(upstream)
    for name, array, like in [
        ("value", value, None),
        *zip(case.variables, gradients, case.variables.values(), strict=True),
    ]:
        if not np.isfinite(array).all():
            raise FloatingPointError(f"{name} is not finite")
        if np.asarray(array).dtype != dtype:
            raise TypeError(f"{name} is {np.asarray(array).dtype}")
        if like is not None and np.shape(array) != np.shape(like):
            raise ValueError(f"{name} has the shape {np.shape(array)}")


def soak(start: int, stop: int, say: Any = None) -> None:
    """Inputs start … stop − 1, with the number of the one that fails."""
    told = time.perf_counter()
    for number in range(start, stop):
        try:
            survives(number)
        except Exception as mistake:
            op, dtype, case = example(number)
            inputs = {**case.variables, **case.constants}
            raise AssertionError(
                f"input {number}, {op.__module__}.{op.__name__} in {dtype.__name__}: {mistake}\n{inputs}"
            ) from mistake
        if say and time.perf_counter() - told > 2:
            told = time.perf_counter()
            say(number + 1)


def main() -> int:
    """Go on where the last soak stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10**6, help="how many inputs in all (default: a million)")
    parser.add_argument("--fresh", action="store_true", help="begin again at input 0")
    parser.add_argument("--only", type=int, metavar="N", help="run input N alone")
    arguments = parser.parse_args()
    if arguments.only is not None:
        soak(arguments.only, arguments.only + 1)
        return 0
    start = 0 if arguments.fresh or not STATE.exists() else json.loads(STATE.read_text())["done"]
    began = time.perf_counter()

    def remember(done: int) -> None:
        with replacing(STATE) as file:
            file.write(json.dumps({"done": done}).encode())
        rate = (done - start) / (time.perf_counter() - began)
        print(f"{done:,} of {arguments.examples:,} inputs, {rate:,.0f} a second", flush=True)

    try:
        soak(start, arguments.examples, remember)
    except KeyboardInterrupt:
        print("stopped; the next soak continues here")
        return 130
    remember(arguments.examples)
    print(f"soaked {arguments.examples:,} inputs over {len(OPS)} ops: no NaN, no infinity, no warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
