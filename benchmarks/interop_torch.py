"""One training step in PyTorch with a loss of minisiam (`interop.torch.Loss`) or of pytorch-metric-learning.

python benchmarks/interop_torch.py                                    B = 1,024 and 4,096
python benchmarks/interop_torch.py --sizes 256 --only supcon --steps 3
python benchmarks/interop_torch.py --json interop.json

The model is an MLP, 784 → 512 → 64, on B × 784 float32, four of a class; a step is forward, loss, backward and SGD, on
two threads. Both libraries take turns in one process, step by step, from the same weights; a time is the median of the
steps, and the ratio the median of the ratios of neighbouring steps. Memory is the peak of two steps in a fresh process,
beyond what it held before (Linux). A library that cannot hold a batch in 12 GiB (`--limit`) is marked. The values of
the first step must agree.

    pip install 'minisiam[interop-torch,threads]' pytorch-metric-learning
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

LOSSES = ("batch-all", "batch-hard", "supcon")
LIBRARIES = ("minisiam", "pml")
INPUTS, HIDDEN, SIZE, PER_CLASS = 784, 512, 64, 4
PAUSE = 0.02  # seconds before each step: threads of the step before wait busily for a while, and would take a core


def ours(name: str) -> Callable[..., Any]:
    """The loss of minisiam; the embeddings are on the unit sphere."""
    from minisiam import losses, miners, pairwise
    from minisiam.fast import blockwise
    from minisiam.interop.torch import Loss

    if name == "supcon":
        return Loss(losses.supcon, blockwise(pairwise.cosine), temperature=0.1)
    hinge, hard = losses.triplet_hinge, miners.batch_hard
    loss = losses.all_triplets(hinge) if name == "batch-all" else losses.with_miner(hinge, hard)
    return Loss(loss, blockwise(pairwise.l2), margin=0.2, reduction="mean_active")


def theirs(name: str) -> Callable[..., Any]:
    """The same loss of pytorch-metric-learning."""
    from pytorch_metric_learning import losses, miners

    if name == "supcon":
        return losses.SupConLoss(temperature=0.1)
    loss = losses.TripletMarginLoss(margin=0.2)
    if name == "batch-all":
        return loss
    miner = miners.BatchHardMiner()
    return lambda z, labels: loss(z, labels, miner(z, labels))


def stepper(library: str, name: str, B: int) -> Callable[[], float]:
    """A training step that returns its loss."""
    torch.manual_seed(0)
    linear, relu = torch.nn.Linear, torch.nn.ReLU()
    model = torch.nn.Sequential(linear(INPUTS, HIDDEN), relu, linear(HIDDEN, SIZE))
    labels = torch.randperm(B) // PER_CLASS
    x = torch.randn(B, INPUTS) + torch.randn(B // PER_CLASS, INPUTS)[labels]
    loss = {"minisiam": ours, "pml": theirs}[library](name)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step() -> float:
        optimizer.zero_grad()
        value = loss(torch.nn.functional.normalize(model(x)), labels)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def seconds(step: Callable[[], float]) -> float:
    """The time of one step."""
    time.sleep(PAUSE)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def compare(name: str, B: int, steps: int, libraries: list[str]) -> dict[str, Any]:
    """The time of each library, and the median ratio of minisiam to pml."""
    runs = {library: stepper(library, name, B) for library in libraries}
    values = {library: step() for library, step in runs.items()}
    np.testing.assert_allclose(list(values.values()), next(iter(values.values())), rtol=1e-3)
    times: dict[str, list[float]] = {library: [] for library in libraries}
    for _ in range(steps):
        for library, step in runs.items():
            times[library].append(seconds(step))
    found: dict[str, Any] = {library: statistics.median(t) for library, t in times.items()}
    if len(libraries) == 2:
        found["ratio"] = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    return found


def resident(name: str) -> float:
    """A size of this process in MiB, on Linux: VmRSS, now, or VmHWM, the peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def memory(library: str, name: str, B: int, limit: float) -> float:
    """MiB that two steps add to the peak of a fresh process; infinite beyond the limit."""
    command = [sys.executable, __file__, "--child", library, name, str(B), "--limit", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and not any(word in done.stderr for word in ("MemoryError", "memory", "alloc")):
        raise RuntimeError(done.stderr)
    return float(done.stdout) if done.returncode == 0 else math.inf


def child(library: str, name: str, B: int, limit: float) -> None:
    """Print the MiB that two steps add, after a small step that loads everything."""
    most = int(limit * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    stepper(library, name, 64)()
    step = stepper(library, name, B)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = resident("VmRSS")
    step()
    step()
    print(resident("VmHWM") - before)


def main() -> None:
    """Print a row for each loss and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--only", nargs="+", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--limit", type=float, default=12.0, help="GiB of address space for a library")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(2)
    if given.child:
        library, name, B = given.child
        return child(library, name, int(B), given.limit)
    rows = []
    print("| loss | B | minisiam, ms | pml, ms | ratio | minisiam, MiB | pml, MiB |\n|---|---|---|---|---|---|---|")
    for B in given.sizes:
        for name in given.only:
            mib = {library: memory(library, name, B, given.limit) for library in LIBRARIES}
            found = compare(name, B, given.steps, [library for library in LIBRARIES if mib[library] < math.inf])
            rows.append({"loss": name, "B": B, "seconds": found, "mib": mib})
            times = [f"{1000 * found[k]:.1f}" if k in found else "–" for k in LIBRARIES]
            sizes = [f"{mib[k]:.0f}" if mib[k] < math.inf else f"> {given.limit:g} GiB" for k in LIBRARIES]
            ratio = f"{found['ratio']:.2f}" if "ratio" in found else "–"
            print(f"| {name} | {B} | {' | '.join([*times, ratio, *sizes])} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    return None


if __name__ == "__main__":
    main()
