"""The search of a gallery beside faiss-cpu's flat index: exact nearest neighbours, in turns in one run.

python benchmarks/gallery.py
python benchmarks/gallery.py --entries 50000 --queries 10000 --size 128 --k 10

Both use all cores. Before they are timed, both must find the same neighbours. The ratio is that of the least times, in
brackets that of the medians. Memory is what a search adds to the peak of its own process.

    pip install faiss-cpu
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def draw(entries: int, queries: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of a gallery, and queries."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((rows, size), dtype=np.float32) for rows in (entries, queries))  # type: ignore[return-value]


def searches(z: np.ndarray, queries: np.ndarray, k: int, library: str) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """A function that searches, and returns distances and rows."""
    if library == "minisiam":
        from minisiam import gallery, pairwise

        entries = gallery.enrol([f"{row}" for row in range(len(z))], z)
        return lambda: gallery.search(entries, queries, k, pairwise.squared_l2)[1:]
    import faiss

    index = faiss.IndexFlatL2(z.shape[1])
    index.add(z)
    return lambda: index.search(queries, k)


def memory(arguments: argparse.Namespace) -> None:
    """Print the megabytes that a search adds to the peak memory of this process."""
    run = searches(*draw(arguments.entries, arguments.queries, arguments.size), arguments.k, arguments.memory)
    before = peak()
    run()
    print(round(peak() - before))


def peak() -> float:
    """The peak of this process's resident memory in MB; Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("entries", 50_000), ("queries", 10_000), ("size", 128), ("k", 10), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default:,}")
    parser.add_argument("--memory", choices=("minisiam", "faiss"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        return memory(arguments)
    z, queries = draw(arguments.entries, arguments.queries, arguments.size)
    ours, theirs = (searches(z, queries, arguments.k, library) for library in ("minisiam", "faiss"))
    (d, rows), (their_d, their_rows) = ours(), theirs()
    print(f"the same rows for {100 * (rows == their_rows).mean():.3f} % of the neighbours", flush=True)
    np.testing.assert_allclose(d, their_d, rtol=1e-4)
    times: dict[str, list[float]] = {"minisiam": [], "faiss": []}
    for _ in range(arguments.rounds):
        for library, run in (("minisiam", ours), ("faiss", theirs)):
            start = time.perf_counter()
            run()
            times[library].append(time.perf_counter() - start)
    least, middle = ({name: f(t) for name, t in times.items()} for f in (min, statistics.median))
    ratio, of_medians = (found["minisiam"] / found["faiss"] for found in (least, middle))
    print(f"minisiam {least['minisiam']:.2f} s, faiss {least['faiss']:.2f} s: {ratio:.2f} ({of_medians:.2f}) times")
    for library in times:
        same = [sys.executable, __file__, *sys.argv[1:], "--memory", library]
        print(f"{library} adds {subprocess.run(same, capture_output=True, text=True, check=True).stdout.strip()} MB")
    return None


if __name__ == "__main__":
    main()
