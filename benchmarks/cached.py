"""A training step of Conv4 on a large batch, with and without `fast.cached`: time, and the memory that it adds.

python benchmarks/cached.py
python benchmarks/cached.py --batches 512 4096 --chunk 128

Cosine distances, blockwise, and SupCon, four images of a class; each in its own process, in turns, the least
of `--rounds`. Memory is what the step adds to the peak of a process that has its images and parameters; Linux only.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from minisiam import encoders, fast, losses, networks, optimizers, pairwise


def peak() -> float:
    """The peak of this process's resident memory in MB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def measure(batch: int, chunk: int) -> tuple[float, float]:
    """Seconds of a step and the megabytes it adds; chunk 0 keeps all activations."""
    rng = np.random.default_rng(0)
    encoder = fast.microbatch(fast.convert(encoders.conv4()))
    network = networks.batch(
        fast.cached(encoder, chunk) if chunk else encoder, fast.blockwise(pairwise.cosine), losses.supcon
    )
    x, labels = rng.random((batch, 28, 28, 1), dtype=np.float32), np.arange(batch) // 4
    params = network.init(rng, (28, 28, 1))
    optimizer = optimizers.sgd(0.01)
    state, before, times = optimizer.init(params), peak(), []
    for _ in range(3):
        start = time.perf_counter()
        _, pullback = network(params, x, labels)
        params, state = optimizer.update(*pullback(1.0), state, params)
        times.append(time.perf_counter() - start)
    return min(times), peak() - before


def main() -> None:
    """Print a line for each batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 4096], help="default: 512 4096")
    parser.add_argument("--chunk", type=int, default=128, help="images whose activations are kept (default: 128)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind (default: 3)")
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*measure(*arguments.one))
        return
    for batch in arguments.batches:
        found: dict[int, list[tuple[float, float]]] = {0: [], arguments.chunk: []}
        for _ in range(arguments.rounds):
            for chunk, seen in found.items():
                command = [sys.executable, __file__, "--one", str(batch), str(chunk)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                seen.append(tuple(map(float, said.split())))  # type: ignore[arg-type]
        (all_time, all_mb), (time_, mb) = (map(min, zip(*seen, strict=True)) for seen in found.values())
        print(
            f"{batch:,} images: all activations {all_time:.2f} s, {all_mb:.0f} MB; cached {time_:.2f} s, {mb:.0f} MB: "
            f"{time_ / all_time:.2f} times as long",
            flush=True,
        )


if __name__ == "__main__":
    main()
