"""A training step on several ranks of one core each: bytes, time and memory, and a model of more ranks.

python benchmarks/ranks.py                 all parts, under mpiexec of the extra `mpi`
python benchmarks/ranks.py --parts bytes   the formula against counted bytes; needs no MPI

The step is Conv4, cosine distances divided by rows, and SupCon, four images of a class, in float32.

bytes    sent by each rank in a step, counted by ranks that are threads, against `sent_by_step`
time     strong scaling: a batch of 512 on 1 and 2 ranks. Weak: 256 images on each of 1 and 2 ranks. In turns, each
         in new processes, the least of `--rounds`; with the share of the time in communication, including waiting
memory   what a step adds to the peak of a rank; Linux only
model    the time of communication from the formula, and of computation from measurements on one core
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from minisiam import distributed, encoders, fast, losses, networks, pairwise, tree
from minisiam.distributed.ranks import shares
from minisiam.fast.threads import one_blas_thread

D = 128  # the size of an embedding
SHAPE = (28, 28, 1)
SMALL = 64  # bytes that a step sends to each other rank beside the formula: three sums, and two empty error messages
ENCODERS = {"conv4": lambda: encoders.conv4(embedding=D), "mlp": lambda: encoders.mlp(512, D)}
PARTS = ("bytes", "time", "memory", "model")


def sent_by_step(rank: int, ranks: int, images: int, parameters: int, size: int = 4) -> int:
    """The bytes that a rank sends in a step, but for SMALL ones; `images` on each rank.

    Z: the own embeddings to all others. dZ and dθ: each rank adds up one part of the sum and sends it to all others.
    With equal parts, this is (R − 1) (3 B d + 2 P / R) numbers.
    """

    def sum_over_ranks(numbers: int) -> int:
        own = shares(numbers, ranks)[rank]
        part = own.stop - own.start
        return numbers - part + (ranks - 1) * part

    numbers = (ranks - 1) * images * D + sum_over_ranks(ranks * images * D) + sum_over_ranks(parameters)
    return size * numbers


class Timed:
    """Ranks that measure how long they communicate, including waiting for each other."""

    def __init__(self, ranks: Any) -> None:
        self.ranks, self.rank, self.size, self.seconds = ranks, ranks.rank, ranks.size, 0.0

    def gather(self, array: Any) -> Any:
        """As the ranks do."""
        return self._timed(self.ranks.gather, array)

    def exchange(self, arrays: Any) -> Any:
        """As the ranks do."""
        return self._timed(self.ranks.exchange, arrays)

    def _timed(self, send: Any, what: Any) -> Any:
        start = time.perf_counter()
        received = send(what)
        self.seconds += time.perf_counter() - start
        return received


def step_of(ranks: Any, images: int, encoder: Any) -> Any:
    """A function that makes a step with `images` on each rank, without the update; and the parameters."""
    network = networks.batch(
        distributed.encoder(encoder, ranks), distributed.rows(pairwise.cosine, ranks), losses.supcon
    )
    params = network.init(np.random.default_rng(0), SHAPE)
    rng = np.random.default_rng([1, ranks.rank])
    x, labels = rng.random((images, *SHAPE), dtype=np.float32), np.arange(images * ranks.size) // 4

    def step() -> None:
        _, pullback = network(params, x, labels)
        pullback(1.0)

    return step, params


def count_bytes() -> None:
    """Print the formula beside the counted bytes."""
    encoder = fast.convert(encoders.conv4(embedding=D))
    for size in (2, 3, 4):

        def work(ranks: Any) -> tuple[int, int]:
            step, params = step_of(ranks, 16, encoder)
            step()  # the first step also compares the parameters
            before = ranks.sent
            step()
            return ranks.sent - before, tree.size(params)

        for rank, (sent, parameters) in enumerate(distributed.run(work, size)):
            formula = sent_by_step(rank, size, 16, parameters)
            assert 0 <= sent - formula <= SMALL * (size - 1), (sent, formula)
            print(f"bytes: rank {rank} of {size}: formula {formula:,}, counted {sent:,}", flush=True)


def peak() -> float:
    """The peak of this process's resident memory in MB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def measure(images: int, steps: int, name: str) -> None:
    """Measure steps on the ranks of mpiexec, and print the slowest rank's numbers as JSON."""
    ranks = Timed(distributed.mpi())
    encoder = fast.microbatch(fast.convert(ENCODERS[name]()), threads=1)
    step, params = step_of(ranks, images, encoder)
    before, times = peak(), []
    for _ in range(steps):
        ranks.gather(np.empty(0))  # all begin together
        ranks.seconds, start = 0.0, time.perf_counter()
        step()
        times.append((time.perf_counter() - start, ranks.seconds))
    whole, waited = min(times)
    found = ranks.gather(np.array([whole, waited, peak() - before]))
    if ranks.rank == 0:
        worst = np.max(found, axis=0).tolist()
        print(json.dumps({"step": worst[0], "share": worst[1] / worst[0], "MB": worst[2], "P": tree.size(params)}))


