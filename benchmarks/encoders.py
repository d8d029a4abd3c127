"""A training step of seven networks, time and memory: minisiam beside PyTorch, JAX and autograd.

python benchmarks/encoders.py                                  everything: long, about an hour on two cores
python benchmarks/encoders.py --networks conv4 --batches 64 128 --peers torch torch-channels-last
python benchmarks/encoders.py --json encoders.json --plot docs/encoders.png
python benchmarks/encoders.py --rounds 0 --json encoders.json --plot docs/encoders.png      # only draw it again

A step is forward, (z · cot).sum(), backward and SGD, in float32. Each library runs in its own process. The
processes take turns, each as many steps as fill a fifth of a second while the others sleep; a number is the least or
the median of fifteen turns. All start from the same parameters, and before it is timed each must have the embeddings
of minisiam, and change them by a step as minisiam does: another network is left out.

    minisiam                      microbatch(encoder): chunks of at most 64 images, on all cores; glibc keeps 31 MB
    minisiam-plain                the ops that are written to be read; BLAS with all its threads
    torch, torch-channels-last    PyTorch as installed, eager; images as NCHW or as NHWC in memory
    torch-channels-last-malloc    the same where glibc keeps its memory (see KEEP in peers.py)
    torch-compiled                the forward and backward pass through torch.compile, NHWC, malloc as installed;
    torch-compiled-malloc         where glibc keeps its memory; left out by name where it cannot compile
    jax                           one compiled step that reuses its parameters' memory, NHWC
    autograd                      im2col in autograd.numpy; only up to 64 images, unless --peers names it

Of the peak: the operations of the direct algorithm (so Winograd's may come to more than 100 %) a second, as a share
of the best product of two 2,048 × 2,048 matrices in the same run. Memory: what the steps add to the resident memory
of a process that has its libraries, parameters and images; Linux only. A library that is not installed is left out.

    pip install torch jax autograd threadpoolctl matplotlib
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import pickle
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import peers
from peers import IMPLEMENTATIONS, NETWORKS, RATE

from minisiam import __version__ as minisiam_version
from minisiam.analysis import _markdown

BATCHES = (16, 32, 64, 128, 256, 512)
DEFAULT, MOST = {"koch105": (16,)}, {"koch105": 32}  # batches of a network, and the largest that it is asked for
SLOW = {"autograd": 64}  # the largest batch for whom is not named
PAUSE, FILL = 0.02, 0.2  # seconds between turns, in which the threads of the one before stop waiting busily; of a turn
CHECK = 1e-3  # learning rate, per image of the batch, of the step whose effect is compared
SAME, SAME_CHANGE = 1e-4, 1e-2  # relative errors: of embeddings, and of what a step changes in them
TIE = 1.15  # in the figure: less than this apart is no difference
Row = dict[str, Any]


# a child: one implementation on one network and batch


def serve(name: str, network: str, batch: int) -> None:
    """Say what there is to compare and how much memory a step takes; then, whenever asked, take a turn."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    if name == "sgemm":
        step, first = peers.sgemm(), {}
    else:
        make = IMPLEMENTATIONS[name].make
        make("conv4", *peers.problem("conv4", 2))[0](RATE)  # loads what a library loads only when it is used
        step, embed = make(network, *peers.problem(network, batch))
        first = {"mb": added(step), "z": np.array(embed())}
        step(CHECK * batch)
        first["change"] = np.array(embed()) - first["z"]
    seconds, _ = turn(step, 1)
    while True:
        pickle.dump(first, answers)
        answers.flush()
        try:
            fill = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        count = max(1, round(fill / seconds))
        if count > 1:
            step(RATE)  # finds the cores and caches as the one before left them
        seconds, first = turn(step, count)


def turn(step: Callable[[float], float], count: int) -> tuple[float, Any]:
    """Seconds of a step, as a number and as the answer that is sent."""
    began = time.perf_counter()
    for _ in range(count):
        value = step(RATE)
    seconds = (time.perf_counter() - began) / count
    if not math.isfinite(value):
        raise FloatingPointError(f"the value of a step is {value}")
    return seconds, {"seconds": seconds, "steps": count}


def added(step: Callable[[float], float]) -> float | None:
    """Peak memory of the first three steps above what was there before them, in MB; None where nobody counts."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what making the step has left unused is no room for the step
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
        before = status("VmRSS")
    except OSError:
        before = math.nan
    for _ in range(3):
        step(RATE)
    return None if math.isnan(before) else status("VmHWM") - before


def status(field: str) -> float:
    """A line of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


