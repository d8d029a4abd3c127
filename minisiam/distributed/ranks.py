"""What ranks can do: send arrays to each other. Everything else follows, and sums are in the order of the ranks.

The functions below are the same for every kind of ranks, so they give the same bits for threads and for processes.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import require, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..typing import Array, Params


class Ranks(Protocol):
    """The ranks 0 … size − 1 of a computation, seen from one of them.

    Every rank must call the same methods in the same order. Their arrays may differ in shape and dtype.
    """

    rank: int
    size: int

    def gather(self, array: Array) -> list[Array]:
        """Send an array to every rank, and return those of all ranks, in their order."""

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Send array k to rank k, and return what the ranks have sent to this one, in their order."""


class Single:
    """A single rank: the interface without company."""

    rank, size = 0, 1

    def gather(self, array: Array) -> list[Array]:
        """Return the array."""
        return [array]

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the array."""
        (array,) = arrays
        return [array]


def share(size: int, ranks: Ranks) -> slice:
    """The rows of a batch of `size` that belong to this rank: as equal as possible, the first ranks have one more.

    >>> share(10, Single())
    slice(0, 10, None)
    """
    size = require.whole("size", size, 0)
    if size < ranks.size:
        raise ValueError(f"a batch of {size} images leaves a rank without an image: use at least {ranks.size}")
    return shares(size, ranks.size)[ranks.rank]


def own(x: Any, ranks: Ranks) -> Any:
    """The rows of an array that belong to this rank."""
    return x[share(len(x), ranks)]


def shares(rows: int, ranks: int) -> list[slice]:
    """Where the rows of each rank are: as equal shares as possible."""
    each, more = divmod(rows, ranks)
    return places(each + (k < more) for k in range(ranks))


def places(counts: Iterable[int]) -> list[slice]:
    """Where the rows of each rank are among all rows."""
    return [slice(*pair) for pair in pairwise(accumulate(counts, initial=0))]


def reduce_scatter(ranks: Ranks, array: Array, places: list[slice]) -> Array:
    """Sum the arrays of all ranks, in their order; each rank gets the rows at its place of the sum."""
    return _sum(ranks.exchange([array[place] for place in places]))


def total(ranks: Ranks, array: Array) -> Array:
    """Sum the arrays of all ranks, in their order, on every rank.

    Each rank sums one part and sends it to the others, so the traffic of a rank does not grow with their number.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    part = reduce_scatter(ranks, flat, shares(len(flat), ranks.size))
    return np.concatenate(ranks.gather(part)).reshape(np.shape(array))


def total_tree(ranks: Ranks, params: Params) -> Params:
    """Sum trees over the ranks, with one exchange for all leaves of a dtype."""
    leaves = [np.asarray(leaf) for leaf in tree.leaves(params)]
    sums: dict[Any, Any] = {}
    for dtype in dict.fromkeys(leaf.dtype for leaf in leaves):
        joined = np.concatenate([leaf.reshape(-1) for leaf in leaves if leaf.dtype == dtype])
        sums[dtype] = iter(_cut(total(ranks, joined), [leaf.size for leaf in leaves if leaf.dtype == dtype]))
    return tree.map(lambda leaf: next(sums[np.asarray(leaf).dtype]).reshape(np.shape(leaf)), params)


def _cut(joined: Array, sizes: list[int]) -> list[Array]:
    return np.split(joined, np.cumsum(sizes)[:-1])


def _sum(arrays: list[Array]) -> Array:
    """Add arrays in order."""
    result = np.array(arrays[0])
    for array in arrays[1:]:
        result += array
    return result


def together(ranks: Ranks, work: Callable[[], Any]) -> Any:
    """Call a function that may raise an error on some ranks only: then every rank raises the first of these errors.

    Without this, the other ranks would wait for ever for the one that failed.
    """
    result, error = None, None
    try:
        result = work()
    except Exception as raised:
        error = raised
    texts = gather_text(ranks, _message(error))
    first = next((rank for rank, text in enumerate(texts) if text), None)
    if error is not None and first == ranks.rank:
        raise error
    if first is not None:
        name, _, text = texts[first].partition(": ")
        raise KINDS.get(name, RuntimeError)(f"on rank {first}: {text}")
    return result


KINDS = {kind.__name__: kind for kind in (ValueError, TypeError, IndexError, FloatingPointError)}


def _message(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}" if error else ""


def require_one_for_each(arrays: Sequence[Array], size: int) -> None:
    """Require one array for each rank."""
    if len(arrays) != size:
        raise ValueError(f"exchange takes a list of {size} arrays, one for each rank; it has {len(arrays)}")


def equal(ranks: Ranks, name: str, value: Any, remedy: str) -> None:
    """Raise an error on every rank unless all ranks have the same value."""
    require_equal(name, gather_text(ranks, str(value)), remedy)


def gather_text(ranks: Ranks, text: str) -> list[str]:
    """The texts of all ranks."""
    return [str(np.asarray(found)) for found in ranks.gather(np.array(text))]


def require_equal(name: str, found: list[str], remedy: str) -> None:
    """Require that what was found on the ranks is the same on all."""
    if len(set(found)) > 1:
        listed = ", ".join(f"{one} on rank {rank}" for rank, one in enumerate(found))
        raise ValueError(f"the ranks differ in {name}: {listed}. {remedy}")
