"""all_gather on several ranks as an op of the rows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...distributed.turns import in_turns
from ...gradcheck import reference
from ...gradcheck.compare import WrongForm
from ...typing import Array, Float

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...distributed import Ranks
    from ...typing import AnyOp
    from ..exercises import Function


class RanksByValue(NamedTuple):
    """Ranks as numbers and functions, which can be sent to the process of an answer."""

    rank: int
    size: int
    gather: Callable[[Array], list[Array]]
    exchange: Callable[[Sequence[Array]], list[Array]]


def _on_ranks(all_gather: Function, parts: Sequence[Array]) -> Any:
    """What all_gather gives on ranks that take turns: Z of rank 0, then Z of rank 1, …; and dz of each rank."""
    size = len(parts)
    turns: dict[int, Ranks] = {}  # of each rank, the latest

    def sendable(rank: int) -> RanksByValue:
        return RanksByValue(rank, size, lambda x: turns[rank].gather(x), lambda xs: turns[rank].exchange(xs))

    def on_each(work: Callable[[int], Any]) -> list[Any]:
        def one(ranks: Ranks) -> Any:
            turns[ranks.rank] = ranks
            return work(ranks.rank)

        return in_turns(one, size)

    results = on_each(lambda rank: all_gather(parts[rank], sendable(rank)))

    def pullback(g: Array) -> tuple[Any, ...]:
        upstream = np.split(g, size)
        return tuple(map(_only, on_each(lambda rank: results[rank][1](upstream[rank]))))

    return _joined(results, sum(map(len, parts))), pullback


def _only(gradients: Any) -> Any:
    if not isinstance(gradients, tuple) or len(gradients) != 1:
        raise WrongForm("the pullback must return a tuple with one gradient, (dz,)")
    return gradients[0]


def _joined(results: list[Any], rows: int) -> Array:
    """The rows of Z on rank 0, then those of rank 1, …"""
    for rank, result in enumerate(results):
        if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
            raise WrongForm("the function must return a pair, Z and pullback")
        if not isinstance(result[0], np.ndarray) or len(result[0]) != rows:
            raise WrongForm(f"Z on rank {rank} must be an array of {rows} rows, those of all ranks")
    return np.concatenate([Z for Z, _ in results])


def as_op_of_one_rank(all_gather: Function) -> AnyOp:
    """all_gather on a single rank."""

    def one_rank(z0: Float[Array, "n d"], /) -> Any:
        return _on_ranks(all_gather, [z0])

    return one_rank


def as_op_of_two_ranks(all_gather: Function) -> AnyOp:
    """all_gather on two ranks, as an op of the rows of each."""

    def two_ranks(z0: Float[Array, "n d"], z1: Float[Array, "m d"], /) -> Any:
        return _on_ranks(all_gather, [z0, z1])

    return two_ranks


def as_op_of_three_ranks(all_gather: Function) -> AnyOp:
    """all_gather on three ranks."""

    def three_ranks(z0: Float[Array, "n d"], z1: Float[Array, "m d"], z2: Float[Array, "n d"], /) -> Any:
        return _on_ranks(all_gather, [z0, z1, z2])

    return three_ranks


def as_op_of_four_ranks(all_gather: Function) -> AnyOp:
    """all_gather on four ranks."""

    def four_ranks(
        z0: Float[Array, "m d"], z1: Float[Array, "n d"], z2: Float[Array, "n d"], z3: Float[Array, "m d"], /
    ) -> Any:
        return _on_ranks(all_gather, [z0, z1, z2, z3])

    return four_ranks


ON_RANKS = {  # op → the share of inputs: each rank calls the answer several times
    as_op_of_two_ranks: 4,
    as_op_of_three_ranks: 8,
    as_op_of_four_ranks: 8,
    as_op_of_one_rank: 8,
}


@reference.specify(sizes={"n": (1, 2), "m": (2, 3)})
def on_every_rank(*parts: Any) -> Any:
    """The formula: every rank has the rows of all."""
    return reference.np.concatenate(parts * len(parts))