class Dead(Exception):
    """A child has ended before it was told to."""


class Child:
    """A process that takes turns, seen from the parent."""

    def __init__(self, name: str, network: str, batch: int, threads: int) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_TUN"))}
        environment |= {f"{blas}_NUM_THREADS": str(threads) for blas in ("OMP", "OPENBLAS", "MKL")}
        environment |= IMPLEMENTATIONS[name].environment if name in IMPLEMENTATIONS else {}
        words = [sys.executable, __file__, "--child", name, "--networks", network, "--batches", str(batch)]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=self.errors, env=environment)

    def ask(self, seconds: float | None = None) -> Any:
        """Its next answer, after a turn of so many seconds if they are given."""
        assert self.process.stdin and self.process.stdout
        try:
            if seconds is not None:
                pickle.dump(seconds, self.process.stdin)
                self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = self.process.wait()
            self.errors.seek(0)
            raise Dead(self.errors.read().strip() or f"ended with code {code}") from None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


# the parent


def measure(network: str, batch: int, names: list[str], rounds: int, threads: int) -> Row:
    """One row: seconds of each turn of each implementation, memory, and how far its embeddings are from minisiam's."""
    row: Row = {"network": network, "batch": batch, "gflop": peers.gflop(network, batch), "left_out": {}}
    row |= {"seconds": {}, "steps": {}, "mb": {}, "apart": {}}
    tell(f"{network} × {batch}: {', '.join(names)}")

    def leave_out(name: str, why: str) -> None:
        tell(f"{name} on {network} × {batch} is left out: {why}")
        row["left_out"][name] = why.splitlines()[-1]
        for numbers in (row["seconds"], row["steps"], row["mb"]):
            numbers.pop(name, None)
        children.pop(name).__exit__()

    def answer(name: str, seconds: float | None = None) -> Any:
        try:
            return children[name].ask(seconds)
        except Dead as dead:
            leave_out(name, str(dead))
            return None

    with ExitStack() as stack:
        children = {name: stack.enter_context(Child(name, network, batch, threads)) for name in [*names, "sgemm"]}
        reference = None
        for name in [*names, "sgemm"]:
            said = answer(name)
            if not said or name == "sgemm":
                continue
            reference = reference or said
            row["mb"][name] = said["mb"]
            row["apart"][name] = apart = [distance(said[what], reference[what]) for what in ("z", "change")]
            if not (apart[0] <= SAME and apart[1] <= SAME_CHANGE):
                leave_out(name, "not the same network: embeddings {:.0e}, their change {:.0e} apart".format(*apart))
        for number in range(rounds):
            for name in random.Random(number).sample(list(children), len(children)):
                time.sleep(PAUSE)
                said = answer(name, FILL)
                if said:
                    row["seconds"].setdefault(name, []).append(said["seconds"])
                    row["steps"][name] = row["steps"].get(name, 0) + said["steps"]
    row["sgemm"] = 2e-9 * peers.SQUARE**3 / min(row["seconds"].pop("sgemm", [math.inf]))
    tell("  " + ", ".join(f"{name} {1e3 * min(turns):.1f} ms" for name, turns in row["seconds"].items()))
    return row


