"""The processes that mpiexec or srun has started, from the environment variables that it sets: no MPI is needed.

    launcher        processes               rank                    on this machine
    MPICH, Intel    PMI_SIZE                PMI_RANK                MPI_LOCALNRANKS
    Open MPI        OMPI_COMM_WORLD_SIZE    OMPI_COMM_WORLD_RANK    OMPI_COMM_WORLD_LOCAL_SIZE
    srun of Slurm   SLURM_STEP_NUM_TASKS    SLURM_PROCID            SLURM_STEP_TASKS_PER_NODE, SLURM_NODEID

Slurm sets SLURM_NTASKS in a batch script too, where only one process runs, so it is not read.
"""

from __future__ import annotations

import os
import re

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
LOCAL = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")


def processes() -> int:
    """Return how many processes were started together; without a launcher 1."""
    return _first(SIZES, 1)


def rank() -> int:
    """Return the number of this process among those that were started together."""
    return _first(RANKS, 0) if processes() > 1 else 0


def on_this_machine() -> int:
    """Return how many of the processes run on this machine; if the launcher does not say, all of them."""
    return min(processes(), _first(LOCAL, _tasks_of_node() or processes()))


def _first(names: tuple[str, ...], default: int) -> int:
    """The first of these variables that is a whole number."""
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), default)


def _tasks_of_node() -> int | None:
    """How many tasks of the Slurm step run on this node: the list "2(x3),1" has 2 on three nodes and 1 on the next."""
    counts: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")):
        counts += [int(count)] * int(times or 1)
    node = _first(("SLURM_NODEID",), 0)
    return counts[node] if node < len(counts) else None