def on_processes(size: int, images: int, steps: int = 5, encoder: str = "conv4") -> dict[str, float]:
    """`measure` in new processes."""
    beside = Path(sys.executable).with_name("mpiexec")
    words = [str(beside if beside.exists() else "mpiexec"), "-n", str(size), "-env", "OPENBLAS_NUM_THREADS", "1"]
    command = [*words, sys.executable, __file__, "--one", str(images), str(steps), encoder]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure_time(rounds: int) -> None:
    """Print strong and weak scaling from one to two ranks."""
    settings = {"strong": ((1, 512), (2, 256)), "weak": ((1, 256), (2, 256))}
    found: dict[Any, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for kind, sizes in settings.items():
            for setting in sizes:
                found.setdefault((kind, *setting), []).append(on_processes(*setting))
    for kind, (one, two) in settings.items():
        first, second = (min(found[kind, *setting], key=lambda seen: seen["step"]) for setting in (one, two))
        print(
            f"time: {kind}: 1 rank, {one[1]} images {1e3 * first['step']:.0f} ms; 2 ranks, {two[1]} images each "
            f"{1e3 * second['step']:.0f} ms, {second['step'] / first['step']:.2f} times as long; communication "
            f"{100 * second['share']:.0f} %",
            flush=True,
        )


def measure_memory() -> None:
    """Print what a step adds to the peak of a rank."""
    for images in (64, 128, 256):
        for size in (1, 2, 4):
            found = on_processes(size, images, 2)
            print(f"memory: {images} images on each of {size} ranks: {found['MB']:.0f} MB", flush=True)


def seconds_of_loss(images: int, ranks: int) -> float:
    """The time of distances and loss, with their gradients, for B rows of a matrix with R·B columns."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(images * ranks, D)).astype(np.float32)
    rows, times = z[:images], []
    positive = np.arange(images)[:, None] // 4 == np.arange(images * ranks) // 4
    for _ in range(5):
        start = time.perf_counter()
        distances, pull = pairwise.cosine(rows, z)
        _, pull_value = losses.matching(distances, positive)  # like SupCon, a log-softmax of each row
        pull(*pull_value(1.0))
        times.append(time.perf_counter() - start)
    return min(times)


def print_model(images: int = 256) -> None:
    """Print the modelled time of a step for two encoders, and where communication takes longer than computation."""
    with one_blas_thread:
        losses_of = [(ranks, seconds_of_loss(images, ranks)) for ranks in (1, 4, 16)]
    fixed, each = _line(losses_of)
    for name in ENCODERS:
        alone = on_processes(1, images, encoder=name)
        encoder = alone["step"] - losses_of[0][1]
        print(f"model: {name}: encoder {1e3 * encoder:.1f} ms; loss {1e3 * fixed:.2f} + {1e3 * each:.2f} R ms")
        print("model: ranks    sent by each    computation   at 10 Gbit/s: share   at 100 Gbit/s: share")
        ratios = []
        for size in (2**power for power in range(1, 11)):
            sent = sent_by_step(0, size, images, int(alone["P"]))
            work = encoder + fixed + each * size
            cells = " ".join(_cell(8 * sent / bits, work) for bits in (1e10, 1e11))
            print(f"model: {size:5d} {sent / 1e6:12.1f} MB {1e3 * work:11.1f} ms {cells}", flush=True)
            ratios.append((work / (8 * sent / 1e10), size))
        ratio, size = min(ratios)
        print(f"model: {name}: at 10 Gbit/s communication takes longer first on {size} ranks, "
              f"if each is {ratio:.0f} times as fast as this core")  # fmt: skip
    print("model: * communication takes longer than computation; without latency, and nothing overlaps")


def _cell(sending: float, work: float) -> str:
    return f"{1e3 * sending:9.2f} ms {100 * sending / (sending + work):6.1f} %{'*' * (sending > work):1}"


def _line(points: list[tuple[int, float]]) -> tuple[float, float]:
    slope, start = np.polyfit(*zip(*points, strict=True), 1)
    return max(0.0, float(start)), float(slope)


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="new processes for each time (default: 5)")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        images, steps, encoder = arguments.one
        measure(int(images), int(steps), encoder)
        return
    work = {
        "bytes": count_bytes,
        "time": lambda: measure_time(arguments.rounds),
        "memory": measure_memory,
        "model": print_model,
    }
    for part in arguments.parts:
        work[part]()


if __name__ == "__main__":
    main()