def distance(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def tell(words: str) -> None:
    """To whoever waits."""
    print(words, file=sys.stderr, flush=True)


def conditions(threads: int) -> dict[str, Any]:
    """Whatever must be the same for two rows to be compared."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":")[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    versions = {"python": platform.python_version(), "minisiam": minisiam_version}
    for package in ("numpy", "torch", "jax", "jaxlib", "autograd", "threadpoolctl"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "threads": threads,
        "versions": versions | {"blas": f"{blas['name']} {blas['version']}", "libc": " ".join(platform.libc_ver())},
        "malloc": {name: made.environment for name, made in IMPLEMENTATIONS.items() if made.environment is peers.KEEP},
        "preloaded": os.environ.get("LD_PRELOAD", ""),
    }


# what is shown


def tables(kept: dict[str, Any]) -> str:
    """Everything, as _markdown."""
    rows, peak = kept["rows"], max(row["sgemm"] for row in kept["rows"])
    versions = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    apart = np.max([[0, 0], *(row["apart"][name] for row in rows for name in row["seconds"])], axis=0)
    text = [
        f"{kept['machine']}; {kept['threads']} threads; {versions}. sgemm: {peak:.0f} GFLOP/s.",
        "",
        f"Those compared are the same network: embeddings agree to {apart[0]:.0e}, what a step changes in them to "
        f"{apart[1]:.0e} (relative).",
        "Times are the least; in brackets minisiam's time as a share of the other's, of the least and of the medians: "
        "below 1 minisiam is faster.",
    ]
    for network in NETWORKS:
        own = sorted((row for row in rows if row["network"] == network), key=lambda row: row["batch"])
        if not own:
            continue
        names = [name for name in IMPLEMENTATIONS if any(name in row["seconds"] for row in own)]
        others = [name for name in names if name != "minisiam"]
        text += ["", f"### {network}", "", _markdown.heading(["batch", "minisiam", "of the peak", *others])]
        text += [_markdown.row([row["batch"], *times(row, others, peak)]) for row in own]
        if any(mb is not None for row in own for mb in row["mb"].values()):
            text += ["", _markdown.heading(["batch", *(f"{name} MB" for name in names)])]
            text += [_markdown.row([row["batch"], *(whole(row["mb"].get(name)) for name in names)]) for row in own]
        for row in own:
            left_out = [f"{name} ({why})" for name, why in row["left_out"].items()]
            text += ["", f"Left out at batch {row['batch']}: {', '.join(left_out)}."] if left_out else []
    return "\n".join(text)


def times(row: Row, others: list[str], peak: float) -> list[str]:
    """Cells of time: minisiam's, its share of the peak, and those of the others with the two ratios."""
    turns, ours = row["seconds"], row["seconds"].get("minisiam")
    cells = [ms(min(ours)), f"{100 * row['gflop'] / min(ours) / peak:.0f} %"] if ours else ["", ""]
    for name in others:
        if name not in turns:
            cells.append("")
        elif ours:
            ratios = (f"{of(ours) / of(turns[name]):.2f}" for of in (min, statistics.median))
            cells.append(f"{ms(min(turns[name]))} ({', '.join(ratios)})")
        else:
            cells.append(ms(min(turns[name])))
    return cells


def ms(seconds: float) -> str:
    """Three digits of milliseconds."""
    return f"{1e3 * seconds:.3g} ms" if seconds < 0.0995 else f"{1e3 * seconds:,.0f} ms"


def whole(mb: float | None) -> str:
    """Megabytes, or nothing."""
    return "" if mb is None else f"{mb:,.0f}"


# colour, marker and dashes: the darker, the nearer to us in most panels, so that grey will do
STYLE: dict[str, tuple[str, str, Any]] = {
    "minisiam-plain": ("#0072B2", "o", (0, (1, 1.2))),
    "torch": ("#C98200", "s", "-"),
    "torch-channels-last": ("#D55E00", "^", (0, (5, 2))),
    "torch-channels-last-malloc": ("#7F1D1D", "v", "-"),
    "torch-compiled": ("#B45309", "P", "--"),
    "torch-compiled-malloc": ("#B45309", "X", "-"),
    "jax": ("#009E73", "D", (0, (6, 2, 1, 2))),
    "autograd": ("#8C8C8C", "X", "-"),
}


def plot(rows: list[Row], path: Path) -> None:
    """Time of a step against the batch, as a multiple of minisiam's: above the line minisiam is faster."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    rows = sorted((row for row in rows if "minisiam" in row["seconds"]), key=lambda row: row["batch"])
    networks = [network for network in NETWORKS if any(row["network"] == network for row in rows)]
    across = len(networks) if len(networks) < 5 else 3
    down = -(-len(networks) // across)
    figure = Figure(figsize=(4.2 * across, 3.5 * down + 0.5), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    points = {(row["network"], name, row["batch"]): multiple(row, name) for row in rows for name in row["seconds"]}
    low, high = min(0.8, *points.values()) / 1.35, max(1.25, *points.values()) * 1.15
    ticks = sorted({row["batch"] for row in rows})
    left, right = ticks[0] / 1.4, ticks[-1] * 1.2
    for axes, network in zip(panels.flat, networks, strict=False):
        batches = [row["batch"] for row in rows if row["network"] == network]
        ends = {"minisiam": (batches[-1] * 1.2, 1.0)}
        for name, (colour, marker, dashes) in STYLE.items():
            own = [(batch, points[network, name, batch]) for batch in batches if (network, name, batch) in points]
            if own:
                axes.plot(*zip(*own, strict=True), color=colour, marker=marker, markersize=5, linestyle=dashes)
                ends[name] = own[-1]
        axes.fill_between([left, batches[-1] * 1.2], 1 / TIE, TIE, color="0.9", linewidth=0, zorder=0)
        axes.plot([left, batches[-1] * 1.2], [1, 1], color="black", linewidth=1.8, zorder=1)
        axes.set(xscale="log", yscale="log", ylim=(low, high), title=network)
        axes.set_xlim(left, right * (right / left) ** 0.75)  # room for the names
        label(axes, ends, batches[-1] * 1.6, math.log(high / low) * 0.07)
        for axis, places in ((axes.xaxis, ticks), (axes.yaxis, [2.0**power for power in range(-4, 9)])):
            axis.set_major_locator(FixedLocator(places))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter("{x:g}")
        axes.tick_params(labelbottom=True)
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels.flat[len(networks) :]:
        axes.set_axis_off()
    figure.supxlabel("images in the batch")
    figure.supylabel("time of a training step ÷ minisiam's   (above 1 minisiam is faster; grey: a tie)")
    figure.savefig(path, dpi=120)


def multiple(row: Row, name: str) -> float:
    """How many times minisiam's time."""
    return min(row["seconds"][name]) / min(row["seconds"]["minisiam"])


def label(axes: Any, ends: dict[str, tuple[int, float]], x: float, apart: float) -> None:
    """Names to the right of the lines, in the order of the lines' ends and not on top of each other."""
    names = sorted(ends, key=lambda name: ends[name][1])
    heights = [math.log(ends[name][1]) for name in names]
    for _ in range(200):  # push neighbours apart until they are
        for i in range(len(names) - 1):
            push = max(0, apart - (heights[i + 1] - heights[i])) / 2
            heights[i] -= push
            heights[i + 1] += push
    for name, height in zip(names, heights, strict=True):
        colour = STYLE[name][0] if name in STYLE else "black"
        arrow = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4, "relpos": (0, 0.5)}
        axes.annotate(
            IMPLEMENTATIONS[name].label,
            ends[name],
            (x, math.exp(height)),
            fontsize=9,
            color=colour,
            va="center",
            weight="bold" if name == "minisiam" else "normal",
            arrowprops=arrow,
            annotation_clip=False,
        )


