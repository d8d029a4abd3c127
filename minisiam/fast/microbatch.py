"""Run an encoder on chunks of the batch, on all cores, and add up the gradients of the chunks.

    encoder = fast.microbatch(encoders.conv4())     instead of encoders.conv4(), with every network and loss

As in a siamese network, several branches share weights, and dθ is the sum over the branches. Each thread processes a
chunk through layer after layer, until a layer needs all chunks (`fast.stages`).
"""

from __future__ import annotations

from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

from .. import _arrays, ops, require
from ..layers import Layer, at_test, serial
from .convolution import fastest_conv2d
from .fused import conv_pool_relu
from .stages import Stage, join, split, stages_of, through
from .threads import count, keep_memory, one_blas_thread, run
from .windows import postponed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..typing import Array, Params

CONVOLUTIONS = (ops.conv2d, fastest_conv2d, conv_pool_relu, postponed)


def microbatch(encoder: Layer, chunk: int = 64, threads: int | None = None) -> Layer:
    """Return the same encoder, with the same parameters, run on chunks of at most `chunk` images.

    Parameters
    ----------
    encoder
        A layer, or a `serial` of layers. Most layers process each image alone, and run chunk by chunk. `BatchNorm`
        computes its statistics over all chunks. `Dense` joins the chunks, so that its weights have one gradient instead
        of one per chunk. Apply `fast.convert` before, not after: a network made of the parts of the result would not
        run in chunks. An encoder without convolutions is returned unchanged, since BLAS already divides a matrix
        product.
    chunk
        The largest number of images in a chunk: the batch is divided into an even number of equal chunks. With 32
        instead of 64, Conv4 takes 40 % less memory and about a tenth more time; below 16, most of the time is spent
        in Python.
    threads
        The number of chunks that are processed at the same time; on more than two cores a smaller `chunk` is faster.
        Default: the number of cores if threadpoolctl is installed, which keeps the products of each thread on one core
        (python -m pip install -e '.[threads]'); otherwise 1.

    Returns
    -------
    layer
        Gradients are summed in the order of the chunks, so they do not depend on `threads`. They may depend on `chunk`
        through rounding.
    """
    require.whole("chunk", chunk, 1)
    workers = count(threads)
    if not _convolves(encoder):
        return encoder
    stages, paths = zip(*_stages(encoder), strict=True)

    def each(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return run(work, items, workers)

    def apply(params, x, /, input_grad=True):
        x = _arrays.floats("x", x)
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
    options = {"chunk": chunk, "threads": workers}
    return Layer(encoder.init, apply, encoder.name, encoder.parts, microbatch, options, test)


def _convolves(layer: Layer) -> bool:
    return layer.op in CONVOLUTIONS or any(map(_convolves, layer.parts))


def _cut(x: Array, chunk: int) -> list[Array]:
    """Divide x into an even number of chunks, equal if possible, of at most `chunk` images."""
    pairs = max(1, -(-len(x) // (2 * chunk)))
    size = max(1, -(-len(x) // (2 * pairs)))
    return [x[i : i + size] for i in range(0, len(x), size)] or [x]


def _stages(layer: Layer, path: tuple[int, ...] = ()) -> list[tuple[Stage, tuple[int, ...]]]:
    """The stages of an encoder, each with the path to its parameters."""
    if layer.op is serial:
        return [stage for i, part in enumerate(layer.parts) for stage in _stages(part, (*path, i))]
    return [(stage, path) for stage in stages_of(layer)]


def _as_tree(layer: Layer, dparams: Iterator[Params | None]) -> Params:
    """Arrange the gradients of all stages as a tree like the layer's parameters."""
    if layer.op is serial:
        return [_as_tree(part, dparams) for part in layer.parts]
    found = [next(dparams) for _ in stages_of(layer)]
    return next(dtheta for dtheta in found if dtheta is not None)
