"""Recall@1 and MAP@R of a whole set, beside faiss-cpu's flat index (build, search and count), in turns in one run.

python benchmarks/retrieval.py                                 recall@1 at n = 5,000 … 50,000, MAP@R at 20,000
python benchmarks/retrieval.py --only recall --n 20000 --rounds 9
python benchmarks/retrieval.py --threads 1

Embeddings are n × 128 float32, in random order. `noise` has no classes, so most queries have a wrong neighbour; in
`classes`, most have a right one. faiss finds k + 1 neighbours, the image itself among them, and NumPy counts. Both
must agree. Ratios are minisiam's time divided by that of faiss, from the least times of all rounds: on the clock, and
of the processor, which other programs on the machine distort less. Memory is what one call adds to the peak of its own
process.

    pip install faiss-cpu
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIZE = 128
JOBS = {"recall": ((5_000, 10_000, 20_000, 50_000), (10,)), "map": ((20_000,), (10, 100))}  # n, images per class
KINDS = {"noise": 0.0, "classes": 0.7}  # the spread of the centres of the classes, beside 1 within a class
Call = Callable[[], float]


def draw(n: int, per_class: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and their labels, in random order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(n) % (n // per_class))
    centres = KINDS[kind] * rng.standard_normal((n // per_class, SIZE), dtype=np.float32)
    return rng.standard_normal((n, SIZE), dtype=np.float32) + centres[labels], labels


def ours(job: str, z: np.ndarray, labels: np.ndarray) -> Call:
    """A call of minisiam."""
    from minisiam import evaluate

    if job == "recall":
        return lambda: evaluate.recall_at_k(z, labels)
    return lambda: evaluate.retrieval.scores(z, labels).map_at_r


def theirs(job: str, z: np.ndarray, labels: np.ndarray) -> Call:
    """A call of faiss; all classes have the same size."""
    import faiss

    R = 1 if job == "recall" else int(np.bincount(labels)[0]) - 1

    def call() -> float:
        index = faiss.IndexFlatL2(z.shape[1])
        index.add(z)
        _, found = index.search(z, R + 1)
        right = labels[found[:, 1:]] == labels[:, None]  # each image finds itself first
        return float((right * np.cumsum(right, axis=1) / np.arange(1, R + 1)).mean())

    return call


LIBRARIES = {"minisiam": ours, "faiss": theirs}


def compare(job: str, n: int, per_class: int, kind: str, rounds: int) -> list[str]:
    """A row of the table."""
    z, labels = draw(n, per_class, kind)
    calls = {name: make(job, z, labels) for name, make in LIBRARIES.items()}
    values = {}
    least = {name: np.full(2, np.inf) for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(0.02)  # idle threads of the other library wait busily for a while
            clock, used = time.perf_counter(), time.process_time()
            values[name] = call()
            spent = (time.perf_counter() - clock, time.process_time() - used)
            least[name] = np.minimum(least[name], spent)
    np.testing.assert_allclose(*values.values(), atol=2e-4)  # faiss breaks ties by the row, and rounds
    ratio = least["minisiam"] / least["faiss"]
    memory = [f"{added(job, n, per_class, kind, name)} MB" for name in LIBRARIES]
    times = [f"{least[name][0]:.2f} s" for name in LIBRARIES]
    return [
        "recall@1" if job == "recall" else f"MAP@R, R = {per_class - 1}",
        *(f"{n:,}", kind, *times, *(f"{r:.2f}" for r in ratio), ", ".join(memory)),
    ]


def added(job: str, n: int, per_class: int, kind: str, library: str) -> int:
    """The megabytes that one call adds to the peak memory of a fresh process."""
    words = [sys.executable, __file__, "--only", job, "--n", str(n), "--per-class", str(per_class), "--kind", kind]
    done = subprocess.run([*words, "--memory", library], capture_output=True, text=True, check=True)
    return int(done.stdout)


def peak() -> float:
    """The peak of this process's resident memory in MB; Linux only."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=JOBS, nargs="+", default=list(JOBS))
    parser.add_argument("--n", type=int, nargs="+", help="images")
    parser.add_argument("--per-class", type=int, nargs="+", help="images of each class")
    parser.add_argument("--kind", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--memory", choices=LIBRARIES, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.threads and os.environ.get("OMP_NUM_THREADS") != str(wanted.threads):
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(wanted.threads))
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | threads)  # they are read at the start
    if wanted.memory:
        (job,), (n,), (per_class,), (kind,) = wanted.only, wanted.n, wanted.per_class, wanted.kind
        call = LIBRARIES[wanted.memory](job, *draw(n, per_class, kind))
        before = peak()
        call()
        print(round(peak() - before))
        return
    from minisiam.analysis import _markdown

    head = ["measure", "n", "embeddings", *LIBRARIES, "ratio", "ratio of processor time", "memory: minisiam, faiss"]
    print(_markdown.heading(head))
    for job in wanted.only:
        for n in wanted.n or JOBS[job][0]:
            for per_class in wanted.per_class or JOBS[job][1]:
                for kind in wanted.kind:
                    print(_markdown.row(compare(job, n, per_class, kind, wanted.rounds)), flush=True)


if __name__ == "__main__":
    main()
