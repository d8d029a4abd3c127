"""mpiexec -n 2 python law_under_mpi.py: the tests of the law, with ranks that are processes.

A test calls `distributed.run(work, size)`. Here this calls work(ranks) if there are `size` processes, and nothing
otherwise. Tests that compare the results of all ranks need threads and are left out.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from minisiam import distributed, losses, networks, pairwise, tree

NEEDS_THREADS = "pullback_of_a_copy or pullbacks_of_a_sum or same_bits"
LAW = Path(__file__).with_name("test_law.py")


def obeyed_by(ranks):
    """The exit code of pytest on the law, and how many networks it has tried."""
    calls = []

    def run(work, size):
        if size != ranks.size:
            return []
        calls.append(size)
        return [work(ranks)]

    distributed.run, threads = run, distributed.run
    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-k", f"not ({NEEDS_THREADS})", str(LAW)])
    distributed.run = threads
    return code, len(calls)


def bits(ranks):
    """The bits of the value and the gradient of a network."""
    from test_law import LABELS, NORMED, X

    network = networks.batch(
        distributed.encoder(NORMED, ranks), distributed.rows(pairwise.cosine, ranks), losses.supcon
    )
    params = network.init(np.random.default_rng(0), (6,))
    value, pullback = network(params, distributed.own(X[0].astype(np.float32), ranks), LABELS)
    return b"".join(np.asarray(leaf).tobytes() for leaf in (value, *tree.leaves(pullback(1.0)[0])))


if __name__ == "__main__":
    ranks = distributed.mpi()
    code, tried = obeyed_by(ranks)
    assert tried > 50
    sys.path.insert(0, str(LAW.parent))
    assert set(distributed.run(bits, ranks.size)) == {bits(ranks)}  # threads and processes give the same bits
    sys.stdout.write(f"rank {ranks.rank} of {ranks.size}: {tried} networks obey the law\n")
    sys.exit(code)
