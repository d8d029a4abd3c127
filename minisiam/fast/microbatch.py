"""The batch splits, the gradients add: an encoder runs on a few images at a time, on all cores.

    encoder = sharded(encoders.conv4())             in the place of encoders.conv4(), for every network and loss

It is the siamese network once more: one set of weights, several branches, and dθ is the sum over the branches. Each
thread takes a piece of the batch through layer after layer, as far as none of them asks for the other pieces.
"""

from __future__ import annotations

from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

from .. import require
from ..layers import Layer, at_test, join, split
from .stages import Stage, through
from .threads import count, keep_memory, one_blas_thread, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..typing import Array, Params


def microbatch(encoder: Layer, chunk: int = 64, threads: int | None = None) -> Layer:
    """The same encoder, with the same parameters, run on `chunk` images at a time.

    Parameters
    ----------
    encoder
        A layer, or a `serial` of layers. Most treat every image for itself, and run piece by piece. Those that do not
        say how they run on pieces (`Layer.stages`): `BatchNorm` takes its statistics over all of them, and `Dense` puts
        them together, and makes one gradient of its weights, not one for each piece. What is made of the layer
        afterwards, by `fast` or by `serial` of its parts, is no longer sharded: it comes last. An encoder without any
        convolution is given back as it is, since a product of matrices shares out its work by itself.
    chunk
        Images in a piece, at most: the batch is cut into an even number of equal pieces. Conv4 takes 40 % less memory
        with 32 and about a tenth more time; with fewer than 16 Python's own share of the time shows.
    threads
        Pieces that are worked on at once, as far as there are so many: on more than two cores a smaller `chunk` is
        faster. Default: the number of cores where threadpoolctl is installed, which keeps the products of each thread
        on one core, of a single thread too (pip install 'minisiam[threads]'); else 1.

    Returns
    -------
    layer
        Gradients are summed in the order of the pieces, so `threads` changes no bit of them; `chunk` may, by rounding.
    """
    require.whole("chunk", chunk, 1)
    workers = count(threads)
    if not _convolves(encoder):
        return encoder
    stages, paths = zip(*_stages(encoder), strict=True)

    def each(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return run(work, items, workers)

    def apply(params, x, /, input_grad=True):
        keep_memory()
        thetas = [reduce(getitem, path, params) for path in paths]
        with one_blas_thread:
            ys, pull = through(stages, thetas, _cut(x, chunk), input_grad, each)

        def pullback(dy):
            with one_blas_thread:
                dparams, dxs = pull(split(dy, ys))
            return _as_tree(encoder, iter(dparams)), join(dxs) if input_grad else None

        return join(ys), pullback

    tested = at_test(encoder)
    test = None if tested is encoder else microbatch(tested, chunk, threads)
    return Layer(encoder.init, apply, encoder.name, encoder.parts, ("sharded", workers), test)


def _convolves(layer: Layer) -> bool:
    return layer.kind[:1] in (("conv",), ("fast",)) or any(map(_convolves, layer.parts))


def _cut(x: Array, chunk: int) -> list[Array]:
    """x in an even number of equal pieces, as far as it goes, of at most `chunk` images."""
    pairs = max(1, -(-len(x) // (2 * chunk)))
    size = max(1, -(-len(x) // (2 * pairs)))
    return [x[i : i + size] for i in range(0, len(x), size)] or [x]


def _stages(layer: Layer, path: tuple[int, ...] = ()) -> list[tuple[Stage, tuple[int, ...]]]:
    """What a layer does to pieces, stage by stage, and where in the tree each has its parameters."""
    if layer.stages:
        return [(stage, path) for stage in layer.stages]
    if layer.kind == ("serial",):
        return [stage for i, part in enumerate(layer.parts) for stage in _stages(part, (*path, i))]
    return [(Stage(layer.apply), path)]


def _as_tree(layer: Layer, dparams: Iterator[Params | None]) -> Params:
    """The gradients of all stages as a tree of the layer's parameters."""
    if layer.kind == ("serial",):
        return [_as_tree(part, dparams) for part in layer.parts]
    found = [next(dparams) for _ in layer.stages or (None,)]
    return next(dtheta for dtheta in found if dtheta is not None)
