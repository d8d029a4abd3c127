"""Losses on a batch: value and gradient, time and peak memory, beside pytorch-metric-learning and beside plain PyTorch.

python benchmarks/losses.py                                   everything, B = 64 … 4,096: long, for the peers' sake
python benchmarks/losses.py --sizes 64 256 2048 --only supcon
python benchmarks/losses.py --only batch-all --sizes 8192 16384 32768
python benchmarks/losses.py --json losses.json --plot docs/losses.png
python benchmarks/losses.py --crossover                       # from how many positives a row is better sorted

Embeddings are B × 64 float32, four of a class, on two threads. Times are the least of several calls, the libraries
taking turns in one process; memory is what one call adds to the peak of a fresh process. `torch` is a straightforward
PyTorch version of what minisiam does, so that a ratio speaks of the code and not only of the idea. A library that is
not installed is left out, one that cannot hold a batch in 12 GiB (`--limit`) is marked.

    pip install torch pytorch-metric-learning threadpoolctl
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

D, K, CLASSES = 64, 4, 100
STREAM = 512  # from this B the matrix is not held
LIBRARIES = ("minisiam", "torch", "pml")
SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
Z = np.ndarray


def batch(B: int, name: str = "") -> tuple[Any, Any]:
    """B embeddings, four of a class, in an order of chance."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(B // K), K))
    centres = rng.normal(size=(B // K, D))
    z = (rng.normal(size=(B, D)) + centres[labels]).astype(np.float32)
    if name == "angular":  # the reference does not normalise its negatives
        z /= np.linalg.norm(z, axis=1, keepdims=True)
    return z, labels


# minisiam: a loss and the distance that it reads. All but proxies on L2-normalised rows, as the reference has it


def ours(name: str, z: Z, labels: Z) -> Callable[[], Any]:
    """A call of minisiam that gives value and gradient."""
    from minisiam import fast, losses, miners, ops, pairwise
    from minisiam.fast import blockwise

    hinge = {"margin": 0.2, "reduction": "mean_active"}
    matrix: dict[str, tuple[Any, Any]] = {
        "batch-all": (pairwise.l2, partial(fast.all_triplets(losses.triplet_hinge), **hinge)),
        "batch-all soft": (pairwise.l2, fast.all_triplets(losses.triplet_soft_margin)),
        "batch-hard": (pairwise.l2, partial(losses.with_miner(losses.triplet_hinge, miners.batch_hard), **hinge)),
        "contrastive": (
            pairwise.l2,
            partial(fast.all_pairs(losses.pair_hinge, separately=True), reduction="mean_active"),
        ),
        "supcon": (pairwise.cosine, losses.supcon),
        "nt-xent": (pairwise.cosine, losses.nt_xent),
        "nca": (pairwise.squared_l2, losses.nca),
        "multi-similarity": (pairwise.cosine, losses.multi_similarity),
        "circle": (pairwise.cosine, partial(losses.circle, reduction="mean_active")),
        "lifted": (pairwise.l2, losses.lifted),
        "generalised lifted": (pairwise.l2, losses.generalised_lifted),
        "fast-ap": (pairwise.squared_l2, losses.fast_ap),
        "histogram": (pairwise.cosine, losses.histogram),
        "tuplet margin": (pairwise.cosine, losses.tuplet_margin),
        "angular": (pairwise.cosine, losses.angular),
    }
    proxies: dict[str, tuple[Any, Any]] = {
        "proxy-nca": (pairwise.squared_l2, losses.softmax_cross_entropy),
        "proxy-anchor": (pairwise.cosine, losses.proxy_anchor),
        "arcface": (pairwise.cosine, losses.arcface),
        "cosface": (pairwise.cosine, partial(losses.softmax_cross_entropy, temperature=1 / 64, margin=0.35)),
        "normalised softmax": (pairwise.cosine, partial(losses.softmax_cross_entropy, temperature=0.05)),
        "soft-triple": (pairwise.cosine, partial(losses.softmax_cross_entropy, temperature=1 / 20, margin=0.01)),
    }
    by_rows = name not in ("lifted", "histogram", "angular", *proxies)

    def n_pair() -> Any:
        order = np.argsort(labels, kind="stable")
        a, p = order[0::K], order[1::K]  # the first two of each class: no more of the matrix is needed
        matrix_D, pull_D = pairwise.cosine(z[a], z[p])
        value, pull = losses.softmax_cross_entropy(matrix_D, np.arange(len(a)))
        dz = np.zeros_like(z)
        dz[a], dz[p] = pull_D(*pull(1.0))
        return value, dz

    def call() -> Any:
        distance, loss = matrix.get(name) or proxies[name]
        unit, pull_unit = (z, None) if distance is pairwise.cosine else ops.normalize(z)
        if by_rows and len(z) >= STREAM:
            distance = blockwise(distance)
        matrix_D, pull_D = distance(unit, W if name in proxies else unit)
        if name == "soft-triple":
            matrix_D, pull_classes = losses.soft_triple_distance(matrix_D, centres=10)
        value, pull = loss(matrix_D, labels % CLASSES if name in proxies else labels)
        (dD,) = pull(1.0)
        if name == "soft-triple":
            (dD,) = pull_classes(dD)
        da, db = pull_D(dD)
        dz = da if name in proxies else da + db
        return value, pull_unit(dz)[0] if pull_unit else dz

    if name == "n-pair":
        return n_pair
    W = proxy_points(10 if name == "soft-triple" else 1)
    if name == "proxy-nca":
        W /= np.linalg.norm(W, axis=1, keepdims=True)
    return call


def proxy_points(centres: int) -> Z:
    """The same proxies for everyone."""
    return np.random.default_rng(1).normal(size=(CLASSES * centres, D)).astype(np.float32)


# the peers


def pml(name: str, z: Z, labels: Z) -> Callable[[], Any]:
    """A call of pytorch-metric-learning."""
    import torch
    from pytorch_metric_learning import losses, miners

    torch.set_num_threads(2)
    made: dict[str, Callable[[], Any]] = {
        "batch-all": lambda: losses.TripletMarginLoss(margin=0.2),
        "batch-all soft": lambda: losses.TripletMarginLoss(margin=0.0, smooth_loss=True),
        "batch-hard": lambda: losses.TripletMarginLoss(margin=0.2),
        "contrastive": losses.ContrastiveLoss,
        "supcon": losses.SupConLoss,
        "nt-xent": losses.NTXentLoss,
        "nca": losses.NCALoss,
        "multi-similarity": losses.MultiSimilarityLoss,
        "circle": losses.CircleLoss,
        "lifted": losses.LiftedStructureLoss,
        "generalised lifted": losses.GeneralizedLiftedStructureLoss,
        "n-pair": losses.NPairsLoss,
        "fast-ap": losses.FastAPLoss,
        "histogram": lambda: losses.HistogramLoss(n_bins=100),
        "tuplet margin": losses.TupletMarginLoss,
        "angular": losses.AngularLoss,
        "proxy-nca": lambda: losses.ProxyNCALoss(CLASSES, D),
        "proxy-anchor": lambda: losses.ProxyAnchorLoss(CLASSES, D),
        "arcface": lambda: losses.ArcFaceLoss(CLASSES, D),
        "cosface": lambda: losses.CosFaceLoss(CLASSES, D),
        "normalised softmax": lambda: losses.NormalizedSoftmaxLoss(CLASSES, D),
        "soft-triple": lambda: losses.SoftTripleLoss(CLASSES, D),
    }
    loss, x, y = made[name](), torch.tensor(z, requires_grad=True), torch.tensor(labels)
    if list(loss.parameters()):
        y = y % CLASSES
        points = torch.tensor(proxy_points(10 if name == "soft-triple" else 1))
        for p in loss.parameters():
            p.data = points if p.shape == points.shape else points.T.contiguous()
    mine = miners.BatchHardMiner() if name == "batch-hard" else None

    def call() -> Any:
        x.grad = None
        value = loss(x, y, mine(x, y)) if mine else loss(x, y)
        value.backward()
        return float(value), x.grad.numpy()

    return call


PAUSE = 0.02  # before each call: the threads of the one before wait busily for a while, and would take a core
TRICKS = ("batch-all", "batch-hard", "contrastive", "supcon")


def plain_torch(name: str, z: Z, labels: Z) -> Callable[[], Any]:
    """The same tricks in PyTorch, for the losses where the trick is more than the formula."""
    import torch

    torch.set_num_threads(2)
    x, y = torch.tensor(z, requires_grad=True), torch.tensor(labels)
    inf = float("inf")

    def masks(some: slice) -> tuple[Any, Any]:
        same = y[some, None] == y
        own = torch.zeros_like(same)
        own[torch.arange(len(own)), torch.arange(some.start, some.stop)] = True
        return same & ~own, ~same

    def batch_all() -> Any:
        unit = torch.nn.functional.normalize(x)
        total, active = 0.0, 0
        gradient = torch.zeros_like(unit)
        with torch.no_grad():
            for some in chunks(len(z)):
                d = torch.cdist(unit[some], unit)
                positive, negative = masks(some)
                far = torch.where(negative, d, inf)
                C = torch.zeros_like(d)
                W = torch.zeros_like(d)
                for k in range(K - 1):  # four of a class, so three positives a row
                    p = torch.where(positive)[1].view(-1, K - 1)[:, k : k + 1]
                    reach = d.gather(1, p) + 0.2
                    within = far < reach
                    count = within.sum(1, keepdim=True).float()
                    C += within
                    W.scatter_(1, p, count)
                    total += float((count * reach).sum())
                    active += int(count.sum())
                total -= float((C * d).sum())
                W = (W - C) / d.clamp_min(1e-12)
                gradient[some] += W.sum(1, keepdim=True) * unit[some] - W @ unit
                gradient += W.sum(0)[:, None] * unit - W.T @ unit[some]
        unit.backward(gradient / max(active, 1))
        return total / max(active, 1)

    def batch_hard() -> Any:
        unit = torch.nn.functional.normalize(x)
        with torch.no_grad():
            found = []
            for some in chunks(len(z)):
                d = torch.cdist(unit[some], unit)
                positive, negative = masks(some)
                found.append((torch.where(positive, d, -inf).argmax(1), torch.where(negative, d, inf).argmin(1)))
            p, n = (torch.cat(part) for part in zip(*found, strict=True))
        violation = torch.relu((unit - unit[p]).norm(dim=1) - (unit - unit[n]).norm(dim=1) + 0.2)
        value = violation.sum() / (violation > 0).sum().clamp_min(1)
        value.backward()
        return float(value)

    def contrastive() -> Any:
        unit = torch.nn.functional.normalize(x)
        d = torch.cdist(unit, unit)
        positive, negative = masks(slice(0, len(z)))
        parts = [torch.relu(d[positive]), torch.relu(1 - d[negative])]
        value = sum(part.sum() / (part > 0).sum().clamp_min(1) for part in parts)
        value.backward()
        return float(value)

    def supcon() -> Any:
        unit = torch.nn.functional.normalize(x)
        positive, _ = masks(slice(0, len(z)))
        S = unit @ unit.T / 0.1
        S.fill_diagonal_(-inf)
        log_p = S - S.logsumexp(1, keepdim=True)
        value = -(torch.where(positive, log_p, 0).sum(1) / positive.sum(1)).mean()
        value.backward()
        return float(value)

    run = dict(zip(TRICKS, (batch_all, batch_hard, contrastive, supcon), strict=True))[name]

    def call() -> Any:
        x.grad = None
        return run(), x.grad.numpy()

    return call


def chunks(n: int, rows: int = 64) -> Iterator[slice]:
    """The rows, some at a time."""
    return (slice(start, min(start + rows, n)) for start in range(0, n, rows))


MAKERS = {"minisiam": ours, "torch": plain_torch, "pml": pml}
NAMES = (
    "batch-all",
    "batch-all soft",
    "batch-hard",
    "contrastive",
    "supcon",
    "nt-xent",
    "nca",
    "multi-similarity",
    "circle",
    "lifted",
    "generalised lifted",
    "n-pair",
    "fast-ap",
    "histogram",
    "tuplet margin",
    "angular",
    "proxy-nca",
    "proxy-anchor",
    "arcface",
    "cosface",
    "normalised softmax",
    "soft-triple",
)


# each job is measured in its own process


def timed(name: str, B: int, libraries: list[str], seconds: float) -> dict[str, Any]:
    """Least time of each library, in milliseconds, the libraries taking turns; and how far their answers agree."""
    z, labels = batch(B, name)
    calls = {library: MAKERS[library](name, z, labels) for library in libraries}
    answers = {library: call() for library, call in calls.items()}
    least = dict.fromkeys(calls, math.inf)
    start, rounds = time.perf_counter(), 0
    while rounds < 2 or (time.perf_counter() - start < seconds and rounds < 200):
        for library, call in calls.items():
            time.sleep(PAUSE)
            began = time.perf_counter()
            call()
            least[library] = min(least[library], time.perf_counter() - began)
        rounds += 1
    value, gradient = answers["minisiam"]
    apart = {
        library: max(
            abs(float(v) - float(value)) / abs(float(value)),
            float(np.abs(g - gradient).max() / np.abs(gradient).max()),
        )
        for library, (v, g) in answers.items()
        if library != "minisiam"
    }
    return {"ms": {library: 1e3 * t for library, t in least.items()}, "apart": apart}


def weighed(name: str, B: int, library: str) -> dict[str, Any]:
    """What one call adds to the peak memory of this process, in MB; the library is warm from a small batch."""
    MAKERS[library](name, *batch(64))()
    call = MAKERS[library](name, *batch(B))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = status("VmHWM")
    call()
    return {"mb": status("VmHWM") - before}


def status(field: str) -> float:
    """A line of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def child(job: str, name: str, B: int, libraries: list[str], limit: float, seconds: float = 1.0) -> dict[str, Any]:
    """Run a job in its own process; {} if it does not fit into memory."""
    words = [sys.executable, __file__, "--job", job, "--only", name, "--sizes", str(B), "--libraries", *libraries]
    words += ["--limit", str(limit), "--seconds", str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if any(word in done.stderr for word in ("MemoryError", "allocate memory", "bad_alloc")) or done.returncode < 0:
        return {}
    raise RuntimeError(done.stderr)


def measure(name: str, B: int, libraries: list[str], limit: float, seconds: float) -> dict[str, Any]:
    """One row: milliseconds and megabytes of every library; None where a batch does not fit."""
    libraries = [library for library in libraries if library != "torch" or name in TRICKS]
    memory = {library: child("memory", name, B, [library], limit).get("mb") for library in libraries}
    fits = [library for library in libraries if memory[library] is not None]
    found = child("time", name, B, fits, limit, seconds)
    return {"loss": name, "B": B, "mb": memory, "ms": found.get("ms", {}), "apart": found.get("apart", {})}


HEAD = ["loss", "B", "minisiam", "MB", "pytorch-metric-learning", "MB", "ratio", "MB ratio"]
HEAD += ["torch, same trick", "MB", "ratio"]


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    from minisiam.analysis import _markdown

    ms, mb = row["ms"], row["mb"]
    here = ms["minisiam"]
    cells = [row["loss"], f"{row['B']:,}", f"{here:.2f} ms", f"{mb['minisiam']:.0f}"]
    for library in ("pml", "torch"):
        if library in ms:
            cells += [f"{ms[library]:.2f} ms", f"{mb[library]:.0f}", f"{ms[library] / here:.1f}×"]
            if library == "pml":
                cells.append(f"{mb[library] / max(mb['minisiam'], 1):.0f}×")
        else:
            failed = library in mb and mb[library] is None
            cells += ["does not fit" if failed else "", "", "", *([""] if library == "pml" else [])]
    return _markdown.row(cells)


def crossover(B: int = 2048) -> None:
    """Batch-all by comparing a row with each positive, and by sorting it, against the number of images a class."""
    from minisiam import fast, losses, pairwise
    from minisiam.analysis import _markdown

    z = np.random.default_rng(0).normal(size=(B, D)).astype(np.float32)
    matrix = pairwise.l2(z, z)[0]
    print(_markdown.heading([f"images a class, of {B}", "compared", "sorted"]))
    for images in (4, 8, 16, 32, 48, 64, 96, 128, 256):
        labels, cells = np.arange(B) % (B // images), []
        for many in (10**6, 0):
            loss = fast.all_triplets(losses.triplet_hinge, many=many)
            times = []
            for _ in range(3):
                began = time.perf_counter()
                loss(matrix, labels, margin=0.2)
                times.append(1e3 * (time.perf_counter() - began))
            cells.append(f"{min(times):.0f} ms")
        print(_markdown.row([images, *cells]), flush=True)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Cost against B: time and memory, one panel a loss, with a line of slope 2."""
    from matplotlib.figure import Figure

    names = [
        name for name in ("batch-all", "batch-hard", "contrastive", "supcon") if any(r["loss"] == name for r in rows)
    ]
    figure = Figure(figsize=(3.6 * len(names) + 0.6, 6.4), layout="constrained")
    panels = figure.subplots(2, len(names), sharex=True, squeeze=False)
    style = {
        "minisiam": ("#0072B2", "o", "-", "minisiam"),
        "torch": ("#009E73", "s", "--", "PyTorch, same trick"),
        "pml": ("#D55E00", "^", ":", "pytorch-metric-learning"),
    }
    for column, name in enumerate(names):
        for axes, unit in zip(panels[:, column], ("ms", "mb"), strict=True):
            for library, (colour, marker, dash, label) in style.items():
                own = [(r["B"], r[unit].get(library)) for r in rows if r["loss"] == name and r[unit].get(library)]
                if own:
                    axes.plot(*zip(*own, strict=True), dash, color=colour, marker=marker, markersize=5, label=label)
            points = [(r["B"], r[unit]["minisiam"]) for r in rows if r["loss"] == name]
            if unit == "ms" and len(points) > 1:
                B = np.array([points[-1][0] / 8, points[-1][0]])
                axes.plot(B, 0.45 * points[-1][1] * (B / B[-1]) ** 2, color="0.6", linewidth=1)
                axes.annotate("B²", (B[1], 0.4 * points[-1][1]), fontsize=9, color="0.4", ha="center", va="top")
            axes.set(xscale="log", yscale="log", ylim=(1 if unit == "mb" else None, None))
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0, column].set_title(name)
        panels[1, column].set_xlabel("images in the batch, B")
    panels[0, 0].set_ylabel("value and gradient (ms)")
    panels[1, 0].set_ylabel("added to peak memory (MB)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=120)


def arguments() -> argparse.Namespace:
    """The words of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="LOSS", help=", ".join(NAMES))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="B", help="batches, multiples of 4")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES, help="who takes part")
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring each row (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=12, metavar="GIB", help="memory of a process (default: 12)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the numbers; those of an earlier run are kept too"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw cost against B")
    parser.add_argument("--crossover", action="store_true", help="batch-all by comparing and by sorting")
    parser.add_argument("--job", choices=("time", "memory"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print, and keep."""
    asked = arguments()
    if asked.job:
        limit = int(asked.limit * 2**30) * (
            2 if asked.job == "time" else 1
        )  # several libraries share one process there
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        (name,), (B,) = asked.only, asked.sizes
        job = partial(timed, seconds=asked.seconds) if asked.job == "time" else None
        print(json.dumps(job(name, B, asked.libraries) if job else weighed(name, B, asked.libraries[0])))
        return
    if asked.crossover:
        crossover()
        return
    needs = {"torch": "torch", "pml": "pytorch_metric_learning"}
    missing = [library for library in asked.libraries if find_spec(needs.get(library, "numpy")) is None]
    if missing:
        print(f"(not installed, so left out: {', '.join(missing)})")
    libraries = [library for library in asked.libraries if library not in missing]
    rows = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    from minisiam.analysis import _markdown

    print(_markdown.heading(HEAD))
    for name in asked.only:
        for B in asked.sizes:
            row = measure(name, B, libraries, asked.limit, asked.seconds)
            print(line(row), flush=True)
            rows = [r for r in rows if (r["loss"], r["B"]) != (name, B)] + [row]
            if asked.json:
                asked.json.write_text(json.dumps(rows, indent=1))
    order = list(NAMES)
    rows.sort(key=lambda r: (order.index(r["loss"]), r["B"]))
    if asked.plot:
        plot(rows, asked.plot)
        print(asked.plot)


if __name__ == "__main__":
    main()
