"""A matrix of distances beside the plain product form, ‖a‖² − 2 a·b + ‖b‖²: what do its digits cost, and what are they?

python benchmarks/pairwise.py                     B = 256 … 4,096, 64 numbers each, float32, two cores

Value and gradient, the least of several calls, the two taking turns; and the largest relative error of a distance on
embeddings that are random, collapsed, or packed in tight clusters, at offsets up to 10⁴.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minisiam import distances, pairwise
from minisiam.analysis import _markdown

SPREADS = {"random": (1.0, 0.0), "collapsed": (1e-3, 0.0), "tight clusters": (1e-3, 1.0)}


def plain(a: Any, b: Any) -> Any:
    """L2 as it is printed."""
    D = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    D = np.sqrt(np.maximum(D, 0, out=D), out=D)

    def pullback(dD):
        W = dD / np.maximum(D, 1e-9)
        return W.sum(1)[:, None] * a - W @ b, W.sum(0)[:, None] * b - W.T @ a

    return D, pullback


def cost(B: int, size: int) -> tuple[float, float]:
    """Milliseconds of the plain form and of ours, value and gradient."""
    rng = np.random.default_rng(0)
    z, dD = rng.normal(size=(B, size)).astype(np.float32), rng.normal(size=(B, B)).astype(np.float32)
    least = [np.inf, np.inf]
    for _ in range(9):
        for which, distance in enumerate((plain, pairwise.l2)):
            began = time.perf_counter()
            distance(z, z)[1](dD)
            least[which] = min(least[which], 1e3 * (time.perf_counter() - began))
    return least[0], least[1]


def error(distance: Callable[..., Any], spread: float, apart: float, offset: float) -> float:
    """The largest relative error over all pairs of 600 points."""
    rng = np.random.default_rng(0)
    z = spread * rng.normal(size=(600, 64)) + np.repeat(apart * rng.normal(size=(6, 64)), 100, axis=0) + offset
    z = z.astype(np.float32)
    wide = z.astype(np.float64)
    truth = np.stack([distances.l2(np.broadcast_to(row, wide.shape), wide)[0] for row in wide])
    off = np.abs(distance(z, z)[0] - truth)
    return float((off[truth > 0] / truth[truth > 0]).max())


def main() -> None:
    """Two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=(256, 512, 1024, 2048, 4096), metavar="B")
    print(_markdown.heading(["B", "plain form", "minisiam", "ratio"]))
    for B in parser.parse_args().sizes:
        theirs, ours = cost(B, 64)
        print(_markdown.row([f"{B:,}", f"{theirs:.2f} ms", f"{ours:.2f} ms", f"{ours / theirs:.2f}"]), flush=True)
    print("\n" + _markdown.heading(["embeddings", "offset", "error of the plain form", "of minisiam"]))
    for name, (spread, apart) in SPREADS.items():
        for offset in (0, 10, 1e4):
            errors = [f"{error(distance, spread, apart, offset):.0e}" for distance in (plain, pairwise.l2)]
            print(_markdown.row([name, f"{offset:g}", *errors]), flush=True)


if __name__ == "__main__":
    main()
