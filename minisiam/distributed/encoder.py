"""An encoder on many ranks: own images in, the embeddings of all images out, for every network and loss.

Of the layers, only batch norm looks across the batch. It exchanges the sums of its channels between the ranks.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import fast, ops, tree
from ..fast.batch_norm import Collected, Pulled, pooled, statistics
from ..fast.convert import included
from ..fast.stages import ACROSS_THE_BATCH, Stage, in_one_chunk, stages_of
from ..fast.windows import postponed
from ..layers import Layer, at_test, running_gradient, serial
from .collectives import require_alike
from .ranks import equal, places, together, total_tree

if TYPE_CHECKING:
    from ..typing import Array, Params
    from .ranks import Ranks


def encoder(encoder: Layer, ranks: Ranks) -> Layer:
    """Return the encoder of a batch that is divided among ranks: Z = f(x₀; θ), …, f(x_{R−1}; θ), on every rank.

    Parameters
    ----------
    encoder
        A layer, `fast.convert` or `fast.microbatch` of one. `BatchNorm` computes its statistics over all ranks.
    ranks
        From `distributed.mpi`, `distributed.run` or `distributed.Single`.

    Returns
    -------
    layer
        `Z, pullback = layer(params, x)` with the own images x and the same params on every rank. `pullback(dZ)` takes
        the gradient of all embeddings, the same on every rank, and gives dparams of the whole batch and dx of the own
        images. So a network that is built on it computes the value and the gradient of the whole batch on every rank.

    Raises
    ------
    ValueError
        On every rank, if one has no images, or images of another shape or dtype than the others. At the first call
        also if the parameters differ, or if the embedding of an image depends on the others in an unknown way.
    """
    local = _over_ranks(encoder, ranks)
    alone = _without_norms(encoder)
    checked = False

    def apply(params: Params, x: Array, /, input_grad: bool = True) -> Any:
        nonlocal checked
        require_alike(ranks.gather(np.empty((*np.shape(x), 0), x.dtype)), axes=-1)  # it sends the shape and no images
        if not checked:
            equal(ranks, "the parameters, by their checksum", _checksum(params), "Draw them from one seed on all ranks")
            together(ranks, lambda: _require_images_alone(alone, params, x))
            checked = True
        z, pull = local(params, x, input_grad=input_grad)
        parts = ranks.gather(z)
        require_alike(parts)
        mine = places(map(len, parts))[ranks.rank]

        def pullback(dZ: Array) -> tuple[Params, Array]:
            dparams, dx = pull(np.ascontiguousarray(dZ[mine]))
            return total_tree(ranks, dparams), dx

        return np.concatenate(parts), pullback

    return Layer(encoder.init, apply, encoder.name, encoder.parts, test=at_test(encoder))


def _without_norms(layer: Layer) -> Layer:
    """The encoder with the batch norms of test time, which process each image alone."""
    if layer.op is serial or layer.op is fast.microbatch:
        return serial(*map(_without_norms, layer.parts), name=layer.name)
    return layer.test if layer.test and layer.op in (*NORMS, included, postponed) else layer


def _require_images_alone(alone: Layer, params: Params, x: Array) -> None:
    """Require that the embedding of an image depends on no other image, but for the batch norms that are known here."""
    one, _ = alone(params, x[:1], input_grad=False)
    three, _ = alone(params, np.concatenate([x[:1], x[-1:], 1 - x[:1]]), input_grad=False)
    if not np.allclose(one[0], three[0], rtol=1e-3, atol=1e-3 * np.abs(one).max()):
        raise ValueError(
            "the embedding of an image depends on the other images of the batch, and the encoder has a layer for which "
            "distributed.encoder does not know how: use BatchNorm, or a layer that processes each image alone"
        )


def _checksum(params: Params) -> int:
    number = 0
    for leaf in map(np.asarray, tree.leaves(params)):
        number = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), zlib.crc32(str(leaf.shape).encode(), number))
    return number


def _over_ranks(layer: Layer, ranks: Ranks) -> Layer:
    """The same layer, whose statistics of the batch are those of all ranks."""
    if layer.op is serial:
        return serial(*(_over_ranks(part, ranks) for part in layer.parts), name=layer.name)
    if layer.op is fast.microbatch:
        return fast.microbatch(_over_ranks(serial(*layer.parts, name=layer.name), ranks), **layer.options)
    if layer.op in NORMS:
        return _norm_over_ranks(layer, ranks)
    return layer


NORMS = (ops.batch_norm, pooled)


def _norm_over_ranks(layer: Layer, ranks: Ranks) -> Layer:
    """Batch norm with the statistics of all ranks."""
    made = layer._replace(op=norm_over_ranks, options={"norm": layer, "ranks": ranks})
    return made._replace(apply=in_one_chunk(norm_over_ranks(made)))


def norm_over_ranks(layer: Layer) -> tuple[Stage, ...]:
    """The stages of a batch norm, of which the middle one exchanges the sums of every chunk between the ranks."""
    norm, ranks = layer.options["norm"], layer.options["ranks"]
    first, _, last = stages_of(norm)

    def run(params: Params, chunks: list[Collected], /, input_grad: bool, each: Any) -> Any:
        every, mine = _chunks_of_all(chunks, ranks)
        found, pull, (mean, variance, values) = statistics(
            every, params["scale"], params["shift"], norm.options["epsilon"]
        )

        def pullback(pulled: list[Pulled]) -> Any:
            dscale, dshift, sends = pull(_pulled_of_all(pulled, mine, ranks))
            dparams = {"scale": dscale, "shift": dshift, "running": running_gradient(params, mean, variance, values)}
            # they are the same on every rank, and the sum over the ranks must contain them once
            return dparams if ranks.rank == 0 else tree.map(np.zeros_like, dparams), sends[mine]

        return found[mine], pullback

    return first, Stage(run, together=True), last


ACROSS_THE_BATCH[norm_over_ranks] = norm_over_ranks


def _chunks_of_all(chunks: list[Collected], ranks: Ranks) -> tuple[list[Collected], slice]:
    """The sums of the chunks of all ranks, in order, and where the own chunks are among them."""
    counts = ranks.gather(np.array([chunk.values for chunk in chunks]))
    sums = ranks.gather(np.stack([[chunk.anchor, chunk.sums, chunk.squares] for chunk in chunks]))
    every = [
        Collected(None, count, *one)
        for values, part in zip(counts, sums, strict=True)
        for count, one in zip(values.tolist(), part, strict=True)
    ]
    mine = places(map(len, counts))[ranks.rank]
    every[mine] = chunks
    return every, mine


def _pulled_of_all(pulled: list[Pulled], mine: slice, ranks: Ranks) -> list[Pulled]:
    """The sums of the gradients of the chunks of all ranks, in order."""
    sums = ranks.gather(np.stack([[one.down, one.out] for one in pulled]))
    every = [Pulled(down, out, _on_another_rank) for part in sums for down, out in part]
    every[mine] = pulled
    return every


def _on_another_rank(bend: Array, rest: Array) -> Array:
    raise RuntimeError("the gradient of the images of another rank is computed there")