def arguments() -> argparse.Namespace:
    """The words of this script."""
    everyone = [name for name in IMPLEMENTATIONS if name != "minisiam"]
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), metavar="NETWORK", help=", ".join(NETWORKS))
    add("--batches", nargs="+", type=int, metavar="B", help="16 … 512; koch105: 16, and never more than 32")
    add("--peers", nargs="+", choices=everyone, metavar="PEER", help=f"beside minisiam: {', '.join(everyone)}")
    add("--rounds", type=int, default=15, help="turns of each; 0 only shows what FILE has (default: %(default)s)")
    add("--threads", type=int, default=min(2, cores), help="of each library (default: 2, or 1 on one core)")
    add("--json", type=Path, metavar="FILE", help="keep the numbers; those of an earlier run are kept too")
    add("--plot", type=Path, metavar="FILE", help="draw the times against the batch")
    add("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print, and keep."""
    asked = arguments()
    if asked.child:
        serve(asked.child, asked.networks[0], asked.batches[0])
        return
    if hasattr(os, "sched_setaffinity"):  # for libraries that count the cores themselves; children inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.threads])
    names = ["minisiam", *(asked.peers or STYLE)]
    for name in [name for name in names if find_spec(IMPLEMENTATIONS[name].needs) is None]:
        names.remove(name)
        tell(f"{IMPLEMENTATIONS[name].needs} is not installed: {name} is left out")
    if find_spec("threadpoolctl") is None:
        tell("threadpoolctl is not installed: minisiam works on one thread")
    here = conditions(asked.threads)
    kept = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else here | {"rows": []}
    if asked.rounds and any(kept[key] != value for key, value in here.items()):
        raise SystemExit(f"{asked.json} is of another machine or of other versions: choose another name")
    try:
        for network in asked.networks if asked.rounds else ():
            for batch in asked.batches or DEFAULT.get(network, BATCHES):
                if batch > MOST.get(network, batch):
                    continue
                some = [name for name in names if asked.peers or batch <= SLOW.get(name, batch)]
                row = measure(network, batch, some, asked.rounds, asked.threads)
                kept["rows"] = [r for r in kept["rows"] if (r["network"], r["batch"]) != (network, batch)] + [row]
                if asked.json:
                    asked.json.write_text(json.dumps(kept, indent=1))
        stopped = 0
    except KeyboardInterrupt:
        stopped = 130
        tell("stopped: what was complete is shown")
    if kept["rows"]:
        print(tables(kept))
    if asked.plot and kept["rows"]:
        plot(kept["rows"], asked.plot)
        tell(str(asked.plot))
    sys.exit(stopped)


if __name__ == "__main__":
    main()
