"""Ranks that are processes, through mpi4py:   mpiexec -n 4 python script.py"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import require
from ..fast import launcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Array

SECONDS_OF_REST = 0.02
AXES = 5  # the most that an array may have


class Process:
    """A rank that is a process of MPI. `sent` counts the bytes that this rank has sent to others."""

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank, self.size = communicator.rank, communicator.size
        self.sent = 0

    def gather(self, array: Array) -> list[Array]:
        """Send an array to every rank."""
        array = np.asarray(array, order="C")
        headers = np.empty((self.size, 3 + AXES), np.int64)
        self.communicator.Allgather(_header(array), headers)
        received, counts = _room(headers)
        self.communicator.Allgatherv(_bytes(array), [received, counts])
        self.sent += (self.size - 1) * array.nbytes
        return _arrays(received, headers, counts)

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Send array k to rank k."""
        sent = [np.asarray(array, order="C") for array in arrays]
        headers = np.empty((self.size, 3 + AXES), np.int64)
        self.communicator.Alltoall(np.stack([_header(array) for array in sent]), headers)
        received, counts = _room(headers)
        joined = np.concatenate([_bytes(array) for array in sent])
        self.communicator.Alltoallv([joined, [array.nbytes for array in sent]], [received, counts])
        self.sent += joined.nbytes - sent[self.rank].nbytes
        return _arrays(received, headers, counts)

    def rest(self) -> None:
        """Wait until every rank calls this, without using the core: at the end, when rank 0 still has work to do."""
        request = self.communicator.Ibarrier()
        while not request.Test():
            time.sleep(SECONDS_OF_REST)


def mpi() -> Process:
    """The ranks of `mpiexec`; without it, one rank.

    It needs mpi4py and an MPI, which are both on PyPI: python -m pip install -e '.[mpi]'.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:  # mpi4py is missing, or the MPI that it loads
        raise ModuleNotFoundError(
            f"more than one process needs MPI ({error}): {require.how_to_install('mpi')}"
        ) from None
    ranks = Process(MPI.COMM_WORLD)
    if ranks.size < launcher.processes():
        library = MPI.Get_library_version().splitlines()[0].strip("\0")
        raise ValueError(
            f"mpiexec started {launcher.processes()} processes, but each of them finds {ranks.size}: this mpiexec does "
            f"not belong to the MPI that mpi4py has loaded, {library}. Use the mpiexec of that MPI, such as the one "
            f"beside {sys.executable}"
        )
    return ranks


def _header(array: Array) -> Array:
    """The kind and size of the dtype, the number of axes, and the shape."""
    if array.dtype.kind not in "biufcU" or array.ndim > AXES:
        raise TypeError(f"an array of dtype {array.dtype} with {array.ndim} axes cannot be sent to other ranks")
    kind, length = ord(array.dtype.kind), array.dtype.itemsize // (4 if array.dtype.kind == "U" else 1)
    return np.array([kind, length, array.ndim, *array.shape, *[0] * (AXES - array.ndim)], np.int64)


def _form(header: Array) -> tuple[np.dtype[Any], tuple[int, ...]]:
    kind, length, axes, *shape = header.tolist()
    return np.dtype(f"{chr(kind)}{length}"), tuple(shape[:axes])


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8) if array.size and array.itemsize else np.empty(0, np.uint8)


def _room(headers: Array) -> tuple[Array, list[int]]:
    """A buffer for what is received, and the number of bytes from each rank."""
    counts = [dtype.itemsize * int(np.prod(shape)) for dtype, shape in map(_form, headers)]
    return np.empty(sum(counts), np.uint8), counts


def _arrays(received: Array, headers: Array, counts: list[int]) -> list[Array]:
    parts = np.split(received, np.cumsum(counts)[:-1])
    return [part.view(dtype).reshape(shape) for part, (dtype, shape) in zip(parts, map(_form, headers), strict=True)]
